//! Histograms: the sums of gradients of a node's rows in every bin of every feature.
//!
//! Bins lie row-major in slabs of up to 32 features, so that one miss of the cache brings all bins of a row. Rows from all
//! over a slab are brought together by the block; the block is then added 8 features at a time, whose cells stay in the
//! first-level cache. A feature has the same number of cells in memory whatever its number of bins; only those in use
//! are cleared, subtracted and scanned. Sums are whole numbers, so rows may be cut among threads in any way.

use std::ops::Range;

use rayon::prelude::*;

use crate::binning::BinnedMatrix;
use crate::gradient::{Cell, FixedGradients, Narrow, Packing, Sums, Units, Wide};

/// Cells per feature in memory: 256 bins, and 8 more so that equal bins of neighbouring features do not meet in one set
/// of the first-level cache.
const STRIDE: usize = 264;
/// Rows that are gathered once and added to every lane: they stay in the first-level cache.
const BLOCK_ROWS: usize = 256;
/// Features that are added at once: as many as have their cells in the first-level cache, or a few at the end.
const LANES: usize = 8;
const LEAST_LANES: usize = 4;
/// Additions below which a second thread costs more than it brings.
const PARALLEL_ADDS: usize = 1 << 17;

/// Where a feature's bins are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    first_cell: usize,
    /// Number of bins; 0 for a feature that is the same in all rows, which is never split on.
    n_codes: usize,
}

#[derive(Debug, Clone, PartialEq)]
enum Codes {
    Eight(Vec<[u8; 8]>),
    Sixteen(Vec<[u8; 16]>),
    ThirtyTwo(Vec<[u8; 32]>),
}

/// Features whose bins of a row lie together.
#[derive(Debug, Clone, PartialEq)]
struct Slab {
    features: Vec<usize>,
    first_cell: usize,
    codes: Codes,
}

/// The bins of all rows, laid out for histograms.
#[derive(Debug, Clone, PartialEq)]
pub struct Layout {
    places: Vec<Place>,
    slabs: Vec<Slab>,
    n_cells: usize,
}

impl Layout {
    /// Lays out a matrix.
    pub fn new(matrix: &BinnedMatrix) -> Self {
        let varies = |f: &usize| matrix.features()[*f].n_codes() > 1;
        let features: Vec<usize> = (0..matrix.n_features()).filter(varies).collect();
        let mut places = vec![Place { first_cell: 0, n_codes: 0 }; matrix.n_features()];
        let mut starts = Vec::new();
        let (mut start, mut n_cells) = (0, 0);
        while start < features.len() {
            let width = match features.len() - start {
                0..=8 => 8,
                9..=16 => 16,
                _ => 32,
            };
            let end = (start + width).min(features.len());
            starts.push((start..end, width, n_cells));
            for (lane, &f) in features[start..end].iter().enumerate() {
                places[f] = Place { first_cell: n_cells + lane * STRIDE, n_codes: matrix.features()[f].n_codes() };
            }
            n_cells += (end - start).next_multiple_of(LEAST_LANES) * STRIDE;
            start = end;
        }
        let slabs = starts.into_par_iter().map(|(range, width, first_cell)| {
            let features = features[range].to_vec();
            let columns: Vec<&[u8]> = features.iter().map(|&f| matrix.column(f)).collect();
            let codes = match width {
                8 => Codes::Eight(transpose(&columns, matrix.n_rows())),
                16 => Codes::Sixteen(transpose(&columns, matrix.n_rows())),
                _ => Codes::ThirtyTwo(transpose(&columns, matrix.n_rows())),
            };
            Slab { features, first_cell, codes }
        });
        let slabs = slabs.collect();
        Layout { places, slabs, n_cells }
    }

    /// How many bins all features have together.
    pub fn n_bins(&self) -> usize {
        self.places.iter().map(|p| p.n_codes).sum()
    }
}

fn transpose<const W: usize>(columns: &[&[u8]], n_rows: usize) -> Vec<[u8; W]> {
    let mut rows = vec![[0; W]; n_rows];
    for (start, block) in rows.chunks_mut(BLOCK_ROWS).enumerate() {
        for (lane, column) in columns.iter().enumerate() {
            let column = &column[start * BLOCK_ROWS..][..block.len()];
            block.iter_mut().zip(column).for_each(|(row, code)| row[lane] = *code);
        }
    }
    rows
}

