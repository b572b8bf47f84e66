//! What is logged is there, as it was logged.

use tabwright_store::{Batch, Measured, NewRun, RunDocument, Search, Status, Store};

use crate::{Place, on_both};

on_both![
    a_run_holds_what_was_logged,
    a_parameter_keeps_its_value,
    metrics_keep_nan_and_infinite_values_and_know_last_best_and_mean,
    a_batch_is_logged_whole_or_not_at_all,
    a_document_is_imported_once_however_often,
    runs_nest_and_a_dead_process_is_found,
    runs_within_a_run_need_no_marks_of_their_own,
    names_that_cannot_be_are_refused,
    a_run_is_known_by_the_beginning_of_its_id,
    many_values_are_appended_at_once,
    many_parameters_are_written_at_once,
    a_clock_that_jumps_back_gives_no_negative_time,
];

async fn a_run_holds_what_was_logged(place: &Place) {
    let store = place.open().await;
    let new = NewRun {
        project: "telecom".into(),
        experiment: "first".into(),
        name: "a run".into(),
        primary_metric: "roc_auc".into(),
        info: serde_json::json!({ "seed": 42, "odd": "\u{0}" }),
        ..NewRun::default()
    };
    let run = store.start_run(new.clone()).await.unwrap();
    run.log_param("depth", 6).await.unwrap();
    run.set_tag("owner", "ada").await.unwrap();
    run.set_tag("owner", "grace").await.unwrap();
    run.log_metric("roc_auc", 0.9, 0).await.unwrap();
    run.log(&Batch { note: Some("line\nline".into()), ..Batch::default() }).await.unwrap();
    let file = place.folder.path().join("plot.svg");
    std::fs::write(&file, "<svg/>").unwrap();
    run.log_file("plots/roc.svg", &file).await.unwrap();
    let id = run.id().to_owned();
    assert_eq!(store.run(&id).await.unwrap().status, Status::Running);
    run.finish(Status::Completed).await.unwrap();
    store.close().await;

    let store = place.open().await;
    let found = store.run(&id).await.unwrap();
    assert_eq!((found.run, found.status, found.note.as_str()), (new, Status::Completed, "line\nline"));
    assert_eq!((found.params["depth"].as_str(), found.tags["owner"].as_str()), ("6", "grace"));
    assert_eq!(found.metrics["roc_auc"].last, 0.9);
    assert!(found.ended.unwrap() >= found.started);
    assert_eq!((found.files[0].path.as_str(), found.files[0].size), ("plots/roc.svg", 6));
    let kept = store.files().read(&found.files[0].file).unwrap();
    assert_eq!(kept, b"<svg/>");
}

async fn a_parameter_keeps_its_value(place: &Place) {
    let store = place.open().await;
    let run = store.start_run(NewRun::default()).await.unwrap();
    run.log_param("depth", 6).await.unwrap();
    run.log_param("depth", "6").await.unwrap();
    let error = run.log_param("depth", 7).await.unwrap_err().to_string();
    assert!(error.contains("`depth` of this run is `6` already and cannot become `7`"), "{error}");
    assert_eq!(store.run(run.id()).await.unwrap().params["depth"], "6");
}

