//! JSON Lines to tables.

use crate::fixture::{column, csv, kinds, read_as, warned};
use crate::{ReadOptions, ReadOutcome};

fn json(text: &str) -> ReadOutcome {
    read_as("t.jsonl", text, &ReadOptions::default()).unwrap()
}

fn error(text: &str) -> String {
    let error = read_as("t.jsonl", text, &ReadOptions::default()).unwrap_err();
    assert!(!error.is_usage());
    error.to_string()
}

#[test]
fn columns_are_the_union_of_the_keys() {
    let outcome = json("{\"a\": 1, \"b\": \"x\"}\n\n{\"c\": true, \"a\": 2.5}\n{\"b\": null, \"a\": null}\n");
    assert_eq!(kinds(&outcome), [("a", "float"), ("b", "categorical"), ("c", "boolean")]);
    assert_eq!(column(&outcome, "a"), ["1", "2.5", "-"]);
    assert_eq!(column(&outcome, "b"), ["x", "-", "-"]);
    assert_eq!(column(&outcome, "c"), ["-", "true", "-"]);
}

#[test]
fn keys_that_come_late_and_kinds_that_break_late_are_handled() {
    let mut text = String::new();
    (0..100_000).for_each(|i| text.push_str(&format!("{{\"n\": {}.50, \"w\": \"NA\"}}\n", i % 3)));
    text.push_str("{\"n\": \"x\", \"late\": \"y\", \"w\": \"z\"}\n");
    let outcome = json(&text);
    assert_eq!(kinds(&outcome), [("n", "categorical"), ("w", "categorical"), ("late", "categorical")]);
    assert_eq!(column(&outcome, "n")[1], "1.50");
    assert_eq!(column(&outcome, "w")[0], "NA");
    let late = column(&outcome, "late");
    assert_eq!((late[0].as_str(), late[100_000].as_str()), ("-", "y"));
    assert_eq!(warned(&outcome), [("nearly_numeric", Some("n"))]);
    assert!(outcome.warnings[0].message.contains("line 100001"), "{}", outcome.warnings[0].message);
}

#[test]
fn the_same_cells_make_the_same_table_as_a_csv() {
    let text = "{\"x\": 0.1, \"y\": \"a\", \"z\": \"7\"}\n{\"x\": 2.675, \"y\": \"b\", \"z\": \"8\"}\n{\"x\": 1e23, \"y\": \"a\", \"z\": \"NA\"}\n\
                {\"x\": 8.41e21, \"y\": \"a\", \"z\": null}\n{\"x\": 9007199254740993.0, \"y\": \"a\", \"z\": \"9\"}\n";
    let table = csv("x,y,z\n0.1,a,7\n2.675,b,8\n1e23,a,NA\n8.41e21,a,\n9007199254740993.0,a,9\n");
    let outcome = json(text);
    assert_eq!(kinds(&outcome), [("x", "float"), ("y", "categorical"), ("z", "integer")]);
    assert_eq!(outcome.fingerprint, table.fingerprint);
}

#[test]
fn whole_numbers_keep_their_bits() {
    let outcome = json("{\"a\": 9007199254740993, \"b\": 123456789012345678901}\n");
    assert_eq!(kinds(&outcome), [("a", "integer"), ("b", "categorical")]);
    assert_eq!(
        (column(&outcome, "a"), column(&outcome, "b")),
        (vec!["9007199254740993".to_owned()], vec!["123456789012345678901".to_owned()])
    );
}

#[test]
fn what_is_no_flat_object_is_refused_with_its_line() {
    assert!(error("{\"a\": 1}\n\n{\"a\": {\"b\": 1}}\n").contains("line 3: key `a`: nested"));
    assert!(error("{\"a\": 1}\n{\"a\": [1]}\n").contains("line 2: key `a`: nested"));
    assert!(error("{\"a\": 1}\n{\"a\": 1\n").contains("line 2"));
    assert!(error("[{\"a\": 1}]\n").contains("line 1: a JSON array"));
    assert!(error("{\"a\": 1, \"a\": 2}\n").contains("line 1: the key `a` occurs twice"));
    assert!(error("{\"a\": 1e999}\n").contains("line 1, column `a`: `1e999` is beyond the range"));
    assert!(error("").contains("empty"));
}

#[test]
fn options_hold_here_too() {
    let options = ReadOptions {
        types: [("n".to_owned(), tabwright_core::Kind::Categorical)].into(),
        drop: vec!["d".into()],
        ..Default::default()
    };
    let outcome = read_as("t.jsonl", "{\"n\": 1.0, \"d\": 1}\n{\"n\": \"1\", \"d\": 2}\n", &options).unwrap();
    assert_eq!(
        (kinds(&outcome), column(&outcome, "n")),
        (vec![("n", "categorical")], vec!["1.0".into(), "1".to_owned()])
    );
    let unknown = ReadOptions { drop: vec!["q".into()], ..Default::default() };
    assert!(read_as("t.jsonl", "{\"n\": 1}\n", &unknown).unwrap_err().is_usage());
}
