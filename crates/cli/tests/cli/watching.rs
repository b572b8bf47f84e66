//! Models in use: what they predict is logged, labelled, reported, judged and scored again; what goes wrong with the log is told, and
//! what was confirmed is there.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::{Value, json};
use tabwright_store::Home;
use tabwright_store::predictions::{Predictions, ReadRequest};

use super::Place;
use super::serving::{Connection, Reply};

/// A row of customers, as a request has it.
fn row(place: &Place, number: usize) -> Value {
    let table = place.read("churn.csv");
    let mut lines = table.lines();
    let names: Vec<&str> = lines.next().unwrap().split(',').collect();
    let line = lines.nth(number).unwrap();
    let cells = line.split(',').map(|cell| if cell.is_empty() { Value::Null } else { cell.into() });
    Value::Object(names.iter().map(|name| (*name).to_owned()).zip(cells).collect())
}

/// Customers without commas in their texts, each with an id and a day.
fn dated(place: &Place) {
    place.model();
    let table = place.read("churn.csv");
    let mut lines = table.lines();
    let mut text = format!("order,made,{}\n", lines.next().unwrap());
    for (number, line) in lines.enumerate() {
        text.push_str(&format!("o{number},2026-03-{:02}T{:02}:30:00Z,{line}\n", 1 + number / 24 % 16, number % 24));
    }
    place.write("dated.csv", text);
}

fn log_all(place: &Place) {
    dated(place);
    place.run("predict churn.tw dated.csv --log --log-id order --log-time made -o p.csv").ok();
}

const MARCH: &str = "--from 2026-03-01 --to 2026-03-17";

#[test]
fn what_is_predicted_is_logged_labelled_and_reported() {
    let place = Place::new();
    log_all(&place);
    let status = place.run("monitor status --json").ok().json();
    assert_eq!(status["logs"][0]["predictions"], 400);
    assert!(status["logs"][0]["version"].as_str().unwrap().starts_with("file-"), "{status}");
    // Every other customer is labelled, as the table has it.
    let table = place.read("dated.csv");
    let labels = table.lines().skip(1).step_by(2).map(|line| {
        let (first, last) = (line.split(',').next().unwrap(), line.rsplit(',').next().unwrap());
        format!("{first},{last}\n")
    });
    place.write("labels.csv", format!("id,label\n{}nobody,yes\n", labels.collect::<String>()));
    let taken = place.run("monitor label churn labels.csv --json").ok().json();
    assert_eq!((&taken["labels"], &taken["unknown"]), (&json!(201), &json!(1)));
    let report = place.run(&format!("monitor report churn --model churn.tw {MARCH} --json")).ok().json();
    assert_eq!(report["volume"]["predictions"], 400);
    assert_eq!(report["labels"]["maturity"], 0.5);
    assert_eq!(report["labels"]["unknown_examples"], json!(["nobody"]));
    assert_eq!(report["volume"]["peak"]["predictions"].as_u64().unwrap(), 2);
    let hours = report["volume"]["hours"].as_f64().unwrap();
    assert!((report["volume"]["average_per_hour"].as_f64().unwrap() - 400.0 / hours).abs() < 1e-9);
    let auc = report["quality"]["whole"]["metrics"].as_array().unwrap();
    let auc = auc.iter().find(|metric| metric["metric"] == "roc_auc").unwrap();
    assert!(auc["low"].as_f64().unwrap() < auc["value"].as_f64().unwrap(), "{auc}");
    assert_eq!(report["drift"]["approximate"], true);
    assert!(
        report["drift"]["columns"].as_array().unwrap().iter().any(|c| c["column"] == "probability_yes"),
        "{report}"
    );
    place.run(&format!("monitor report churn --model churn.tw {MARCH} -o report.html")).ok();
    assert!(place.read("report.html").contains("<svg"));
    let text = place.run(&format!("monitor report churn --model churn.tw {MARCH}")).ok();
    text.prints("50 % of the predictions are labelled").prints("Busiest hour");
    // Without the model, against an earlier time.
    let report =
        place.run("monitor report churn --from 2026-03-09 --to 2026-03-17 --against 2026-03-01..2026-03-09 --json");
    let report = report.ok().json();
    assert!(report["drift_against"].as_str().unwrap().starts_with("the log from 2026-03-01"), "{report}");
}

