//! Parquet and Arrow IPC to tables.

use std::sync::Arc;

use arrow_array::types::{Int8Type, Int32Type};
use arrow_array::{
    ArrayRef, BooleanArray, Date32Array, Decimal128Array, DictionaryArray, Float32Array, Float64Array, Int8Array,
    Int64Array, LargeStringArray, ListArray, RecordBatch, StringArray, StringViewArray, TimestampNanosecondArray,
    TimestampSecondArray, UInt64Array,
};
use parquet::arrow::ArrowWriter;
use tabwright_core::{Context, Kind};

use crate::fixture::{Files, column, csv, kinds, warned};
use crate::{Format, ReadOptions, ReadOutcome, Result, read_table};

fn batch(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, array)| (name, array, true))).unwrap()
}

fn parquet(batches: &[RecordBatch]) -> Vec<u8> {
    let mut writer = ArrowWriter::try_new(Vec::new(), batches[0].schema(), None).unwrap();
    batches.iter().for_each(|b| writer.write(b).unwrap());
    writer.into_inner().unwrap()
}

fn ipc(batches: &[RecordBatch], stream: bool) -> Vec<u8> {
    let schema = batches[0].schema();
    if stream {
        let mut writer = arrow_ipc::writer::StreamWriter::try_new(Vec::new(), &schema).unwrap();
        batches.iter().for_each(|b| writer.write(b).unwrap());
        writer.into_inner().unwrap()
    } else {
        let mut writer = arrow_ipc::writer::FileWriter::try_new(Vec::new(), &schema).unwrap();
        batches.iter().for_each(|b| writer.write(b).unwrap());
        writer.into_inner().unwrap()
    }
}

fn read(name: &str, bytes: &[u8], options: &ReadOptions) -> Result<ReadOutcome> {
    crate::fixture::read_as(name, bytes, options)
}

fn every_type() -> RecordBatch {
    let levels: DictionaryArray<Int8Type> = vec![Some("u"), None, Some("v")].into_iter().collect();
    let decimal = Decimal128Array::from(vec![Some(267_500), Some(-10), None]).with_precision_and_scale(20, 5).unwrap();
    batch(vec![
        ("int8", Arc::new(Int8Array::from(vec![Some(-1), None, Some(3)]))),
        ("int64", Arc::new(Int64Array::from(vec![Some(9_007_199_254_740_993), None, Some(3)]))),
        ("uint64", Arc::new(UInt64Array::from(vec![1, 2, 3]))),
        ("huge", Arc::new(UInt64Array::from(vec![u64::MAX, 2, 3]))),
        ("float32", Arc::new(Float32Array::from(vec![0.5, f32::NAN, -0.0]))),
        ("float64", Arc::new(Float64Array::from(vec![Some(0.1), None, Some(f64::INFINITY)]))),
        ("decimal", Arc::new(decimal)),
        ("bool", Arc::new(BooleanArray::from(vec![Some(true), None, Some(false)]))),
        ("string", Arc::new(StringArray::from(vec![Some(" a"), None, Some("")]))),
        ("large", Arc::new(LargeStringArray::from(vec!["1.10", "007", "x"]))),
        ("view", Arc::new(StringViewArray::from(vec!["1", "2", "NA"]))),
        ("dictionary", Arc::new(levels)),
        ("date", Arc::new(Date32Array::from(vec![0, 19_727, -1]))),
        ("seconds", Arc::new(TimestampSecondArray::from(vec![0, 1, 2]).with_timezone("+02:00"))),
        ("nanos", Arc::new(TimestampNanosecondArray::from(vec![Some(1_500), None, Some(-1)]))),
    ])
}

