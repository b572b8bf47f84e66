//! Tests of the fitted pipeline on a small table of every kind.

use tabwright_core::{Category, Column, Field, Kind, RowSet, Rows, Schema, Table};
use tabwright_model::FeatureColumn;
use tabwright_model::features::ONE_HOT_NONE;

use super::*;

fn table() -> Table {
    let fields = [
        ("x", Kind::Float),
        ("c", Kind::Categorical),
        ("note", Kind::Text),
        ("when", Kind::Timestamp),
        ("same", Kind::Integer),
        ("void", Kind::Float),
    ];
    let schema = Schema::new(fields.map(|(n, k)| Field::feature(n, k)).to_vec()).unwrap();
    let text = |v: [Option<&str>; 6]| Column::Category(Category::from_strings(v));
    let columns = vec![
        Column::Float(vec![1.0, f64::NAN, 3.0, 5.0, 100.0, f64::INFINITY]),
        text([Some("b"), None, Some("a"), Some("b"), Some("z"), Some("b")]),
        text(["a b c", "d e f", "g h i", "j k l", "m n o", "p q r"].map(Some)),
        Column::Timestamp(vec![1_500_000, 2_000_000, 3_000_000, 4_000_000, 5_000_000, 6_000_000]),
        Column::Integer(vec![7; 6]),
        Column::Float(vec![f64::NAN; 6]),
    ];
    Table::new(schema, columns).unwrap()
}

fn fitted(rows: &[u32], family: Family, config: &TransformConfig) -> (FittedPipeline, Vec<FeatureColumn>) {
    let table = table();
    let inputs = Inputs { columns: (0..6).collect(), forced: vec![] };
    let fitted = fit(View::new(&table, RowSet::List(rows)), &inputs, family, config).unwrap();
    let positions = fitted.pipeline.bind(table.schema()).unwrap();
    let features = fitted.pipeline.transform(Rows::all(table.block()), &positions);
    let columns = features.columns().to_vec();
    (fitted, columns)
}

#[test]
fn linear_models_get_medians_scales_and_one_hot_groups_of_the_fitting_rows() {
    let (fitted, columns) = fitted(&[0, 1, 2, 3], Family::Linear, &TransformConfig::default());
    // Of 1, (missing), 3, 5 the median is 3; then mean 3 and standard deviation √2.
    let scale = 2.0f64.sqrt();
    let FeatureColumn::Number(x) = &columns[0] else { panic!("{columns:?}") };
    assert_eq!(x, &[-2.0 / scale, 0.0, 0.0, 2.0 / scale, 97.0 / scale, 0.0]);
    // `z` was not among the fitting rows: all zero. The missing value became the level `missing`.
    let codes = vec![1, 2, 0, 1, ONE_HOT_NONE, 1];
    assert_eq!(columns[1], FeatureColumn::OneHot { codes, width: 3 });
    assert_eq!(columns.len(), 2);
    let left_out: Vec<(Code, &str)> = fitted.left_out.iter().map(|w| (w.code, w.column.as_deref().unwrap())).collect();
    let expected = [
        (Code::TextLeftOut, "note"),
        (Code::TimestampLeftOut, "when"),
        (Code::Constant, "same"),
        (Code::AllMissing, "void"),
    ];
    assert_eq!(left_out, expected);
}

#[test]
fn trees_get_raw_numbers_missing_values_and_codes() {
    let (_, columns) = fitted(&[0, 1, 2, 3], Family::Trees, &TransformConfig::default());
    let FeatureColumn::Number(x) = &columns[0] else { panic!("{columns:?}") };
    assert!(x[1].is_nan() && x[5] == f64::INFINITY && x[4] == 100.0);
    assert_eq!(columns[1], FeatureColumn::Code { codes: vec![3, 0, 2, 3, 1, 3], n_codes: 4 });
    assert_eq!(columns[2], FeatureColumn::Number(vec![1.5, 2.0, 3.0, 4.0, 5.0, 6.0]));
}

#[test]
fn every_transformer_can_be_set_for_a_column() {
    let mut config = TransformConfig::default();
    let own = ColumnTransform {
        impute: Some(NumberImpute::Constant),
        fill: Some(Fill::Number(-1.0)),
        indicator: Some(true),
        scale: Some(Scaler::MinMax),
        ..ColumnTransform::default()
    };
    config.columns.insert("x".into(), own);
    let ordinal = ColumnTransform {
        encode: Some(CategoryEncoder::Ordinal),
        impute: Some(NumberImpute::MostFrequent),
        scale: Some(Scaler::None),
        ..ColumnTransform::default()
    };
    config.columns.insert("c".into(), ordinal);
    let (fitted, columns) = fitted(&[0, 1, 2, 3], Family::Linear, &config);
    let names: Vec<&str> = fitted.pipeline.outputs().iter().map(|o| o.name.as_str()).collect();
    assert_eq!(names, ["x", "x.missing", "c"]);
    let FeatureColumn::Number(x) = &columns[0] else { panic!("{columns:?}") };
    assert_eq!(x[..4], [2.0 / 6.0, 0.0, 4.0 / 6.0, 1.0]);
    assert_eq!(columns[1], FeatureColumn::Number(vec![0.0, 1.0, 0.0, 0.0, 0.0, 1.0]));
    // Levels a, b; the missing one became b; the unseen z is put in the middle of the ranks 1, 1, 0, 1.
    assert_eq!(columns[2], FeatureColumn::Number(vec![1.0, 1.0, 0.0, 1.0, 1.0, 1.0]));
}

#[test]
fn rare_levels_share_the_last_column() {
    let mut config = TransformConfig::default();
    config.linear.category.min_count = 2;
    let (_, columns) = fitted(&[0, 1, 2, 3, 4], Family::Linear, &config);
    // Levels a (1), b (2), missing (1), z (1): b alone keeps a column.
    assert_eq!(columns[1], FeatureColumn::OneHot { codes: vec![0, 1, 1, 0, 1, 0], width: 2 });
}

#[test]
fn robust_scaling_and_means_follow_their_definitions() {
    let mut config = TransformConfig::default();
    config.linear.number.scale = Scaler::Robust;
    config.linear.number.impute = NumberImpute::Mean;
    let (_, columns) = fitted(&[0, 1, 2, 3], Family::Linear, &config);
    // Values 1, 3 (the mean), 3, 5: median 3, quartiles 2.5 and 3.5.
    let FeatureColumn::Number(x) = &columns[0] else { panic!("{columns:?}") };
    assert_eq!(x[..4], [-2.0, 0.0, 0.0, 2.0]);
}

#[test]
fn the_fit_has_the_same_bits_on_any_number_of_threads() {
    let build = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| fitted(&[0, 1, 2, 3], Family::Linear, &TransformConfig::default()).0.pipeline)
    };
    assert!([2, 3, 8].into_iter().all(|threads| build(threads) == build(1)));
}
