//! Draws of one row: numbers and choices, each from a stream of its own.

use tabwright_core::numeric;
use tabwright_core::random::Keyed;

/// The random numbers of one row. A `stream` is a small number that the caller uses for one thing only.
#[derive(Debug, Clone, Copy)]
pub(super) struct Draw {
    key: Keyed,
    row: u64,
}

impl Draw {
    pub(super) fn new(key: Keyed, row: u64) -> Self {
        Draw { key, row }
    }

    /// A name of the row that looks random and is unique: the row number, shuffled within ten millions.
    pub(super) fn identifier(self) -> u64 {
        const SPAN: u64 = 10_000_000;
        // Odd and no multiple of 5, so multiplying permutes 0..SPAN.
        const FACTOR: u64 = 7_919_993;
        const OFFSET: u64 = 4_210_387;
        self.row / SPAN * SPAN + (self.row % SPAN * FACTOR + OFFSET) % SPAN
    }

    /// A number in `[0, 1)`.
    pub(super) fn uniform(self, stream: u64) -> f64 {
        self.key.child(stream).uniform(self.row)
    }

    /// A number between two bounds.
    pub(super) fn between(self, stream: u64, from: f64, to: f64) -> f64 {
        from + (to - from) * self.uniform(stream)
    }

    /// Whether something of this probability happens.
    pub(super) fn chance(self, stream: u64, probability: f64) -> bool {
        self.uniform(stream) < probability
    }

    /// A standard normal number.
    ///
    /// # References
    /// Box and Muller (1958).
    pub(super) fn normal(self, stream: u64) -> f64 {
        let key = self.key.child(stream);
        let radius = (-2.0 * numeric::ln(1.0 - key.child(1).uniform(self.row))).sqrt();
        radius * numeric::cos(std::f64::consts::TAU * key.child(2).uniform(self.row))
    }

    /// A count with the given mean.
    ///
    /// # References
    /// Knuth (1969), the multiplication method, on numbers that are drawn by position.
    pub(super) fn poisson(self, stream: u64, mean: f64) -> i64 {
        let key = self.key.child(stream);
        let floor = numeric::exp(-mean);
        let mut product = 1.0;
        for count in 0..1_000 {
            product *= key.child(count).uniform(self.row);
            if product <= floor {
                return count as i64;
            }
        }
        1_000
    }

    /// One of several things, with weights that need not add up to 1.
    ///
    /// # Panics
    /// If there is nothing to choose from.
    pub(super) fn pick<T: Copy>(self, stream: u64, choices: &[(T, f64)]) -> T {
        let total: f64 = choices.iter().map(|(_, w)| w).sum();
        let mut at = self.uniform(stream) * total;
        for (choice, weight) in choices {
            if at < *weight {
                return *choice;
            }
            at -= weight;
        }
        choices.last().expect("invariant: there is something to choose from").0
    }

    /// One of several equally likely things.
    pub(super) fn one_of<T: Copy>(self, stream: u64, choices: &[T]) -> T {
        choices[self.key.child(stream).below(self.row, choices.len() as u64) as usize]
    }
}

/// Rounds to a number of decimals, as a person would have typed the value.
pub(super) fn rounded(value: f64, decimals: i32) -> f64 {
    let scale = [1.0, 10.0, 100.0, 1_000.0][decimals as usize];
    (value * scale).round() / scale
}
