//! Tests of splits and folds: shares, sides, order, growth.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::random::mix;
use crate::{Category, Column, Field, Kind, Role, Schema};

const IDENTITIES: [RowIdentity; 3] =
    [RowIdentity::Cells(Duplicates::Apart), RowIdentity::Cells(Duplicates::Together), RowIdentity::Column(0)];

fn task(n: usize) -> Task {
    if n == 0 { Task::Regression } else { Task::Multiclass { labels: (0..n).map(|i| format!("c{i}")).collect() } }
}

/// A row as a value: an id, a number with many ties, a category, a group, a time and a class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Row {
    id: i64,
    number: u8,
    category: u8,
    group: u8,
    time: u8,
    class: u8,
}

fn rows(n: usize, salt: u64) -> Vec<Row> {
    (0..n)
        .map(|i| {
            let h = mix(i as u64 + (salt << 32));
            Row {
                id: i as i64 + salt as i64 * 1_000_000,
                number: (h % 50) as u8,
                category: (h >> 8) as u8 % 9,
                group: (h >> 16) as u8 % 60,
                time: (h >> 24) as u8 % 100,
                class: [0, 0, 0, 0, 1, 1, 2][(h >> 32) as usize % 7],
            }
        })
        .collect()
}

fn table(rows: &[Row]) -> Table {
    let field = |name, kind| Field::feature(name, kind);
    let fields = vec![
        Field { role: Role::Id, ..field("id", Kind::Integer) },
        field("number", Kind::Float),
        field("category", Kind::Categorical),
        field("group", Kind::Categorical),
        field("time", Kind::Timestamp),
        field("class", Kind::Integer),
    ];
    let number = |r: &Row| if r.number == 7 { f64::NAN } else { f64::from(r.number) / 4.0 };
    let columns = vec![
        Column::Integer(rows.iter().map(|r| r.id).collect()),
        Column::Float(rows.iter().map(number).collect()),
        Column::Category(Category::from_strings(
            rows.iter().map(|r| (r.category != 8).then(|| format!("k{}", r.category))),
        )),
        Column::Category(Category::from_strings(rows.iter().map(|r| Some(format!("g{}", r.group))))),
        Column::Timestamp(rows.iter().map(|r| i64::from(r.time) * 1_000_000).collect()),
        Column::Integer(rows.iter().map(|r| i64::from(r.class)).collect()),
    ];
    Table::new(Schema::new(fields).unwrap(), columns).unwrap()
}

fn targets(rows: &[Row]) -> Targets {
    Targets::new(rows.iter().map(|r| f64::from(r.class)).collect())
}

fn params(method: SplitMethod, identity: RowIdentity) -> SplitParams {
    SplitParams { method, identity, ..SplitParams::default_for(&task(3), None) }
}

fn split_rows(rows: &[Row], params: &SplitParams) -> Split {
    split(&table(rows), &task(3), &targets(rows), params).unwrap()
}

/// The rows of each part as values, sorted: what must not depend on where the rows stand.
fn parts(rows: &[Row], split: &Split) -> [Vec<Row>; 3] {
    [&split.train, &split.validation, &split.test].map(|part| {
        let mut part: Vec<Row> = part.iter().map(|&r| rows[r as usize]).collect();
        part.sort_unstable();
        part
    })
}

fn shuffled(rows: &[Row], seed: u64) -> Vec<Row> {
    let mut order: Vec<usize> = (0..rows.len()).collect();
    order.sort_by_key(|&i| mix(i as u64 ^ mix(seed)));
    order.into_iter().map(|i| rows[i]).collect()
}

fn methods() -> [SplitMethod; 3] {
    [SplitMethod::Rows, SplitMethod::Group(3), SplitMethod::Time(4)]
}

