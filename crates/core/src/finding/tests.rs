//! Tests of the findings.

use super::*;
use crate::random::mix;
use crate::split::{Cuts, Split};
use crate::{Category, Schema, Table};

const N: usize = 900;

fn table(columns: Vec<(&str, Kind, Column)>) -> Table {
    let fields = columns.iter().map(|(name, kind, _)| Field::feature(*name, *kind)).collect();
    Table::new(Schema::new(fields).unwrap(), columns.into_iter().map(|c| c.2).collect()).unwrap()
}

fn noise(salt: u64, n: usize) -> Vec<f64> {
    (0..n as u64).map(|i| (mix(i ^ mix(salt)) >> 11) as f64 / (1u64 << 53) as f64).collect()
}

fn words(f: impl Fn(usize) -> Option<String>, n: usize) -> Column {
    Column::Category(Category::from_strings((0..n).map(f)))
}

fn reason(name: &str, kind: Kind, column: &Column) -> Option<String> {
    identifier_like(&Field::feature(name, kind), column, RowSet::Range(0, column.len()))
}

fn codes(warnings: &[Warning]) -> Vec<(Option<&str>, Code)> {
    warnings.iter().map(|w| (w.column.as_deref(), w.code)).collect()
}

#[test]
fn identifiers_are_tokens_or_numbers_that_count_rows_or_are_named_so() {
    let customer = words(|i| Some(format!("{:04}-{}", mix(i as u64) % 9_000 + 1_000, i)), N);
    assert!(reason("customerID", Kind::Categorical, &customer).unwrap().contains("900 of its 900"));
    let passenger = Column::Integer((1..=N as i64).collect());
    assert!(reason("Nr", Kind::Integer, &passenger).unwrap().contains("1 to 900"));
    let scattered: Vec<i64> = (0..N as i64).map(|i| i * 7_919 % 1_000_003).collect();
    assert!(reason("salary", Kind::Integer, &Column::Integer(scattered.clone())).is_none());
    assert!(reason("customer_id", Kind::Integer, &Column::Integer(scattered.clone())).unwrap().contains("named"));
    let mut repeated = scattered.clone();
    repeated[0] = repeated[1];
    assert!(reason("customer_id", Kind::Integer, &Column::Integer(repeated)).is_none());
    let as_floats = Column::Float(scattered.iter().map(|&v| if v == 0 { f64::NAN } else { v as f64 }).collect());
    assert!(reason("customer_id", Kind::Float, &as_floats).is_some());
    assert!(reason("price_id", Kind::Float, &Column::Float(noise(1, N))).is_none());
}

#[test]
fn tickets_names_and_weights_are_no_identifiers() {
    // 76% distinct, as the tickets of the Titanic.
    let ticket = words(|i| Some(format!("{}", mix(i as u64) % 1_600)), N);
    assert!(reason("Ticket", Kind::Categorical, &ticket).is_none());
    let name = words(|i| Some(format!("Smith, Mr. John {i}")), N);
    assert!(reason("Name", Kind::Text, &name).is_none());
    assert!(reason("Name", Kind::Categorical, &name).is_none(), "several words");
    let weight = Column::Integer((0..N).map(|i| (mix(i as u64) % 1_400_000) as i64).collect());
    assert!(reason("fnlwgt", Kind::Integer, &weight).is_none());
    let few = words(|i| Some(format!("w{i}")), 9);
    assert!(reason("few", Kind::Categorical, &few).is_none());
    let times = Column::Timestamp((0..N as i64).collect());
    assert!(reason("id", Kind::Timestamp, &times).is_none());
}

#[test]
fn an_identifier_is_one_in_a_part_of_the_rows_too() {
    let passenger = Column::Integer((1..=N as i64).collect());
    let field = Field::feature("Nr", Kind::Integer);
    let rows: Vec<u32> = (0..N as u32).filter(|r| mix(u64::from(*r)) % 100 < 40).collect();
    assert!(identifier_like(&field, &passenger, RowSet::List(&rows)).is_some());
    let halves = Column::Integer((0..N as i64).map(|i| i / 2).collect());
    assert!(identifier_like(&field, &halves, RowSet::Range(0, N)).is_none());
}

