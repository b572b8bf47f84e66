//! Histograms: the sums of gradients of a node's rows in every bin of every feature.
//!
//! Features with few bins share a *lane*: the code of a row is then the pair (or more) of its bins, and their sums come
//! apart when a split is sought. Lanes lie row-major in slabs of up to 16, so that one miss of the cache brings all codes of a
//! row, and the cells of a slab fit the first-level cache. Rows of a list are asked for some rows ahead. A lane has the same
//! number of cells in memory whatever its number of codes; only those in use are cleared, subtracted and scanned. Sums
//! are whole numbers, so rows may be cut among threads in any way.

use std::ops::Range;

use rayon::prelude::*;

use crate::binning::BinnedMatrix;
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

/// Where a feature's bins are counted: a code of its lane is the sum of the bins of its features, each times its step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    first_cell: usize,
    /// Number of bins; 0 for a feature that is the same in all rows, which is never split on.
    n_codes: usize,
    step: usize,
    lane_codes: usize,
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
}

/// Lanes whose codes of a row lie together.
#[derive(Debug, Clone, PartialEq)]
struct Slab {
    lanes: Vec<Lane>,
    cells: Range<usize>,
    codes: Codes,
}

/// The bins of all rows, laid out for histograms.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Layout {
    places: Vec<Place>,
    slabs: Vec<Slab>,
    n_cells: usize,
}

impl Layout {
    /// Lays out a matrix.
    pub fn new(matrix: &BinnedMatrix) -> Self {
        let lanes = lanes(matrix);
        let mut places = vec![Place { first_cell: 0, n_codes: 0, step: 1, lane_codes: 0 }; matrix.n_features()];
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
                    places[f] = Place { first_cell: n_cells + i * STRIDE, n_codes, step, lane_codes: lane.n_codes };
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
            Slab { lanes, cells, codes }
        });
        let slabs = slabs.collect();
        Layout { places, slabs, n_cells }
    }

    /// How many bins all features have together.
    pub fn n_bins(&self) -> usize {
        self.places.iter().map(|p| p.n_codes).sum()
    }

    /// How many additions a row takes.
    pub fn n_lanes(&self) -> usize {
        self.slabs.iter().map(|s| s.lanes.len()).sum()
    }

    /// Whether there is enough to share among threads without cutting the rows.
    pub fn is_wide(&self) -> bool {
        self.slabs.len() >= 4 * rayon::current_num_threads()
    }
}