fn assert_partition(split: &Split, n: usize) {
    let mut all: Vec<u32> = [&split.train[..], &split.validation, &split.test].concat();
    for part in [&split.train, &split.validation, &split.test] {
        assert!(part.is_sorted());
    }
    all.sort_unstable();
    assert_eq!(all, (0..n as u32).collect::<Vec<_>>(), "every row is in one part");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn parts_are_disjoint_complete_and_of_the_shares(n in 40usize..600, salt in 0u64..1000, stratify: bool) {
        let rows = rows(n, salt);
        for identity in [IDENTITIES[0], IDENTITIES[2]] {
            let split = split_rows(&rows, &SplitParams { stratify, ..params(SplitMethod::Rows, identity) });
            assert_partition(&split, n);
            let off = |size: usize, share: f64| (size as f64 - share * n as f64).abs();
            prop_assert!(off(split.train.len(), 0.70) <= 3.0 && off(split.test.len(), 0.15) <= 3.0);
            if stratify {
                let class = |part: &[u32], c| part.iter().filter(|&&r| rows[r as usize].class == c).count();
                for c in 0..3 {
                    let of_class = rows.iter().filter(|r| r.class == c).count() as f64;
                    prop_assert!((class(&split.test, c) as f64 - 0.15 * of_class).abs() <= 1.0);
                    prop_assert!((class(&split.train, c) as f64 - 0.70 * of_class).abs() <= 1.5);
                }
            }
        }
    }

    #[test]
    fn the_order_of_rows_does_not_matter(n in 30usize..300, salt in 0u64..1000, seed: u64) {
        let rows = rows(n, salt);
        let other = shuffled(&rows, seed);
        for method in methods() {
            for identity in IDENTITIES {
                let params = params(method, identity);
                prop_assert_eq!(parts(&rows, &split_rows(&rows, &params)), parts(&other, &split_rows(&other, &params)));
            }
        }
    }

    #[test]
    fn no_group_is_on_two_sides(n in 200usize..600, salt in 0u64..1000) {
        let rows = rows(n, salt);
        let split = split_rows(&rows, &params(SplitMethod::Group(3), IDENTITIES[0]));
        let groups = |part: &[u32]| part.iter().map(|&r| rows[r as usize].group).collect::<BTreeSet<u8>>();
        let (train, validation, test) = (groups(&split.train), groups(&split.validation), groups(&split.test));
        prop_assert!(train.is_disjoint(&validation) && train.is_disjoint(&test) && validation.is_disjoint(&test));
        prop_assert!(!validation.is_empty() && !test.is_empty());
        let largest = 0.1 * n as f64;
        prop_assert!((split.test.len() as f64 - 0.15 * n as f64).abs() <= largest);
        assert_partition(&split, n);
    }

    #[test]
    fn time_runs_from_train_to_test(n in 200usize..600, salt in 0u64..1000) {
        let rows = rows(n, salt);
        let split = split_rows(&rows, &params(SplitMethod::Time(4), IDENTITIES[0]));
        let times = |part: &[u32]| part.iter().map(|&r| rows[r as usize].time).collect::<BTreeSet<u8>>();
        let (train, validation, test) = (times(&split.train), times(&split.validation), times(&split.test));
        prop_assert!(train.last() < validation.first() && validation.last() < test.first());
        prop_assert!((split.test.len() as f64 - 0.15 * n as f64).abs() <= 0.05 * n as f64);
        assert_partition(&split, n);
    }

    #[test]
    fn a_row_that_once_tested_is_never_trained_on(n in 30usize..300, more in 1usize..300, salt in 0u64..1000, seed: u64) {
        let old = rows(n, salt);
        let grown = shuffled(&[old.clone(), rows(more, salt + 5000)].concat(), seed);
        for method in methods() {
            for identity in IDENTITIES {
                let params = params(method, identity);
                let before = split_rows(&old, &params);
                let other_seed = SplitParams { seed: 7, ..params };
                let after =
                    split_with_cuts(&table(&grown), &task(3), &targets(&grown), &other_seed, &before.cuts).unwrap();
                assert_partition(&after, grown.len());
                // Rows have ids, so every row is one of a kind.
                let [_, validation, test] = parts(&old, &before);
                let [train_now, validation_now, test_now] = parts(&grown, &after);
                for row in test {
                    prop_assert!(test_now.binary_search(&row).is_ok(), "{row:?}");
                }
                for row in validation {
                    prop_assert!(validation_now.binary_search(&row).is_ok(), "{row:?}");
                }
                prop_assert!(!train_now.is_empty());
            }
        }
    }

    #[test]
    fn folds_partition_the_rows_and_balance_classes(n in 40usize..400, salt in 0u64..1000, k in 2usize..8, repeats in 1usize..3) {
        let rows = rows(n, salt);
        let chosen: Vec<u32> = (0..n as u32).filter(|r| r % 4 != 1).collect();
        let params = FoldParams { folds: k, repeats, seed: 3, method: FoldMethod::Rows, stratify: true, identity: IDENTITIES[0] };
        let folds = folds(&table(&rows), &task(3), &targets(&rows), &chosen, &params).unwrap().folds;
        prop_assert_eq!(folds.len(), k * repeats);
        for repeat in folds.chunks(k) {
            let mut scored: Vec<u32> = Vec::new();
            for fold in repeat {
                let mut both = [&fold.fit[..], &fold.score].concat();
                both.sort_unstable();
                prop_assert_eq!(&both, &chosen);
                prop_assert!(fold.fit.is_sorted() && fold.score.is_sorted());
                scored.extend(&fold.score);
            }
            scored.sort_unstable();
            prop_assert_eq!(&scored, &chosen);
            let spread = |count: &dyn Fn(&Fold) -> usize| {
                let counts: Vec<usize> = repeat.iter().map(count).collect();
                counts.iter().max().unwrap() - counts.iter().min().unwrap()
            };
            prop_assert!(spread(&|f| f.score.len()) <= 1);
            for class in 0..3 {
                prop_assert!(spread(&|f| f.score.iter().filter(|&&r| rows[r as usize].class == class).count()) <= 1);
            }
        }
        if repeats == 2 {
            prop_assert_ne!(&folds[0].score, &folds[k].score);
        }
    }

    #[test]
    fn folds_do_not_depend_on_the_order_of_rows(n in 60usize..300, salt in 0u64..1000, seed: u64) {
        let rows = rows(n, salt);
        let other = shuffled(&rows, seed);
        for method in [FoldMethod::Rows, FoldMethod::Group(3), FoldMethod::Time(4)] {
            let values = |rows: &[Row]| {
                let all: Vec<u32> = (0..rows.len() as u32).collect();
                let params = FoldParams { folds: 4, repeats: 1, seed: 3, method, stratify: true, identity: IDENTITIES[0] };
                let folds = folds(&table(rows), &task(3), &targets(rows), &all, &params).unwrap().folds;
                folds
                    .iter()
                    .map(|f| f.score.iter().map(|&r| rows[r as usize]).collect::<BTreeSet<Row>>())
                    .collect::<Vec<_>>()
            };
            prop_assert_eq!(values(&rows), values(&other));
        }
    }

    #[test]
    fn no_group_is_in_two_folds(n in 150usize..600, salt in 0u64..1000, k in 2usize..6) {
        let rows = rows(n, salt);
        let all: Vec<u32> = (0..n as u32).collect();
        let params = FoldParams { folds: k, repeats: 2, seed: 3, method: FoldMethod::Group(3), stratify: true, identity: IDENTITIES[0] };
        let folds = folds(&table(&rows), &task(3), &targets(&rows), &all, &params).unwrap().folds;
        let mut fold_of = BTreeMap::new();
        for (i, fold) in folds[..k].iter().enumerate() {
            for &row in &fold.score {
                prop_assert_eq!(*fold_of.entry(rows[row as usize].group).or_insert(i), i);
            }
            prop_assert!((fold.score.len() as f64 - n as f64 / k as f64).abs() <= 0.1 * n as f64);
        }
        prop_assert_ne!(&folds[0].score, &folds[k].score);
    }

    #[test]
    fn folds_by_time_score_what_comes_after_the_fit(n in 200usize..500, salt in 0u64..1000, k in 2usize..6) {
        let rows = rows(n, salt);
        let all: Vec<u32> = (0..n as u32).collect();
        let params = FoldParams { folds: k, repeats: 1, seed: 3, method: FoldMethod::Time(4), stratify: true, identity: IDENTITIES[0] };
        let folds = folds(&table(&rows), &task(3), &targets(&rows), &all, &params).unwrap().folds;
        prop_assert_eq!(folds.len(), k);
        let time = |r: &u32| rows[*r as usize].time;
        for (i, fold) in folds.iter().enumerate() {
            prop_assert!(fold.fit.iter().map(time).max() < fold.score.iter().map(time).min());
            if let Some(next) = folds.get(i + 1) {
                prop_assert_eq!(next.fit.len(), fold.fit.len() + fold.score.len());
            } else {
                prop_assert_eq!(n, fold.fit.len() + fold.score.len());
            }
        }
    }
}