async fn metrics_keep_nan_and_infinite_values_and_know_last_best_and_mean(place: &Place) {
    let store = place.open().await;
    let run = store.start_run(NewRun::default()).await.unwrap();
    for (step, value) in [(0, f64::NAN), (1, 0.5), (3, 0.25), (2, 0.75)] {
        run.log_metric("log_loss", value, step).await.unwrap();
    }
    let summary = store.run(run.id()).await.unwrap().metrics["log_loss"];
    assert_eq!((summary.points, summary.last, summary.low, summary.high, summary.mean), (4, 0.25, 0.25, 0.75, 0.5));
    assert_eq!(summary.best("log_loss"), Some(0.25));
    assert_eq!(summary.best("validation.roc_auc"), Some(0.75));
    assert_eq!(summary.best("test.log_loss[new customers. all]"), Some(0.25));
    let history = store.history(run.id(), "log_loss").await.unwrap();
    assert_eq!(history.iter().map(|p| p.step).collect::<Vec<_>>(), [0, 1, 2, 3]);
    assert!(history[0].value.is_nan());
    for value in [f64::INFINITY, f64::NEG_INFINITY] {
        run.log_metric("wild", value, 0).await.unwrap();
    }
    run.log_metric("none", f64::NAN, 0).await.unwrap();
    let metrics = store.run(run.id()).await.unwrap().metrics;
    assert_eq!((metrics["wild"].low, metrics["wild"].high), (f64::NEG_INFINITY, f64::INFINITY));
    assert!(metrics["wild"].mean.is_nan() && metrics["none"].last.is_nan());
    let error = store.history(run.id(), "logloss").await.unwrap_err().to_string();
    assert!(error.contains("did you mean `log_loss`?"), "{error}");
}

async fn a_batch_is_logged_whole_or_not_at_all(place: &Place) {
    let store = place.open().await;
    let run = store.start_run(NewRun::default()).await.unwrap();
    run.log_param("b", 1).await.unwrap();
    let batch = Batch {
        params: [("a".to_owned(), "1".to_owned()), ("b".to_owned(), "2".to_owned())].into(),
        metrics: vec![Measured { name: "x".into(), step: 0, at: 0, value: 1.0 }],
        tags: [("t".to_owned(), "v".to_owned())].into(),
        ..Batch::default()
    };
    assert!(run.log(&batch).await.is_err());
    let found = store.run(run.id()).await.unwrap();
    assert_eq!((found.params.len(), found.metrics.len(), found.tags.len()), (1, 0, 0));
    run.log_metric("x", 2.0, 0).await.unwrap();
}

fn document(run_id: &str, parent: Option<&str>) -> RunDocument {
    let measured = |step| Measured { name: "fold.rmse".into(), step, at: 5, value: step as f64 / 2.0 };
    RunDocument {
        run_id: run_id.into(),
        run: NewRun { parent: parent.map(str::to_owned), ..NewRun::default() },
        status: Status::Completed,
        started: 1,
        ended: Some(9),
        logged: Batch {
            params: [("alpha".to_owned(), "0.5".to_owned())].into(),
            metrics: (0..3).map(measured).collect(),
            ..Batch::default()
        },
    }
}

async fn a_document_is_imported_once_however_often(place: &Place) {
    let store = place.open().await;
    let live = store.start_run_as("00000000000000aa".into(), NewRun::default(), &Batch::default()).await.unwrap();
    live.log_metric("fold.rmse", 99.0, 0).await.unwrap();
    let documents = [document("00000000000000aa", None), document("00000000000000ab", Some("00000000000000aa"))];
    let text = serde_json::to_string(&documents).unwrap();
    for _ in 0..2 {
        let documents: Vec<RunDocument> = serde_json::from_str(&text).unwrap();
        store.record(&documents).await.unwrap();
    }
    let found = store.run("00000000000000aa").await.unwrap();
    assert_eq!((found.status, found.seconds()), (Status::Completed, Some(8e-6)));
    assert_eq!(found.metrics["fold.rmse"].points, 3);
    assert_eq!(store.history("00000000000000ab", "fold.rmse").await.unwrap().len(), 3);
    let orphan = document("00000000000000ac", Some("00000000000000ff"));
    assert!(store.record(&[orphan]).await.unwrap_err().to_string().contains("there is no run `00000000000000ff`"));
}