#[test]
fn what_is_logged_twice_under_one_id_is_one_entry() {
    let place = Place::new();
    log_all(&place);
    place.run("predict churn.tw dated.csv --log --log-id order --log-time made -o p.csv").ok();
    let report = place.run(&format!("monitor report churn --model churn.tw {MARCH} --json")).ok().json();
    assert_eq!((&report["volume"]["predictions"], &report["log"]["duplicates"]), (&json!(400), &json!(400)));
}

#[test]
fn predictions_of_files_get_ids_where_they_have_none() {
    let place = Place::new();
    place.model();
    place.run("predict churn.tw churn.csv --log -o p.csv").ok().says("logged");
    assert!(place.read("p.csv").starts_with("prediction_id,prediction,probability_no,probability_yes\n"));
    let first = place.read("p.csv").lines().nth(1).unwrap().split(',').next().unwrap().to_owned();
    place.write("labels.jsonl", format!("{{\"id\": \"{first}\", \"label\": \"yes\"}}\n"));
    let taken = place.run("monitor label churn labels.jsonl --json").ok().json();
    assert_eq!((&taken["labels"], &taken["unknown"]), (&json!(1), &json!(0)));
    let report = place.run("monitor report churn --model churn.tw --json").ok().json();
    assert_eq!(report["labels"]["labelled"], 1);
    assert!(report["quality"]["whole"]["metrics"][0]["value"].is_null(), "{}", report["quality"]);
}

#[test]
fn rows_that_could_not_be_used_are_counted_apart() {
    let place = Place::new();
    dated(&place);
    let table = place.read("dated.csv");
    let mut lines: Vec<String> = table.lines().map(str::to_owned).collect();
    let mut cells: Vec<&str> = lines[3].split(',').collect();
    cells[7] = "many";
    let bad = cells.join(",");
    lines[3] = bad;
    place.write("bad.csv", lines.join("\n") + "\n");
    let log = "--log --log-id order --log-time made --on-error null";
    place.run(&format!("predict churn.tw bad.csv {log} -o p.csv")).ok();
    let volume = |place: &Place| {
        let report = place.run(&format!("monitor report churn --model churn.tw {MARCH} --json")).ok().json();
        let by_hour = report["volume"]["by_hour"].as_array().unwrap().iter();
        let in_hours: u64 = by_hour.map(|hour| hour["predictions"].as_u64().unwrap()).sum();
        (report["volume"]["predictions"].as_u64().unwrap(), in_hours, report["volume"]["unusable"].as_u64().unwrap())
    };
    assert_eq!(volume(&place), (399, 399, 1));
    // The row is mended and comes again under its id: it is no twin of what could not be used.
    place.run(&format!("predict churn.tw dated.csv {log} -o p.csv")).ok();
    assert_eq!(volume(&place), (400, 400, 1));
}

#[test]
fn skew_is_found_to_the_bit_and_named() {
    let place = Place::new();
    log_all(&place);
    let none = place.run(&format!("monitor skew churn --model churn.tw {MARCH} --json")).ok().json();
    assert_eq!((&none["compared"], &none["skewed"]), (&json!(400), &json!(0)));
    // What another system would say of these rows, if it passed over one column.
    place.run("predict churn.tw dated.csv --keep order,made -o other.csv").ok();
    let table = place.read("churn.csv");
    let without: String = table
        .lines()
        .enumerate()
        .map(|(at, line)| {
            let mut cells: Vec<&str> = line.split(',').collect();
            if at > 0 {
                cells[5] = "";
            }
            cells.join(",") + "\n"
        })
        .collect();
    place.write("without.csv", without);
    place.run("predict churn.tw without.csv -o without-p.csv").ok();
    let answers = place.read("without-p.csv");
    let rows = place.read("dated.csv");
    let rows = rows.lines().zip(answers.lines()).map(|(row, answer)| format!("{row},{answer}\n"));
    place.write("imported.csv", rows.collect::<String>());
    let imported =
        place.run("monitor import other imported.csv --model churn.tw --id order --time made --json").ok().json();
    assert_eq!(imported["rows"], 400);
    let skew = place.run(&format!("monitor skew other --model churn.tw {MARCH} --json")).exit(4).json();
    assert!(skew["skewed"].as_u64().unwrap() > 300, "{skew}");
    assert!(skew["columns"]["tenure_months"].as_u64().unwrap() > 100, "{}", skew["columns"]);
    place
        .run(&format!("monitor skew other --model churn.tw {MARCH}"))
        .exit(4)
        .prints("without the input `tenure_months`");
    // Where only hashes are there, it says that it cannot.
    place.write("tabwright.toml", "[log]\ninputs = \"hashes\"\n");
    place.run("predict churn.tw churn.csv --log -o p.csv").ok();
    place.run("monitor skew churn --model churn.tw").ok().prints("only hashes of the inputs were logged");
}

