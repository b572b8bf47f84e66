//! Histograms: the sums of gradients of a node's rows in every bin of every feature.
//!
//! Features with few bins share a *lane*: the code of a row is then the pair (or more) of its bins, and their sums come
//! apart when a split is sought. Lanes lie row-major in slabs of up to 16, so that one miss of the cache brings all codes of a
//! row, and the cells of a slab fit the first-level cache. Rows of a list are asked for some rows ahead. A lane has the same
//! number of cells in memory whatever its number of codes; only those in use are cleared, subtracted and scanned. A large
//! category is a slab of its own, with a cell per level. Sums are whole numbers, so rows may be cut among threads in any way.

mod large;

use std::ops::Range;

use rayon::prelude::*;

use crate::binning::{BinColumn, BinnedMatrix};
use crate::cell::{Cell, Narrow, Packing, Tight, Wide};
use crate::gradient::{FixedGradients, Sums, TIGHT_ROWS, Units};
use crate::kernels::{AHEAD, prefetch, widest};

/// Cells per lane in memory: 256 codes, and 8 more so that equal codes of neighbouring lanes do not meet in one set of the
/// first-level cache.
const STRIDE: usize = 264;
/// Most codes of a lane.
const LANE_CODES: usize = 256;
/// Lanes with room that are looked at for another feature.
const OPEN_LANES: usize = 64;
/// Rows per code of a lane, at least, where features share it: their sums must come apart again for every node.
const ROWS_PER_CODE: usize = 16;
/// Additions below which a second thread costs more than it brings.
const PARALLEL_ADDS: usize = 1 << 16;
/// Rows from which on it pays to add tight cells and to empty them into wide ones.
const TIGHT_PAYS: usize = 1024;

/// Where a feature's bins are counted: a code of its lane is the sum of the bins of its features, each times its step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    first_cell: usize,
    /// Number of bins; 0 for a feature that is the same in all rows, which is never split on.
    n_codes: usize,
    step: usize,
    lane_codes: usize,
    /// Where the levels of a large category are noted that have rows.
    first_word: Option<usize>,
}

/// Features that share their codes.
#[derive(Debug, Clone, PartialEq)]
struct Lane {
    features: Vec<usize>,
    n_codes: usize,
}

#[derive(Debug, Clone, PartialEq)]
enum Codes {
    Four(Vec<[u8; 4]>),
    Eight(Vec<[u8; 8]>),
    Sixteen(Vec<[u8; 16]>),
    /// Those of one large category.
    Large(Vec<u16>),
}

/// Lanes whose codes of a row lie together.
#[derive(Debug, Clone, PartialEq)]
struct Slab {
    lanes: Vec<Lane>,
    cells: Range<usize>,
    /// A bit per level of a large category.
    words: Range<usize>,
    codes: Codes,
}

impl Slab {
    /// Where each lane has its cells, among those of the slab.
    fn lane_cells(&self) -> impl Iterator<Item = Range<usize>> {
        self.lanes.iter().enumerate().map(|(i, lane)| i * STRIDE..i * STRIDE + lane.n_codes)
    }
}

/// The bins of all rows, laid out for histograms.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Layout {
    places: Vec<Place>,
    slabs: Vec<Slab>,
    n_cells: usize,
    n_words: usize,
}

impl Layout {
    /// Lays out a matrix.
    pub fn new(matrix: &BinnedMatrix) -> Self {
        let lanes = lanes(matrix);
        let nowhere = Place { first_cell: 0, n_codes: 0, step: 1, lane_codes: 0, first_word: None };
        let mut places = vec![nowhere; matrix.n_features()];
        let (mut start, mut n_cells) = (0, 0);
        let mut cuts = Vec::new();
        while start < lanes.len() {
            let width = match lanes.len() - start {
                0..=4 => 4,
                5..=12 => 8,
                _ => 16,
            };
            let end = (start + width).min(lanes.len());
            for (i, lane) in lanes[start..end].iter().enumerate() {
                let mut step = 1;
                for &f in &lane.features {
                    let n_codes = matrix.features()[f].n_codes();
                    let (first_cell, lane_codes) = (n_cells + i * STRIDE, lane.n_codes);
                    places[f] = Place { first_cell, n_codes, step, lane_codes, first_word: None };
                    step *= n_codes;
                }
            }
            cuts.push((start..end, width, n_cells..n_cells + width * STRIDE));
            n_cells += width * STRIDE;
            start = end;
        }
        let slabs = cuts.into_par_iter().map(|(range, width, cells)| {
            let lanes = lanes[range].to_vec();
            let codes = match width {
                4 => Codes::Four(transpose(&lanes, &places, matrix)),
                8 => Codes::Eight(transpose(&lanes, &places, matrix)),
                _ => Codes::Sixteen(transpose(&lanes, &places, matrix)),
            };
            Slab { lanes, cells, words: 0..0, codes }
        });
        let mut layout = Layout { slabs: slabs.collect(), places, n_cells, n_words: 0 };
        for f in 0..matrix.n_features() {
            if let BinColumn::Large(bins) = matrix.column(f) {
                layout.push_large(f, matrix.features()[f].n_codes(), bins.to_vec());
            }
        }
        layout
    }

