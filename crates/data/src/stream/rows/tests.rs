//! Rows of requests.

use proptest::prelude::*;
use tabwright_core::Kind;

use super::{ReadRows, RowBuilder, RowShape};
use crate::fixture::{Files, shown};
use crate::json::parse::JsonReader;
use crate::{ReadOptions, StreamRequest, open_stream};

const KINDS: [(&str, Kind); 5] = [
    ("n", Kind::Integer),
    ("x", Kind::Float),
    ("ok", Kind::Boolean),
    ("when", Kind::Timestamp),
    ("na\\me \"q\"", Kind::Categorical),
];

fn shape(na: &[&str]) -> RowShape {
    let na = na.iter().map(|token| (*token).to_owned()).collect();
    RowShape::new(KINDS, &ReadOptions { na, ..ReadOptions::default() }).unwrap()
}

fn read(shape: &RowShape, text: &str, keep: &[&str]) -> ReadRows {
    let keep: Vec<String> = keep.iter().map(|name| (*name).to_owned()).collect();
    let mut builder = RowBuilder::new(shape, &keep, 1);
    JsonReader::new(text).array(|reader| builder.push_object(reader)).unwrap();
    builder.finish().unwrap()
}

fn values(rows: &ReadRows) -> Vec<Vec<String>> {
    rows.block.columns().iter().map(shown).collect()
}

#[test]
fn null_is_no_value_of_a_column_to_keep_and_makes_the_column_known() {
    let shape = shape(&[]);
    let rows = read(&shape, r#"[{"id": null, "n": 1}, {"id": "null"}, {"n": 2}, {"id": 7}]"#, &["id", "n", "id"]);
    let text = |value: &str| Some(value.to_owned());
    assert_eq!(rows.kept[0], [None, text("\"null\""), None, text("7")]);
    assert_eq!(rows.kept[1], [text("1"), None, text("2"), None]);
    assert_eq!(rows.kept[2], rows.kept[0]);
    let mut builder = RowBuilder::new(&shape, &["id".to_owned(), "other".to_owned()], 1);
    builder.push_object(&mut JsonReader::new(r#"{"id": null}"#)).unwrap();
    assert_eq!(builder.not_kept(), Some("other"));
}

#[test]
fn columns_that_no_row_has_are_named_with_what_may_have_been_meant() {
    let shape = shape(&[]);
    let mut builder = RowBuilder::new(&shape, &[], 1);
    builder.push_object(&mut JsonReader::new(r#"{"n": 1, "wen": 2, "x": null}"#)).unwrap();
    assert_eq!(builder.missing(), ["ok", "when", "na\\me \"q\""]);
    assert_eq!(builder.hint("when"), " (did you mean `wen`?)");
    assert_eq!(builder.hint("ok"), "");
}

#[test]
fn memory_that_is_used_again_holds_nothing_of_the_rows_before() {
    let shape = shape(&[]);
    let many: Vec<String> =
        (0..30).map(|i| format!(r#"{{"n": {i}.5, "ok": true, "na\\me \"q\"": "level {i}"}}"#)).collect();
    let first = format!("[{}]", many.join(","));
    let second = r#"[{"na\\me \"q\"": "b", "n": 3}, {"when": "2024-01-05", "na\\me \"q\"": "b"}]"#;
    let fresh = values(&read(&shape, second, &[]));
    for _ in 0..3 {
        let rows = read(&shape, &first, &[]);
        assert_eq!(shown(rows.block.column(4))[29], "level 29");
        shape.give_back(rows.block);
        let rows = read(&shape, second, &[]);
        assert_eq!(values(&rows), fresh);
        assert!(matches!(rows.block.column(0), tabwright_core::Column::Integer(_)));
        shape.give_back(rows.block);
    }
}

#[test]
fn a_key_that_stands_there_twice_or_nested_makes_its_row_bad() {
    let rows = read(&shape(&[]), r#"[{"n": 1, "n": 2}, {"x": {"n": 1}, "n": 3}, {"n": [1]}, {"n": 4}]"#, &[]);
    let bad: Vec<(usize, Option<&str>)> = rows.bad.iter().map(|b| (b.row, b.column.as_deref())).collect();
    assert_eq!(bad, [(0, Some("n")), (1, Some("x")), (2, Some("n"))]);
    assert_eq!(shown(rows.block.column(0)), ["1", "3", "-", "4"]);
}

fn value() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "-?(0|[1-9][0-9]{0,19})(\\.[0-9]{1,20})?(e-?[0-9]{1,3})?",
        2 => (-100..100_i64).prop_map(|n| n.to_string()),
        2 => any::<f64>().prop_filter("finite", |x| x.is_finite()).prop_map(|x| format!("{x:?}")),
        1 => Just("null".to_owned()),
        1 => prop_oneof![Just("true"), Just("false"), Just("0"), Just("-0"), Just("-0.0")].prop_map(str::to_owned),
        2 => "\"( ?[0-9]{1,3}(\\.5)? ?|NA|true|FALSE|2024-01-05|[a-c]| |\\\\u00e9)\"",
    ]
}

proptest! {
    /// Requests and files are read by roads of their own, to the same values and the same complaints.
    #[test]
    fn a_row_of_a_request_is_that_of_a_file(
        rows in prop::collection::vec(prop::collection::vec(prop::option::weighted(0.8, value()), 5), 1..6),
        na in prop::option::of(Just("7")),
        is_turned in any::<bool>(),
    ) {
        let row = |values: &Vec<Option<String>>| {
            let mut members: Vec<String> = KINDS
                .iter()
                .zip(values)
                .filter_map(|((name, _), value)| {
                    let mut key = String::new();
                    crate::json_string(&mut key, name);
                    value.as_ref().map(|value| format!("{key}: {value}"))
                })
                .collect();
            if is_turned {
                members.reverse();
            }
            format!("{{{}}}", members.join(", "))
        };
        let lines: Vec<String> = rows.iter().map(row).collect();
        let tokens: Vec<&str> = na.into_iter().collect();
        let shape = shape(&tokens);
        let found = read(&shape, &format!("[{}]", lines.join(",")), &[]);
        // A first line that has every key lets the file be opened.
        let all = row(&vec![Some("null".to_owned()); 5]);
        let files = Files::new();
        let inputs = files.add("t.jsonl", format!("{all}\n{}\n", lines.join("\n")));
        let request = StreamRequest {
            passed_over: Vec::new(),
            expected: KINDS.iter().map(|(name, kind)| ((*name).to_owned(), *kind)).collect(),
            keep: Vec::new(),
            batch_size: 100,
            batch_bytes: crate::BATCH_BYTES,
        };
        let options = ReadOptions { na: tokens.iter().map(|t| (*t).to_owned()).collect(), ..ReadOptions::default() };
        let block = open_stream(&inputs, &request, &options).unwrap().next().unwrap().unwrap();
        for (own, other) in found.block.columns().iter().zip(block.block.columns()) {
            for row in 0..rows.len() {
                prop_assert_eq!(own.is_missing(row), other.is_missing(row + 1));
                let bits = |column: &tabwright_core::Column, row: usize| column.number(row).to_bits();
                if !own.is_missing(row) {
                    prop_assert_eq!(bits(own, row), bits(other, row + 1));
                }
            }
            prop_assert_eq!(&shown(own)[..], &shown(other)[1..]);
        }
        let mut expected = block.bad;
        expected.iter_mut().for_each(|bad| bad.row -= 1);
        prop_assert_eq!(found.bad, expected);
    }
}