async fn runs_nest_and_a_dead_process_is_found(place: &Place) {
    let store = place.open().await;
    let parent = store.start_run(NewRun::default()).await.unwrap();
    let within = NewRun { parent: Some(parent.id().to_owned()), ..NewRun::default() };
    let child = store.start_run(within).await.unwrap();
    let id = parent.id().to_owned();
    assert_eq!(store.run(&id).await.unwrap().status, Status::Running);
    assert_eq!(store.run(child.id()).await.unwrap().run.parent.as_ref(), Some(&id));
    // What is left of a process that died, or gave up: its mark, which nobody holds.
    let mark = store.home().folder().join("running").join(format!("{id}.lock"));
    drop(parent);
    assert!(mark.exists());
    let found = store.run(&id).await.unwrap();
    assert_eq!((found.status, found.ended), (Status::Killed, None));
    assert_eq!(store.run(child.id()).await.unwrap().status, Status::Killed);
    assert!(!mark.exists());
}

async fn runs_within_a_run_need_no_marks_of_their_own(place: &Place) {
    let store = place.open().await;
    let parent_id = "00000000000000aa";
    let known = Batch { tags: [("owner".to_owned(), "ada".to_owned())].into(), ..Batch::default() };
    let parent = store.start_run_as(parent_id.into(), NewRun::default(), &known).await.unwrap();
    let within = |name: &str, status| {
        let ended = (status != Status::Running).then_some(9);
        let id = Store::run_id_within(parent_id, name);
        RunDocument { status, ended, ..document(&id, Some(parent_id)) }
    };
    let (whole, half, late) =
        (within("a", Status::Completed), within("b", Status::Running), within("c", Status::Running));
    assert_ne!(whole.run_id, half.run_id);
    // Twice, as a course is written that goes on.
    for _ in 0..2 {
        store.record(&[whole.clone(), half.clone()]).await.unwrap();
    }
    let found = store.run(parent_id).await.unwrap();
    assert_eq!((found.status, &found.tags["owner"]), (Status::Running, &"ada".to_owned()));
    assert_eq!(store.run(&half.run_id).await.unwrap().status, Status::Running);
    drop(parent);
    assert_eq!(store.run(parent_id).await.unwrap().status, Status::Killed);
    // A server may confirm one when its process, and with it the run around it, is known to be dead.
    store.record(std::slice::from_ref(&late)).await.unwrap();
    for (one, status) in [(&whole, Status::Completed), (&half, Status::Killed), (&late, Status::Killed)] {
        let found = store.run(&one.run_id).await.unwrap();
        assert_eq!((found.status, found.metrics["fold.rmse"].points), (status, 3));
    }
    // What lay beside the model brings them to their end, and nothing stands there twice.
    let end = RunDocument { status: Status::Completed, ..half.clone() };
    for _ in 0..2 {
        store.record(&[document(parent_id, None), whole.clone(), end.clone()]).await.unwrap();
    }
    let children = Search { parent: Some(parent_id.into()), ..Search::default() };
    assert_eq!(store.search(&children).await.unwrap().runs.len(), 3);
    let found = store.run(&half.run_id).await.unwrap();
    assert_eq!((found.status, found.metrics["fold.rmse"].points, found.params.len()), (Status::Completed, 3, 1));
    assert_eq!(store.run(parent_id).await.unwrap().status, Status::Completed);
}

async fn names_that_cannot_be_are_refused(place: &Place) {
    let store = place.open().await;
    for name in ["a/b", "..", "a\0b", "🚀", &"x".repeat(10_240)] {
        let new = NewRun { experiment: name.into(), ..NewRun::default() };
        assert!(store.start_run(new).await.is_err(), "{name}");
    }
    let run = store.start_run(NewRun::default()).await.unwrap();
    for name in ["", "a\0b", "a\nb", &"x".repeat(10_240)] {
        assert!(run.log_param(name, 1).await.is_err(), "{name}");
        assert!(run.log_metric(name, 1.0, 0).await.is_err(), "{name}");
        assert!(run.set_tag(name, "x").await.is_err(), "{name}");
    }
    assert!(run.set_tag("t", "a\0b").await.unwrap_err().to_string().contains("NUL"));
    let file = place.folder.path().join("f");
    std::fs::write(&file, "x").unwrap();
    for path in ["../f", "/f", "a/../../f", "a\\f"] {
        assert!(run.log_file(path, &file).await.is_err(), "{path}");
    }
    run.log_param("🚀 größe", "ü").await.unwrap();
}

