//! Cells of large categories: one per level. The levels that have rows are noted in a bitmap, and only those are cleared,
//! subtracted and scanned: a node costs as much as it has rows, however many levels there are.

use crate::cell::Cell;
use crate::histogram::NodeRows;

/// Notes the levels of rows that were added.
pub(super) fn note<C: Cell>(codes: &[u16], rows: &NodeRows<'_>, cells: &[C], met: &mut [u64]) {
    if rows.len() >= cells.len() {
        for (cells, word) in cells.chunks(64).zip(met) {
            let has_rows = |cell: &C| u64::from(*cell != C::default());
            *word = cells.iter().rev().fold(0, |word, cell| word << 1 | has_rows(cell));
        }
        return;
    }
    let mut note = |code: u16| met[code as usize / 64] |= 1 << (code % 64);
    match rows {
        NodeRows::Range(range) => codes[range.clone()].iter().for_each(|&code| note(code)),
        NodeRows::List(rows) => rows.iter().for_each(|&row| note(codes[row as usize])),
    }
}

/// Forgets all rows.
pub(super) fn clear<C: Cell>(cells: &mut [C], met: &mut [u64]) {
    each_level(met, |level| cells[level] = C::default());
    met.fill(0);
}

/// Changes the cells `a` by the cells `b` that have rows.
pub(super) fn combine<C: Cell>(a: (&mut [C], &mut [u64]), b: (&[C], &[u64]), change: impl Fn(&mut C, C)) {
    each_level(b.1, |level| {
        change(&mut a.0[level], b.0[level]);
        let (word, bit) = (&mut a.1[level / 64], 1 << (level % 64));
        if a.0[level] == C::default() { *word &= !bit } else { *word |= bit }
    });
}

/// Visits the levels that are noted, in order.
pub(super) fn each_level(met: &[u64], mut visit: impl FnMut(usize)) {
    for (word, &bits) in met.iter().enumerate() {
        let mut bits = bits;
        while bits != 0 {
            visit(word * 64 + bits.trailing_zeros() as usize);
            bits &= bits - 1;
        }
    }
}
