//! Values come back bit by bit, whatever they are.

use std::fs::File;

use tabwright_core::block::{Category, MISSING_INTEGER};
use tabwright_core::{Column, Kind};

use super::{ExactColumn, ExactReader, ExactWriter, Spread};

fn columns() -> Vec<ExactColumn> {
    let column = |name: &str, kind, spread| ExactColumn { name: name.into(), kind, spread };
    vec![
        column("id", Kind::Text, Spread::Distinct),
        column("time", Kind::Timestamp, Spread::Rising),
        column("x", Kind::Float, Spread::Repeated),
        column("n", Kind::Integer, Spread::Repeated),
        column("yes", Kind::Boolean, Spread::Repeated),
        column("word", Kind::Categorical, Spread::Repeated),
    ]
}

fn values() -> Vec<Column> {
    let text = |values: [Option<&str>; 4]| Column::Category(Category::from_strings(values));
    vec![
        text([Some("a"), Some(" b "), Some(""), None]),
        Column::Timestamp(vec![5, 4, MISSING_INTEGER, i64::MAX]),
        Column::Float(vec![-0.0, f64::INFINITY, f64::NAN, 5e-324]),
        Column::Integer(vec![i64::MAX, MISSING_INTEGER, 0, -1]),
        text([Some("true"), None, Some("false"), Some("true")]),
        text([Some("NA"), Some("é"), Some("NA"), None]),
    ]
}

fn texts(column: &Column) -> Vec<Option<&str>> {
    let Column::Category(category) = column else { panic!("{column:?} has no texts") };
    (0..category.codes.len()).map(|row| category.get(row)).collect()
}

#[test]
fn every_value_comes_back_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rows.parquet");
    let mut writer = ExactWriter::create(&path, &columns(), &[("schema", "{}")]).unwrap();
    let written = values();
    writer.write(&written.iter().collect::<Vec<_>>()).unwrap();
    assert!(!path.exists());
    writer.finish().unwrap();
    let mut reader = ExactReader::open(File::open(&path).unwrap(), &path).unwrap();
    assert_eq!((reader.note("schema"), reader.note("other"), reader.n_rows()), (Some("{}"), None, 4));
    reader.start(None, 100).unwrap();
    let block = reader.next_block().unwrap().unwrap();
    assert!(reader.next_block().unwrap().is_none());
    for (read, written) in block.columns().iter().zip(&written) {
        match (read, written) {
            (Column::Float(a), Column::Float(b)) => {
                let bits = |v: &f64| if v.is_nan() { None } else { Some(v.to_bits()) };
                assert_eq!(a.iter().map(bits).collect::<Vec<_>>(), b.iter().map(bits).collect::<Vec<_>>());
            }
            (Column::Integer(a), Column::Integer(b)) | (Column::Timestamp(a), Column::Timestamp(b)) => assert_eq!(a, b),
            (read, written) => assert_eq!(texts(read), texts(written)),
        }
    }
}

#[test]
fn some_columns_are_read_and_what_is_damaged_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rows.parquet");
    let mut writer = ExactWriter::create(&path, &columns(), &[]).unwrap();
    writer.write(&values().iter().collect::<Vec<_>>()).unwrap();
    writer.finish().unwrap();
    let mut reader = ExactReader::open(File::open(&path).unwrap(), &path).unwrap();
    reader.start(Some(&[0, 1]), 3).unwrap();
    assert_eq!(reader.columns().len(), 2);
    assert_eq!(reader.next_block().unwrap().unwrap().n_rows(), 3);
    assert_eq!(reader.next_block().unwrap().unwrap().n_rows(), 1);
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    let error = ExactReader::open(File::open(&path).unwrap(), &path).unwrap_err().to_string();
    assert!(error.contains("rows.parquet") && error.contains("damaged"), "{error}");
}