#[test]
fn what_cannot_be_a_label_or_a_log_is_refused_with_words() {
    let place = Place::new();
    log_all(&place);
    place.run("monitor report nobody").exit(2).says("monitor status");
    place.run("monitor report chrn").exit(2).says("did you mean `churn`");
    place.write("wrong.csv", "id,label\no1,perhaps\n");
    place.run("monitor label churn wrong.csv").exit(3).says("it knows no, yes");
    place.write("future.csv", "id,label,time\no1,yes,2199-01-01T00:00:00Z\n");
    place.run("monitor label churn future.csv").exit(3).says("in the future");
    place.write("empty.csv", "");
    place.run("monitor label churn empty.csv").exit(3);
    place.run("monitor report churn --last 5").exit(2).says("time span");
    place.run("monitor report churn --against 7d..14d").exit(2).says("before it begins");
    place.run("predict churn.tw churn.csv --log --log-id lost_column").exit(3).says("lost_column");
    let nothing = place.run("monitor report churn --from 2020-01-01 --to 2020-02-01").ok();
    nothing.prints("Nothing was logged");
    let json = place.run("monitor report churn --from 2020-01-01 --to 2020-02-01 --json").ok().json();
    assert_eq!((&json["volume"]["predictions"], &json["volume"]["average_per_hour"]), (&json!(0), &json!(0.0)));
}

#[test]
fn rules_fire_tell_and_are_replayed() {
    let place = Place::new();
    log_all(&place);
    place.write("said.sh", "#!/bin/sh\ncat > said.json\n");
    place.write(
        "tabwright.toml",
        "[alerts]\ncommand = [\"/bin/sh\", \"said.sh\"]\n[alerts.rules.few]\nmeasure = \"volume\"\nbelow = 1000\nwindow = \"1d\"\n\
         [alerts.rules.errors]\nmeasure = \"errors\"\nabove = 0.5\n",
    );
    let judged = place.run("monitor alerts churn --model churn.tw --send --gate --json").exit(4).json();
    let rule =
        |name: &str| judged["rules"].as_array().unwrap().iter().find(|rule| rule["rule"] == name).unwrap().clone();
    assert_eq!((&rule("few")["status"], &rule("errors")["status"]), (&json!("firing"), &json!("unknown")));
    assert_eq!(judged["sent"][0]["sent"], true, "{judged}");
    let said: Value = serde_json::from_str(&place.read("said.json")).unwrap();
    assert_eq!(said["alerts"][0]["rule"], "few");
    // It was told, and is not told again.
    let again = place.run("monitor alerts churn --model churn.tw --send --json").ok().json();
    assert_eq!((&again["messages"], &again["sent"]), (&json!([]), &json!([])));
    let report = place.run(&format!("monitor report churn --model churn.tw {MARCH} --gate --json")).exit(4).json();
    assert_eq!(report["alerts"].as_array().unwrap().len(), 2);
    let replayed =
        place.run(&format!("monitor backtest churn --model churn.tw {MARCH} --quiet 2026-03-01..2026-03-17 --json"));
    let replayed = replayed.ok().json();
    let few = replayed["rules"].as_array().unwrap().iter().find(|rule| rule["rule"] == "few").unwrap();
    assert_eq!((&few["windows"], &few["fired"], &few["quiet"]["broken"]), (&json!(16), &json!(1), &json!(16)));
    place.write("tabwright.toml", "[alerts.rules.x]\nmeasure = \"drift_shar\"\nabove = 1\n");
    place.run("monitor alerts churn").exit(2).says("drift_share");
}