#[test]
fn keys_depend_neither_on_the_order_of_columns_nor_on_the_physical_type() {
    let fields = |names: [&str; 3]| Schema::new(names.map(|n| Field::feature(n, Kind::Float)).to_vec()).unwrap();
    let floats = Column::Float(vec![1.0, -0.0, 2.5, f64::NAN, 3e9]);
    let integers = Column::Integer(vec![1, 0, 7, i64::MIN, 3_000_000_000]);
    let as_floats = Column::Float(vec![1.0, -0.0, 7.0, -f64::NAN, 3e9]);
    let as_levels = |v: [Option<&str>; 5]| Column::Category(Category::from_strings(v));
    let words = as_levels([Some("x"), None, Some("y"), Some("x"), Some("é")]);
    let other_codes = match words.take(&[2, 0, 4, 1]) {
        Column::Category(c) => {
            let strings: Vec<Option<&str>> = vec![Some("y"), Some("x"), Some("é")];
            assert_eq!(c.get(0), strings[0]);
            let relabelled = Category::from_strings(["é", "y", "x"].map(Some));
            let codes = [2, u32::MAX, 1, 2, 0].to_vec();
            Column::Category(Category { codes, levels: relabelled.levels })
        }
        _ => unreachable!(),
    };
    let keys = |names, columns: [&Column; 3]| {
        let table = Table::new(fields(names), columns.map(Clone::clone).to_vec()).unwrap();
        row_keys(&table, 1, Purpose::Split, IDENTITIES[0])
    };
    let expected = keys(["a", "b", "c"], [&floats, &integers, &words]);
    assert_eq!(expected, keys(["c", "a", "b"], [&words, &floats, &integers]));
    assert_eq!(expected, keys(["a", "b", "c"], [&floats, &as_floats, &other_codes]));
    let numbers_as_words = as_levels([Some("1"), Some("0"), Some("7"), None, Some("3000000000")]);
    assert_eq!(expected, keys(["a", "b", "c"], [&floats, &numbers_as_words, &words]));
    let swapped = keys(["b", "a", "c"], [&floats, &integers, &words]);
    assert_ne!(expected[2], swapped[2], "the values of two columns are exchanged");
    let padded = as_levels([Some("01"), Some("0.0"), Some("-0"), None, Some("3e9")]);
    let padded = keys(["a", "b", "c"], [&floats, &padded, &words]);
    assert!((0..5).filter(|&i| i != 3).all(|i| padded[i] != expected[i]), "other text is another level");
}

