//! A training is seen while it runs; whatever happens to it or to the store, what was found stays, and the training is not stalled.

use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::Place;

/// The baseline is complete in a moment; a forest has so many folds that it can be met on its way.
const SLOW: &str = "train large.csv --target churned --candidates random_forest --set selection.repeats=40 --threads 2 --tag owner=ada";
/// A forest that takes some seconds.
const SECONDS: &str = "train large.csv --target churned --candidates random_forest --folds 5 --threads 1";
const ON_ITS_WAY: &str = "name = 'random_forest' and status = 'running' and metrics.fold.roc_auc > 0";

impl Place {
    fn large(&self) -> &Self {
        self.run("example churn -o large.csv --rows 20000").ok();
        self
    }

    fn start(&self, arguments: &str) -> Started {
        let child = Command::new(env!("CARGO_BIN_EXE_tabwright"))
            .args(arguments.split_whitespace())
            .current_dir(self.folder.path())
            .env_clear()
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        Started(Some(child))
    }

    fn found(&self, filter: &str) -> Vec<Value> {
        let found = self.run_with(&["runs", "list", "--json", "--nested", "--filter", filter], b"").ok().json();
        found["runs"].as_array().unwrap().clone()
    }

    fn one(&self, filter: &str) -> Value {
        let mut found = self.found(filter);
        assert_eq!(found.len(), 1, "{filter}");
        found.remove(0)
    }

    fn show(&self, id: &Value) -> Value {
        self.run(&format!("runs show {} --json", id.as_str().unwrap())).ok().json()
    }
}

/// A process that does not outlive its test.
struct Started(Option<Child>);