    fn push_large(&mut self, feature: usize, n_codes: usize, codes: Vec<u16>) {
        let (first_cell, first_word) = (self.n_cells, self.n_words);
        self.n_cells += n_codes;
        self.n_words += n_codes.div_ceil(64);
        let (cells, words) = (first_cell..self.n_cells, first_word..self.n_words);
        let lanes = vec![Lane { features: vec![feature], n_codes }];
        self.slabs.push(Slab { lanes, cells, words, codes: Codes::Large(codes) });
        self.places[feature] =
            Place { first_cell, n_codes, step: 1, lane_codes: n_codes, first_word: Some(first_word) };
    }

    /// How many bins all features have together.
    pub fn n_bins(&self) -> usize {
        self.places.iter().map(|p| p.n_codes).sum()
    }

    /// Whether a feature has bins to tell apart: not if it is the same in all rows.
    pub(crate) fn has_bins(&self, feature: usize) -> bool {
        self.places[feature].n_codes > 0
    }

    /// How many additions a row takes.
    pub fn n_lanes(&self) -> usize {
        self.slabs.iter().map(|s| s.lanes.len()).sum()
    }

    /// Whether there is enough to share among threads without cutting the rows.
    pub fn is_wide(&self) -> bool {
        self.n_lanes().div_ceil(16) >= 4 * rayon::current_num_threads()
    }
}

/// Puts features with few bins together, those with the most first.
fn lanes(matrix: &BinnedMatrix) -> Vec<Lane> {
    let most = LANE_CODES.min(matrix.n_rows() / ROWS_PER_CODE);
    let n_codes = |f: usize| matrix.features()[f].n_codes();
    let has_lane = |f: &usize| n_codes(*f) > 1 && matches!(matrix.column(*f), BinColumn::Bytes(_));
    let mut features: Vec<usize> = (0..matrix.n_features()).filter(has_lane).collect();
    features.sort_by_key(|&f| std::cmp::Reverse(n_codes(f)));
    let mut lanes: Vec<Lane> = Vec::new();
    // The lanes that have room.
    let mut open: Vec<usize> = Vec::new();
    for f in features {
        match open.iter().position(|&lane| lanes[lane].n_codes * n_codes(f) <= most) {
            Some(at) => {
                let lane = &mut lanes[open[at]];
                lane.features.push(f);
                lane.n_codes *= n_codes(f);
                if 2 * lane.n_codes > most {
                    open.remove(at);
                }
            }
            None => {
                if 2 * n_codes(f) <= most && open.len() < OPEN_LANES {
                    open.push(lanes.len());
                }
                lanes.push(Lane { features: vec![f], n_codes: n_codes(f) });
            }
        }
    }
    lanes
}

fn transpose<const W: usize>(lanes: &[Lane], places: &[Place], matrix: &BinnedMatrix) -> Vec<[u8; W]> {
    const BLOCK: usize = 1024;
    let mut rows = vec![[0; W]; matrix.n_rows()];
    rows.par_chunks_mut(BLOCK).enumerate().for_each(|(block, rows)| {
        for (i, lane) in lanes.iter().enumerate() {
            for &f in &lane.features {
                let column = &matrix.column(f).bytes()[block * BLOCK..][..rows.len()];
                let step = places[f].step as u8;
                rows.iter_mut().zip(column).for_each(|(row, code)| row[i] += code * step);
            }
        }
    });
    rows
}