#[test]
fn whole_numbers_beyond_floats_are_told_apart() {
    let big = 1i64 << 53;
    let schema = || Schema::new(vec![Field::feature("a", Kind::Integer)]).unwrap();
    let table = Table::new(schema(), vec![Column::Integer(vec![big, big + 1, big + 2, i64::MAX])]).unwrap();
    let keys = row_keys(&table, 1, Purpose::Split, RowIdentity::Column(0));
    assert_eq!(keys.iter().collect::<BTreeSet<_>>().len(), 4);
    let floats = Table::new(schema(), vec![Column::Float(vec![big as f64, 9.3e18, (big + 2) as f64])]).unwrap();
    let floats = row_keys(&floats, 1, Purpose::Split, RowIdentity::Column(0));
    assert_eq!((floats[0], floats[2]), (keys[0], keys[2]));
}

#[test]
fn keys_are_the_same_on_any_number_of_threads_and_apart_for_seeds_and_purposes() {
    let rows: Vec<Row> = rows(20_000, 0).into_iter().map(|r| Row { id: 0, time: 0, ..r }).collect();
    let table = table(&rows);
    let keys = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| row_keys(&table, 1, Purpose::Split, IDENTITIES[0]))
    };
    let one = keys(1);
    assert_eq!(one, keys(5));
    assert_eq!(one.iter().collect::<BTreeSet<_>>().len(), 20_000, "equal rows are told apart");
    let together = row_keys(&table, 1, Purpose::Split, IDENTITIES[1]);
    assert!(together.iter().collect::<BTreeSet<_>>().len() < 20_000, "equal rows are one");
    assert_ne!(one[0], row_keys(&table, 2, Purpose::Split, IDENTITIES[0])[0]);
    assert_ne!(one[0], row_keys(&table, 1, Purpose::Fold, IDENTITIES[0])[0]);
    // Pinned: a change would move rows between the parts of every stored plan.
    assert_eq!(one[0], PINNED_KEY, "{:#x}", one[0]);
}

