//! Filters and orders find the same runs on both databases.

use tabwright_store::{Batch, Measured, NewRun, Order, RunDocument, Search, Status, Store};

use crate::{Place, on_both};

on_both![
    filters_find_what_they_say,
    orders_put_runs_without_a_value_last,
    a_metric_that_is_compared_and_ordered_by_finds_the_same_runs,
    pages_follow_each_other,
    hostile_filters_find_nothing,
    names_that_no_run_has_are_told,
];

/// Ten runs: `a0` to `a9`, with a metric that two lack, of types that alternate.
async fn ten(store: &Store) {
    for i in 0..10_i64 {
        let measured = |name: &str, value| Measured { name: name.into(), step: 0, at: i, value };
        let value = if i == 3 { f64::NAN } else { i as f64 / 10.0 };
        let logged = Batch {
            params: [
                ("type".to_owned(), ["ridge", "gbdt_leafwise"][i as usize % 2].to_owned()),
                ("depth".to_owned(), (i * 3).to_string()),
            ]
            .into(),
            tags: [("owner".to_owned(), ["ada", "Alan", "grace*", "a_b%"][i as usize % 4].to_owned())].into(),
            metrics: if i == 7 { vec![] } else { vec![measured("cv.roc_auc", value), measured("rmse", -value)] },
            ..Batch::default()
        };
        let document = RunDocument {
            run_id: format!("a{i}00000000000000"),
            run: NewRun { name: format!("run {i}"), kind: "train".into(), ..NewRun::default() },
            status: if i == 9 { Status::Failed } else { Status::Completed },
            started: 1_000_000 * i,
            ended: (i != 2).then_some(1_000_000 * (2 * i)),
            logged,
        };
        store.record(&[document]).await.unwrap();
    }
}

async fn found(store: &Store, filter: &str, sort: &str) -> String {
    let sort = if sort.is_empty() { vec![] } else { sort.split(',').map(|s| Order::parse(s).unwrap()).collect() };
    let page = store.search(&Search { filter: filter.into(), sort, ..Search::default() }).await;
    let page = page.unwrap_or_else(|e| panic!("{filter}: {e}"));
    page.runs.iter().map(|r| r.run_id[1..2].to_owned()).collect()
}

async fn filters_find_what_they_say(place: &Place) {
    let store = place.open().await;
    ten(&store).await;
    for (filter, expected) in [
        ("", "9876543210"),
        ("metrics.cv.roc_auc > 0.45", "9865"),
        ("metrics.cv.roc_auc >= 0.5 and params.type = 'gbdt_leafwise'", "95"),
        ("metrics.cv.roc_auc is null", "73"),
        ("metrics.cv.roc_auc is not null and metrics.cv.roc_auc < 0.2", "10"),
        ("not metrics.cv.roc_auc > 0.2", "73210"),
        ("metrics.cv.roc_auc != 0.1", "98654 20".trim_start()),
        ("params.depth > 9", "987654"),
        ("params.depth = '9'", "3"),
        ("params.depth in (3, 27)", "91"),
        ("params.type in ('ridge', 'none') and params.depth not in (0, 6, 12)", "86"),
        ("tags.owner like 'a%'", "8 7 4 3 0"),
        ("tags.owner like '%*'", "62"),
        ("tags.owner like 'a!_%'", ""),
        ("tags.owner like 'a_b%'", "73"),
        ("tags.owner not like 'a%'", "9 6 5 2 1"),
        ("tags.owner = 'Alan' or tags.owner = 'ada'", "985410"),
        ("tags.owner > 'Z'", "8 7 6 4 3 2 0"),
        ("tags.missing is null", "9876543210"),
        ("status = 'failed'", "9"),
        ("name = 'run 4' or run_id = 'a500000000000000'", "54"),
        ("seconds > 5", "9876"),
        ("ended is null", "2"),
        ("started > '1970-01-01T00:00:07Z' and kind = 'train' and project = 'default'", "98"),
        ("not (params.depth > 3 or status = 'failed')", "10"),
    ] {
        let expected: String = expected.chars().filter(|c| *c != ' ').collect();
        assert_eq!(found(&store, filter, "").await, expected, "{filter}");
    }
}