#[test]
fn every_flat_type_becomes_a_column() {
    let batches = [every_type()];
    for (name, bytes) in
        [("t.parquet", parquet(&batches)), ("t.arrow", ipc(&batches, false)), ("t.ipc", ipc(&batches, true))]
    {
        let outcome = read(name, &bytes, &ReadOptions::default()).unwrap();
        let expected = [
            ("int8", "integer"),
            ("int64", "integer"),
            ("uint64", "integer"),
            ("huge", "categorical"),
            ("float32", "float"),
            ("float64", "float"),
            ("decimal", "float"),
            ("bool", "boolean"),
            ("string", "categorical"),
            ("large", "categorical"),
            ("view", "integer"),
            ("dictionary", "categorical"),
            ("date", "timestamp"),
            ("seconds", "timestamp"),
            ("nanos", "timestamp"),
        ];
        assert_eq!(kinds(&outcome), expected, "{name}");
        assert_eq!(column(&outcome, "int64"), ["9007199254740993", "-", "3"]);
        assert_eq!(column(&outcome, "huge")[0], "18446744073709551615");
        assert_eq!(column(&outcome, "float32"), ["0.5", "-", "0"]);
        assert_eq!(column(&outcome, "decimal"), ["2.675", "-0.0001", "-"]);
        assert_eq!(column(&outcome, "bool"), ["true", "-", "false"]);
        assert_eq!(column(&outcome, "string"), [" a", "-", "-"], "an empty string is missing everywhere");
        assert_eq!(column(&outcome, "large"), ["1.10", "007", "x"]);
        assert_eq!(column(&outcome, "view"), ["1", "2", "-"], "strings mean what they would in a CSV");
        assert_eq!(column(&outcome, "dictionary"), ["u", "-", "v"]);
        assert_eq!(column(&outcome, "date")[1], "2024-01-05T00:00:00Z");
        assert_eq!(column(&outcome, "seconds")[1], "1970-01-01T00:00:01Z");
        assert_eq!(column(&outcome, "nanos"), ["1970-01-01T00:00:00.000001Z", "-", "1969-12-31T23:59:59.999999Z"]);
        assert_eq!(warned(&outcome), [("infinite", Some("float64"))]);
    }
}

#[test]
fn the_same_values_have_the_fingerprint_of_the_csv() {
    let columns = batch(vec![
        ("n", Arc::new(Int64Array::from(vec![Some(1), None]))),
        ("x", Arc::new(Float64Array::from(vec![0.1, 2.5]))),
        ("c", Arc::new(StringArray::from(vec!["b", "a"]))),
    ]);
    let outcome = read("t.parquet", &parquet(&[columns]), &ReadOptions::default()).unwrap();
    assert_eq!(outcome.fingerprint, csv("n,x,c\n1,0.1,b\n,2.5,a\n").fingerprint);
}

#[test]
fn naive_times_are_read_in_the_zone() {
    let times = batch(vec![("t", Arc::new(TimestampSecondArray::from(vec![0])))]);
    let options = ReadOptions { zone: "Asia/Tokyo".into(), ..Default::default() };
    let outcome = read("t.parquet", &parquet(&[times]), &options).unwrap();
    assert_eq!(column(&outcome, "t"), ["1969-12-31T15:00:00Z"]);
}

#[test]
fn nested_types_are_refused_by_name_unless_they_are_dropped() {
    let list = ListArray::from_iter_primitive::<Int32Type, _, _>([Some(vec![Some(1)])]);
    let nested = parquet(&[batch(vec![("a", Arc::new(Int64Array::from(vec![1]))), ("l", Arc::new(list))])]);
    let error = read("t.parquet", &nested, &ReadOptions::default()).unwrap_err().to_string();
    assert!(error.contains("column `l`") && error.contains("nested type List"), "{error}");
    let options = ReadOptions { drop: vec!["l".into()], ..Default::default() };
    assert_eq!(kinds(&read("t.parquet", &nested, &options).unwrap()), [("a", "integer")]);
}

#[test]
fn types_override_those_of_the_file() {
    let numbers = parquet(&[batch(vec![
        ("i", Arc::new(Int64Array::from(vec![Some(1), Some(0), None]))),
        ("x", Arc::new(Float64Array::from(vec![1.0, 2.0, 3.5]))),
    ])]);
    let with = |column: &str, kind| {
        read("t.parquet", &numbers, &ReadOptions { types: [(column.to_owned(), kind)].into(), ..Default::default() })
    };
    assert_eq!(column(&with("i", Kind::Categorical).unwrap(), "i"), ["1", "0", "-"]);
    assert_eq!(column(&with("i", Kind::Boolean).unwrap(), "i"), ["true", "false", "-"]);
    assert_eq!(column(&with("x", Kind::Text).unwrap(), "x"), ["1", "2", "3.5"]);
    let error = with("x", Kind::Integer).unwrap_err().to_string();
    assert!(error.contains("row 3, column `x`: `3.5` is not a whole number"), "{error}");
}

#[test]
fn files_whose_types_differ_meet_in_the_middle() {
    let files = Files::new();
    let write = |name: &str, array: ArrayRef| files.add(name, parquet(&[batch(vec![("v", array)])]));
    let mut inputs = write("a.parquet", Arc::new(Int64Array::from(vec![1, 2])));
    inputs.extend(write("b.parquet", Arc::new(Float64Array::from(vec![2.5]))));
    let outcome = read_table(&inputs, &ReadOptions::default(), Context::silent()).unwrap();
    assert_eq!(
        (kinds(&outcome), column(&outcome, "v")),
        (vec![("v", "float")], vec!["1".into(), "2".into(), "2.5".to_owned()])
    );
    inputs.extend(write("c.parquet", Arc::new(StringArray::from(vec!["x"]))));
    let outcome = read_table(&inputs, &ReadOptions::default(), Context::silent()).unwrap();
    assert_eq!(column(&outcome, "v"), ["1", "2", "2.5", "x"]);
    let folder = std::path::Path::new(inputs[0].name()).parent().unwrap().display().to_string();
    let all = crate::resolve_inputs(&[folder]).unwrap();
    assert_eq!((all.len(), all[0].format()), (3, Format::Parquet));
}

