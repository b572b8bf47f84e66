//! Commands record themselves, runs are found, and a store that fails stops nothing.

use std::process::{Command, Stdio};

use serde_json::Value;

use super::Place;

const TRAIN: &str = "train churn.csv --target churned --candidates logistic_regression --folds 2";

impl Place {
    fn train(&self, more: &str) -> Value {
        self.run(&format!("{TRAIN} --json {more}")).ok().json()
    }

    fn runs(&self, more: &str) -> Vec<Value> {
        let found = self.run(&format!("runs list --json {more}")).ok().json();
        found["runs"].as_array().unwrap().clone()
    }

    fn filtered(&self, filter: &str) -> Vec<Value> {
        let found = self.run_with(&["runs", "list", "--json", "--nested", "--filter", filter], b"").ok().json();
        found["runs"].as_array().unwrap().clone()
    }
}

#[test]
fn train_and_evaluate_record_themselves() {
    let place = Place::new();
    place.churn(300);
    assert!(place.runs("").is_empty());
    assert!(!place.names().contains(&".tabwright".to_owned()), "looking makes no home");
    place.run("runs list").ok().prints("No runs yet");
    let trained = place.train("--tag owner=ada --note first");
    let run = &place.runs("")[0];
    assert_eq!(run["run_id"], trained["run_id"]);
    assert_eq!(
        (&run["status"], &run["kind"], &run["tags"]["owner"]),
        (&"completed".into(), &"train".into(), &"ada".into())
    );
    assert_eq!(run["metrics"]["test.roc_auc"], trained["test"]["roc_auc"]);
    assert_eq!(run["metrics"]["cv.roc_auc"], trained["leaderboard"][0]["cv_mean"]);
    assert_eq!(run["metrics"]["roc_auc"], trained["leaderboard"][0]["cv_mean"]);
    assert_eq!((&run["params"]["type"], &run["params"]["seed"]), (&"logistic_regression".into(), &"42".into()));
    let id = trained["run_id"].as_str().unwrap();
    let shown = place.run(&format!("runs show {id} --json")).ok().json();
    assert_eq!(shown["info"]["config"]["data"]["target"], "churned");
    assert_eq!(shown["info"]["plan"]["seed"], 42);
    assert!(shown["info"]["command_line"].as_array().unwrap().contains(&"--folds".into()));
    assert!(shown["info"]["data_fingerprint"].as_str().unwrap().starts_with("blake3:"));
    assert!(shown["info"]["peak_memory"].as_u64().unwrap() > 1_000_000);
    assert_eq!(shown["histories"]["fold.roc_auc"].as_array().unwrap().len(), 2);
    let children: Vec<&str> =
        shown["children"].as_array().unwrap().iter().map(|c| c["name"].as_str().unwrap()).collect();
    assert_eq!(children, ["logistic_regression", "baseline"]);
    place.run(&format!("runs show {}", &id[..6])).ok().prints("owner=ada").prints("baseline").prints("first");
    let evaluated = place.run("evaluate model.tw churn.csv --json").ok().json();
    let found = &place.runs("")[0];
    assert_eq!((&found["run_id"], &found["kind"]), (&evaluated["run_id"], &"evaluate".into()));
    assert!(found["metrics"]["evaluation.roc_auc"].as_f64().unwrap() > 0.5);
    place.train("--no-record");
    place.run("evaluate model.tw churn.csv --no-record").ok();
    assert_eq!(place.runs("").len(), 2);
    place.run(&format!("runs tag {id} stage=done owner=grace --note second")).ok().prints("owner=grace, stage=done");
    assert_eq!(place.filtered("tags.stage = 'done'")[0]["note"], "second");
}

