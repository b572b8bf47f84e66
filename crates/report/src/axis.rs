//! Where the marks of an axis stand, and how they are written.

/// Marks that an axis has at most, beside its ends.
const MARKS: f64 = 6.0;

/// An axis from the least to the largest value, widened to round numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct Axis {
    /// Its lower end.
    pub low: f64,
    /// Its upper end.
    pub high: f64,
    /// From mark to mark.
    pub step: f64,
}

impl Axis {
    /// The axis of some values; those that are not finite are passed over.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Self {
        let finite: Vec<f64> = values.into_iter().filter(|v| v.is_finite()).collect();
        let low = finite.iter().copied().reduce(f64::min).unwrap_or(0.0);
        let high = finite.iter().copied().reduce(f64::max).unwrap_or(1.0);
        // Equal values get an axis around them.
        let width = if high > low { high - low } else { low.abs().max(1.0) * 0.1 };
        let step = round_step(width / MARKS);
        Axis { low: (low / step).floor() * step, high: (high / step).ceil() * step, step }.with_width()
    }

    fn with_width(mut self) -> Self {
        if self.high <= self.low {
            self.low -= self.step;
            self.high += self.step;
        }
        self
    }

    /// The marks, with their texts.
    pub fn marks(&self) -> Vec<(f64, String)> {
        let digits = decimals(self.step);
        let count = ((self.high - self.low) / self.step).round() as usize;
        (0..=count)
            .map(|i| {
                let at = self.low + self.step * i as f64;
                (at, format!("{:.digits$}", if at.abs() < self.step * 1e-9 { 0.0 } else { at }))
            })
            .collect()
    }

    /// Where a value stands, from 0 to 1.
    pub fn place(&self, value: f64) -> f64 {
        (value - self.low) / (self.high - self.low)
    }
}

/// The next of 1, 2, 5, 10, 20 … above a width.
fn round_step(width: f64) -> f64 {
    let mut power = 1.0;
    while power * 10.0 <= width && power < 1e300 {
        power *= 10.0;
    }
    while power > width && power > 1e-300 {
        power /= 10.0;
    }
    let shares = [1.0, 2.0, 5.0, 10.0];
    shares.into_iter().map(|s| s * power).find(|s| *s >= width * (1.0 - 1e-9)).unwrap_or(10.0 * power)
}

/// Digits behind the point that tell marks apart.
fn decimals(step: f64) -> usize {
    (0..12).find(|digits| (step * 10_f64.powi(*digits)).fract() < 1e-6 || step >= 1.0).unwrap_or(12) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_stand_at_round_numbers_around_the_values() {
        let axis = Axis::of([0.812, 0.853, f64::NAN]);
        assert!(axis.low <= 0.812 && axis.high >= 0.853, "{axis:?}");
        let texts: Vec<String> = axis.marks().into_iter().map(|(_, text)| text).collect();
        assert_eq!(texts, ["0.81", "0.82", "0.83", "0.84", "0.85", "0.86"]);
        assert_eq!(
            Axis::of([0.0, 4.0]).marks().iter().map(|m| m.1.as_str()).collect::<Vec<_>>(),
            ["0", "1", "2", "3", "4"]
        );
        for odd in [vec![], vec![3.0], vec![0.0], vec![f64::INFINITY], vec![1e-9, 2e-9], vec![-1e12, 1e12]] {
            let axis = Axis::of(odd.clone());
            assert!(axis.high > axis.low && axis.marks().len() < 20, "{odd:?}: {axis:?}");
        }
    }
}