const PINNED_KEY: u64 = 0xd771_7d6a_e5ce_a511;

#[test]
fn ignored_and_empty_columns_move_no_row() {
    let rows = rows(100, 3);
    let plain = table(&rows);
    let mut ignored = plain.clone();
    ignored.set_role(1, Role::Ignored);
    let keys = |t: &Table| row_keys(t, 1, Purpose::Split, IDENTITIES[0]);
    assert_ne!(keys(&plain), keys(&ignored));
    let mut dropped = plain.clone();
    dropped.retain_columns(|f| f.name != "number");
    assert_eq!(keys(&dropped), keys(&ignored));
    let (schema, mut columns) = plain.clone().into_parts();
    let mut fields = schema.fields().to_vec();
    fields.push(Field::feature("empty", Kind::Float));
    columns.push(Column::Float(vec![f64::NAN; 100]));
    let widened = Table::new(Schema::new(fields).unwrap(), columns).unwrap();
    assert_eq!(keys(&plain), keys(&widened));
}

#[test]
fn rows_without_a_group_are_rows_of_their_own() {
    let groups: Vec<Option<String>> = (0..400).map(|i| (i % 2 == 0).then(|| format!("g{}", i % 40))).collect();
    let fields = ["x", "g"].map(|n| Field::feature(n, Kind::Categorical)).to_vec();
    let numbers = Column::Integer((0..400).map(|i| i / 8).collect());
    let table = Table::new(
        Schema::new(fields).unwrap(),
        vec![numbers, Column::Category(Category::from_strings(groups.iter().map(Option::as_deref)))],
    )
    .unwrap();
    let keys = row_keys(&table, 1, Purpose::Split, RowIdentity::Column(1));
    assert_eq!(keys.iter().collect::<BTreeSet<_>>().len(), 20 + 200);
}