/// Rows of a node.
#[derive(Debug, Clone, Copy)]
pub enum NodeRows<'a> {
    /// All rows from 0 up to a number.
    All(usize),
    /// The rows of a list.
    List(&'a [u32]),
}

impl NodeRows<'_> {
    /// How many rows there are.
    pub fn len(self) -> usize {
        match self {
            NodeRows::All(n) => n,
            NodeRows::List(rows) => rows.len(),
        }
    }

    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self.len() == 0
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
    pub fn new(layout: &Layout, is_wide: bool, n_rows: usize) -> Self {
        if is_wide {
            let cells = Cells::Wide(vec![Wide::default(); layout.n_cells]);
            Histogram { cells, packing: Packing::wide(n_rows) }
        } else {
            let cells = Cells::Narrow(vec![Narrow::default(); layout.n_cells]);
            Histogram { cells, packing: Packing::narrow(n_rows) }
        }
    }

    /// Forgets all rows, and makes ready for sums of up to `n_rows` rows.
    pub fn clear(&mut self, layout: &Layout, n_rows: usize) {
        self.packing = match self.cells {
            Cells::Narrow(_) => Packing::narrow(n_rows),
            Cells::Wide(_) => Packing::wide(n_rows),
        };
        each_kind!(&mut self.cells, cells => {
            for place in &layout.places {
                cells[place.first_cell..place.first_cell + place.n_codes].fill(Default::default());
            }
        });
    }

    /// Adds rows. Features that are not `active` may be left out.
    pub fn add_rows(&mut self, layout: &Layout, gradients: &FixedGradients, rows: NodeRows<'_>, active: &[bool]) {
        let packing = self.packing;
        match (&mut self.cells, gradients) {
            (Cells::Narrow(cells), FixedGradients::Constant { gradients, .. }) => {
                add_rows(layout, |row| Narrow::of(gradients[row], packing), rows, active, cells);
            }
            (Cells::Wide(cells), FixedGradients::Varying { pairs, .. }) => {
                add_rows(layout, |row| Wide::of(pairs[row], packing), rows, active, cells);
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
        let range = place.first_cell..place.first_cell + place.n_codes;
        out.clear();
        each_kind!(&self.cells, cells => out.extend(cells[range].iter().map(|c| c.sums(self.packing))));
    }

    /// Memory it takes, in bytes.
    pub fn bytes(&self) -> usize {
        each_kind!(&self.cells, cells => std::mem::size_of_val(cells.as_slice()))
    }

    /// How many bits of the fine numbers were rounded away.
    pub fn shift(&self) -> u32 {
        self.packing.shift
    }

    /// What one unit of this histogram's sums is worth, where one of the fine sums is worth `fine`.
    pub fn units(&self, fine: Units) -> Units {
        let factor = (1u64 << self.packing.shift) as f64;
        match self.cells {
            // The hessian of a row is one unit, which is not shifted.
            Cells::Narrow(_) => Units { gradient: fine.gradient * factor, hessian: fine.hessian },
            Cells::Wide(_) => Units { gradient: fine.gradient, hessian: fine.hessian * factor },
        }
    }
}

fn combine<C: Cell>(a: &mut [C], b: &[C], layout: &Layout, change: fn(&mut C, C)) {
    for place in &layout.places {
        let range = place.first_cell..place.first_cell + place.n_codes;
        a[range.clone()].iter_mut().zip(&b[range]).for_each(|(a, b)| change(a, *b));
    }
}

/// Adds the cells of rows to histograms, on several threads where that pays.
fn add_rows<C: Cell>(
    layout: &Layout,
    cell_of: impl Fn(usize) -> C + Sync,
    rows: NodeRows<'_>,
    active: &[bool],
    cells: &mut [C],
) {
    let slabs: Vec<&Slab> = layout.slabs.iter().filter(|s| s.features.iter().any(|&f| active[f])).collect();
    let adds = rows.len() * slabs.iter().map(|s| s.features.len()).sum::<usize>();
    let parts = rayon::current_num_threads().min(adds / PARALLEL_ADDS).max(1);
    if parts == 1 {
        return add_range(&slabs, &cell_of, rows, 0..rows.len(), cells);
    }
    let part_rows = rows.len().div_ceil(parts);
    let range = |part: usize| part * part_rows..((part + 1) * part_rows).min(rows.len());
    let others = (1..parts).into_par_iter().map(|part| {
        let mut cells = vec![C::default(); layout.n_cells];
        add_range(&slabs, &cell_of, rows, range(part), &mut cells);
        cells
    });
    let (_, others) =
        rayon::join(|| add_range(&slabs, &cell_of, rows, range(0), cells), || others.collect::<Vec<Vec<C>>>());
    others.iter().for_each(|other| combine(cells, other, layout, C::add));
}

/// Adds the cells of the rows at some positions.
fn add_range<C: Cell>(
    slabs: &[&Slab],
    cell_of: &(impl Fn(usize) -> C + Sync),
    rows: NodeRows<'_>,
    positions: Range<usize>,
    cells: &mut [C],
) {
    let mut block = [C::default(); BLOCK_ROWS];
    for start in positions.clone().step_by(BLOCK_ROWS) {
        let range = start..(start + BLOCK_ROWS).min(positions.end);
        let block = &mut block[..range.len()];
        match rows {
            NodeRows::All(_) => block.iter_mut().zip(range.clone()).for_each(|(to, row)| *to = cell_of(row)),
            NodeRows::List(list) => {
                block.iter_mut().zip(&list[range.clone()]).for_each(|(to, &row)| *to = cell_of(row as usize));
            }
        }
        for slab in slabs {
            match &slab.codes {
                Codes::Eight(codes) => add_slab(codes, rows, range.clone(), block, slab, cells),
                Codes::Sixteen(codes) => add_slab(codes, rows, range.clone(), block, slab, cells),
                Codes::ThirtyTwo(codes) => add_slab(codes, rows, range.clone(), block, slab, cells),
            }
        }
    }
}

fn add_slab<C: Cell, const W: usize>(
    codes: &[[u8; W]],
    rows: NodeRows<'_>,
    range: Range<usize>,
    block: &[C],
    slab: &Slab,
    cells: &mut [C],
) {
    match rows {
        NodeRows::All(_) => add_block(&codes[range], block, slab, cells),
        NodeRows::List(list) => {
            // A loop that does nothing but gather has many more cache misses in flight than one that adds.
            let mut gathered = [[0; W]; BLOCK_ROWS];
            let list = &list[range];
            gathered.iter_mut().zip(list).for_each(|(to, &row)| *to = codes[row as usize]);
            add_block(&gathered[..list.len()], block, slab, cells);
        }
    }
}

/// Adds a block of rows, some lanes at a time.
#[inline]
fn add_block<C: Cell, const W: usize>(codes: &[[u8; W]], block: &[C], slab: &Slab, cells: &mut [C]) {
    let cells = &mut cells[slab.first_cell..];
    let mut lane = 0;
    while lane < slab.features.len() {
        if slab.features.len() - lane > LEAST_LANES {
            add_lanes::<C, W, LANES>(codes, block, lane, cells);
            lane += LANES;
        } else {
            add_lanes::<C, W, LEAST_LANES>(codes, block, lane, cells);
            lane += LEAST_LANES;
        }
    }
}

/// The kernel: one read-modify-write per row and lane.
#[inline]
fn add_lanes<C: Cell, const W: usize, const N: usize>(codes: &[[u8; W]], block: &[C], first: usize, cells: &mut [C]) {
    let (lanes, _) = cells[first * STRIDE..][..N * STRIDE].as_chunks_mut::<STRIDE>();
    let lanes: &mut [[C; STRIDE]; N] = lanes.try_into().expect("invariant: every lane has a stride");
    for (codes, &cell) in codes.iter().zip(block) {
        let codes: &[u8; N] = codes[first..first + N].try_into().expect("invariant: a slab is as wide as its lanes");
        for lane in 0..N {
            lanes[lane][codes[lane] as usize].add(cell);
        }
    }
}

#[cfg(test)]
mod tests;