#[test]
fn each_oddity_of_a_column_is_found_once() {
    let x = noise(1, N);
    let mut infinite = noise(2, N);
    infinite[5] = f64::NEG_INFINITY;
    let sparse = |i: usize| if i.is_multiple_of(40) { x[i] } else { f64::NAN };
    let table = table(vec![
        ("x", Kind::Float, Column::Float(x.clone())),
        ("same", Kind::Integer, Column::Integer(vec![7; N])),
        ("void", Kind::Categorical, words(|_| None, N)),
        ("sparse", Kind::Float, Column::Float((0..N).map(sparse).collect())),
        ("twin", Kind::Float, Column::Float(x.clone())),
        ("infinite", Kind::Float, Column::Float(infinite)),
        ("note", Kind::Text, words(|i| Some(format!("a note on case {i}")), N)),
        ("id", Kind::Categorical, words(|i| Some(format!("c{i}")), N)),
        ("flag", Kind::Boolean, words(|i| (i % 3 > 0).then(|| (i % 3 == 1).to_string()), N)),
    ]);
    let found = findings(View::all(&table), None, None);
    assert_eq!(
        codes(&found),
        [
            (Some("same"), Code::Constant),
            (Some("void"), Code::AllMissing),
            (Some("sparse"), Code::NearlyEmpty),
            (Some("twin"), Code::DuplicateColumn),
            (Some("infinite"), Code::Infinite),
            (Some("note"), Code::TextLeftOut),
            (Some("id"), Code::IdentifierLike),
        ]
    );
    assert!(found[3].message.contains("`x`") && found[2].message.contains("877 of 900 values (97.4%)"), "{found:?}");
    assert!(found[6].message.contains("--role id=feature"));
}

#[test]
fn columns_of_other_roles_are_not_looked_at() {
    let mut table = table(vec![("id", Kind::Integer, Column::Integer((0..N as i64).collect()))]);
    assert_eq!(findings(View::all(&table), None, None).len(), 1);
    table.set_role(0, Role::Id);
    assert!(findings(View::all(&table), None, None).is_empty());
    assert!(findings(View::new(&table, RowSet::Range(0, 0)), None, None).is_empty());
}

#[test]
fn many_levels_are_counted_among_the_rows_in_view() {
    let n = 6_000;
    let table = table(vec![("city", Kind::Categorical, words(|i| Some(format!("c{}", mix(i as u64) % 2_000)), n))]);
    let found = findings(View::all(&table), None, None);
    assert_eq!(codes(&found), [(Some("city"), Code::ManyLevels)]);
    assert!(findings(View::new(&table, RowSet::Range(0, 900)), None, None).is_empty());
}

fn binary() -> Task {
    Task::Binary { labels: ["0".into(), "1".into()] }
}

#[test]
fn a_column_that_gives_the_target_away_is_a_leak_and_a_good_one_is_not() {
    let (u, v) = (noise(1, N), noise(2, N));
    let y: Vec<i64> = u.iter().map(|u| i64::from(*u < 0.3)).collect();
    let table = table(vec![
        ("y", Kind::Integer, Column::Integer(y.clone())),
        ("copy", Kind::Categorical, words(|i| Some(if y[i] == 1 { "left" } else { "stayed" }.into()), N)),
        ("score", Kind::Float, Column::Float(u.clone())),
        (
            "missing_if_no",
            Kind::Float,
            Column::Float((0..N).map(|i| if y[i] == 1 { v[i] } else { f64::NAN }).collect()),
        ),
        ("good", Kind::Float, Column::Float((0..N).map(|i| u[i] + 0.3 * v[i]).collect())),
        ("noise", Kind::Float, Column::Float(v.clone())),
        ("many", Kind::Categorical, words(|i| Some(format!("{} {}", mix(i as u64) % 600, 1)), N)),
    ]);
    let found = findings(View::all(&table), Some(0), Some(&binary()));
    let leaks = [
        (Some("copy"), Code::TargetLeak),
        (Some("score"), Code::TargetLeak),
        (Some("missing_if_no"), Code::TargetLeak),
    ];
    assert_eq!(codes(&found), leaks);
    assert!(found[0].message.contains("ROC AUC 1.0000") && found[0].message.contains("--drop copy"), "{found:?}");
    assert!(findings(View::all(&table), Some(0), None).is_empty());
}

