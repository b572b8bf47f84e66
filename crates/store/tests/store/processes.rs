//! Several processes on one home, and processes that are killed in the middle of their work.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use tabwright_store::{
    Action, Batch, Home, Location, Measured, Mover, NewMove, NewRun, Search, Status, Store, StoreOptions,
};

use crate::{Place, housekeeping, mover, on_both, s3, version};

on_both![several_processes_share_a_store_and_nothing_is_lost];

/// Says to a child which home and database to work in, what to do, and how often.
const HOME: &str = "TABWRIGHT_TEST_CHILD_HOME";
const DATABASE: &str = "TABWRIGHT_TEST_CHILD_DATABASE";
const FILES: &str = "TABWRIGHT_TEST_CHILD_FILES";
const TASK: &str = "TABWRIGHT_TEST_CHILD_TASK";
/// How often a process is killed, and how many operations several processes do together; `cargo xtask soak store` asks for more.
const KILLS: &str = "TABWRIGHT_TEST_KILLS";
const OPERATIONS: &str = "TABWRIGHT_TEST_OPERATIONS";

/// What a child does.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Task {
    Mixed(usize),
    Endless,
    Register(u8),
    Clean,
}

pub(crate) fn start(place: &Place, task: Task) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["processes::child", "--exact", "--nocapture"]).env(HOME, place.options().home.folder());
    if let Location::Postgres(url) = &place.location {
        command.env(DATABASE, url);
    }
    if let Some(bucket) = &place.bucket {
        command.env(FILES, bucket.address());
    }
    let task = match task {
        Task::Mixed(operations) => format!("mixed {operations}"),
        Task::Endless => "endless 0".to_owned(),
        Task::Register(number) => format!("register {number}"),
        Task::Clean => "clean 0".to_owned(),
    };
    command.env(TASK, task).stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().unwrap()
}

pub(crate) fn killed(mut child: Child) {
    child.kill().unwrap();
    child.wait().unwrap();
}

/// Not a test by itself: what a child process of the tests does.
#[tokio::test]
async fn child() {
    let (Ok(home), Ok(task)) = (std::env::var(HOME), std::env::var(TASK)) else { return };
    let mut options = StoreOptions::in_home(Home::at(home));
    if let Ok(url) = std::env::var(DATABASE) {
        options.location = Location::Postgres(url);
    }
    if let Ok(address) = std::env::var(FILES) {
        options.files = s3::Bucket::of(&address).unwrap().location();
    }
    let store = Store::open(&options).await.unwrap();
    let (what, number) = task.split_once(' ').unwrap();
    match what {
        "mixed" => mixed(&store, number.parse().unwrap()).await,
        "register" => housekeeping::register(&store, number.parse().unwrap()).await,
        "clean" => housekeeping::clean(&store).await,
        _ => endless(&store).await,
    }
}

fn number_of(variable: &str, usual: usize) -> usize {
    std::env::var(variable).ok().map_or(usual, |n| n.parse().unwrap())
}

/// Kinds of operations that take turns.
const KINDS: usize = 8;

/// Operations of every kind, in turns: a run is started, logged to, searched for and finished, a version registered, and an
/// alias moved to it.
async fn mixed(store: &Store, operations: usize) {
    let own = format!("own-{}", std::process::id());
    let (mut run, mut latest) = (None, 1);
    for i in 0..operations {
        match i % KINDS {
            0 => run = Some(store.start_run(NewRun::default()).await.unwrap()),
            1 => run.as_ref().unwrap().log_param("turn", i).await.unwrap(),
            2 => {
                let one = |step| Measured { name: "loss".into(), step, at: step, value: step as f64 };
                let batch = Batch { metrics: (0..20).map(one).collect(), ..Batch::default() };
                run.as_ref().unwrap().log(&batch).await.unwrap();
            }
            3 => run.as_ref().unwrap().set_tag("process", &own).await.unwrap(),
            4 => {
                let new = version(store, "shared", (i % 3) as u8);
                latest = store.register(&new, None, &mover("child")).await.unwrap().version;
            }
            5 => {
                let to = NewMove { alias: "latest", to: Some(latest), action: Action::Set, expected: None };
                store.move_alias("shared", &to, &mover("child")).await.unwrap();
            }
            6 => {
                let filter = format!("tags.process = '{own}' and metrics.loss > 3");
                let page = store.search(&Search { filter, limit: 5, ..Search::default() }).await.unwrap();
                assert_eq!(&page.runs[0].run_id, run.as_ref().unwrap().id(), "what was confirmed is found");
            }
            _ => run.take().unwrap().finish(Status::Completed).await.unwrap(),
        }
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

const PROCESSES: usize = 8;

async fn several_processes_share_a_store_and_nothing_is_lost(place: &Place) {
    // Eight processes start at once on a store that is not there yet.
    let turns = number_of(OPERATIONS, 640).div_ceil(PROCESSES * KINDS);
    let children: Vec<Child> = (0..PROCESSES).map(|_| start(place, Task::Mixed(turns * KINDS))).collect();
    for child in children {
        assert!(child.wait_with_output().unwrap().status.success());
    }
    let store = place.open().await;
    let runs = store.search(&Search { limit: 10_000, ..Search::default() }).await.unwrap().runs;
    assert_eq!(runs.len(), PROCESSES * turns);
    for run in &runs {
        assert_eq!((run.status, run.metrics["loss"].points), (Status::Completed, 20));
        assert!(run.params.contains_key("turn") && run.tags.contains_key("process"));
    }
    let model = store.model("shared").await.unwrap();
    let numbers: Vec<u64> = model.versions.iter().map(|v| v.version).collect();
    assert_eq!(numbers, (1..=(PROCESSES * turns) as u64).collect::<Vec<_>>());
    let moves = store.moves("shared").await.unwrap();
    assert_eq!(moves.len(), PROCESSES * turns + 1, "the first version became champion");
    assert!(moves.windows(2).all(|w| w[0].at < w[1].at));
    let mut latest = None;
    for one in moves.iter().filter(|m| m.alias == "latest") {
        assert_eq!(one.from, latest, "every move begins where the one before it ended");
        latest = one.to;
    }
    assert_eq!(model.aliases.get("latest").copied(), latest);
    store.verify().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_processes_that_promote_at_once_one_is_told() {
    let place = Place::sqlite();
    let store = place.open().await;
    for content in 1..4 {
        store.register(&version(&store, "churn", content), None, &mover("ada")).await.unwrap();
    }
    // Two stores, as two processes have them; both decided while the alias pointed to version 1.
    let promote = async |to| {
        let own = place.open().await;
        let new = NewMove { alias: "champion", to: Some(to), action: Action::Promoted, expected: Some(Some(1)) };
        own.move_alias("churn", &new, &Mover::default()).await
    };
    let (one, two) = tokio::join!(promote(2), promote(3));
    assert_eq!(usize::from(one.is_ok()) + usize::from(two.is_ok()), 1);
    let refused = one.err().or(two.err()).unwrap().to_string();
    assert!(refused.contains("somebody moved it in the meantime"), "{refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_confirmed_survives_a_kill() {
    let kills = number_of(KILLS, 30);
    let place = Place::sqlite();
    let (mut runs, mut logged, mut versions) = (Vec::new(), Vec::new(), 0);
    for round in 0..kills {
        let mut child = start(&place, Task::Endless);
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        // Odd numbers of lines, and odd times after them, end in the middle of everything that is written.
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
                std::thread::sleep(std::time::Duration::from_micros(round as u64 * 7_919 % 5_000));
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
