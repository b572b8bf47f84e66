//! Runs the slot program over some rows. One row or a million: the same loop, on memory that is used again.

use tabwright_core::block::{MISSING_INTEGER, integer_to_number};
use tabwright_core::{Column, Rows};

use super::{Operator, Pipeline, SlotType};
use crate::features::{CODE_MISSING, FeatureColumn, Features};

/// Microseconds in a second: trees see a timestamp in seconds.
const MICROSECONDS: f64 = 1e6;

/// Memory that is kept from one run to the next.
#[derive(Debug, Default)]
pub struct Scratch {
    numbers: Vec<Vec<f64>>,
    codes: Vec<Vec<u32>>,
    features: Features,
}

impl Scratch {
    fn numbers(&mut self) -> Vec<f64> {
        self.numbers.pop().unwrap_or_default()
    }

    fn codes(&mut self) -> Vec<u32> {
        self.codes.pop().unwrap_or_default()
    }

    fn keep(&mut self, slot: Slot) {
        match slot {
            Slot::Number(mut v) => {
                v.clear();
                self.numbers.push(v);
            }
            Slot::Code(mut v) => {
                v.clear();
                self.codes.push(v);
            }
        }
    }

    fn reclaim(&mut self) {
        for column in std::mem::take(self.features.columns_mut()) {
            self.keep(match column {
                FeatureColumn::Number(v) => Slot::Number(v),
                FeatureColumn::Code { codes, .. } | FeatureColumn::OneHot { codes, .. } => Slot::Code(codes),
            });
        }
    }
}

enum Slot {
    Number(Vec<f64>),
    Code(Vec<u32>),
}

impl Slot {
    fn number(&self) -> &[f64] {
        match self {
            Slot::Number(v) => v,
            Slot::Code(_) => unreachable!("invariant: Pipeline::new has checked the types of the slots"),
        }
    }

    fn code(&self) -> &[u32] {
        match self {
            Slot::Code(v) => v,
            Slot::Number(_) => unreachable!("invariant: Pipeline::new has checked the types of the slots"),
        }
    }
}

impl Pipeline {
    /// Turns rows into features. `positions` are the places of the inputs in the block ([`Pipeline::bind`]).
    pub fn transform(&self, rows: Rows<'_>, positions: &[usize]) -> Features {
        let mut scratch = Scratch::default();
        self.transform_into(rows, positions, &mut scratch);
        scratch.features
    }

    /// Turns rows into features on memory that is used again.
    ///
    /// # Determinism
    /// Every step works on one row at a time, so a row has the same bits alone and in a batch.
    pub fn transform_into<'s>(&self, rows: Rows<'_>, positions: &[usize], scratch: &'s mut Scratch) -> &'s Features {
        scratch.reclaim();
        let mut slots: Vec<Slot> = Vec::with_capacity(self.steps().len());
        for step in self.steps() {
            let slot = run(&step.operator, rows, positions, &slots, scratch);
            slots.push(slot);
        }
        let mut slots: Vec<Option<Slot>> = slots.into_iter().map(Some).collect();
        let mut is_needed = vec![false; slots.len()];
        let mut used_later: Vec<bool> =
            self.outputs().iter().rev().map(|o| std::mem::replace(&mut is_needed[o.slot], true)).collect();
        used_later.reverse();
        let columns = self.outputs().iter().zip(self.output_types()).zip(used_later);
        let columns = columns.map(|((output, slot_type), used_later)| {
            let slot = if used_later { slots[output.slot].as_ref().map(copy) } else { slots[output.slot].take() };
            into_column(slot.expect("invariant: a slot is taken at its last use"), slot_type)
        });
        let columns: Vec<FeatureColumn> = columns.collect();
        for slot in slots.into_iter().flatten() {
            scratch.keep(slot);
        }
        scratch.features = Features::new(rows.len(), columns);
        &scratch.features
    }
}

fn copy(slot: &Slot) -> Slot {
    match slot {
        Slot::Number(v) => Slot::Number(v.clone()),
        Slot::Code(v) => Slot::Code(v.clone()),
    }
}

fn into_column(slot: Slot, slot_type: SlotType) -> FeatureColumn {
    match (slot, slot_type) {
        (Slot::Number(v), _) => FeatureColumn::Number(v),
        (Slot::Code(codes), SlotType::OneHot(width)) => FeatureColumn::OneHot { codes, width },
        (Slot::Code(codes), SlotType::Code(n_codes)) => FeatureColumn::Code { codes, n_codes },
        (Slot::Code(_), SlotType::Number) => unreachable!("invariant: a slot holds what its type says"),
    }
}