impl Started {
    /// Waits until a filter finds something, while the training runs.
    fn until(&mut self, place: &Place, filter: &str) {
        while place.found(filter).is_empty() {
            assert!(self.0.as_mut().unwrap().try_wait().unwrap().is_none(), "it ended too early");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn kill(mut self) {
        let mut child = self.0.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    fn end(mut self) -> Output {
        self.0.take().unwrap().wait_with_output().unwrap()
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

#[test]
fn a_training_is_seen_while_it_runs_and_what_it_found_survives_a_kill() {
    let place = Place::new();
    let mut training = place.large().start(SLOW);
    training.until(&place, ON_ITS_WAY);
    let run = place.one("kind = 'train'");
    assert_eq!((&run["status"], &run["tags"]["owner"]), (&"running".into(), &"ada".into()));
    assert_eq!(run["params"]["target"], "churned");
    let shown = place.run(&format!("runs show {}", run["run_id"].as_str().unwrap())).ok();
    shown.prints("running, ").prints(" so far").prints(" of 200").prints("completed");
    let running = place.one("kind = 'candidate' and status = 'running'");
    assert_eq!((&running["name"], &running["params"]["type"]), (&"random_forest".into(), &"random_forest".into()));
    training.kill();
    assert!(place.found("status = 'running'").is_empty());
    assert_eq!(place.one("kind = 'train'")["status"], "killed");
    let killed = place.one("name = 'random_forest'");
    assert_eq!((&killed["status"], &killed["run_id"]), (&"killed".into(), &running["run_id"]));
    assert!(killed["metrics"]["fold.roc_auc"].as_f64().unwrap() > 0.5);
    let baseline = place.one("name = 'baseline'");
    assert_eq!((&baseline["status"], &baseline["metrics"]["cv.roc_auc"]), (&"completed".into(), &0.5.into()));
    let children = &place.show(&run["run_id"])["children"];
    let names: Vec<&Value> = children.as_array().unwrap().iter().map(|c| &c["name"]).collect();
    assert_eq!(names, ["baseline", "random_forest"]);
    place.run(&format!("runs rm {}", run["run_id"].as_str().unwrap())).ok();
}

#[cfg(unix)]
#[test]
fn a_training_that_is_stopped_keeps_what_it_found() {
    let place = Place::new();
    let stop = |training: Started| {
        let id = training.0.as_ref().unwrap().id().to_string();
        assert!(Command::new("bash").args(["-c", "kill -INT $0", &id]).status().unwrap().success());
        training.end()
    };
    let mut training = place.large().start(SLOW);
    training.until(&place, ON_ITS_WAY);
    assert!(stop(training).status.success(), "the best of those that are complete is kept");
    assert_eq!(place.one("kind = 'train'")["params"]["candidate"], "baseline");
    let stopped = place.one("name = 'random_forest'");
    assert_eq!(stopped["status"], "killed");
    assert!(stopped["metrics"]["fold.roc_auc"].as_f64().unwrap() > 0.5);
    // Nothing is compared, so nothing can be kept.
    let one = "train large.csv --target churned --candidates gbdt_leafwise --folds 0 --holdout none --experiment alone \
               --set candidates.gbdt_leafwise.n_estimators=100000";
    let mut training = place.start(one);
    training.until(&place, "experiment = 'alone' and kind = 'candidate' and status = 'running'");
    assert!(!stop(training).status.success());
    let statuses: Vec<Value> = place.found("experiment = 'alone'").iter().map(|r| r["status"].clone()).collect();
    assert_eq!(statuses, ["killed", "killed"]);
}

#[tokio::test]
async fn a_store_that_is_locked_on_the_way_gets_the_rest_by_import() {
    let place = Place::new();
    let mut training = place.large().start(SECONDS);
    training.until(&place, ON_ITS_WAY);
    sqlx::any::install_default_drivers();
    let url = format!("sqlite://{}", place.path(".tabwright/tabwright.db").display());
    let pool = sqlx::AnyPool::connect(&url).await.unwrap();
    let mut held = pool.acquire().await.unwrap();
    sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut *held).await.unwrap();
    let output = training.end();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("is locked: another process writes to it"), "{said}");
    assert_eq!(said.matches("warning: the run is not in the store").count(), 1, "{said}");
    sqlx::raw_sql("COMMIT").execute(&mut *held).await.unwrap();
    let half = place.one("name = 'random_forest'");
    assert_eq!((&half["status"], &place.one("kind = 'train'")["status"]), (&"killed".into(), &"killed".into()));
    for _ in 0..2 {
        place.run("runs import model.tw.run.json").ok();
    }
    let run = place.one("kind = 'train'");
    assert_eq!((&run["status"], &run["params"]["candidate"]), (&"completed".into(), &"random_forest".into()));
    let whole = place.one("name = 'random_forest'");
    assert_eq!((&whole["status"], &whole["run_id"]), (&"completed".into(), &half["run_id"]));
    assert_eq!(place.show(&whole["run_id"])["summaries"]["fold.roc_auc"]["points"], 5);
    assert_eq!(place.found("").len(), 3);
}

#[test]
fn a_store_that_never_answers_stalls_nothing() {
    let place = Place::new();
    place.churn(200);
    // A server that takes connections and says nothing.
    let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let database = format!("store.database=postgres://127.0.0.1:{}/x", server.local_addr().unwrap().port());
    let begun = Instant::now();
    let train = format!("train churn.csv --target churned --candidates logistic_regression --folds 2 --set {database}");
    place.run(&train).ok().says("runs import model.tw.run.json");
    assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
    place.run("runs import model.tw.run.json").ok();
    assert_eq!(place.found("status = 'completed'").len(), 3);
}

/// What `runs show --json` says, without what differs from one run of the same work to the next.
fn told(place: &Place, run: &Value) -> Value {
    fn strip(value: &mut Value) {
        const OF_A_RUN: [&str; 10] = [
            "run_id",
            "parent",
            "started",
            "ended",
            "seconds",
            "at",
            "peak_memory",
            "seconds.fit",
            "seconds.predict",
            "command_line",
        ];
        match value {
            Value::Object(object) => {
                OF_A_RUN.iter().for_each(|name| drop(object.remove(*name)));
                object.values_mut().for_each(strip);
            }
            Value::Array(array) => array.iter_mut().for_each(strip),
            _ => {}
        }
    }
    let text = place.run(&format!("runs show {} --json", run["run_id"].as_str().unwrap())).ok().stdout;
    let folder = place.folder.path().to_str().unwrap();
    let mut told: Value = serde_json::from_str(&text.replace(folder, "FOLDER")).unwrap();
    let children = told["children"].take();
    strip(&mut told);
    // Of each child, with the history of its folds.
    let children = children.as_array().unwrap().iter().map(|child| {
        let mut child = place.show(&child["run_id"]);
        strip(&mut child);
        child
    });
    told["children"] = children.collect();
    told
}

#[test]
fn what_was_written_on_the_way_and_what_is_imported_are_equal() {
    let train = "train large.csv --target churned --candidates logistic_regression,random_forest --folds 5 --threads 1 --seed 7";
    let live = Place::new();
    let mut training = live.large().start(train);
    training.until(&live, ON_ITS_WAY);
    assert!(training.end().status.success());
    let imported = Place::new();
    imported.large();
    std::fs::create_dir(imported.path(".tabwright")).unwrap();
    imported.write(".tabwright/tabwright.db", "this is no database");
    imported.run(train).ok().says("is damaged or is no database");
    std::fs::remove_file(imported.path(".tabwright/tabwright.db")).unwrap();
    imported.run("runs import model.tw.run.json").ok();
    let (one, other) = (live.one("kind = 'train'"), imported.one("kind = 'train'"));
    assert_eq!(one["status"], "completed");
    let (one, other) = (told(&live, &one), told(&imported, &other));
    assert_eq!(one["children"].as_array().unwrap().len(), 3);
    assert_eq!(one, other);
    let candidate = live.one("name = 'baseline'");
    assert_ne!(candidate["ended"], live.one("kind = 'train'")["ended"], "it ended when it ended");
}
