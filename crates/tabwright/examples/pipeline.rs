//! A data pipeline by itself: fitted on some rows, applied to others.
#![allow(clippy::print_stdout, reason = "an example speaks to its reader")]

use std::error::Error;

use tabwright::transform::{self, TransformConfig};
use tabwright::{Example, Family, FeatureColumn, Inputs, RowSet, Rows, View, example};

fn main() -> Result<(), Box<dyn Error>> {
    let table = example(Example::Churn, 1_000, 42);
    let schema = table.schema();
    let target = schema.require("churned")?;
    let columns = (0..schema.len()).filter(|c| *c != target).collect();
    let inputs = Inputs { columns, forced: vec![] };

    let fitting = View::new(&table, RowSet::Range(0, 800));
    let fitted = transform::fit(fitting, &inputs, Family::Linear, &TransformConfig::default())?;
    for warning in &fitted.left_out {
        println!("left out: {} ({})", warning.column.as_deref().unwrap_or("-"), warning.message);
    }

    let positions = fitted.pipeline.bind(schema)?;
    let features = fitted.pipeline.transform(Rows::new(table.block(), RowSet::Range(800, 1_000)), &positions);
    assert_eq!(features.n_rows(), 200);
    for (output, column) in fitted.pipeline.outputs().iter().zip(features.columns()) {
        match column {
            FeatureColumn::Number(x) => println!("{:<24} {:+.3} in the first row", output.name, x[0]),
            other => println!("{:<24} one of {}", output.name, other.width()),
        }
    }
    Ok(())
}

#[test]
fn it_runs() -> Result<(), Box<dyn Error>> {
    main()
}
