//! A disk that is full, fails, or takes only a part of what is written: said clearly, the store whole, the earlier state intact.
//!
//! Two ways to make the system itself fail, so that nothing in the program knows of it: a limit to the size of files, beyond
//! which every write is cut short and then refused, and strace, which lets the N-th call of a kind fail in every thread.

use std::path::Path;
use std::process::Command;

use super::{Answer, Place};

/// How many of the N-th operations fail: `all`, or absent for a sample. `cargo xtask soak store` asks for all.
const FAULTS: &str = "TABWRIGHT_TEST_FAULTS";
/// What is tried: to train and register, to register a file, and to free.
const COMMANDS: [&str; 3] = [
    "train churn.csv --target churned --candidates logistic_regression --folds 2 --name churn --seed 7 --threads 1",
    "models register other.tw --name churn",
    "gc --older-than 0s",
];

/// A folder with a home in it: a champion, a version in the trash, and an old file of nobody.
fn prepared() -> Place {
    let place = Place::new();
    place.churn(200);
    let train = COMMANDS[0].replace("--seed 7", "--seed 1");
    for _ in 0..2 {
        place.run(&train).ok();
    }
    place.run(&train.replace("--name churn", "-o other.tw --candidates baseline --no-record")).ok();
    place.run("models rm churn:2").ok();
    let orphan = place.path(".tabwright/artifacts/models/ab/orphan.tw");
    std::fs::create_dir_all(orphan.parent().unwrap()).unwrap();
    std::fs::write(&orphan, "nobody's").unwrap();
    let long_ago = std::time::SystemTime::now() - std::time::Duration::from_secs(7_200);
    std::fs::File::options().write(true).open(&orphan).unwrap().set_modified(long_ago).unwrap();
    place
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        match path.is_dir() {
            true => copy(&path, &target),
            false => {
                let modified = path.metadata().unwrap().modified().unwrap();
                std::fs::copy(&path, &target).unwrap();
                std::fs::File::options().write(true).open(&target).unwrap().set_modified(modified).unwrap();
            }
        }
    }
}

/// Runs a command in a copy of a folder, as `wrap` says, and checks what is left. Returns whether the command said that it failed.
async fn check(prepared: &Place, what: &str, command: &str, wrap: impl Fn(&Path) -> Command) -> bool {
    let place = Place::new();
    copy(prepared.folder.path(), place.folder.path());
    let before = place.run("models show churn --json").ok().json();
    let words: Vec<&str> = command.split(' ').collect();
    let mut wrapped = wrap(place.folder.path());
    wrapped.arg(env!("CARGO_BIN_EXE_tabwright")).args(&words).current_dir(place.folder.path());
    wrapped.env_clear().env("PATH", std::env::var_os("PATH").unwrap());
    let answer = Answer::new(&words, wrapped.output().unwrap());
    let told = format!("{what}: `{command}` ended with {}: {}", answer.code, answer.stderr);
    // 127: not even the libraries of the system could be read.
    assert!([0, 1, 3, 127].contains(&answer.code) && !answer.stderr.contains("panicked"), "{told}");
    let is_silent = !answer.stderr.contains("error");
    assert!(answer.code == 0 || !is_silent, "nothing is said: {told}");
    let after = place.run("models show churn --json").ok().json();
    let versions = |model: &serde_json::Value| model["versions"].as_array().unwrap().len();
    let added = versions(&after) - versions(&before);
    assert!(added <= usize::from(!command.starts_with("gc")), "{told}");
    if answer.code == 0 && !command.starts_with("gc") {
        assert_eq!(added, 1, "{told}");
    }
    assert_eq!(after["versions"][0], before["versions"][0], "{told}");
    assert_eq!(after["aliases"], before["aliases"], "{told}");
    for version in after["versions"].as_array().unwrap() {
        place.run(&format!("show churn:{} --json", version["version"])).ok();
    }
    let runs = place.run("runs list --json").ok().json();
    assert!(runs["runs"].as_array().unwrap().iter().all(|r| r["status"] != "running"), "{told}");
    let url = format!("sqlite://{}", place.path(".tabwright/tabwright.db").display());
    let pool = sqlx::AnyPool::connect(&url).await.unwrap();
    let row = sqlx::query("PRAGMA integrity_check").fetch_one(&pool).await.unwrap();
    assert_eq!(sqlx::Row::get::<String, _>(&row, 0), "ok", "{told}");
    pool.close().await;
    // And once more, on a disk that is well.
    place.run(command).ok();
    answer.code != 0
}

#[cfg(unix)]
#[tokio::test]
async fn writes_beyond_a_limit_fail_and_leave_the_store_whole() {
    sqlx::any::install_default_drivers();
    let prepared = prepared();
    let limits: Vec<u32> = match std::env::var(FAULTS).is_ok() {
        true => (0..=160).collect(),
        false => vec![0, 5, 12, 30, 70, 150],
    };
    for command in COMMANDS {
        let mut failed = 0;
        for limit in &limits {
            let wrap = |_: &Path| {
                let mut bash = Command::new("bash");
                bash.args(["-c", "trap '' XFSZ; ulimit -f $0; exec \"$@\"", &limit.to_string()]);
                bash
            };
            failed += usize::from(check(&prepared, &format!("{limit} KiB"), command, wrap).await);
        }
        assert!(failed >= 2, "`{command}` never met the limit");
    }
}

/// Kinds of calls, and how many of them a sample passes over. Not `write`: it also wakes threads; the limit covers it on files.
const CALLS: [(&str, usize); 8] = [
    ("pwrite64", 41),
    ("fsync", 4),
    ("fdatasync", 4),
    ("rename", 1),
    ("ftruncate", 1),
    ("mkdir", 1),
    ("unlink", 2),
    ("openat", 61),
];

#[cfg(target_os = "linux")]
#[tokio::test]
#[ignore = "needs strace; `cargo xtask test` and `cargo xtask soak store` run it"]
#[expect(clippy::print_stderr, reason = "the soak counts what was tried")]
async fn the_nth_file_operation_fails_and_leaves_the_store_whole() {
    sqlx::any::install_default_drivers();
    let prepared = prepared();
    let all = std::env::var(FAULTS).is_ok();
    let (mut tried, mut failed) = (0, 0);
    for command in COMMANDS {
        for (call, pass_over) in CALLS {
            // A sample has one kind of error, and passes over most of the calls.
            let (errors, step) = if all { (&["ENOSPC", "EIO"][..], 1) } else { (&["EIO"][..], pass_over) };
            for error in errors {
                for n in (1..).step_by(step) {
                    let log = prepared.path("strace.log");
                    let wrap = |_: &Path| {
                        // One that hangs has failed.
                        let mut strace = Command::new("timeout");
                        strace.args(["60", "strace"]).arg("-f").arg("-o").arg(&log).arg(format!("--trace={call}"));
                        strace.arg(format!("--inject={call}:error={error}:when={n}"));
                        strace
                    };
                    let is_told = check(&prepared, &format!("{call} {n} {error}"), command, wrap).await;
                    let log = std::fs::read_to_string(&log).unwrap();
                    if !log.contains("(INJECTED)") {
                        break;
                    }
                    tried += 1;
                    failed += usize::from(is_told);
                }
            }
        }
    }
    eprintln!("{tried} operations failed, of which {failed} ended the command; the store was whole after each");
    assert!(failed > 10, "{failed} of {tried}");
}
