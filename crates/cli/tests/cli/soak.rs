//! Servers under load: asked to end, with aliases that move, and for long. `cargo xtask soak serve` runs them at full length; in the
//! tests of every change they are short.

use std::io::Write;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::Value;

use super::Place;
use super::serving::{Connection, Served, row};

/// How many callers ask at a time.
const CALLERS: usize = 4;

/// How much of something there is: `cargo xtask soak serve` says more.
fn amount(name: &str, of_tests: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(of_tests)
}

/// Callers that ask without a pause, each on a connection that it keeps, until they are told to stop.
struct Load {
    answered: AtomicU64,
    /// Requests that were sent and not answered.
    lost: AtomicU64,
    stop: AtomicBool,
    /// Whether the server was asked to end.
    ending: AtomicBool,
}

impl Load {
    fn new() -> Self {
        Load {
            answered: AtomicU64::new(0),
            lost: AtomicU64::new(0),
            stop: AtomicBool::new(false),
            ending: AtomicBool::new(false),
        }
    }

    /// Asks until told to stop, or until nobody listens any more.
    fn ask(&self, served: &Served, body: &[u8], mut check: impl FnMut(&super::serving::Reply)) {
        let mut connection: Option<Connection> = None;
        let mut is_known = false;
        while !self.stop.load(Ordering::Relaxed) {
            let open = match connection.as_mut() {
                Some(open) => open,
                None => match Connection::open(served.address) {
                    Ok(open) => {
                        is_known = false;
                        connection.insert(open)
                    }
                    // Nobody listens: what was not sent is not lost.
                    Err(_) => return,
                },
            };
            let headers = [("content-type", "application/json")];
            match open.ask("POST", "/v1/models/churn/predict", &headers, body) {
                Ok(reply) => {
                    self.answered.fetch_add(1, Ordering::Relaxed);
                    is_known = true;
                    check(&reply);
                    if reply.header("connection") == Some("close") {
                        connection = None;
                    }
                }
                Err(error) => {
                    // A connection that was made while the server closed its door was never accepted.
                    let is_reset =
                        matches!(error.kind(), std::io::ErrorKind::ConnectionReset | std::io::ErrorKind::BrokenPipe);
                    if is_known || !is_reset || !self.ending.load(Ordering::SeqCst) {
                        self.lost.fetch_add(1, Ordering::Relaxed);
                    }
                    connection = None;
                }
            }
        }
    }
}

#[test]
fn no_request_is_lost_when_a_server_ends_under_load() {
    let place = Place::new();
    place.model();
    let body = row(&place).to_string();
    let (mut answered, mut lost) = (0, 0);
    for round in 0..amount("TABWRIGHT_TEST_SIGTERMS", 20) {
        let mut served = place.serve("churn.tw");
        let load = Load::new();
        std::thread::scope(|scope| {
            let callers: Vec<_> = (0..CALLERS)
                .map(|_| scope.spawn(|| load.ask(&served, body.as_bytes(), |reply| assert_eq!(reply.status, 200))))
                .collect();
            std::thread::sleep(Duration::from_millis(20 + 13 * (round % 10)));
            load.ending.store(true, Ordering::SeqCst);
            served.signal(Signal::TERM);
            callers.into_iter().for_each(|caller| caller.join().unwrap());
        });
        assert_eq!(served.wait(), 0, "{}", place.read("log"));
        answered += load.answered.load(Ordering::Relaxed);
        lost += load.lost.load(Ordering::Relaxed);
    }
    assert_eq!(lost, 0, "of {answered} requests");
    assert!(answered > 1000, "{answered}");
}

#[test]
fn no_answer_is_mixed_or_lost_while_an_alias_moves_under_load() {
    let place = Place::new();
    place.churn(400);
    for candidate in ["logistic_regression", "gbdt_leafwise"] {
        place.run(&format!("train churn.csv --target churned --folds 0 --name churn --candidates {candidate}")).ok();
    }
    place.run("models alias churn:1 live").ok();
    let served = place.serve("churn@live");
    let body = row(&place).to_string();
    let by_number = |number: &str| -> Value {
        place.run(&format!("models alias churn:{number} live")).ok();
        let begun = Instant::now();
        loop {
            let back = served.predict("churn", &row(&place)).is(200).json();
            if back["model_version"] == number {
                return back["probabilities"].clone();
            }
            assert!(begun.elapsed() < Duration::from_secs(2));
        }
    };
    let expected = [by_number("1"), by_number("2")];
    assert_ne!(expected[0], expected[1]);
    let load = Load::new();
    let seen = [AtomicU64::new(0), AtomicU64::new(0)];
    std::thread::scope(|scope| {
        for _ in 0..CALLERS {
            scope.spawn(|| {
                load.ask(&served, body.as_bytes(), |reply| {
                    assert_eq!(reply.status, 200, "{}", reply.text());
                    let json = reply.json();
                    let number: usize = json["model_version"].as_str().unwrap().parse().unwrap();
                    assert_eq!(json["probabilities"], expected[number - 1], "an answer says which version gave it");
                    assert_eq!(reply.header("x-model-version").unwrap(), json["model_version"]);
                    seen[number - 1].fetch_add(1, Ordering::Relaxed);
                });
            });
        }
        for round in 0..amount("TABWRIGHT_TEST_MOVES", 50) {
            place.run(&format!("models alias churn:{} live", round % 2 + 1)).ok();
            std::thread::sleep(Duration::from_millis(if round % 5 == 0 { 300 } else { 10 }));
        }
        load.stop.store(true, Ordering::Relaxed);
    });
    assert_eq!(load.lost.load(Ordering::Relaxed), 0);
    assert!(seen.iter().all(|count| count.load(Ordering::Relaxed) > 100), "{seen:?}");
}

#[test]
fn memory_does_not_grow_with_the_requests() {
    let place = Place::new();
    place.model();
    let seconds = amount("TABWRIGHT_TEST_SECONDS", 30);
    let served = place.serve("churn.tw");
    let body = row(&place).to_string();
    let load = Load::new();
    let mut memory = Vec::new();
    std::thread::scope(|scope| {
        for _ in 0..CALLERS {
            scope.spawn(|| load.ask(&served, body.as_bytes(), |reply| assert_eq!(reply.status, 200)));
        }
        for _ in 0..30 {
            std::thread::sleep(Duration::from_millis(seconds * 1000 / 30));
            memory.push(served.memory());
        }
        load.stop.store(true, Ordering::Relaxed);
    });
    let answered = load.answered.load(Ordering::Relaxed);
    // After the first third nothing is new any more.
    let (early, late) = (&memory[10..20], &memory[20..]);
    let mean = |part: &[u64]| part.iter().sum::<u64>() as f64 / part.len() as f64;
    let growth = mean(late) - mean(early);
    // For whoever runs it at full length.
    let _ = writeln!(std::io::stdout(), "{answered} requests in {seconds} s; memory {memory:?} kB");
    assert!(growth < 1024.0, "{growth:.0} kB more in a third of {seconds} s: {memory:?}");
    assert_eq!(load.lost.load(Ordering::Relaxed), 0);
}