/// Puts features with few bins together, those with the most first.
fn lanes(matrix: &BinnedMatrix) -> Vec<Lane> {
    let most = LANE_CODES.min(matrix.n_rows() / ROWS_PER_CODE);
    let n_codes = |f: usize| matrix.features()[f].n_codes();
    let mut features: Vec<usize> = (0..matrix.n_features()).filter(|&f| n_codes(f) > 1).collect();
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
                let column = &matrix.column(f)[block * BLOCK..][..rows.len()];
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
    packing: Packing,
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
        Histogram { cells, packing: Packing::new(gradients, n_rows) }
    }

    /// Forgets all rows.
    pub fn clear(&mut self, layout: &Layout) {
        each_kind!(&mut self.cells, cells => {
            for place in layout.places.iter().filter(|p| p.step == 1) {
                cells[place.first_cell..place.first_cell + place.lane_codes].fill(Default::default());
            }
        });
    }

    /// Adds rows. Features that are not `active` may be left out.
    pub fn add_rows(&mut self, layout: &Layout, gradients: &FixedGradients, rows: &NodeRows<'_>, active: &[bool]) {
        let packing = self.packing;
        match (&mut self.cells, gradients) {
            (Cells::Narrow(cells), FixedGradients::Constant { gradients, .. }) => {
                let count = Counting { layout, rows, active, values: gradients, cell: |g| Narrow::of(g, packing) };
                count.add(cells, |slab, tile, values, cells, _: &mut Vec<Narrow>| {
                    add_tile(slab, tile, values, count.cell, Narrow::add, cells);
                });
            }
            (Cells::Wide(cells), FixedGradients::Bounded { coarse, .. }) => {
                let count = Counting { layout, rows, active, values: coarse, cell: Tight::of };
                count.add(cells, |slab, tile, values, cells, tight: &mut Vec<Tight>| {
                    tight.resize(cells.len().max(tight.len()), Tight::default());
                    add_tile(slab, tile, values, count.cell, Tight::add, &mut tight[..cells.len()]);
                    for (i, lane) in slab.lanes.iter().enumerate() {
                        let range = i * STRIDE..i * STRIDE + lane.n_codes;
                        flush(&mut tight[range.clone()], &mut cells[range], packing);
                    }
                    // Rows have the code 0 in lanes that only fill the slab up.
                    for i in slab.lanes.len()..cells.len() / STRIDE {
                        tight[i * STRIDE] = Tight::default();
                    }
                });
            }
            (Cells::Wide(cells), FixedGradients::Varying { pairs, .. }) => {
                let count = Counting { layout, rows, active, values: pairs, cell: |p| Wide::of(p, packing) };
                count.add(cells, |slab, tile, values, cells, _: &mut Vec<Wide>| {
                    add_tile(slab, tile, values, count.cell, Wide::add, cells);
                });
            }
            _ => unreachable!("invariant: cells are narrow exactly where hessians are constant"),
        }
    }

    /// Adds the sums of other rows.
    pub fn merge(&mut self, other: &Histogram, layout: &Layout) {
        match (&mut self.cells, &other.cells) {
            (Cells::Narrow(a), Cells::Narrow(b)) => combine(a, b, layout, Narrow::add),
            (Cells::Wide(a), Cells::Wide(b)) => combine(a, b, layout, Wide::add),
            _ => unreachable!("invariant: histograms of one tree have one kind of cells"),
        }
    }

    /// Takes the sums of some of the rows away: what is left are the others'.
    pub fn subtract(&mut self, part: &Histogram, layout: &Layout) {
        match (&mut self.cells, &part.cells) {
            (Cells::Narrow(a), Cells::Narrow(b)) => combine(a, b, layout, Narrow::subtract),
            (Cells::Wide(a), Cells::Wide(b)) => combine(a, b, layout, Wide::subtract),
            _ => unreachable!("invariant: histograms of one tree have one kind of cells"),
        }
    }

    /// The sums of the bins of a feature, in order, into `out`; none for a feature that is the same in all rows.
    pub fn sums_into(&self, layout: &Layout, feature: usize, out: &mut Vec<Sums>) {
        let place = layout.places[feature];
        out.clear();
        if place.n_codes == 0 {
            return;
        }
        each_kind!(&self.cells, cells => {
            let cells = &cells[place.first_cell..][..place.lane_codes];
            if place.lane_codes == place.n_codes {
                out.extend(cells.iter().map(|c| c.sums(self.packing)));
                return;
            }
            let own = own_cells(cells, place);
            out.extend(own[..place.n_codes].iter().map(|c| c.sums(self.packing)));
        });
    }

    /// Memory it takes, in bytes.
    pub fn bytes(&self) -> usize {
        each_kind!(&self.cells, cells => size_of_val(cells.as_slice()))
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

fn combine<C: Cell>(a: &mut [C], b: &[C], layout: &Layout, change: fn(&mut C, C)) {
    for place in layout.places.iter().filter(|p| p.step == 1) {
        let range = place.first_cell..place.first_cell + place.lane_codes;
        a[range.clone()].iter_mut().zip(&b[range]).for_each(|(a, b)| change(a, *b));
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
    fn add<C: Send, T>(&self, cells: &mut [C], add: impl Fn(&Slab, &Tile<'_>, &[V], &mut [C], &mut Vec<T>) + Sync) {
        let mut slabs = Vec::new();
        let mut rest = cells;
        for slab in &self.layout.slabs {
            let (own, others) = rest.split_at_mut(slab.cells.len());
            rest = others;
            if slab.lanes.iter().any(|lane| lane.features.iter().any(|&f| self.active[f])) {
                slabs.push((slab, own));
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

    fn add_slabs<C, T>(
        &self,
        slabs: &mut [(&Slab, &mut [C])],
        add: &impl Fn(&Slab, &Tile<'_>, &[V], &mut [C], &mut Vec<T>),
    ) {
        let (mut values, mut scratch) = (Vec::new(), Vec::new());
        for start in (0..self.rows.len()).step_by(TIGHT_ROWS) {
            let end = (start + TIGHT_ROWS).min(self.rows.len());
            let tile = match self.rows {
                NodeRows::Range(range) => Tile::Range(range.start + start..range.start + end),
                NodeRows::List(rows) => {
                    values.clear();
                    gather(self.values, &rows[start..], end - start, &mut values);
                    Tile::List { rows: &rows[start..end], ahead: &rows[start..] }
                }
            };
            let values = match &tile {
                Tile::Range(range) => &self.values[range.clone()],
                Tile::List { .. } => &values[..],
            };
            slabs.iter_mut().for_each(|(slab, cells)| add(slab, &tile, values, cells, &mut scratch));
        }
    }
}

/// Rows whose values lie side by side.
enum Tile<'a> {
    Range(Range<usize>),
    /// `ahead` begins with the same rows and goes on with those of the next tiles.
    List {
        rows: &'a [u32],
        ahead: &'a [u32],
    },
}

/// The values of the first `n` rows.
fn gather<V: Copy>(values: &[V], rows: &[u32], n: usize, out: &mut Vec<V>) {
    let last = rows.len() - 1;
    out.extend(rows[..n].iter().enumerate().map(|(i, &row)| {
        prefetch(values, rows[(i + AHEAD).min(last)] as usize);
        values[row as usize]
    }));
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
    match tile {
        Tile::Range(range) => {
            for (codes, &value) in codes[range.clone()].iter().zip(values) {
                add_row(lanes, codes, cell(value), &add);
            }
        }
        Tile::List { rows, ahead } => {
            let last = ahead.len() - 1;
            for (i, (&row, &value)) in rows.iter().zip(values).enumerate() {
                prefetch(codes, ahead[(i + AHEAD).min(last)] as usize);
                add_row(lanes, &codes[row as usize], cell(value), &add);
            }
        }
    }
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