/// Rows of a node, or some of them.
#[derive(Debug, Clone)]
pub enum NodeRows<'a> {
    /// Rows one after the other.
    Range(Range<usize>),
    /// The rows of a list.
    List(&'a [u32]),
}

impl<'a> NodeRows<'a> {
    /// How many rows there are.
    pub fn len(&self) -> usize {
        match self {
            NodeRows::Range(range) => range.len(),
            NodeRows::List(rows) => rows.len(),
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The rows at some positions.
    #[must_use]
    pub fn slice(&self, positions: Range<usize>) -> NodeRows<'a> {
        match self {
            NodeRows::Range(range) => NodeRows::Range(range.start + positions.start..range.start + positions.end),
            NodeRows::List(rows) => NodeRows::List(&rows[positions]),
        }
    }
}

#[derive(Debug, Clone, PartialEq)]
enum Cells {
    Narrow(Vec<Narrow>),
    Wide(Vec<Wide>),
}

/// The sums of a node's rows by bin.
#[derive(Debug, Clone, PartialEq)]
pub struct Histogram {
    cells: Cells,
    /// Which levels of large categories have rows.
    met: Vec<u64>,
    /// Squares of fine gradients; added up only where there is a large category.
    squares: u128,
    packing: Packing,
}

/// The sums of the rows of a bin, of which there are some.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BinSums {
    /// The bin.
    pub bin: u16,
    /// Its sums.
    pub sums: Sums,
}

macro_rules! each_kind {
    ($cells:expr, $name:ident => $body:expr) => {
        match $cells {
            Cells::Narrow($name) => $body,
            Cells::Wide($name) => $body,
        }
    };
}

impl Histogram {
    /// An empty histogram for sums of up to `n_rows` rows.
    pub fn new(layout: &Layout, gradients: &FixedGradients, n_rows: usize) -> Self {
        let cells = match gradients {
            FixedGradients::Constant { .. } => Cells::Narrow(vec![Narrow::default(); layout.n_cells]),
            _ => Cells::Wide(vec![Wide::default(); layout.n_cells]),
        };
        Histogram { cells, met: vec![0; layout.n_words], squares: 0, packing: Packing::new(gradients, n_rows) }
    }

    /// Forgets all rows.
    pub fn clear(&mut self, layout: &Layout) {
        self.squares = 0;
        each_kind!(&mut self.cells, cells => {
            for slab in &layout.slabs {
                let cells = &mut cells[slab.cells.clone()];
                match &slab.codes {
                    Codes::Large(_) => large::clear(cells, &mut self.met[slab.words.clone()]),
                    _ => slab.lane_cells().for_each(|lane| cells[lane].fill(Default::default())),
                }
            }
        });
    }

    /// Adds rows. Features that are not `active` may be left out.
    pub fn add_rows(&mut self, layout: &Layout, gradients: &FixedGradients, rows: &NodeRows<'_>, active: &[bool]) {
        if layout.n_words > 0 {
            self.squares += match rows {
                NodeRows::Range(range) => gradients.squares(range.clone()),
                NodeRows::List(rows) => gradients.squares(rows.iter().map(|&row| row as usize)),
            };
        }
        let (packing, met) = (self.packing, &mut self.met[..]);
        match (&mut self.cells, gradients) {
            (Cells::Narrow(cells), FixedGradients::Constant { gradients, .. }) => {
                let count = Counting { layout, rows, active, values: gradients, cell: |g| Narrow::of(g, packing) };
                count.add(cells, met, |slab, tile, values, cells, _: &mut Vec<Narrow>| {
                    add_tile(slab, tile, values, count.cell, Narrow::add, cells);
                });
            }
            (Cells::Wide(cells), FixedGradients::Bounded { coarse, .. }) => {
                let count = Counting { layout, rows, active, values: coarse, cell: Tight::of };
                count.add(cells, met, |slab, tile, values, cells, tight: &mut Vec<Tight>| {
                    // To empty tight cells costs more than it saves where there are many for few rows.
                    if tile.len() < TIGHT_PAYS || matches!(slab.codes, Codes::Large(_)) {
                        let cell = |pair| Wide::of_coarse(pair, packing);
                        return add_tile(slab, tile, values, cell, Wide::add, cells);
                    }
                    tight.resize(cells.len().max(tight.len()), Tight::default());
                    add_tile(slab, tile, values, count.cell, Tight::add, &mut tight[..cells.len()]);
                    for lane in slab.lane_cells() {
                        flush(&mut tight[lane.clone()], &mut cells[lane], packing);
                    }
                    // Rows have the code 0 in lanes that only fill the slab up.
                    for i in slab.lanes.len()..cells.len() / STRIDE {
                        tight[i * STRIDE] = Tight::default();
                    }
                });
            }
            (Cells::Wide(cells), FixedGradients::Varying { pairs, .. }) => {
                let count = Counting { layout, rows, active, values: pairs, cell: |p| Wide::of(p, packing) };
                count.add(cells, met, |slab, tile, values, cells, _: &mut Vec<Wide>| {
                    add_tile(slab, tile, values, count.cell, Wide::add, cells);
                });
            }
            _ => unreachable!("invariant: cells are narrow exactly where hessians are constant"),
        }
    }

