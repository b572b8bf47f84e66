//! Runs the slot program over some rows. One row or a million: the same loop, on memory that is used again.

use tabwright_core::block::{MISSING_INTEGER, integer_to_number};
use tabwright_core::{Column, Rows};

use super::plan::{Home, Plan};
use super::{Operator, Pipeline, SlotType};
use crate::features::{CODE_MISSING, FeatureColumn, Features};

/// Microseconds in a second: trees see a timestamp in seconds.
const MICROSECONDS: f64 = 1e6;

/// Memory that is kept from one run to the next, of this pipeline or another.
#[derive(Debug, Default)]
pub struct Scratch {
    features: Features,
    /// The slots that are no feature, and memory that nobody needs at the moment.
    beside: Vec<FeatureColumn>,
}

impl Scratch {
    /// Makes room for the features and slots of a pipeline.
    fn begin(&mut self, n_rows: usize, n_features: usize, n_beside: usize) {
        let columns = self.features.begin(n_rows);
        while columns.len() > n_features {
            self.beside.extend(columns.pop());
        }
        while columns.len() < n_features {
            let spare = if self.beside.len() > n_beside { self.beside.pop() } else { None };
            columns.push(spare.unwrap_or_default());
        }
        let missing = n_beside.saturating_sub(self.beside.len());
        self.beside.extend(std::iter::repeat_with(FeatureColumn::default).take(missing));
    }

    fn at(&mut self, home: Home) -> &mut FeatureColumn {
        match home {
            Home::Feature(index) => &mut self.features.columns_mut()[index],
            Home::Beside(index) => &mut self.beside[index],
        }
    }
}

/// The slots that are filled so far.
#[derive(Clone, Copy)]
struct Slots<'s> {
    scratch: &'s Scratch,
    plan: &'s Plan,
}

impl<'s> Slots<'s> {
    fn get(self, slot: usize) -> &'s FeatureColumn {
        match self.plan.homes[slot] {
            Home::Feature(index) => &self.scratch.features.columns()[index],
            Home::Beside(index) => &self.scratch.beside[index],
        }
    }

    fn numbers(self, slot: usize) -> &'s [f64] {
        match self.get(slot) {
            FeatureColumn::Number(values) => values,
            _ => unreachable!("invariant: Pipeline::new has checked the types of the slots"),
        }
    }

    fn codes(self, slot: usize) -> &'s [u32] {
        match self.get(slot) {
            FeatureColumn::Code { codes, .. } => codes,
            _ => unreachable!("invariant: Pipeline::new has checked the types of the slots"),
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
        let plan = &self.plan;
        scratch.begin(rows.len(), self.outputs.len(), plan.n_beside);
        for ((step, &home), &slot_type) in self.steps.iter().zip(&plan.homes).zip(&self.types) {
            // Out of the way of the slots that the step reads.
            let memory = std::mem::take(scratch.at(home));
            let filled = run(&step.operator, (rows, positions), Slots { scratch, plan }, memory, slot_type);
            debug_assert_eq!(filled.len(), rows.len(), "a slot has a value for each row");
            *scratch.at(home) = filled;
        }
        for &(from, to) in &plan.copies {
            let copy = scratch.at(Home::Feature(from)).clone();
            *scratch.at(Home::Feature(to)) = copy;
        }
        &scratch.features
    }
}

/// The memory of a column for numbers.
fn emptied_numbers(memory: FeatureColumn) -> Vec<f64> {
    match memory {
        FeatureColumn::Number(mut values) => {
            values.clear();
            values
        }
        _ => Vec::new(),
    }
}

/// The memory of a column for codes.
fn emptied_codes(memory: FeatureColumn) -> Vec<u32> {
    match memory {
        FeatureColumn::Code { mut codes, .. } | FeatureColumn::OneHot { mut codes, .. } => {
            codes.clear();
            codes
        }
        FeatureColumn::Number(_) => Vec::new(),
    }
}

