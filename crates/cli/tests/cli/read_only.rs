//! A home that belongs to somebody else, or lies on a disk that is mounted for reading alone, can be read.

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Answer, Place};

/// The user of the tests where they run as root, whom no permission binds: that of nobody.
const NOBODY: u32 = 65_534;
const CANNOT: &str = "the home can only be read";

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

/// Gives or takes the leave to write to a folder and all in it.
fn set_writable(path: &Path, writable: bool) {
    let (folder, file) = if writable { (0o755, 0o644) } else { (0o555, 0o444) };
    if !path.is_dir() {
        return set_mode(path, file);
    }
    set_mode(path, 0o755);
    for entry in fs::read_dir(path).unwrap() {
        set_writable(&entry.unwrap().path(), writable);
    }
    set_mode(path, folder);
}

/// Every file of a folder with what it holds.
fn content(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| match path.is_dir() {
            true => content(&path),
            false => [(path.clone(), fs::read(&path).unwrap())].into(),
        })
        .collect()
}

/// Runs the binary in `work`, as one who may not write to the home.
fn run(place: &Place, arguments: &str) -> Answer {
    let words: Vec<&str> = arguments.split_whitespace().collect();
    let mut command = Command::new(place.path("tabwright"));
    command.args(&words).current_dir(place.path("work")).env_clear();
    if place.path("").metadata().unwrap().uid() == 0 {
        command.uid(NOBODY).gid(NOBODY);
    }
    Answer::new(&words, command.output().unwrap())
}

/// A home with two versions of a model, a folder to work in, and the binary where anybody may run it.
fn prepared() -> Place {
    let place = Place::new();
    place.churn(300);
    let train = "train churn.csv --target churned --folds 2 --name churn --candidates";
    place.run(&format!("{train} logistic_regression")).ok();
    place.run(&format!("{train} baseline")).ok();
    set_mode(place.folder.path(), 0o755);
    fs::create_dir(place.path("work")).unwrap();
    set_mode(&place.path("work"), 0o777);
    let binary = env!("CARGO_BIN_EXE_tabwright");
    if fs::hard_link(binary, place.path("tabwright")).is_err() {
        fs::copy(binary, place.path("tabwright")).unwrap();
    }
    place
}

#[test]
fn a_home_that_cannot_be_written_is_read() {
    let place = prepared();
    let home = place.path(".tabwright");
    set_writable(&home, false);
    let before = content(&home);
    for (command, says) in [
        ("runs list", "completed"),
        ("runs list --nested --filter metrics.roc_auc>0.6", "logistic_regression"),
        ("models list", "churn:1"),
        ("models show churn", "champion"),
        ("show churn@champion", "roc_auc"),
        ("card churn", "logistic_regression"),
        ("models diff churn:1 churn:2", "churn:2"),
        ("token list", "No tokens yet"),
        ("predict churn@champion ../churn.csv -o predictions.csv", ""),
    ] {
        run(&place, command).ok().prints(says);
    }
    assert_eq!(super::lines(&place.path("work/predictions.csv")), 301);
    let id = run(&place, "runs list --json").ok().json()["runs"][0]["run_id"].as_str().unwrap().to_owned();
    run(&place, &format!("runs show {id}")).ok().prints("baseline");
    for command in [
        &format!("runs tag {id} owner=ada") as &str,
        &format!("runs rm {id}"),
        "models rm churn:2",
        "models promote churn:2 --force --why x",
        "models alias churn:2 latest",
        "gc --dry-run",
        "token create --name ci --scope read",
        "token revoke ci",
    ] {
        run(&place, command).exit(1).says(CANNOT).says(home.to_str().unwrap());
    }
    let train = "train ../churn.csv --target churned --candidates baseline --folds 2";
    run(&place, train).ok().says(CANNOT).says("runs import model.tw.run.json");
    run(&place, &format!("{train} --name churn")).exit(1).says(CANNOT).says("trained but not registered");
    run(&place, "models register model.tw --name churn").exit(1).says(CANNOT);
    run(&place, "runs import model.tw.run.json").exit(1).says(CANNOT);
    assert!(content(&home) == before, "nothing in the home has changed");
    set_writable(&home, true);
    place.run("runs import work/model.tw.run.json").ok();
    assert_eq!(place.run("runs list --json").ok().json()["runs"].as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn what_is_in_the_log_alone_is_read_with_its_index_and_never_passed_over() {
    let place = prepared();
    let home = place.path(".tabwright");
    // The owner works in the home: what is written last stands in the log alone.
    sqlx::any::install_default_drivers();
    let url = format!("sqlite://{}", home.join("tabwright.db").display());
    let pool = sqlx::AnyPool::connect(&url).await.unwrap();
    sqlx::raw_sql("UPDATE runs SET note = 'in the log'").execute(&pool).await.unwrap();
    assert!(home.join("tabwright.db-wal").metadata().unwrap().len() > 0);
    set_writable(&home, false);
    let runs = run(&place, "runs list --json").ok().json();
    assert_eq!(runs["runs"][0]["note"], "in the log");
    run(&place, "models rm churn:2").exit(1).says(CANNOT);
    // A copy without the index, which only somebody who writes could make.
    let copy = place.path("work/.tabwright");
    fs::create_dir(&copy).unwrap();
    for name in ["tabwright.db", "tabwright.db-wal"] {
        fs::copy(home.join(name), copy.join(name)).unwrap();
    }
    set_writable(&copy, false);
    run(&place, "runs list")
        .exit(1)
        .says("the log beside it (-wal) holds what is not in it yet")
        .says("TABWRIGHT_HOME");
    set_writable(&copy, true);
    set_writable(&home, true);
    pool.close().await;
}

#[tokio::test]
async fn a_home_of_an_earlier_version_that_cannot_be_written_is_read() {
    let place = prepared();
    let home = place.path(".tabwright");
    sqlx::any::install_default_drivers();
    let url = format!("sqlite://{}", home.join("tabwright.db").display());
    let sql = async |text: &'static str| {
        set_writable(&home, true);
        let pool = sqlx::AnyPool::connect(&url).await.unwrap();
        sqlx::raw_sql(text).execute(&pool).await.unwrap();
        pool.close().await;
        set_writable(&home, false);
    };
    // Layout 2 had no tokens yet.
    sql("DROP TABLE tokens; UPDATE tabwright_layout SET version = 2").await;
    let before = content(&home);
    run(&place, "models show churn").ok().prints("champion");
    run(&place, "token list").ok().prints("No tokens yet");
    run(&place, "token create --name ci --scope read").exit(1).says(CANNOT);
    assert!(content(&home) == before, "nothing in the home has changed");
    // Layout 1 lacks what commands that read ask for.
    sql("UPDATE tabwright_layout SET version = 1").await;
    run(&place, "models list").exit(1).says("of an earlier version of Tabwright");
    sql("UPDATE tabwright_layout SET version = 2").await;
    set_writable(&home, true);
    place.run("token create --name ci --scope read").ok();
    set_writable(&home, false);
    run(&place, "token list").ok().prints("ci");
    set_writable(&home, true);
}
