//! A load generator for the comparisons and the tests of the server: `load --url URL [--body FILE] …` keeps connections busy, or sends at
//! a rate, and prints what came of it as JSON. It runs on one thread, since it shares the machine with what it measures.
//!
//! Without `--rate` each connection asks again as soon as it has an answer. With it, requests are due at even distances whatever the
//! server does, and a latency counts from the moment when its request was due: waiting for a free connection is not hidden.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program of the comparisons speaks to its caller")]

mod histogram;
mod http;
mod options;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::process::ExitCode;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::sync::Semaphore;

use histogram::Histogram;
use http::{Connection, Failure};
use options::Options;

/// How long after the end answers are waited for.
const GRACE: Duration = Duration::from_secs(10);
/// How long a connection that was refused waits before it tries again.
const PAUSE: Duration = Duration::from_millis(10);
/// Requests that are due are released this often: the timer of the runtime knows whole milliseconds only.
const TICK: Duration = Duration::from_micros(100);

/// What was counted: requests sent between the warm-up and the end, and connections from the start.
struct Counts {
    /// Answers that came before the end.
    in_time: u64,
    statuses: BTreeMap<u16, u64>,
    failures: BTreeMap<&'static str, u64>,
    connections: u64,
    resent: u64,
    bytes: u64,
    accepted: Latencies,
    refused: Latencies,
    /// From when requests were due to when they were sent.
    late: Histogram,
}

/// Latencies of one kind of answers.
struct Latencies {
    /// From when the request was due.
    from_due: Histogram,
    /// From when it was sent: what the server alone answers for.
    from_sent: Histogram,
}

impl Latencies {
    fn new() -> Self {
        Latencies { from_due: Histogram::new(), from_sent: Histogram::new() }
    }

    fn add(&mut self, due: Instant, sent: Instant, now: Instant) {
        self.from_due.add(now - due);
        self.from_sent.add(now - sent);
    }
}

/// What all connections share.
struct Run {
    options: Options,
    started: Instant,
    counted_from: Instant,
    ends: Instant,
    /// Requests that are due and not sent.
    due: Arc<Semaphore>,
    sent: RefCell<u64>,
    counts: RefCell<Counts>,
    /// Requests that wait for their answer.
    open: RefCell<u64>,
}

fn main() -> ExitCode {
    let outcome = Options::from(std::env::args().skip(1)).and_then(|options| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|e| format!("no runtime: {e}"))?;
        Ok(runtime.block_on(tokio::task::LocalSet::new().run_until(run(options))))
    });
    match outcome {
        Ok(document) => {
            println!("{document}");
            ExitCode::SUCCESS
        }
        Err(why) => {
            eprintln!("load: {why}");
            ExitCode::FAILURE
        }
    }
}

async fn run(options: Options) -> Value {
    let started = Instant::now();
    let counted_from = started + options.warm_up;
    let run = Rc::new(Run {
        started,
        counted_from,
        ends: counted_from + options.seconds,
        due: Arc::new(Semaphore::new(0)),
        sent: RefCell::new(0),
        open: RefCell::new(0),
        counts: RefCell::new(Counts {
            in_time: 0,
            statuses: BTreeMap::new(),
            failures: BTreeMap::new(),
            connections: 0,
            resent: 0,
            bytes: 0,
            accepted: Latencies::new(),
            refused: Latencies::new(),
            late: Histogram::new(),
        }),
        options,
    });
    let over = Arc::new(AtomicBool::new(false));
    let clock = run.options.rate.map(|rate| release(rate, started, Arc::clone(&run.due), Arc::clone(&over)));
    let connections: Vec<_> =
        (0..run.options.connections).map(|_| tokio::task::spawn_local(keep_busy(Rc::clone(&run)))).collect();
    tokio::time::sleep_until(run.ends.into()).await;
    over.store(true, Ordering::Relaxed);
    if let Some(Ok(())) = clock.map(std::thread::JoinHandle::join) {
        // Whoever waits for a request that is due learns that there are no more.
        run.due.close();
    }
    let all = async {
        for connection in connections {
            drop(connection.await);
        }
    };
    drop(tokio::time::timeout(GRACE, all).await);
    document(&run)
}

/// Lets requests go when they are due, on a thread of its own: a permit each.
fn release(rate: f64, started: Instant, due: Arc<Semaphore>, over: Arc<AtomicBool>) -> std::thread::JoinHandle<()> {
    std::thread::spawn(move || {
        let mut released = 0;
        while !over.load(Ordering::Relaxed) {
            let until_now = (started.elapsed().as_secs_f64() * rate) as usize;
            if until_now > released {
                due.add_permits(until_now - released);
                released = until_now;
            }
            let next = started + Duration::from_secs_f64((released + 1) as f64 / rate);
            std::thread::sleep(next.saturating_duration_since(Instant::now()).max(TICK));
        }
    })
}