/// Sends a row under an id; whether the answer says that it is in the log.
fn predict(to: &mut Connection, row: &Value, id: &str) -> std::io::Result<Reply> {
    let body = json!({"rows": [row], "ids": [id]}).to_string();
    to.ask("POST", "/v1/models/churn/predict", &[("content-type", "application/json")], body.as_bytes())
}

fn header<'r>(reply: &'r Reply, name: &str) -> Option<&'r str> {
    reply.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}

/// How often each id is in the log, read as everybody reads it.
fn logged(place: &Place) -> BTreeMap<String, usize> {
    let log = Predictions::of(&Home::at(place.path(".tabwright")), "churn").unwrap();
    let mut found = BTreeMap::new();
    for chunk in log.read(&ReadRequest::window(0, i64::MAX)).unwrap() {
        let chunk = chunk.unwrap();
        for row in 0..chunk.times().len() {
            *found.entry(chunk.ids().get(row).unwrap().to_owned()).or_insert(0) += 1;
        }
    }
    found
}

#[test]
fn kills_while_serving_lose_nothing_that_was_confirmed() {
    let kills: u64 = std::env::var("TABWRIGHT_TEST_KILLS").ok().map_or(30, |text| text.parse().unwrap());
    let place = Place::new();
    place.model();
    let sent = row(&place, 3);
    let mut confirmed = BTreeSet::new();
    for kill in 0..kills {
        let mut server = place.serve("churn.tw --log durable");
        let (address, is_over) = (server.address, Arc::new(AtomicBool::new(false)));
        let acknowledged = Arc::new(Mutex::new(Vec::new()));
        let clients: Vec<_> = (0..3)
            .map(|client| {
                let (is_over, acknowledged, sent) = (Arc::clone(&is_over), Arc::clone(&acknowledged), sent.clone());
                std::thread::spawn(move || {
                    let Ok(mut connection) = Connection::open(address) else { return };
                    for number in 0.. {
                        let id = format!("{kill}-{client}-{number}");
                        match predict(&mut connection, &sent, &id) {
                            Ok(reply) if header(&reply, "x-logged") == Some("true") => {
                                acknowledged.lock().unwrap().push(id)
                            }
                            Ok(_) => {}
                            Err(_) => return,
                        }
                        if is_over.load(Ordering::Relaxed) {
                            return;
                        }
                    }
                })
            })
            .collect();
        // Another moment each time, without a clock that a test would depend on.
        std::thread::sleep(Duration::from_micros(2_000 + kill * 7_919 % 60_000));
        server.signal(Signal::KILL);
        is_over.store(true, Ordering::Relaxed);
        server.wait();
        clients.into_iter().for_each(|client| client.join().unwrap());
        confirmed.extend(acknowledged.lock().unwrap().drain(..));
        if kill % 10 == 9 {
            let now = i64::MAX / 4;
            Predictions::of(&Home::at(place.path(".tabwright")), "churn").unwrap().compact(now).unwrap();
        }
    }
    let found = logged(&place);
    assert!(confirmed.len() as u64 >= kills, "only {} were confirmed", confirmed.len());
    let lost: Vec<&String> = confirmed.iter().filter(|id| !found.contains_key(*id)).take(5).collect();
    assert!(lost.is_empty(), "lost: {lost:?}");
    assert!(found.values().all(|count| *count == 1), "some are there twice");
}