fn run(operator: &Operator, rows: Rows<'_>, positions: &[usize], slots: &[Slot], scratch: &mut Scratch) -> Slot {
    match operator {
        Operator::Number { input } => {
            let mut out = scratch.numbers();
            read_numbers(rows.column(positions[*input]), rows, &mut out);
            Slot::Number(out)
        }
        Operator::Encode { input, levels } => {
            let mut out = scratch.codes();
            levels.encode(rows.column(positions[*input]), rows.set(), &mut out);
            Slot::Code(out)
        }
        Operator::Finite { slot } => {
            map_numbers(slots[*slot].number(), scratch, |x| if x.is_finite() { x } else { f64::NAN })
        }
        Operator::ImputeNumber { slot, value } => {
            map_numbers(slots[*slot].number(), scratch, |x| if x.is_nan() { *value } else { x })
        }
        Operator::Scale { slot, offset, scale } => {
            map_numbers(slots[*slot].number(), scratch, |x| (x - offset) / scale)
        }
        Operator::ImputeCode { slot, code } => {
            map_codes(slots[*slot].code(), scratch, |c| if c == CODE_MISSING { *code } else { c })
        }
        Operator::OneHot { slot, columns, .. } => map_codes(slots[*slot].code(), scratch, |c| columns[c as usize]),
        Operator::MissingIndicator { slot } => {
            let mut out = scratch.numbers();
            match &slots[*slot] {
                Slot::Number(v) => out.extend(v.iter().map(|x| f64::from(u8::from(x.is_nan())))),
                Slot::Code(v) => out.extend(v.iter().map(|c| f64::from(u8::from(*c == CODE_MISSING)))),
            }
            Slot::Number(out)
        }
        Operator::Ordinal { slot, values } => {
            let mut out = scratch.numbers();
            out.extend(slots[*slot].code().iter().map(|c| values[*c as usize]));
            Slot::Number(out)
        }
    }
}

fn read_numbers(column: &Column, rows: Rows<'_>, out: &mut Vec<f64>) {
    match column {
        Column::Float(values) => out.extend(rows.set().iter().map(|r| values[r])),
        Column::Integer(values) => out.extend(rows.set().iter().map(|r| integer_to_number(values[r]))),
        Column::Timestamp(values) => out.extend(rows.set().iter().map(|r| match values[r] {
            MISSING_INTEGER => f64::NAN,
            value => seconds(value),
        })),
        Column::Category(_) => out.extend(rows.set().iter().map(|_| f64::NAN)),
    }
}

/// A timestamp as a number: seconds since 1970.
pub fn seconds(microseconds: i64) -> f64 {
    microseconds as f64 / MICROSECONDS
}

fn map_numbers(values: &[f64], scratch: &mut Scratch, f: impl Fn(f64) -> f64) -> Slot {
    let mut out = scratch.numbers();
    out.extend(values.iter().map(|x| f(*x)));
    Slot::Number(out)
}

fn map_codes(codes: &[u32], scratch: &mut Scratch, f: impl Fn(u32) -> u32) -> Slot {
    let mut out = scratch.codes();
    out.extend(codes.iter().map(|c| f(*c)));
    Slot::Code(out)
}

#[cfg(test)]
mod tests {
    use tabwright_core::{Block, Category, Kind, RowSet};

    use super::super::{Input, Output, Step};
    use super::*;
    use crate::features::ONE_HOT_NONE;
    use crate::levels::{FrozenLevels, Spelling};

    fn pipeline() -> Pipeline {
        let inputs =
            vec![Input { name: "x".into(), kind: Kind::Float }, Input { name: "c".into(), kind: Kind::Categorical }];
        let levels = FrozenLevels::new(Spelling::Text, ["a", "b"]);
        let steps = [
            Operator::Number { input: 0 },
            Operator::ImputeNumber { slot: 0, value: 2.0 },
            Operator::Scale { slot: 1, offset: 1.0, scale: 0.5 },
            Operator::MissingIndicator { slot: 0 },
            Operator::Encode { input: 1, levels },
            Operator::OneHot { slot: 4, columns: vec![u32::MAX, u32::MAX, 1, 0], width: 2 },
        ];
        let output = |slot: usize| Output { slot, name: slot.to_string() };
        Pipeline::new(inputs, steps.map(Step::from).to_vec(), vec![output(2), output(3), output(5), output(2)]).unwrap()
    }

    #[test]
    fn rows_alone_and_together_give_the_same_features() {
        let columns = vec![
            Column::Category(Category::from_strings([Some("b"), None, Some("z"), Some("a")])),
            Column::Float(vec![3.0, f64::NAN, -1.0, 0.25]),
        ];
        let block = Block::new(columns, 4).unwrap();
        let pipeline = pipeline();
        let all = pipeline.transform(Rows::all(&block), &[1, 0]);
        let numbers = FeatureColumn::Number(vec![4.0, 2.0, -4.0, -1.5]);
        assert_eq!(all.columns()[0], numbers);
        assert_eq!(all.columns()[1], FeatureColumn::Number(vec![0.0, 1.0, 0.0, 0.0]));
        let codes = vec![0, ONE_HOT_NONE, ONE_HOT_NONE, 1];
        assert_eq!(all.columns()[2], FeatureColumn::OneHot { codes, width: 2 });
        assert_eq!(all.columns()[3], numbers);
        let mut scratch = Scratch::default();
        for row in 0..4u32 {
            let one = pipeline.transform_into(Rows::new(&block, RowSet::List(&[row])), &[1, 0], &mut scratch);
            assert_eq!(*one, all.take(&[row]));
        }
    }

    #[test]
    fn a_program_that_reads_what_is_not_there_is_refused() {
        let step = Step::from(Operator::Scale { slot: 0, offset: 0.0, scale: 1.0 });
        let error = Pipeline::new(vec![], vec![step], vec![]).unwrap_err();
        assert!(error.to_string().contains("slot 0 is not filled"), "{error}");
    }
}