    /// Adds the sums of other rows.
    pub fn merge(&mut self, other: &Histogram, layout: &Layout) {
        self.squares += other.squares;
        let met = (&mut self.met[..], &other.met[..]);
        match (&mut self.cells, &other.cells) {
            (Cells::Narrow(a), Cells::Narrow(b)) => combine((a, b), met, layout, Narrow::add),
            (Cells::Wide(a), Cells::Wide(b)) => combine((a, b), met, layout, Wide::add),
            _ => unreachable!("invariant: histograms of one tree have one kind of cells"),
        }
    }

    /// Takes the sums of some of the rows away: what is left are the others'.
    pub fn subtract(&mut self, part: &Histogram, layout: &Layout) {
        self.squares -= part.squares;
        let met = (&mut self.met[..], &part.met[..]);
        match (&mut self.cells, &part.cells) {
            (Cells::Narrow(a), Cells::Narrow(b)) => combine((a, b), met, layout, Narrow::subtract),
            (Cells::Wide(a), Cells::Wide(b)) => combine((a, b), met, layout, Wide::subtract),
            _ => unreachable!("invariant: histograms of one tree have one kind of cells"),
        }
    }

    /// The sums of the bins of a feature that have rows, in order, into `out`; none for a feature that is the same in all
    /// rows.
    pub fn sums_into(&self, layout: &Layout, feature: usize, out: &mut Vec<BinSums>) {
        out.clear();
        self.each_bin(layout, feature, |bin, sums| {
            if sums.count > 0 {
                out.push(BinSums { bin: bin as u16, sums });
            }
        });
    }

    /// Visits the bins of a feature in order, those without rows too unless there are many; none of a feature that is the
    /// same in all rows.
    #[inline]
    pub(crate) fn each_bin(&self, layout: &Layout, feature: usize, mut visit: impl FnMut(usize, Sums)) {
        let place = layout.places[feature];
        each_kind!(&self.cells, cells => {
            let cells = &cells[place.first_cell..][..place.lane_codes];
            let mut visit = |bin: usize, cell: &_| visit(bin, Cell::sums(*cell, self.packing));
            match place.first_word {
                Some(first) => {
                    let met = &self.met[first..][..place.n_codes.div_ceil(64)];
                    large::each_level(met, |level| visit(level, &cells[level]));
                }
                None if place.lane_codes == place.n_codes => {
                    cells.iter().enumerate().for_each(|(bin, cell)| visit(bin, cell));
                }
                None => {
                    let own = own_cells(cells, place);
                    own[..place.n_codes].iter().enumerate().for_each(|(bin, cell)| visit(bin, cell));
                }
            }
        });
    }

    /// The sum of the squares of all gradients, in squares of the units of its sums; 0 without a large category.
    pub fn gradient_squares(&self) -> f64 {
        let unit = (1u64 << self.packing.gradient_shift) as f64;
        self.squares as f64 / (unit * unit)
    }

    /// Memory it takes, in bytes.
    pub fn bytes(&self) -> usize {
        each_kind!(&self.cells, cells => size_of_val(cells.as_slice())) + size_of_val(self.met.as_slice())
    }

    /// What one unit of this histogram's sums is worth, where one of the fine sums is worth `fine`.
    pub fn units(&self, fine: Units) -> Units {
        self.packing.units(fine)
    }
}

