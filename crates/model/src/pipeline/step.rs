//! The operators of the slot program, and what each needs.

use super::SlotType;
use crate::levels::FrozenLevels;

/// One step: an operator that fills the slot of its own position.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// What is done.
    pub operator: Operator,
}

/// What a step does. Each operator has a name and a version in the artifact; one that a reader does not know is
/// refused by name.
#[derive(Debug, Clone, PartialEq)]
pub enum Operator {
    /// Reads an input as numbers; missing is NaN, timestamps are seconds since 1970.
    Number {
        /// Position of the input.
        input: usize,
    },
    /// Reads an input as frozen category codes.
    Encode {
        /// Position of the input.
        input: usize,
        /// The levels that have a code.
        levels: FrozenLevels,
    },
    /// Makes infinite numbers missing.
    Finite {
        /// The slot of numbers.
        slot: usize,
    },
    /// Puts a number in the place of missing ones.
    ImputeNumber {
        /// The slot of numbers.
        slot: usize,
        /// What is put in.
        value: f64,
    },
    /// Puts a code in the place of the missing one.
    ImputeCode {
        /// The slot of codes.
        slot: usize,
        /// What is put in.
        code: u32,
    },
    /// 1 where the value is missing, else 0.
    MissingIndicator {
        /// The slot of numbers or codes.
        slot: usize,
    },
    /// (x − offset) / scale.
    Scale {
        /// The slot of numbers.
        slot: usize,
        /// Subtracted first.
        offset: f64,
        /// Divided by then; not 0.
        scale: f64,
    },
    /// Spreads codes over a group of columns of which at most one is 1.
    OneHot {
        /// The slot of codes.
        slot: usize,
        /// For each code its column, or `u32::MAX` for none. Rare levels may share a column.
        columns: Vec<u32>,
        /// Number of columns.
        width: u32,
    },
    /// Gives each code a number.
    Ordinal {
        /// The slot of codes.
        slot: usize,
        /// For each code its number; NaN is missing.
        values: Vec<f64>,
    },
}

impl Step {
    /// The operator's name in the artifact.
    pub fn name(&self) -> &'static str {
        match self.operator {
            Operator::Number { .. } => "number",
            Operator::Encode { .. } => "encode",
            Operator::Finite { .. } => "finite",
            Operator::ImputeNumber { .. } => "impute_number",
            Operator::ImputeCode { .. } => "impute_code",
            Operator::MissingIndicator { .. } => "missing_indicator",
            Operator::Scale { .. } => "scale",
            Operator::OneHot { .. } => "one_hot",
            Operator::Ordinal { .. } => "ordinal",
        }
    }

    /// The operator's version in the artifact.
    pub fn version(&self) -> u32 {
        1
    }

    /// The type of the slot that the step fills, given those before it.
    pub(super) fn check(&self, n_inputs: usize, slots: &[SlotType]) -> Result<SlotType, String> {
        let input = |i: usize| if i < n_inputs { Ok(()) } else { Err(format!("input {i} is not there")) };
        let slot = |i: usize| slots.get(i).copied().ok_or_else(|| format!("slot {i} is not filled before it"));
        let number = |i: usize| match slot(i)? {
            SlotType::Number => Ok(()),
            _ => Err(format!("slot {i} holds no numbers")),
        };
        let code = |i: usize| match slot(i)? {
            SlotType::Code(n) => Ok(n),
            _ => Err(format!("slot {i} holds no codes")),
        };
        match &self.operator {
            Operator::Number { input: i } => input(*i).map(|()| SlotType::Number),
            Operator::Encode { input: i, levels } => input(*i).map(|()| SlotType::Code(levels.n_codes())),
            Operator::Finite { slot } => number(*slot).map(|()| SlotType::Number),
            Operator::ImputeNumber { slot, value } if value.is_finite() => number(*slot).map(|()| SlotType::Number),
            Operator::ImputeNumber { .. } => Err("the imputed value is not a finite number".into()),
            Operator::ImputeCode { slot, code: c } => match code(*slot)? {
                n if *c < n => Ok(SlotType::Code(n)),
                n => Err(format!("code {c} is not below {n}")),
            },
            Operator::MissingIndicator { slot: i } => match slot(*i)? {
                SlotType::OneHot(_) => Err(format!("slot {i} holds a one-hot group")),
                _ => Ok(SlotType::Number),
            },
            Operator::Scale { slot, offset, scale } => {
                if !offset.is_finite() || !scale.is_finite() || *scale == 0.0 {
                    return Err("offset and scale must be finite, and the scale not 0".into());
                }
                number(*slot).map(|()| SlotType::Number)
            }
            Operator::OneHot { slot, columns, width } => {
                let n = code(*slot)?;
                if columns.len() != n as usize {
                    return Err(format!("{} columns are given for {n} codes", columns.len()));
                }
                match columns.iter().find(|c| **c != u32::MAX && **c >= *width) {
                    Some(c) => Err(format!("column {c} is not below {width}")),
                    None => Ok(SlotType::OneHot(*width)),
                }
            }
            Operator::Ordinal { slot, values } => {
                let n = code(*slot)?;
                match values.len() == n as usize && values.iter().all(|v| !v.is_infinite()) {
                    true => Ok(SlotType::Number),
                    false => Err(format!("{} values are given for {n} codes, or one is infinite", values.len())),
                }
            }
        }
    }
}

impl From<Operator> for Step {
    fn from(operator: Operator) -> Self {
        Step { operator }
    }
}
