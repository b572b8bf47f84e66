//! The examples hold what their documentation promises, and keep their bytes.

use tabwright_core::random::{Keyed, Purpose, hash_bytes};

use super::*;

fn cell(table: &Table, column: usize, row: usize) -> String {
    match table.column(column) {
        Column::Float(v) => v[row].to_string(),
        Column::Integer(v) | Column::Timestamp(v) => v[row].to_string(),
        Column::Category(c) => c.get(row).unwrap_or("∅").to_owned(),
    }
}

fn row(table: &Table, row: usize) -> Vec<String> {
    (0..table.schema().len()).map(|column| cell(table, column, row)).collect()
}

fn missing_share(table: &Table, name: &str) -> f64 {
    let column = table.column_named(name).unwrap();
    (0..table.n_rows()).filter(|&r| column.is_missing(r)).count() as f64 / table.n_rows() as f64
}

#[test]
fn a_longer_table_begins_with_the_shorter_one() {
    for example in Example::ALL {
        let (long, short) = (generate(example, 300, 7), generate(example, 40, 7));
        assert!((0..40).all(|r| row(&long, r) == row(&short, r)), "{example}");
        let other = generate(example, 40, 8);
        assert!((0..40).any(|r| row(&other, r)[2..] != row(&short, r)[2..]), "{example}: the seed matters");
    }
}

#[test]
fn bytes_of_both_tables_are_pinned() {
    let digest = |example| {
        let table = generate(example, 500, 42);
        (0..500).fold(0, |hash, r| hash_bytes(hash, row(&table, r).join("\u{1f}").as_bytes()))
    };
    assert_eq!(format!("{:016x} {:016x}", digest(Example::Churn), digest(Example::Houses)), PINNED);
}

const PINNED: &str = "b50cf8f6998d5395 25223a7f577c5da6";

#[test]
fn names_are_read_in_any_case_and_odd_ones_get_the_nearest() {
    assert_eq!("Houses".parse::<Example>().unwrap(), Example::Houses);
    let error = "churns".parse::<Example>().unwrap_err().to_string();
    assert!(error.contains("did you mean `churn`?"), "{error}");
}

#[test]
fn ids_are_distinct_and_roles_are_set() {
    for example in Example::ALL {
        let table = generate(example, 5_000, 1);
        let Column::Category(ids) = table.column(0) else { panic!("the id is a string") };
        assert_eq!(ids.levels.len(), 5_000, "{example}");
        assert_eq!(table.schema().fields()[0].role, Role::Id);
        let target = table.schema().require(example.target()).unwrap();
        assert_eq!(table.schema().fields()[target].role, Role::Target);
    }
}

#[test]
fn texts_are_mostly_distinct_and_of_several_words() {
    for (example, name) in [(Example::Churn, "last_note"), (Example::Houses, "description")] {
        let table = generate(example, 5_000, 42);
        let Column::Category(text) = table.column_named(name).unwrap() else { panic!("text is coded") };
        assert!(text.levels.len() > 2_500, "{name}: {} distinct", text.levels.len());
        assert!(text.levels.iter().all(|t| t.split_whitespace().count() >= 3), "{name}");
    }
}

#[test]
fn a_quarter_of_the_customers_leave_and_new_ones_have_no_total() {
    let table = generate(Example::Churn, 20_000, 42);
    let Column::Category(churned) = table.column_named("churned").unwrap() else { panic!("labels are coded") };
    let share = (0..20_000).filter(|&r| churned.get(r) == Some("yes")).count() as f64 / 20_000.0;
    assert!((0.23..0.27).contains(&share), "{share}");
    let tenure = table.column_named("tenure_months").unwrap();
    let total = table.column_named("total_charge").unwrap();
    assert!((0..20_000).all(|r| total.is_missing(r) == (tenure.number(r) == 0.0)));
    assert!((0.02..0.15).contains(&missing_share(&table, "total_charge")));
    assert!((0.28..0.42).contains(&missing_share(&table, "satisfaction")));
}

#[test]
fn homes_have_floors_or_gardens_and_prices_of_half_thousands() {
    let table = generate(Example::Houses, 5_000, 42);
    let (floor, garden) = (table.column_named("floor").unwrap(), table.column_named("garden_m2").unwrap());
    assert!((0..5_000).all(|r| floor.is_missing(r) != garden.is_missing(r)));
    let price = table.column_named("price").unwrap();
    assert!((0..5_000).all(|r| price.number(r) >= 20_000.0 && price.number(r) % 500.0 == 0.0));
}

#[test]
fn normal_and_poisson_draws_have_their_moments() {
    let draws: Vec<Draw> = (0..40_000).map(|row| Draw::new(Keyed::new(3, Purpose::Example), row)).collect();
    let mean = |value: &dyn Fn(Draw) -> f64| draws.iter().map(|d| value(*d)).sum::<f64>() / draws.len() as f64;
    assert!(mean(&|d| d.normal(1)).abs() < 0.02);
    assert!((mean(&|d| d.normal(1) * d.normal(1)) - 1.0).abs() < 0.03);
    assert!((mean(&|d| d.poisson(2, 1.5) as f64) - 1.5).abs() < 0.03);
    assert!((mean(&|d| d.pick(3, &[(0.0, 3.0), (1.0, 1.0)])) - 0.25).abs() < 0.01);
}

#[test]
fn the_bundled_sample_is_what_the_generator_writes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("churn.csv");
    write(Example::Churn, 4_000, 42, &path.display().to_string()).unwrap();
    let bundled = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/churn.csv");
    assert!(std::fs::read(path).unwrap() == std::fs::read(bundled).unwrap(), "regenerate examples/churn.csv");
}