#[test]
fn leaks_of_several_classes_and_of_numbers_are_found() {
    let (u, v) = (noise(1, N), noise(2, N));
    let class = |u: f64| {
        if u < 0.5 {
            "a"
        } else if u < 0.8 {
            "b"
        } else {
            "c"
        }
    };
    let skewed: Vec<f64> = u.iter().map(|u| 1.0 / (1.001 - u)).collect();
    let with_gaps = |i: usize| if i.is_multiple_of(50) { f64::NAN } else { skewed[i] * 1.19 + 3.0 };
    let table = table(vec![
        ("class", Kind::Categorical, words(|i| Some(class(u[i]).into()), N)),
        ("u", Kind::Float, Column::Float(u.clone())),
        ("near", Kind::Float, Column::Float((0..N).map(|i| u[i] + 0.3 * v[i]).collect())),
        ("price", Kind::Float, Column::Float(skewed.clone())),
        ("gross", Kind::Float, Column::Float((0..N).map(|i| skewed[i] * 1.19 + 3.0).collect())),
        ("gaps", Kind::Float, Column::Float((0..N).map(with_gaps).collect())),
    ]);
    let task = Task::Multiclass { labels: ["a", "b", "c"].map(String::from).to_vec() };
    let found = findings(View::all(&table), Some(0), Some(&task));
    assert!(codes(&found).contains(&(Some("u"), Code::TargetLeak)), "{found:?}");
    assert!(!codes(&found).contains(&(Some("near"), Code::TargetLeak)), "{found:?}");
    let found = findings(View::all(&table), Some(3), Some(&Task::Regression));
    assert!(codes(&found).contains(&(Some("gross"), Code::TargetLeak)), "{found:?}");
    assert!(!codes(&found).contains(&(Some("near"), Code::TargetLeak)), "{found:?}");
}

#[test]
fn few_rows_of_a_class_are_no_proof_of_a_leak() {
    let y: Vec<i64> = (0..N as i64).map(|i| i64::from(i % 100 == 0)).collect();
    let table = table(vec![
        ("y", Kind::Integer, Column::Integer(y.clone())),
        ("copy", Kind::Float, Column::Float(y.iter().map(|&y| y as f64).collect())),
    ]);
    let found = findings(View::all(&table), Some(0), Some(&binary()));
    assert_eq!(codes(&found), [(Some("y"), Code::RareClass)]);
    assert!(found[0].message.contains("`1` (9)"), "{found:?}");
}

#[test]
fn findings_are_the_same_on_any_number_of_threads() {
    let columns: Vec<(String, Column)> =
        (0..40).map(|c| (format!("c{c}"), Column::Float(noise(c % 30, 500)))).collect();
    let fields = columns.iter().map(|(name, _)| Field::feature(name, Kind::Float)).collect();
    let table = Table::new(Schema::new(fields).unwrap(), columns.into_iter().map(|c| c.1).collect()).unwrap();
    let on = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| findings(View::all(&table), Some(0), Some(&Task::Regression)))
    };
    let one = on(1);
    assert_eq!(one, on(4));
    assert_eq!(one.iter().filter(|w| w.code == Code::DuplicateColumn).count(), 9, "c30 repeats the target, a leak");
    assert_eq!(one.iter().filter(|w| w.code == Code::TargetLeak).count(), 1);
}

#[test]
fn equal_rows_on_both_sides_are_counted_whatever_their_identifiers() {
    let table = table(vec![
        ("id", Kind::Integer, Column::Integer((0..40).collect())),
        ("x", Kind::Integer, Column::Integer((0..40).map(|i| i % 20).collect())),
    ]);
    let part = |from: u32, to: u32| (from..to).collect::<Vec<u32>>();
    let split = |train, validation, test| Split { train, validation, test, cuts: Cuts::NoHoldout, warnings: vec![] };
    let warning = duplicate_rows(&table, &split(part(0, 10), part(10, 24), part(24, 34))).unwrap();
    assert_eq!(warning.code, Code::DuplicateRows);
    assert!(
        warning.message.starts_with("6 of 10 test rows (60.0%) and 4 of 14 validation rows (28.6%)"),
        "{warning:?}"
    );
    assert!(duplicate_rows(&table, &split(part(0, 20), vec![], vec![])).is_none());
}