async fn orders_put_runs_without_a_value_last(place: &Place) {
    let store = place.open().await;
    ten(&store).await;
    for (sort, expected) in [
        ("metrics.cv.roc_auc", "9865421073"),
        ("metrics.cv.roc_auc asc", "0124568973"),
        ("metrics.rmse", "9865421073"),
        ("params.depth desc", "9876543210"),
        ("params.type,params.depth", "1357902468"),
        ("tags.owner asc,started asc", "1593704826"),
        ("started asc", "0123456789"),
        ("seconds desc", "9876543102"),
        ("status desc,name", "9012345678"),
    ] {
        assert_eq!(found(&store, "", sort).await, expected, "{sort}");
    }
    for sort in ["", "desc", "metrics", "metrics.a b", "metric.x", "started descending", "started; drop table runs"] {
        assert!(Order::parse(sort).is_err(), "{sort}");
    }
}

/// What is within `not` is gathered first; without it, the metric's index leads.
async fn a_metric_that_is_compared_and_ordered_by_finds_the_same_runs(place: &Place) {
    let store = place.open().await;
    ten(&store).await;
    for (filter, expected) in [
        ("metrics.cv.roc_auc > 0.15", "986542"),
        ("metrics.cv.roc_auc != 0.1", "9865420"),
        ("metrics.cv.roc_auc >= 0.5 and params.type = 'gbdt_leafwise'", "95"),
        ("tags.owner like 'a%' and metrics.cv.roc_auc <= 0.8 and not metrics.rmse > -0.3", "84"),
        ("metrics.cv.roc_auc > 0.15 and metrics.cv.roc_auc < 0.55 and (status = 'failed' or kind = 'train')", "542"),
        ("metrics.cv.roc_auc > 0.15 and metrics.cv.roc_auc is null", ""),
    ] {
        for sort in ["metrics.cv.roc_auc", "metrics.cv.roc_auc asc", "metrics.cv.roc_auc desc,params.depth asc"] {
            let led = found(&store, filter, sort).await;
            assert_eq!(led, found(&store, &format!("not (not ({filter}))"), sort).await, "{filter}, {sort}");
            let expected =
                if sort.ends_with("auc asc") { expected.chars().rev().collect() } else { expected.to_owned() };
            assert_eq!(led, expected, "{filter}, {sort}");
        }
    }
}

async fn pages_follow_each_other(place: &Place) {
    let store = place.open().await;
    ten(&store).await;
    let page = |offset| Search { limit: 4, offset, ..Search::default() };
    let mut seen = String::new();
    for (offset, more) in [(0, true), (4, true), (8, false), (100, false)] {
        let page = store.search(&page(offset)).await.unwrap();
        assert_eq!(page.more, more, "{offset}");
        seen.extend(page.runs.iter().map(|r| &r.run_id[1..2]));
    }
    assert_eq!(seen, "9876543210");
    assert!(store.search(&Search { limit: 0, ..Search::default() }).await.is_err());
}

async fn hostile_filters_find_nothing(place: &Place) {
    let store = place.open().await;
    ten(&store).await;
    for filter in [
        "name = 'x'' or ''1''=''1'",
        "metrics.\"x' or '1'='1\" > 0",
        "params.\"a\"\"; drop table runs; --\" = 'x'",
        "tags.owner like '%''; drop table runs; --'",
        "name = '\u{0}'",
        "tags.owner like '\u{0}'",
        "run_id = '$1'",
    ] {
        assert_eq!(found(&store, filter, "").await, "", "{filter}");
    }
    for filter in [
        "1=1",
        "name = 1",
        "metrics.x = 'a'",
        "nam = 'x'",
        "status = 'done'",
        "started > 5",
        "started > 'x'",
        "metrics like 'a'",
        "metrics.x like 'a'",
        "params > 3",
    ] {
        let search = Search { filter: filter.into(), ..Search::default() };
        let error = store.search(&search).await.unwrap_err();
        assert!(error.to_string().starts_with("the filter at character"), "{filter}: {error}");
    }
    assert_eq!(found(&store, "", "").await.len(), 10);
}

async fn names_that_no_run_has_are_told(place: &Place) {
    let store = place.open().await;
    ten(&store).await;
    let filter = "metrics.cv.rocauc > 0.5 and (params.type = 'a' or not tags.ownr like 'a%') and tags.stage is null";
    let sort = vec![Order::parse("params.depth").unwrap(), Order::parse("metrics.zzz").unwrap()];
    let told = store.unknown_names(&Search { filter: filter.into(), sort, ..Search::default() }).await.unwrap();
    assert_eq!(
        told,
        [
            "no run has a metric `cv.rocauc` (did you mean `cv.roc_auc`?)",
            "no run has a metric `zzz`",
            "no run has a tag `ownr` (did you mean `owner`?)",
        ]
    );
    assert!(store.unknown_names(&Search::default()).await.unwrap().is_empty());
}
