//! Several processes on one home, and processes that are killed in the middle of their work.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use tabwright_store::{Batch, Home, Measured, NewRun, Search, Status, Store, StoreOptions};

use crate::{Place, mover, version};

/// Says to a child which home to work in, and what to do.
const HOME: &str = "TABWRIGHT_TEST_CHILD_HOME";
const WORK: &str = "TABWRIGHT_TEST_CHILD_WORK";
/// How often a process is killed; `cargo xtask soak store` asks for more.
const KILLS: &str = "TABWRIGHT_TEST_KILLS";

fn start(home: &Path, work: &str) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["processes::child", "--exact", "--nocapture"]).env(HOME, home).env(WORK, work);
    command.stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().unwrap()
}

/// Not a test by itself: what a child process of the tests below does.
#[tokio::test]
async fn child() {
    let (Ok(home), Ok(work)) = (std::env::var(HOME), std::env::var(WORK)) else { return };
    let store = Store::open(&StoreOptions::in_home(Home::at(home))).await.unwrap();
    match work.as_str() {
        "mixed" => mixed(&store).await,
        _ => endless(&store).await,
    }
}

/// Runs, values and versions, as many as the test counts on.
async fn mixed(store: &Store) {
    for i in 0..MIXED {
        let run = store.start_run(NewRun::default()).await.unwrap();
        let one = |step| Measured { name: "loss".into(), step, at: step, value: step as f64 };
        run.log(&Batch { metrics: (0..20).map(one).collect(), ..Batch::default() }).await.unwrap();
        store.register(&version(store, "shared", (i % 3) as u8), None, &mover("child")).await.unwrap();
        store.search(&Search { filter: "metrics.loss > 3".into(), ..Search::default() }).await.unwrap();
        run.finish(Status::Completed).await.unwrap();
    }
}

/// Writes until it is killed, and says what was confirmed after it was.
#[expect(clippy::print_stdout, reason = "the parent reads what was confirmed")]
async fn endless(store: &Store) {
    for i in 0_u64.. {
        let run = store.start_run(NewRun::default()).await.unwrap();
        println!("run {}", run.id());
        let one = |step| Measured { name: "loss".into(), step, at: step, value: step as f64 };
        run.log(&Batch { metrics: (0..5).map(one).collect(), ..Batch::default() }).await.unwrap();
        println!("metrics {}", run.id());
        let registered = store.register(&version(store, "shared", i as u8), None, &mover("child")).await.unwrap();
        println!("version {}", registered.version);
        run.finish(Status::Completed).await.unwrap();
    }
}

const PROCESSES: usize = 4;
const MIXED: usize = 12;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_processes_share_a_home_and_versions_are_dense() {
    let place = Place::sqlite();
    let home = place.options().home.folder().to_owned();
    let children: Vec<Child> = (0..PROCESSES).map(|_| start(&home, "mixed")).collect();
    for child in children {
        assert!(child.wait_with_output().unwrap().status.success());
    }
    let store = place.open().await;
    let page = store.search(&Search { limit: 1_000, ..Search::default() }).await.unwrap();
    assert_eq!(page.runs.len(), PROCESSES * MIXED);
    assert!(page.runs.iter().all(|r| r.status == Status::Completed && r.metrics["loss"].points == 20));
    let model = store.model("shared").await.unwrap();
    let numbers: Vec<u64> = model.versions.iter().map(|v| v.version).collect();
    assert_eq!(numbers, (1..=(PROCESSES * MIXED) as u64).collect::<Vec<_>>());
    store.verify().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_confirmed_survives_a_kill() {
    let kills: usize = std::env::var(KILLS).ok().and_then(|n| n.parse().ok()).unwrap_or(30);
    let place = Place::sqlite();
    let home = place.options().home.folder().to_owned();
    let (mut runs, mut logged, mut versions) = (Vec::new(), Vec::new(), 0);
    for round in 0..kills {
        let mut child = start(&home, "endless");
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        // Odd numbers of lines end in the middle of everything that is written.
        let confirmed = 3 + (round * 7) % 23;
        let mut seen = 0;
        for line in lines {
            let line = line.unwrap();
            let Some((what, name)) = line.split_once(' ').filter(|(w, _)| ["run", "metrics", "version"].contains(w))
            else {
                continue;
            };
            match what {
                "run" => runs.push(name.to_owned()),
                "metrics" => logged.push(name.to_owned()),
                _ => versions = name.parse::<u64>().unwrap(),
            }
            seen += 1;
            if seen == confirmed {
                child.kill().unwrap();
            }
        }
        child.wait().unwrap();
        let store = place.open().await;
        store.verify().await.unwrap();
        let model = store.model("shared").await.unwrap();
        let numbers: Vec<u64> = model.versions.iter().map(|v| v.version).collect();
        assert_eq!(numbers, (1..=numbers.len() as u64).collect::<Vec<_>>());
        assert!(numbers.len() as u64 >= versions, "version {versions} was confirmed, there are {}", numbers.len());
        for version in &model.versions {
            assert!(store.files().has(&version.registered.file).unwrap(), "version {} has no file", version.version);
        }
        store.close().await;
    }
    let store = place.open().await;
    for id in &runs {
        let run = store.run(id).await.unwrap();
        assert_ne!(run.status, Status::Running, "its process is dead");
    }
    for id in &logged {
        assert_eq!(store.run(id).await.unwrap().metrics["loss"].points, 5);
    }
    assert!(runs.len() >= kills && versions > 0);
}
