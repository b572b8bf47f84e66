//! Trains the crate hessboost on a table of raw 32-bit floats and prints seconds and a score as a JSON line:
//! `bench-hessboost FOLDER GROWTH N_TREES LEAVES_OR_DEPTH ROWS_TO_EXPLAIN`. Two threads.
//!
//! The folder is one of peers/make_tree_tables.py. The fit holds the binning; the matrix of the floats is made before.

use std::time::Instant;

use hessboost::prelude::*;
use serde_json::{Value, json};

type Failure = Box<dyn std::error::Error>;

/// Predictions and explanations are repeated; the median counts.
const REPEATS: usize = 5;

fn floats(path: &str) -> Result<Vec<f32>, Failure> {
    let bytes = std::fs::read(path)?;
    Ok(bytes.chunks_exact(4).map(|c| f32::from_le_bytes([c[0], c[1], c[2], c[3]])).collect())
}

fn median_seconds(n: usize, mut call: impl FnMut() -> Result<(), Failure>) -> Result<f64, Failure> {
    let mut seconds = Vec::with_capacity(n);
    for _ in 0..n {
        let start = Instant::now();
        call()?;
        seconds.push(start.elapsed().as_secs_f64());
    }
    seconds.sort_by(f64::total_cmp);
    Ok(seconds[n / 2])
}

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [folder, growth, n_trees, size, n_explained] = &arguments[..] else {
        return Err("usage: bench-hessboost FOLDER GROWTH N_TREES LEAVES_OR_DEPTH ROWS_TO_EXPLAIN".into());
    };
    let (n_trees, size, n_explained): (usize, usize, usize) = (n_trees.parse()?, size.parse()?, n_explained.parse()?);
    let shape: Value = serde_json::from_str(&std::fs::read_to_string(format!("{folder}/shape.json"))?)?;
    let n_columns = shape["columns"].as_u64().ok_or("shape.json has no columns")? as usize;
    let matrix = |part: &str, n_rows: Option<usize>| -> Result<DMatrix, Failure> {
        let (mut x, mut y) = (floats(&format!("{folder}/X{part}.bin"))?, floats(&format!("{folder}/y{part}.bin"))?);
        let n_rows = n_rows.unwrap_or(y.len()).min(y.len());
        x.truncate(n_rows * n_columns);
        y.truncate(n_rows);
        Ok(DMatrix::from_dense_vec(x, n_rows, n_columns)?.with_labels(&y)?)
    };
    let (train_rows, test_rows) = (matrix("", None)?, matrix("t", None)?);

    let (objective, metric) = match shape["task"].as_str() {
        Some("binary") => ("binary:logistic", "auc"),
        Some("multiclass") => ("multi:softprob", "mlogloss"),
        _ => ("reg:squarederror", "rmse"),
    };
    let mut parameters = vec![
        ("objective", json!(objective)),
        ("eval_metric", json!(metric)),
        ("tree_method", json!("hist")),
        ("eta", json!(0.1)),
        ("max_bin", json!(256)),
        ("nthread", json!(2)),
    ];
    match growth.as_str() {
        "leafwise" => parameters.extend([
            ("grow_policy", json!("lossguide")),
            ("max_leaves", json!(size)),
            ("max_depth", json!(0)),
        ]),
        _ => parameters.extend([("grow_policy", json!("depthwise")), ("max_depth", json!(size))]),
    }
    if objective == "multi:softprob" {
        parameters.push(("num_class", shape["classes"].clone()));
    }
    let params = TrainingParams::from_xgboost(parameters)?;

    let start = Instant::now();
    let model = train(&params, &train_rows, n_trees)?;
    let train_s = start.elapsed().as_secs_f64();
    let predict_s = median_seconds(REPEATS, || {
        std::hint::black_box(model.predict(&test_rows, Iterations::Best)?);
        Ok(())
    })?;
    let mut found = json!({ "train_s": train_s, "predict_s": predict_s });
    if n_explained > 0 {
        let rows = matrix("t", Some(n_explained))?;
        let seconds = median_seconds(1, || {
            std::hint::black_box(model.predict_contribs(&rows, Iterations::Best)?);
            Ok(())
        })?;
        found["explain_10k_s"] = json!(seconds * 1e4 / n_explained as f64);
    }
    let predictions = model.predict(&test_rows, Iterations::Best)?;
    let n_outputs = if objective == "multi:softprob" { shape["classes"].as_u64().unwrap_or(1) as usize } else { 1 };
    let metric = params.eval_metric[0].build(n_outputs)?;
    found["score"] = json!(metric.eval(predictions.as_slice(), &floats(&format!("{folder}/yt.bin"))?, None));
    println!("{found}");
    Ok(())
}