#[test]
fn damaged_files_are_refused() {
    let whole = parquet(&[every_type()]);
    let arrow = ipc(&[every_type()], false);
    for (name, bytes) in
        [("t.parquet", &whole[..whole.len() / 2]), ("t.arrow", &arrow[..arrow.len() / 2]), ("t.parquet", b"PAR1")]
    {
        let error = read(name, bytes, &ReadOptions::default()).unwrap_err();
        assert!(!error.is_usage() && error.to_string().contains(name), "{error}");
    }
    let options = ReadOptions { format: Some(Format::Parquet), ..Default::default() };
    let error = read("t.csv", b"a,b\n1,2\n", &options).unwrap_err().to_string();
    assert!(error.contains("this is no parquet file"), "{error}");
}

#[test]
fn many_batches_and_late_surprises_are_joined() {
    let part = |from: i64| batch(vec![("n", Arc::new(Int64Array::from_iter_values(from..from + 70_000)))]);
    let outcome = read("t.parquet", &parquet(&[part(0), part(70_000)]), &ReadOptions::default()).unwrap();
    assert_eq!(outcome.table.n_rows(), 140_000);
    assert_eq!(column(&outcome, "n")[139_999], "139999");
}

fn packed(codec: arrow_ipc::CompressionType, is_stream: bool) -> Vec<u8> {
    let values: ArrayRef = Arc::new(Int64Array::from(vec![7; 10_000]));
    let batch = batch(vec![("a", values)]);
    let options = arrow_ipc::writer::IpcWriteOptions::default().try_with_compression(Some(codec)).unwrap();
    if is_stream {
        let mut writer =
            arrow_ipc::writer::StreamWriter::try_new_with_options(Vec::new(), &batch.schema(), options).unwrap();
        writer.write(&batch).unwrap();
        return writer.into_inner().unwrap();
    }
    let mut writer = arrow_ipc::writer::FileWriter::try_new_with_options(Vec::new(), &batch.schema(), options).unwrap();
    writer.write(&batch).unwrap();
    writer.into_inner().unwrap()
}

/// The library takes as much memory as a buffer says that it holds, and the program ended.
#[test]
fn buffers_that_claim_more_than_they_can_hold_are_refused() {
    use arrow_ipc::CompressionType;
    for codec in [CompressionType::LZ4_FRAME, CompressionType::ZSTD] {
        for is_stream in [false, true] {
            let bytes = packed(codec, is_stream);
            assert_eq!(read("t.arrow", &bytes, &ReadOptions::default()).unwrap().table.n_rows(), 10_000);
            let small = ReadOptions { most_batch_bytes: Some(1000), ..ReadOptions::default() };
            let error = read("t.arrow", &bytes, &small).unwrap_err().to_string();
            assert!(error.contains("1000 are allowed"), "{error}");
            let claim = 80_000_i64.to_le_bytes();
            let at = bytes.windows(8).position(|w| w == claim).unwrap();
            for claimed in [1_i64 << 46, 1 << 33, i64::MAX] {
                let mut bytes = bytes.clone();
                bytes[at..at + 8].copy_from_slice(&claimed.to_le_bytes());
                let error = read("t.arrow", &bytes, &ReadOptions::default()).unwrap_err().to_string();
                assert!(error.contains("says that it holds"), "{error}");
            }
        }
    }
}

/// Rows that share a string took memory as if each had its own.
#[test]
fn strings_that_rows_share_are_not_multiplied_without_end() {
    let long = "x".repeat(1 << 20);
    let levels = StringArray::from(vec![long.as_str()]);
    let levels: DictionaryArray<Int8Type> = DictionaryArray::new(Int8Array::from(vec![0; 5000]), Arc::new(levels));
    let bytes = ipc(&[batch(vec![("a", Arc::new(levels) as ArrayRef)])], true);
    assert!(bytes.len() < 2 << 20);
    let error = read("t.arrow", &bytes, &ReadOptions::default()).unwrap_err().to_string();
    assert!(error.contains("5000 rows take"), "{error}");
}