#[test]
fn rows_of_one_id_stay_together_whatever_their_classes() {
    let n = 400;
    let table = table(&rows(n, 3));
    let ids: Vec<i64> = (0..n as i64).map(|row| row / 4).collect();
    let (mut fields, mut columns) = (table.schema().fields().to_vec(), table.clone().into_parts().1);
    fields.push(Field::feature("customer", Kind::Integer));
    columns.push(Column::Integer(ids.clone()));
    let position = columns.len() - 1;
    let table = Table::new(Schema::new(fields).unwrap(), columns).unwrap();
    let task = task(2);
    let targets = Targets { values: (0..n).map(|row| (row % 2) as f64).collect(), weights: None };
    let identity = RowIdentity::Column(position);
    let is_together = |rows: &[u32]| {
        let own: BTreeSet<i64> = rows.iter().map(|&row| ids[row as usize]).collect();
        own.len() * 4 == rows.len()
    };
    let split = split(&table, &task, &targets, &params(SplitMethod::Rows, identity)).unwrap();
    assert!([&split.train, &split.validation, &split.test].into_iter().all(|part| is_together(part)));
    let fold_params = FoldParams { folds: 5, repeats: 1, seed: 1, method: FoldMethod::Rows, stratify: true, identity };
    let dealt = folds(&table, &task, &targets, &split.train, &fold_params).unwrap();
    assert!(dealt.folds.iter().all(|fold| is_together(&fold.score)));
}

#[test]
fn rare_classes_train_first_and_are_named() {
    let classes = [vec![0u8; 60], vec![1, 1, 1], vec![2, 2], vec![3]].concat();
    let rows: Vec<Row> = rows(66, 1).into_iter().zip(&classes).map(|(row, &class)| Row { class, ..row }).collect();
    let split = split(&table(&rows), &task(5), &targets(&rows), &params(SplitMethod::Rows, IDENTITIES[0])).unwrap();
    let count = |part: &[u32], class| part.iter().filter(|&&r| rows[r as usize].class == class).count();
    let counts = |class| [&split.train, &split.validation, &split.test].map(|part| count(part, class));
    assert_eq!((counts(1), counts(2), counts(3)), ([1, 1, 1], [1, 0, 1], [1, 0, 0]));
    let said: Vec<&str> = split.warnings.iter().map(|w| w.message.as_str()).collect();
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(said[0].contains("class `c2` has 2 rows") && said[0].contains("none is in validation;"), "{}", said[0]);
    assert!(said[1].contains("class `c3` has 1 row,") && said[1].contains("validation and test"), "{}", said[1]);
    assert!(split.warnings.iter().all(|w| w.code == Code::RareClass));
}

#[test]
fn a_class_that_was_rare_gets_its_share_of_later_rows() {
    let few: Vec<Row> =
        rows(100, 1).into_iter().enumerate().map(|(i, r)| Row { class: u8::from(i == 0), ..r }).collect();
    let many: Vec<Row> = rows(2_000, 9).into_iter().map(|r| Row { class: 1, ..r }).collect();
    let params = params(SplitMethod::Rows, IDENTITIES[2]);
    let before = split_rows(&few, &params);
    let grown = [few, many].concat();
    let after = split_with_cuts(&table(&grown), &task(3), &targets(&grown), &params, &before.cuts).unwrap();
    let tested = after.test.iter().filter(|&&r| grown[r as usize].class == 1).count() as f64;
    assert!((tested / 2_001.0 - 0.15).abs() < 0.04, "{tested}");
}

