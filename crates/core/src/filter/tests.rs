//! What filters mean, and what is said of those that are none.

use super::*;

fn field(name: &str, at: usize) -> Field {
    Field { parts: name.split('.').map(str::to_owned).collect(), at }
}

#[test]
fn conditions_are_read_with_the_usual_precedence() {
    let found = parse("metrics.cv.roc_auc > 0.9 and params.type = 'gbdt' or not tags.owner LIKE 'a%'").unwrap();
    let expected = Filter::Or(vec![
        Filter::And(vec![
            Filter::Compare(field("metrics.cv.roc_auc", 0), Comparison::Greater, Literal::Number(0.9)),
            Filter::Compare(field("params.type", 29), Comparison::Equal, Literal::Text("gbdt".into())),
        ]),
        Filter::Not(Box::new(Filter::Like(field("tags.owner", 57), "a%".into()))),
    ]);
    assert_eq!(found, expected);
    let grouped = parse("a = 1 and (b <> -2.5e-3 or c in ('x', 'it''s'))").unwrap();
    let Filter::And(parts) = grouped else { panic!("{grouped:?}") };
    assert!(matches!(&parts[1], Filter::Or(parts) if parts[0]
        == Filter::Compare(field("b", 11), Comparison::NotEqual, Literal::Number(-2.5e-3))
        && parts[1] == Filter::In(field("c", 27), vec![Literal::Text("x".into()), Literal::Text("it's".into())])));
    assert_eq!(parse("a is not null").unwrap(), Filter::Not(Box::new(Filter::IsNull(field("a", 0)))));
    let odd = Field { parts: vec!["metrics".into(), "val/loss \"x\"".into()], at: 0 };
    assert_eq!(parse("metrics.\"val/loss \"\"x\"\"\" is null").unwrap(), Filter::IsNull(odd));
}

#[test]
fn errors_say_where_and_what_would_be_right() {
    for (text, at, says) in [
        ("", 0, "it is empty"),
        ("metrics.x >", 11, "a value is expected, found the end"),
        ("metrics.x > high", 12, "texts stand in single quotes: 'high'"),
        ("metrics.x > \"a\"", 12, "texts stand in single quotes: 'a'"),
        ("0.9 < metrics.x", 0, "it stands before the value"),
        ("a = 'open", 4, "the quote ' is not closed"),
        ("a = 1 b = 2", 6, "`and`, `or` or the end is expected, found `b`"),
        ("a = 1 && b = 2", 6, "write `and`"),
        ("a = 1; drop table runs", 5, "a filter is one condition"),
        ("(a = 1", 6, "`)` is expected, found the end"),
        ("a like 5", 7, "a pattern in single quotes"),
        ("a not 5", 6, "`like` or `in` is expected"),
        ("a is 5", 5, "`null` is expected"),
        ("a = 1.2.3", 4, "`1.2.3` is no number"),
        ("a. = 3", 3, "the name of a field is expected"),
        ("a in ()", 6, "a value is expected"),
        ("ä = 'ü' x", 8, "the end is expected"),
        ("a = 1e999", 4, "is no number"),
    ] {
        let error = parse(text).unwrap_err();
        assert_eq!(error.position(), at, "{text}: {error}");
        assert!(error.to_string().contains(says), "{text}: {error}");
    }
}

#[test]
fn the_place_of_an_error_is_marked_below_the_text() {
    let error = parse("metrics.x > high").unwrap_err().to_string();
    let lines: Vec<&str> = error.lines().collect();
    assert_eq!(lines[0].find("at character 13"), Some(11));
    assert_eq!(lines[1..], ["  metrics.x > high", "              ^"]);
    let long = format!("{}a = ?", "a = 1 or ".repeat(40));
    let error = parse(&long).unwrap_err().to_string();
    let lines: Vec<&str> = error.lines().collect();
    let mark = lines[2].chars().position(|c| c == '^').unwrap();
    assert_eq!(lines[1].chars().nth(mark), Some('?'));
}

#[test]
fn hostile_texts_are_refused_in_little_time_and_stack() {
    assert!(parse(&"(".repeat(9_000)).unwrap_err().to_string().contains("nested more than 64"));
    assert!(parse(&"not ".repeat(2_400)).unwrap_err().to_string().contains("nested"));
    assert!(parse(&"a".repeat(10_001)).unwrap_err().to_string().contains("10000 are allowed"));
    assert!(parse("a = '\u{0}'").is_ok());
    assert!(parse("a\u{0} = 1").unwrap_err().to_string().contains("does not belong here"));
    let many = vec!["a = 1"; 1_000].join(" and ");
    assert!(matches!(parse(&many).unwrap(), Filter::And(parts) if parts.len() == 1_000));
}