async fn a_run_is_known_by_the_beginning_of_its_id(place: &Place) {
    let store = place.open().await;
    for id in ["abcd000000000001", "abcd000000000002", "abce000000000001"] {
        store.record(&[document(id, None)]).await.unwrap();
    }
    assert_eq!(store.run("abce").await.unwrap().run_id, "abce000000000001");
    let error = store.run("abcd").await.unwrap_err().to_string();
    assert!(error.contains("abcd000000000001, abcd000000000002"), "{error}");
    for id in ["abc", "", "ABCE", "abce%", "abce000000000001f", "zzzz"] {
        assert!(store.run(id).await.unwrap_err().to_string().contains("16 digits"), "{id}");
    }
    assert!(store.run("ffff").await.unwrap_err().to_string().contains("there is no run `ffff`"));
}

async fn many_values_are_appended_at_once(place: &Place) {
    let store = place.open().await;
    let run = store.start_run(NewRun::default()).await.unwrap();
    for round in 0..3 {
        let one = |i: i64| Measured { name: format!("m{}", i % 7), step: round * 1000 + i / 7, at: i, value: i as f64 };
        run.log(&Batch { metrics: (0..2_500).map(one).collect(), ..Batch::default() }).await.unwrap();
    }
    let metrics = store.run(run.id()).await.unwrap().metrics;
    assert_eq!(metrics.values().map(|m| m.points).sum::<u64>(), 7_500);
    let history = store.history(run.id(), "m3").await.unwrap();
    assert_eq!((history.len() as u64, history[0].value), (metrics["m3"].points, 3.0));
    assert!(history.windows(2).all(|w| w[0].step <= w[1].step));
}

async fn many_parameters_are_written_at_once(place: &Place) {
    let store = place.open().await;
    let run = store.start_run(NewRun::default()).await.unwrap();
    let params = |last: &str| -> std::collections::BTreeMap<String, String> {
        (0..2_500).map(|i| (format!("p{i}"), if i == 2_499 { last.to_owned() } else { format!("{i}.5") })).collect()
    };
    for _ in 0..2 {
        run.log(&Batch { params: params("text"), ..Batch::default() }).await.unwrap();
    }
    let error = run.log(&Batch { params: params("other"), ..Batch::default() }).await.unwrap_err().to_string();
    assert!(error.contains("`p2499` of this run is `text` already and cannot become `other`"), "{error}");
    assert_eq!(store.run(run.id()).await.unwrap().params, params("text"));
    let search = Search { filter: "params.p7 = 7.5 and params.p2499 = 'text'".into(), ..Search::default() };
    assert_eq!(store.search(&search).await.unwrap().runs.len(), 1);
}

async fn a_clock_that_jumps_back_gives_no_negative_time(place: &Place) {
    static NOW: std::sync::atomic::AtomicI64 = std::sync::atomic::AtomicI64::new(9_000_000);
    let clock = || NOW.fetch_sub(1_000_000, std::sync::atomic::Ordering::Relaxed);
    let store =
        tabwright_store::Store::open(&tabwright_store::StoreOptions { clock, ..place.options() }).await.unwrap();
    let run = store.start_run(NewRun::default()).await.unwrap();
    let id = run.id().to_owned();
    for step in 0..3 {
        run.log_metric("loss", step as f64, step).await.unwrap();
    }
    run.finish(Status::Completed).await.unwrap();
    assert_eq!(store.run(&id).await.unwrap().seconds(), Some(0.0));
    let history = store.history(&id, "loss").await.unwrap();
    assert_eq!(history.iter().map(|p| p.value).collect::<Vec<_>>(), [0.0, 1.0, 2.0], "in the order of their steps");
    let back = RunDocument { started: 9, ended: Some(5), ..document("00000000000000aa", None) };
    store.record(&[back]).await.unwrap();
    assert_eq!(store.run("00000000000000aa").await.unwrap().seconds(), Some(0.0));
}