/// The cells of one of the features of a lane.
fn own_cells<C: Cell>(lane: &[C], place: Place) -> [C; LANE_CODES] {
    let mut own = [C::default(); LANE_CODES];
    for cells in lane.chunks_exact(place.step * place.n_codes) {
        for (own, cells) in own.iter_mut().zip(cells.chunks_exact(place.step)) {
            cells.iter().for_each(|c| own.add(*c));
        }
    }
    own
}

fn combine<C: Cell>(
    (a, b): (&mut [C], &[C]),
    (a_met, b_met): (&mut [u64], &[u64]),
    layout: &Layout,
    change: impl Fn(&mut C, C) + Copy,
) {
    for slab in &layout.slabs {
        let (a, b) = (&mut a[slab.cells.clone()], &b[slab.cells.clone()]);
        if let Codes::Large(_) = slab.codes {
            let (a_met, b_met) = (&mut a_met[slab.words.clone()], &b_met[slab.words.clone()]);
            large::combine((a, a_met), (b, b_met), change);
            continue;
        }
        for lane in slab.lane_cells() {
            a[lane.clone()].iter_mut().zip(&b[lane]).for_each(|(a, b)| change(a, *b));
        }
    }
}

/// Rows that are to be counted, with a value each.
struct Counting<'a, V, F> {
    layout: &'a Layout,
    rows: &'a NodeRows<'a>,
    active: &'a [bool],
    values: &'a [V],
    cell: F,
}

impl<V: Copy + Default + Sync, F: Sync> Counting<'_, V, F> {
    /// Goes through the rows in tiles of [`TIGHT_ROWS`], and adds each to the cells of every slab. Slabs are shared among threads
    /// where there are many.
    fn add<C: Cell, T>(
        &self,
        cells: &mut [C],
        met: &mut [u64],
        add: impl Fn(&Slab, &Tile<'_>, &[V], &mut [C], &mut Vec<T>) + Sync,
    ) {
        let mut slabs = Vec::new();
        let (mut cells, mut met) = (cells, met);
        for slab in &self.layout.slabs {
            let (own_cells, own_met);
            (own_cells, cells) = cells.split_at_mut(slab.cells.len());
            (own_met, met) = met.split_at_mut(slab.words.len());
            if slab.lanes.iter().any(|lane| lane.features.iter().any(|&f| self.active[f])) {
                slabs.push((slab, own_cells, own_met));
            }
        }
        let adds = self.rows.len() * self.layout.n_lanes();
        let n_parts = if self.layout.is_wide() && adds > PARALLEL_ADDS { 2 * rayon::current_num_threads() } else { 1 };
        if n_parts == 1 {
            self.add_slabs(&mut slabs, &add);
        } else {
            let size = slabs.len().div_ceil(n_parts).max(1);
            slabs.par_chunks_mut(size).for_each(|slabs| self.add_slabs(slabs, &add));
        }
    }

    fn add_slabs<C: Cell, T>(
        &self,
        slabs: &mut [(&Slab, &mut [C], &mut [u64])],
        add: &impl Fn(&Slab, &Tile<'_>, &[V], &mut [C], &mut Vec<T>),
    ) {
        let (mut gathered, mut scratch) = (Vec::new(), Vec::new());
        // Values that are asked for more than once are brought together the first time.
        let is_gathered = slabs.len() > 1;
        for start in (0..self.rows.len()).step_by(TIGHT_ROWS) {
            let end = (start + TIGHT_ROWS).min(self.rows.len());
            let (tile, values) = match self.rows {
                NodeRows::Range(range) => {
                    let range = range.start + start..range.start + end;
                    (Tile::Range(range.clone()), &self.values[range])
                }
                NodeRows::List(rows) => {
                    let (rows, ahead) = (&rows[start..end], &rows[start..]);
                    if is_gathered {
                        gathered.clear();
                        let apart = Tile::List { rows, ahead, is_gathered: false };
                        apart.each(self.values, self.values, |_, value| gathered.push(value));
                    }
                    (Tile::List { rows, ahead, is_gathered }, if is_gathered { &gathered[..] } else { self.values })
                }
            };
            slabs.iter_mut().for_each(|(slab, cells, _)| add(slab, &tile, values, cells, &mut scratch));
        }
        for (slab, cells, met) in slabs {
            if let Codes::Large(codes) = &slab.codes {
                large::note(codes, self.rows, cells, met);
            }
        }
    }
}

/// Rows that are added together. Their values lie side by side, unless it is said that they are not.
enum Tile<'a> {
    Range(Range<usize>),
    /// `ahead` begins with the same rows and goes on with those of the next tiles.
    List {
        rows: &'a [u32],
        ahead: &'a [u32],
        /// Whether the values are those of these rows alone; else they are those of all rows.
        is_gathered: bool,
    },
}