#[test]
fn cuts_survive_json_and_are_refused_by_another_method() {
    let rows = rows(200, 1);
    for method in methods() {
        for stratify in [true, false] {
            let params = SplitParams { stratify, ..params(method, IDENTITIES[0]) };
            let split = split_rows(&rows, &params);
            let json = serde_json::to_string(&split.cuts).unwrap();
            let cuts: Cuts = serde_json::from_str(&json).unwrap();
            assert_eq!(cuts, split.cuts, "{json}");
            let again = split_with_cuts(&table(&rows), &task(3), &targets(&rows), &params, &cuts).unwrap();
            assert_eq!((again.train, again.test), (split.train, split.test));
            let other = SplitParams { method: SplitMethod::Time(4), ..params };
            if method != other.method {
                let error = split_with_cuts(&table(&rows), &task(3), &targets(&rows), &other, &cuts).unwrap_err();
                assert!(error.to_string().contains("another method"), "{error}");
            }
        }
    }
}

fn with_parts(words: &[Option<&str>]) -> Result<Split> {
    let fields = ["x", "part"].map(|n| Field::feature(n, Kind::Categorical)).to_vec();
    let columns = vec![
        Column::Integer((0..words.len() as i64).collect()),
        Column::Category(Category::from_strings(words.iter().copied())),
    ];
    let table = Table::new(Schema::new(fields).unwrap(), columns).unwrap();
    let targets = Targets::new(vec![0.0; words.len()]);
    split(&table, &Task::Regression, &targets, &params(SplitMethod::Column(1), IDENTITIES[0]))
}

#[test]
fn a_column_names_the_parts_in_several_words() {
    let words = ["train", "Test", " val", "dev", "holdout", "TRAIN", "valid", "validation"].map(Some);
    let split = with_parts(&words).unwrap();
    assert_eq!((split.train, split.test), (vec![0, 5], vec![1, 4]));
    assert_eq!(split.validation, [2, 3, 6, 7]);
    let error = with_parts(&[Some("train"), Some("tset")]).unwrap_err().to_string();
    assert!(error.contains("`part` has `tset` in row 2") && error.contains("holdout"), "{error}");
    let error = with_parts(&[Some("train"), None]).unwrap_err().to_string();
    assert!(error.contains("no value in row 2"), "{error}");
    let error = with_parts(&[Some("test")]).unwrap_err().to_string();
    assert!(error.contains("no row is left to train on"), "{error}");
}

#[test]
fn without_a_holdout_every_row_trains() {
    let rows = rows(9, 1);
    let split = split_rows(&rows, &params(SplitMethod::NoHoldout, IDENTITIES[0]));
    assert_eq!((split.train.len(), split.validation.len(), split.test.len()), (9, 0, 0));
    assert!(split.warnings.is_empty());
}

#[test]
fn missing_times_and_times_that_are_words_are_refused() {
    let rows = rows(50, 1);
    let (schema, mut columns) = table(&rows).into_parts();
    if let Column::Timestamp(times) = &mut columns[4] {
        times[3] = i64::MIN;
        times[9] = i64::MIN;
    }
    let table = Table::new(schema, columns).unwrap();
    let refused = |column| {
        let params = params(SplitMethod::Time(column), IDENTITIES[0]);
        split(&table, &task(3), &targets(&rows), &params).unwrap_err().to_string()
    };
    assert!(refused(4).contains("`time` has 2 missing values (the first in row 4)"), "{}", refused(4));
    assert!(refused(2).contains("`category` holds neither timestamps nor numbers"), "{}", refused(2));
}

#[test]
fn equal_times_that_leave_room_for_one_part_leave_it_to_the_test() {
    let mut rows = rows(100, 1);
    for (i, row) in rows.iter_mut().enumerate() {
        row.time = u8::from(i >= 40);
    }
    let split = split_rows(&rows, &params(SplitMethod::Time(4), IDENTITIES[0]));
    assert_eq!((split.train.len(), split.validation.len(), split.test.len()), (40, 0, 60));
    assert_eq!(split.warnings[0].code, Code::SplitShares);
    rows.iter_mut().for_each(|row| row.time = 1);
    let params = params(SplitMethod::Time(4), IDENTITIES[0]);
    let error = super::split(&table(&rows), &task(3), &targets(&rows), &params).unwrap_err();
    assert!(error.to_string().contains("no row is left to train on"), "{error}");
}

