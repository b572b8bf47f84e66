//! How far histograms are from what this machine can do: additions per second on one thread, and JSON of them.
//!
//! The limit is the same number of read-modify-writes with nothing else to do: codes and gradients from the first-level cache,
//! again and again. Beside it the root of a tree, whose rows lie side by side, and a node with one row in sixteen.
#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "an example for the terminal")]

use std::hint::black_box;
use std::time::Instant;

use tabwright_core::random::mix;
use tabwright_model::{FeatureColumn, Features};
use tabwright_trees::binning::Binner;
use tabwright_trees::gradient::{FixedGradients, GradientPair, Kind, Scale};
use tabwright_trees::histogram::{Histogram, Layout, NodeRows};

const N_ROWS: usize = 1_000_000;
const LANES: usize = 16;
const STRIDE: usize = 264;

/// Billions of additions per second, the best of several runs.
fn rate(adds: usize, mut run: impl FnMut()) -> f64 {
    let seconds = |_| {
        let start = Instant::now();
        run();
        start.elapsed().as_secs_f64()
    };
    let best = (0..9).map(seconds).fold(f64::INFINITY, f64::min);
    adds as f64 / best / 1e9
}

fn limit() -> f64 {
    const ROWS: usize = 256;
    let codes: Vec<[u8; LANES]> =
        (0..ROWS).map(|r| std::array::from_fn(|i| mix((r * LANES + i) as u64) as u8)).collect();
    let mut cells = vec![[0u64; STRIDE]; LANES];
    let cells: &mut [[u64; STRIDE]; LANES] = cells.first_chunk_mut().unwrap();
    rate(N_ROWS / ROWS * ROWS * LANES, || {
        for _ in 0..N_ROWS / ROWS {
            for (row, codes) in black_box(&codes).iter().enumerate() {
                for (lane, code) in cells.iter_mut().zip(codes) {
                    lane[*code as usize] = lane[*code as usize].wrapping_add(row as u64);
                }
            }
        }
        black_box(&mut *cells);
    })
}

fn main() {
    let column = |f: usize| FeatureColumn::Number((0..N_ROWS).map(|r| mix((r * LANES + f) as u64) as f64).collect());
    let features = Features::new(N_ROWS, (0..LANES).map(column).collect());
    let matrix = Binner { max_bin: 255, min_data_in_bin: 3, max_levels: 1, seed: 1 }.bin(&features);
    let layout = Layout::new(&matrix);
    let of = |row: usize, salt: u64| (mix(row as u64 ^ salt << 32) >> 11) as f64 / (1u64 << 53) as f64;
    let gradients: Vec<f64> = (0..N_ROWS).map(|r| of(r, 1) - 0.5).collect();
    let hessians: Vec<f64> = (0..N_ROWS).map(|r| of(r, 2) / 4.0).collect();
    let ids: Vec<u32> = (0..N_ROWS as u32).collect();
    let every_16th: Vec<u32> = (0..N_ROWS as u32).filter(|r| mix(u64::from(*r)).is_multiple_of(16)).collect();
    let mut shown = format!("{{\"limit\": {:.3}", limit());
    for (name, kind) in [("bounded", Kind::Bounded), ("constant", Kind::Constant(1.0)), ("varying", Kind::Varying)] {
        let scale = Scale::of(GradientPair { gradient: 0.5, hessian: 0.25 });
        let mut fixed = FixedGradients::new(N_ROWS, kind);
        fixed.set_scale(scale);
        fixed.blocks_mut(N_ROWS).iter_mut().for_each(|block| block.round(&gradients, &hessians, scale, &ids, 7));
        let mut histogram = Histogram::new(&layout, &fixed, N_ROWS);
        let active = vec![true; LANES];
        for (place, rows) in [("root", NodeRows::Range(0..N_ROWS)), ("sparse", NodeRows::List(&every_16th))] {
            let adds = rate(rows.len() * LANES, || histogram.add_rows(&layout, &fixed, &rows, &active));
            shown.push_str(&format!(", \"{name}_{place}\": {adds:.3}"));
        }
    }
    println!("{shown}}}");
}
