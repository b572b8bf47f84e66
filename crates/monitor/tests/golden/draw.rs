//! Numbers from short specifications: the very same ones that `make.py` beside this file draws. The golden test and the example
//! `drift_power` use it.

use serde::Deserialize;

/// How the numbers of one side are drawn.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Side {
    pub(crate) seed: u64,
    pub(crate) n: u64,
    pub(crate) shape: String,
    pub(crate) scale: f64,
    pub(crate) shift: f64,
    pub(crate) steps: u32,
    pub(crate) missing: f64,
}

/// A number in [0, 1) with 53 bits.
///
/// # References
/// splitmix64: Steele, Lea and Flood, 2014.
fn uniform(seed: u64, stream: u64, i: u64) -> f64 {
    let start = seed.wrapping_mul(0x2545_f491_4f6c_dd1d).wrapping_add(stream.wrapping_mul(0x6a09_e667_f3bc_c909));
    let z = start.wrapping_add(0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(i + 1));
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
}

/// The numbers of a side; NaN where one is missing.
pub(crate) fn draw(side: &Side, whole: bool) -> Vec<f64> {
    let number = |i: u64| {
        let u = [0, 1, 2, 3].map(|stream| uniform(side.seed, stream, i));
        let x = match side.shape.as_str() {
            "uniform" => u[0],
            "bell" => u[0] + u[1] + u[2] + u[3] - 2.0,
            "skew" => u[0] * u[0] * u[0],
            "heavy" => (u[0] - 0.5) / (u[1] + 1.0 / 1024.0),
            _ => 0.0,
        };
        let mut x = x * side.scale + side.shift;
        if side.steps > 0 {
            let steps = f64::from(side.steps);
            x = (x * steps).floor() / if whole { 1.0 } else { steps };
        }
        if side.missing > 0.0 && uniform(side.seed, 4, i) < side.missing { f64::NAN } else { x }
    };
    (0..side.n).map(number).collect()
}