/// Fills a slot.
fn run(
    operator: &Operator,
    (rows, positions): (Rows<'_>, &[usize]),
    slots: Slots<'_>,
    memory: FeatureColumn,
    slot_type: SlotType,
) -> FeatureColumn {
    match slot_type {
        SlotType::Number => {
            let mut out = emptied_numbers(memory);
            run_to_numbers(operator, (rows, positions), slots, &mut out);
            FeatureColumn::Number(out)
        }
        SlotType::Code(n_codes) => {
            let mut codes = emptied_codes(memory);
            run_to_codes(operator, (rows, positions), slots, &mut codes);
            FeatureColumn::Code { codes, n_codes }
        }
        SlotType::OneHot(width) => {
            let mut codes = emptied_codes(memory);
            run_to_codes(operator, (rows, positions), slots, &mut codes);
            FeatureColumn::OneHot { codes, width }
        }
    }
}

fn run_to_numbers(operator: &Operator, (rows, positions): (Rows<'_>, &[usize]), slots: Slots<'_>, out: &mut Vec<f64>) {
    match operator {
        Operator::Number { input } => read_numbers(rows.column(positions[*input]), rows, out),
        Operator::Finite { slot } => {
            out.extend(slots.numbers(*slot).iter().map(|&x| if x.is_finite() { x } else { f64::NAN }));
        }
        Operator::ImputeNumber { slot, value } => {
            out.extend(slots.numbers(*slot).iter().map(|&x| if x.is_nan() { *value } else { x }));
        }
        Operator::Scale { slot, offset, scale } => {
            out.extend(slots.numbers(*slot).iter().map(|x| (x - offset) / scale));
        }
        Operator::MissingIndicator { slot } => match slots.get(*slot) {
            FeatureColumn::Number(v) => out.extend(v.iter().map(|x| f64::from(u8::from(x.is_nan())))),
            FeatureColumn::Code { codes, .. } | FeatureColumn::OneHot { codes, .. } => {
                out.extend(codes.iter().map(|c| f64::from(u8::from(*c == CODE_MISSING))));
            }
        },
        Operator::Ordinal { slot, values } => out.extend(slots.codes(*slot).iter().map(|c| values[*c as usize])),
        Operator::Encode { .. } | Operator::ImputeCode { .. } | Operator::OneHot { .. } => {
            unreachable!("invariant: Step::check says that these make codes")
        }
    }
}

fn run_to_codes(operator: &Operator, (rows, positions): (Rows<'_>, &[usize]), slots: Slots<'_>, out: &mut Vec<u32>) {
    match operator {
        Operator::Encode { input, levels } => levels.encode(rows.column(positions[*input]), rows.set(), out),
        Operator::ImputeCode { slot, code } => {
            out.extend(slots.codes(*slot).iter().map(|&c| if c == CODE_MISSING { *code } else { c }));
        }
        Operator::OneHot { slot, columns, .. } => {
            out.extend(slots.codes(*slot).iter().map(|c| columns[*c as usize]));
        }
        _ => unreachable!("invariant: Step::check says that the others make numbers"),
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
    fn memory_that_another_pipeline_used_changes_nothing() {
        let columns =
            vec![Column::Float(vec![3.0, f64::NAN]), Column::Category(Category::from_strings([Some("b"), Some("z")]))];
        let block = Block::new(columns, 2).unwrap();
        let wide = pipeline();
        let (inputs, levels) = (wide.inputs().to_vec(), FrozenLevels::new(Spelling::Text, ["b"]));
        let output = Output { slot: 0, name: "c".into() };
        let narrow = Pipeline::new(inputs, vec![Operator::Encode { input: 1, levels }.into()], vec![output]).unwrap();
        let mut scratch = Scratch::default();
        for _ in 0..3 {
            for pipeline in [&wide, &narrow] {
                let fresh = pipeline.transform(Rows::all(&block), &[0, 1]);
                assert_eq!(*pipeline.transform_into(Rows::all(&block), &[0, 1], &mut scratch), fresh);
            }
        }
    }

    #[test]
    fn a_program_that_reads_what_is_not_there_is_refused() {
        let step = Step::from(Operator::Scale { slot: 0, offset: 0.0, scale: 1.0 });
        let error = Pipeline::new(vec![], vec![step], vec![]).unwrap_err();
        assert!(error.to_string().contains("slot 0 is not filled"), "{error}");
    }
}