#[test]
fn a_log_that_cannot_be_written_stops_nobody_is_told_and_recovers() {
    let place = Place::new();
    place.model();
    // A file stands where the folder of the log should be.
    place.write(".tabwright/predictions", "in the way");
    let server = place.serve("churn.tw --log durable");
    let sent = row(&place, 5);
    let mut connection = server.connect();
    for number in 0..5 {
        let reply = predict(&mut connection, &sent, &format!("lost-{number}")).unwrap();
        assert_eq!((reply.status, header(&reply, "x-logged")), (200, Some("false")));
    }
    let metrics = String::from_utf8(server.get("/metrics").body).unwrap();
    assert!(metrics.contains("tabwright_unlogged_rows_total{model=\"churn\",version=\"1\"} 5"), "{metrics}");
    let about: Value = serde_json::from_slice(&server.get("/v1/models/churn").body).unwrap();
    assert!(about["log"]["dropped"] == 5 && about["log"]["failing"].is_string(), "{about}");
    std::fs::remove_file(place.path(".tabwright/predictions")).unwrap();
    let begun = Instant::now();
    let mut number = 0;
    loop {
        number += 1;
        let reply = predict(&mut connection, &sent, &format!("again-{number}")).unwrap();
        if header(&reply, "x-logged") == Some("true") {
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(20), "the log does not recover");
        std::thread::sleep(Duration::from_millis(50));
    }
    // What was lost is noted, and reported.
    let lost = loop {
        let status = place.run("monitor status --json").ok().json();
        match status["logs"][0]["lost"].as_u64() {
            Some(lost) if lost > 0 => break lost,
            _ => assert!(begun.elapsed() < Duration::from_secs(40), "{status}\n{}", place.read("log")),
        }
        std::thread::sleep(Duration::from_millis(200));
    };
    assert!(lost >= 5, "{lost}");
    assert!(place.read("log").contains("predictions are not logged"), "{}", place.read("log"));
    while !place.read("log").contains("predictions are logged again") {
        assert!(begun.elapsed() < Duration::from_secs(60), "{}", place.read("log"));
        std::thread::sleep(Duration::from_millis(100));
    }
    let judged = place.run("monitor alerts churn --model churn.tw --gate --json").exit(4).json();
    let rules = judged["rules"].as_array().unwrap();
    assert_eq!(rules.iter().find(|rule| rule["rule"] == "lost").unwrap()["status"], "firing", "{judged}");
}

#[test]
fn an_answer_that_must_be_logged_is_refused_where_that_is_asked_for() {
    let place = Place::new();
    place.model();
    place.write(".tabwright/predictions", "in the way");
    let server = place.serve("churn.tw --log durable --log-strict");
    let reply = predict(&mut server.connect(), &row(&place, 1), "x").unwrap();
    assert_eq!(reply.status, 503);
    assert!(String::from_utf8_lossy(&reply.body).contains("not_logged"));
}

#[test]
fn labels_come_over_http() {
    let place = Place::new();
    place.model();
    let server = place.serve("churn.tw --log async");
    let mut connection = server.connect();
    for number in 0..3 {
        predict(&mut connection, &row(&place, number), &format!("p{number}")).unwrap();
    }
    let send = |body: &str, content_type: &str| {
        server.ask("POST", "/v1/models/churn/labels", &[("content-type", content_type)], body.as_bytes())
    };
    let reply = send(
        r#"{"labels": [{"id": "p0", "label": "yes"}, {"id": "p1", "label": "no", "time": "2026-01-01T00:00:00Z"}]}"#,
        "application/json",
    );
    assert_eq!(reply.status, 200, "{}", String::from_utf8_lossy(&reply.body));
    assert_eq!(send("id,label\np2,no\np0,no\n", "text/csv").status, 200);
    for (body, code) in [
        (r#"[{"id": "p0", "label": "perhaps"}]"#, "bad_label"),
        (r#"[{"id": "p0", "label": "yes", "time": "2199-01-01T00:00:00Z"}]"#, "bad_label"),
        (r#"[{"id": "", "label": "yes"}]"#, "bad_label"),
        (r#"[{"id": "p0"}]"#, "bad_label"),
        (r#"[{"id": "p0", "lable": "yes"}]"#, "bad_label"),
        (r#"{"rows": []}"#, "bad_json"),
        ("[]", "no_rows"),
    ] {
        let reply = send(body, "application/json");
        let text = String::from_utf8_lossy(&reply.body).into_owned();
        assert!(matches!(reply.status, 400 | 422) && text.contains(code), "{body}: {text}");
    }
    assert_eq!(server.ask("POST", "/v1/models/other/labels", &[], b"[]").status, 404);
    let report = place.run("monitor report churn --model churn.tw --json").ok().json();
    assert_eq!((&report["labels"]["labelled"], &report["labels"]["corrected"]), (&json!(3), &json!(1)), "{report}");
    assert!(report["latency"]["p50"].as_f64().unwrap() > 0.0);
}