impl Tile<'_> {
    fn len(&self) -> usize {
        match self {
            Tile::Range(range) => range.len(),
            Tile::List { rows, .. } => rows.len(),
        }
    }

    /// Visits the rows, each with its codes and its value. What a list needs of memory is asked for in time.
    #[inline(always)]
    fn each<T, V: Copy>(&self, codes: &[T], values: &[V], mut visit: impl FnMut(&T, V)) {
        match self {
            Tile::Range(range) => {
                codes[range.clone()].iter().zip(values).for_each(|(codes, &value)| visit(codes, value))
            }
            Tile::List { rows, ahead, is_gathered } => {
                let last = ahead.len() - 1;
                let later = |i: usize| ahead[(i + AHEAD).min(last)] as usize;
                if *is_gathered {
                    for (i, (&row, &value)) in rows.iter().zip(values).enumerate() {
                        prefetch(codes, later(i));
                        visit(&codes[row as usize], value);
                    }
                } else {
                    for (i, &row) in rows.iter().enumerate() {
                        prefetch(codes, later(i));
                        prefetch(values, later(i));
                        visit(&codes[row as usize], values[row as usize]);
                    }
                }
            }
        }
    }
}

/// Adds the rows of a tile to the cells of a slab.
fn add_tile<V: Copy, C: Copy>(
    slab: &Slab,
    tile: &Tile<'_>,
    values: &[V],
    cell: impl Fn(V) -> C,
    add: impl Fn(&mut C, C),
    cells: &mut [C],
) {
    match &slab.codes {
        Codes::Four(codes) => add_codes(codes, tile, values, cell, add, cells),
        Codes::Eight(codes) => add_codes(codes, tile, values, cell, add, cells),
        Codes::Sixteen(codes) => add_codes(codes, tile, values, cell, add, cells),
        Codes::Large(codes) => tile.each(codes, values, |code, value| add(&mut cells[*code as usize], cell(value))),
    }
}

#[inline(always)]
fn add_codes<V: Copy, C: Copy, const W: usize>(
    codes: &[[u8; W]],
    tile: &Tile<'_>,
    values: &[V],
    cell: impl Fn(V) -> C,
    add: impl Fn(&mut C, C),
    cells: &mut [C],
) {
    let (lanes, _) = cells.as_chunks_mut::<STRIDE>();
    let lanes: &mut [[C; STRIDE]; W] = lanes.try_into().expect("invariant: a slab has a stride for every lane");
    tile.each(codes, values, |codes, value| add_row(lanes, codes, cell(value), &add));
}

/// The kernel: one read-modify-write per lane. Codes are taken out of whole words.
#[inline(always)]
fn add_row<C: Copy, const W: usize>(lanes: &mut [[C; STRIDE]; W], codes: &[u8; W], cell: C, add: &impl Fn(&mut C, C)) {
    let (words, rest) = codes.as_chunks::<8>();
    for (word, lanes) in words.iter().zip(lanes.chunks_exact_mut(8)) {
        let word = u64::from_le_bytes(*word);
        for (i, lane) in lanes.iter_mut().enumerate() {
            add(&mut lane[(word >> (8 * i) & 0xff) as usize], cell);
        }
    }
    let first = W - rest.len();
    for (lane, code) in lanes[first..].iter_mut().zip(rest) {
        add(&mut lane[*code as usize], cell);
    }
}

widest! {
    /// Adds tight cells to wide ones, and clears them.
    fn flush(tight: &mut [Tight], cells: &mut [Wide], packing: Packing) {
        for (tight, cell) in tight.iter_mut().zip(cells) {
            cell.add(std::mem::take(tight).widen(packing));
        }
    }
}

#[cfg(test)]
mod tests;