#[test]
fn runs_are_found_by_filters_and_orders() {
    let place = Place::new();
    place.churn(300);
    place.train("--seed 1");
    place.train("--seed 2 --metric log_loss --experiment second");
    let ids = |runs: Vec<Value>| {
        runs.iter().map(|r| r["params"]["seed"].as_str().unwrap_or("-").to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(ids(place.filtered("params.seed = 2 and kind = 'train'")), ["2"]);
    assert_eq!(ids(place.filtered("experiment = 'second' and metrics.test.log_loss < 5 and kind = 'train'")), ["2"]);
    assert_eq!(ids(place.filtered("not metrics.roc_auc > 0 and kind = 'train'")), ["2"]);
    assert_eq!(place.filtered("params.type = 'baseline'").len(), 2);
    assert_eq!(ids(place.runs("--sort started,seconds --limit 1")), ["2"]);
    assert_eq!(ids(place.runs("--limit 1 --offset 1")), ["1"]);
    place.run("runs list --limit 1").ok().prints("There are more: --offset 1").prints("logistic_regression");
}

#[test]
fn runs_are_compared_with_curves_and_the_noise_of_folds() {
    let place = Place::new();
    place.churn(600);
    let train = |more: &str| {
        let json = place.run(&format!("train churn.csv --target churned --json --folds 4 {more}")).ok().json();
        json["run_id"].as_str().unwrap()[..8].to_owned()
    };
    let (good, poor, other) = (
        train("--candidates logistic_regression"),
        train("--candidates baseline"),
        train("--metric log_loss --candidates baseline"),
    );
    let found = place.run(&format!("runs compare {poor} {good} {other} --json --metric roc_auc")).ok().json();
    assert_eq!((&found["best"], &found["lacking"]), (&1.into(), &serde_json::json!([2])));
    let noise = found["noise"].as_array().unwrap();
    assert_eq!((&noise[0]["other"], &noise[0]["beyond"], &noise[0]["paired"]), (&0.into(), &true.into(), &true.into()));
    assert!(noise[1]["why"].as_str().unwrap().contains("no scores of two folds"));
    let params: Vec<&str> = found["params"].as_array().unwrap().iter().map(|p| p["name"].as_str().unwrap()).collect();
    assert!(params.contains(&"type") && !params.contains(&"target"), "{params:?}");
    let compared = place.run(&format!("runs compare {good} {poor} -o curves.svg")).ok();
    compared.prints("Best by roc_auc").prints("more than chance gives").prints("Curves: curves.svg");
    assert!(place.read("curves.svg").contains("fold.roc_auc"));
    place.run(&format!("runs compare {good} {poor} -o curves.html")).ok();
    assert!(place.read("curves.html").contains("</svg>"));
    place.run(&format!("runs compare {good} {good}")).exit(2).says("named twice");
    place.run(&format!("runs compare {good} {poor} -o curves.png")).exit(2).says(".svg or .html");
}

#[test]
fn a_wrong_filter_is_said_with_its_place() {
    let place = Place::new();
    let says = |filter: &str, text: &str| place.run_with(&["runs", "list", "--filter", filter], b"").exit(2).says(text);
    says("metrics.x >", "at character 12: a value is expected");
    place.churn(200);
    place.train("");
    says("metrics.x > high", "              ^");
    says("metric.roc_auc > 0.5", "did you mean `metrics.roc_auc`?");
    says("status = 'done'", "there is no status 'done'");
    says("name = 'x'; drop table runs", "a filter is one condition");
    let slip = place.run("runs list --json --sort metrics.rocauc").ok();
    slip.says("note: no run has a metric `rocauc` (did you mean `roc_auc`?)").json();
    place
        .run("runs list --sort roc_auc")
        .exit(2)
        .says("there is no field `roc_auc`; a metric is named metrics.roc_auc");
    place.run("runs show zzzz").exit(2).says("16 digits");
    place.run("runs show 0123").exit(2).says("there is no run `0123`");
}

#[test]
fn a_store_that_fails_stops_nothing_and_the_record_is_imported_later() {
    let place = Place::new();
    place.churn(300);
    std::fs::create_dir(place.path(".tabwright")).unwrap();
    place.write(".tabwright/tabwright.db", "this is no database");
    let trained = place.run(&format!("{TRAIN} --json")).ok();
    let trained = trained.says("is damaged or is no database").says("tabwright runs import model.tw.run.json").json();
    assert_eq!(trained["warnings"].as_array().unwrap().last().unwrap()["code"], "not_recorded");
    assert!(place.path("model.tw").is_file());
    assert_eq!(place.read(".tabwright/tabwright.db"), "this is no database");
    let named = place.run(&format!("{TRAIN} --name churn --json")).exit(1).says("trained but not registered").json();
    let file = named["artifact"].as_str().unwrap().to_owned();
    assert!(place.path(&file).is_file() && place.path(&format!("{file}.run.json")).is_file(), "{file}");
    place.run("evaluate model.tw churn.csv").ok().says("not_recorded");
    let unrecorded = place.run(&format!("{TRAIN} --name churn --no-record --json")).exit(1).json();
    assert!(place.path(unrecorded["artifact"].as_str().unwrap()).is_file(), "the model is not lost");
    place.run("runs list").exit(3).says(".recover");
    std::fs::remove_file(place.path(".tabwright/tabwright.db")).unwrap();
    for _ in 0..2 {
        place.run(&format!("runs import model.tw.run.json {file}.run.json")).ok().prints("registered as churn:1");
    }
    let ids: Vec<Value> = place.runs("").iter().map(|r| r["run_id"].clone()).collect();
    assert_eq!(ids, [named["run_id"].clone(), trained["run_id"].clone()]);
    assert_eq!(place.run("models show churn --json").ok().json()["versions"].as_array().unwrap().len(), 1);
    place.run("runs import churn.csv").exit(3).says("no record of a run");
    place.run("runs import nothing.run.json").exit(3).says("cannot be read");
}

#[tokio::test]
async fn a_locked_store_stops_nothing() {
    let place = Place::new();
    place.churn(200);
    place.train("");
    sqlx::any::install_default_drivers();
    let url = format!("sqlite://{}", place.path(".tabwright/tabwright.db").display());
    let pool = sqlx::AnyPool::connect(&url).await.unwrap();
    let mut held = pool.acquire().await.unwrap();
    sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut *held).await.unwrap();
    place.run(TRAIN).ok().says("is locked: another process writes to it").says("runs import model.tw.run.json");
    // Looking at what is there waits for nobody.
    assert_eq!(place.runs("").len(), 1);
    sqlx::raw_sql("COMMIT").execute(&mut *held).await.unwrap();
    place.run("runs import model.tw.run.json").ok();
    assert_eq!(place.runs("").len(), 2);
}

#[test]
fn passwords_are_neither_recorded_nor_shown() {
    let place = Place::new();
    place.churn(200);
    let arguments: Vec<&str> =
        TRAIN.split(' ').chain(["--set", "store.database=postgres://ada:geheim@127.0.0.1:1/x"]).collect();
    let answer = place.run_with(&arguments, b"").ok().says("postgres://127.0.0.1:1/x cannot be opened");
    assert!(!answer.stderr.contains("geheim") && !answer.stdout.contains("geheim"), "{}", answer.stderr);
    let record = place.read("model.tw.run.json");
    assert!(record.contains("postgres://***@127.0.0.1:1/x") && !record.contains("geheim"));
    place.run("runs import model.tw.run.json").ok();
    for entry in std::fs::read_dir(place.path(".tabwright")).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            let bytes = std::fs::read(&path).unwrap();
            assert!(!bytes.windows(6).any(|w| w == b"geheim"), "{}", path.display());
        }
    }
    place.run("runs list --set store.database=mysql://a:geheim@b/c").exit(3).says("the kind `mysql` is not known");
    place.run("runs list --set store.database=env:NOWHERE").exit(2).says("no variable NOWHERE");
}

#[test]
fn a_failed_training_and_a_killed_one_are_found() {
    let place = Place::new();
    place.churn(200);
    place.run("train churn.csv --target nothing").exit(2);
    let failed = &place.runs("")[0];
    assert_eq!(failed["status"], "failed");
    let shown = place.run(&format!("runs show {}", failed["run_id"].as_str().unwrap())).ok();
    shown.prints("there is no column `nothing`");
    place.run("example churn -o large.csv --rows 60000").ok();
    let mut child = Command::new(env!("CARGO_BIN_EXE_tabwright"))
        .args(["train", "large.csv", "--target", "churned"])
        .args(["--set", "selection.repeats=20"])
        .current_dir(place.folder.path())
        .env_clear()
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    while place.filtered("status = 'running'").is_empty() {
        assert!(child.try_wait().unwrap().is_none(), "it ended too early");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(place.runs("")[0]["status"], "killed");
}
