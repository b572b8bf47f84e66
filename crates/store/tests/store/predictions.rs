//! Several processes on one prediction log, and processes that are killed in the middle of writing to it.

use std::collections::HashSet;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use tabwright_core::{Column, Kind};
use tabwright_store::Home;
use tabwright_store::predictions::{
    Entries, Label, LabelValue, LogColumn, LogOptions, LogSchema, Outputs, Predictions, ReadRequest,
};
use tabwright_store::time::Micros;

/// Says to a child in which home to log, and from which number on.
const HOME: &str = "TABWRIGHT_TEST_LOG_HOME";
const FIRST: &str = "TABWRIGHT_TEST_LOG_FIRST";
/// How often a process is killed.
const KILLS: &str = "TABWRIGHT_TEST_KILLS";
/// Numbers that each child has for itself.
const OWN: usize = 1_000_000;
/// 2026-11-27, a minute before midnight: entries of a child soon belong to the next day.
const START: Micros = 1_795_823_940_000_000;
/// When the days of all entries are over.
const LATER: Micros = START + 30 * 86_400_000_000;
/// Microseconds between two entries.
const STEP: Micros = 1_000_000;

fn log(home: &Path) -> Predictions {
    Predictions::of(&Home::at(home), "churn").unwrap()
}

fn start(home: &Path, first: usize) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["predictions::child", "--exact", "--nocapture"]).env(HOME, home).env(FIRST, first.to_string());
    command.stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().unwrap()
}

/// Not a test by itself: logs until it is killed, on several threads, and says what was acknowledged.
#[test]
fn child() {
    let (Ok(home), Ok(first)) = (std::env::var(HOME), std::env::var(FIRST)) else { return };
    let first: usize = first.parse().unwrap();
    let log = log(Path::new(&home));
    let inputs = vec![LogColumn { name: "area".into(), kind: Kind::Float }];
    let schema = LogSchema { inputs, outputs: Outputs::Number };
    // Small segments, so that a kill meets their change as well.
    let options = LogOptions { segment_bytes: 4_000, ..LogOptions::default() };
    let writer = log.writer("1", schema, options).unwrap();
    let labels = log.label_writer(LogOptions::default()).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..3 {
            let (writer, labels) = (&writer, &labels);
            scope.spawn(move || {
                for i in (first + thread..first + OWN).step_by(3) {
                    let (id, at) = (i.to_string(), START + (i - first) as Micros * STEP);
                    let (area, price) = (Column::Float(vec![i as f64]), Column::Float(vec![-(i as f64)]));
                    let durable = writer.append_durable(&Entries::new(&[&id], &[at], &[&area], &price)).unwrap();
                    durable.wait().unwrap();
                    say(&format!("entry {i}"));
                    if i % 4 == 0 {
                        let label = Label { id: &id, value: LabelValue::Number(i as f64), time: None };
                        labels.append(&[label], at).unwrap().wait().unwrap();
                        say(&format!("label {i}"));
                    }
                }
            });
        }
    });
}

/// Says something in one write, whatever other threads say.
fn say(what: &str) {
    let mut out = std::io::stdout().lock();
    // Whoever listened may have gone: then it is over soon.
    let _ = out.write_all(format!("{what}\n").as_bytes()).and_then(|()| out.flush());
}

/// The numbers of all entries, each of which is as it was logged and there once.
fn entries(log: &Predictions) -> HashSet<usize> {
    let mut found = HashSet::new();
    let mut chunks = log.read(&ReadRequest::window(0, Micros::MAX)).unwrap();
    for chunk in chunks.by_ref() {
        let chunk = chunk.unwrap();
        for row in 0..chunk.table.n_rows() {
            let number: usize = chunk.ids().get(row).unwrap().parse().unwrap();
            assert!(found.insert(number), "{number} is there twice");
            assert_eq!(chunk.inputs()[0].number(row), number as f64);
            assert_eq!(chunk.predictions().number(row), -(number as f64));
        }
    }
    assert!(chunks.damage().is_empty(), "{:?}", chunks.damage());
    assert_eq!(chunks.duplicates(), 0);
    found
}

#[test]
fn what_was_acknowledged_survives_a_kill_once() {
    let kills = std::env::var(KILLS).ok().map_or(30, |n| n.parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let log = log(folder.path());
    let (mut acknowledged, mut labelled) = (HashSet::new(), HashSet::new());
    for round in 0..kills {
        let mut child = start(folder.path(), round * OWN);
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut seen = 0;
        for line in lines {
            let line = line.unwrap();
            let Some((what, number)) = line.split_once(' ').filter(|(what, _)| ["entry", "label"].contains(what))
            else {
                continue;
            };
            let number: usize = number.parse().unwrap();
            let to = if what == "entry" { &mut acknowledged } else { &mut labelled };
            assert!(to.insert(number));
            seen += 1;
            if seen == 1 + (round * 37) % 97 {
                std::thread::sleep(std::time::Duration::from_micros(round as u64 * 7_919 % 5_000));
                child.kill().unwrap();
            }
        }
        child.wait().unwrap();
        // Nothing is ever taken away, so that it is enough to look now and then.
        if round % 5 != 4 && round + 1 != kills {
            continue;
        }
        // What is there is compacted, so that kills meet parts as well, and merged ones.
        log.compact(if round % 25 == 24 { LATER } else { START }).unwrap();
        let found = entries(&log);
        let lost: Vec<&usize> = acknowledged.difference(&found).collect();
        assert!(lost.is_empty(), "round {round}: {lost:?} were acknowledged and are lost");
        let labels = log.labels(Micros::MAX).unwrap();
        assert!(labels.damage().is_empty() && labels.repeated() == 0);
        assert!(labelled.iter().all(|number| labels.get(&number.to_string()).is_some()), "round {round}");
    }
    let before = entries(&log);
    let done = log.compact(LATER).unwrap();
    assert!(done.damage.is_empty(), "{:?}", done.damage);
    assert_eq!(entries(&log), before);
    assert!(acknowledged.len() >= kills);
}

#[test]
fn a_compaction_that_is_killed_anywhere_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let log = log(folder.path());
    let mut child = start(folder.path(), 0);
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let acknowledged = lines.map_while(Result::ok).filter(|line| line.starts_with("entry ")).take(400).count();
    // Two processes, of which one is killed, and another that compacts all the while.
    let mut other = start(folder.path(), OWN);
    for _ in 0..5 {
        log.compact(START).unwrap();
        assert!(entries(&log).len() >= acknowledged);
    }
    child.kill().unwrap();
    child.wait().unwrap();
    other.kill().unwrap();
    other.wait().unwrap();
    let before = entries(&log);
    log.compact(LATER).unwrap();
    assert_eq!(entries(&log), before);
}