/// One connection, until the end; it is made anew whenever it is closed.
async fn keep_busy(run: Rc<Run>) {
    let mut connection = None;
    loop {
        let due = match run.options.rate {
            None => Instant::now(),
            Some(rate) => {
                let Ok(permit) = run.due.acquire().await else { return };
                permit.forget();
                let mut sent = run.sent.borrow_mut();
                *sent += 1;
                run.started + Duration::from_secs_f64(*sent as f64 / rate)
            }
        };
        let sent = if run.options.rate.is_some() { Instant::now() } else { due };
        if sent >= run.ends {
            return;
        }
        let is_counted = sent >= run.counted_from;
        *run.open.borrow_mut() += u64::from(is_counted);
        let outcome = ask(&run, &mut connection).await;
        let now = Instant::now();
        if is_counted {
            *run.open.borrow_mut() -= 1;
            let mut counts = run.counts.borrow_mut();
            if run.options.rate.is_some() {
                counts.late.add(sent - due);
            }
            counts.take(outcome, (due, sent, now), now < run.ends);
        }
        if outcome.is_err() {
            connection = None;
        }
        if outcome == Err(Failure::Refused) {
            tokio::time::sleep(PAUSE).await;
        }
    }
}

/// Asks once, on the connection or a new one. With `--reconnect`, a kept connection that the server had closed meanwhile is
/// made anew and asked once more, as clients do.
async fn ask(run: &Run, connection: &mut Option<Connection>) -> Result<(u16, u64), Failure> {
    let mut is_kept = connection.is_some();
    loop {
        let mut open = match connection.take() {
            Some(open) => open,
            None => {
                let open = Connection::open(&run.options.address).await?;
                run.counts.borrow_mut().connections += 1;
                open
            }
        };
        match open.ask(&run.options.request).await {
            Ok(answer) => {
                *connection = Some(open).filter(|_| !answer.closes);
                return Ok((answer.status, answer.bytes));
            }
            Err(Failure::Closed) if is_kept && run.options.reconnect => {
                run.counts.borrow_mut().resent += 1;
                is_kept = false;
            }
            Err(failure) => return Err(failure),
        }
    }
}

impl Counts {
    fn take(
        &mut self,
        outcome: Result<(u16, u64), Failure>,
        (due, sent, now): (Instant, Instant, Instant),
        in_time: bool,
    ) {
        match outcome {
            Ok((status, bytes)) => {
                self.in_time += u64::from(in_time);
                *self.statuses.entry(status).or_default() += 1;
                self.bytes += bytes;
                match status {
                    200..=299 => self.accepted.add(due, sent, now),
                    429 => self.refused.add(due, sent, now),
                    _ => {}
                }
            }
            Err(failure) => {
                let kind = match failure {
                    Failure::Refused => "refused",
                    Failure::Closed => "closed",
                    Failure::Broken => "broken",
                    Failure::Odd => "no_http",
                };
                *self.failures.entry(kind).or_default() += 1;
            }
        }
    }
}

fn document(run: &Run) -> Value {
    let counts = run.counts.borrow();
    let seconds = run.options.seconds.as_secs_f64();
    // What was due and never sent is no failure of a request, but it is no answer either.
    let unsent = run.options.rate.map(|rate| {
        let due = ((run.ends - run.started).as_secs_f64() * rate) as u64;
        due.saturating_sub(*run.sent.borrow())
    });
    json!({
        "seconds": seconds,
        "connections": run.options.connections,
        "rate": run.options.rate,
        "requests_per_second": counts.in_time as f64 / seconds,
        "status": counts.statuses.iter().map(|(k, v)| (k.to_string(), json!(v))).collect::<serde_json::Map<_, _>>(),
        "failures": counts.failures,
        "unanswered": *run.open.borrow(),
        "unsent": unsent,
        "connections_opened": counts.connections,
        "resent": counts.resent,
        "bytes": counts.bytes,
        "accepted_ms": counts.accepted.from_due.document(),
        "refused_ms": counts.refused.from_due.document(),
        "accepted_from_sent_ms": counts.accepted.from_sent.document(),
        "refused_from_sent_ms": counts.refused.from_sent.document(),
        "late_ms": counts.late.document(),
    })
}