#[test]
fn few_groups_test_before_they_validate() {
    let mut rows = rows(90, 1);
    for (i, row) in rows.iter_mut().enumerate() {
        row.group = (i % 3) as u8;
    }
    let split = split_rows(&rows, &params(SplitMethod::Group(3), IDENTITIES[0]));
    assert_eq!((split.train.len(), split.validation.len(), split.test.len()), (30, 30, 30));
    assert_eq!(split.warnings[0].code, Code::SplitShares);
    rows.iter_mut().for_each(|row| row.group %= 2);
    let split = split_rows(&rows, &params(SplitMethod::Group(3), IDENTITIES[0]));
    assert!(split.validation.is_empty() && !split.test.is_empty() && !split.train.is_empty());
}

#[test]
fn shares_that_are_none_are_refused() {
    let rows = rows(20, 1);
    let refused = |train, validation, test| {
        let params =
            SplitParams { shares: Shares { train, validation, test }, ..params(SplitMethod::Rows, IDENTITIES[0]) };
        split(&table(&rows), &task(3), &targets(&rows), &params).unwrap_err().to_string()
    };
    assert!(refused(0.5, 0.1, 0.1).contains("add up to 0.7"), "{}", refused(0.5, 0.1, 0.1));
    assert!(refused(0.0, 0.5, 0.5).contains("train = 0 is out of range"), "{}", refused(0.0, 0.5, 0.5));
    assert!(refused(1.5, -0.5, 0.0).contains("out of range") && refused(f64::NAN, 0.5, 0.5).contains("train"));
    let none = SplitParams {
        shares: Shares::default_for(&task(3)).without_test(),
        ..params(SplitMethod::Rows, IDENTITIES[0])
    };
    let split = split_rows(&rows, &none);
    assert!(split.test.is_empty() && !split.validation.is_empty());
}

#[test]
fn impossible_numbers_of_folds_are_refused_and_zero_is_none() {
    let rows = rows(6, 1);
    let all: Vec<u32> = (0..6).collect();
    let of = |folds: usize, method| {
        let params = FoldParams { folds, repeats: 1, seed: 3, method, stratify: true, identity: IDENTITIES[0] };
        super::folds(&table(&rows), &task(3), &targets(&rows), &all, &params)
    };
    assert!(of(0, FoldMethod::Rows).unwrap().folds.is_empty());
    assert_eq!(of(6, FoldMethod::Rows).unwrap().folds.len(), 6);
    for (folds, method) in [(7, FoldMethod::Rows), (1, FoldMethod::Rows), (6, FoldMethod::Time(4))] {
        let error = of(folds, method).unwrap_err().to_string();
        assert!(error.contains("folds"), "{error}");
    }
    let warnings = of(4, FoldMethod::Rows).unwrap().warnings;
    assert_eq!(warnings[0].code, Code::FewerThanFolds);
}

#[test]
fn folds_by_time_are_those_of_scikit_learn() {
    // TimeSeriesSplit(n_splits=3) on 10 rows: fits on 4, 6 and 8 rows, and scores 2 each.
    let mut rows = rows(10, 1);
    for (i, row) in rows.iter_mut().enumerate() {
        row.time = i as u8;
    }
    let all: Vec<u32> = (0..10).collect();
    let params = FoldParams {
        folds: 3,
        repeats: 1,
        seed: 3,
        method: FoldMethod::Time(4),
        stratify: false,
        identity: IDENTITIES[0],
    };
    let folds = folds(&table(&rows), &task(3), &targets(&rows), &all, &params).unwrap().folds;
    let expected = [(4, [4, 5]), (6, [6, 7]), (8, [8, 9])];
    for (fold, (fit, score)) in folds.iter().zip(expected) {
        assert_eq!((&fold.fit[..], &fold.score[..]), (&all[..fit], &score[..]));
    }
}
