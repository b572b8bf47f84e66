//! The trash and cleaning, as a user meets them; homes that cannot be used.

use serde_json::Value;

use super::Place;

const TRAIN: &str = "train churn.csv --target churned --folds 2 --json --candidates logistic_regression --name churn";

impl Place {
    fn id(&self, seed: usize) -> String {
        let trained = self.run(&format!("{TRAIN} --seed {seed}")).ok().json();
        trained["run_id"].as_str().unwrap().to_owned()
    }

    fn listed(&self, more: &str) -> usize {
        self.run(&format!("runs list --json {more}")).ok().json()["runs"].as_array().unwrap().len()
    }
}

#[test]
fn runs_and_versions_are_thrown_away_brought_back_and_freed() {
    let place = Place::new();
    place.churn(300);
    place.run("runs rm 0123").exit(2).says("there is no home here yet");
    place.run("gc").exit(2).says("there is no home here yet");
    let (first, second) = (place.id(1), place.id(2));
    place.run(&format!("runs rm {first}")).exit(2).says("made churn:1").says("tabwright models rm churn:1");
    place.run("models rm churn:1").exit(2).says("churn@champion points to churn:1");
    place.run("models rm churn").exit(2).says("tabwright models alias churn:1 champion --remove");
    place.run("models rm churn@champion").exit(2).says("name the version: churn:VERSION");
    place.run_with(&["models", "rm", "churn:2", "--why", "no better"], b"").ok().prints("models restore churn:2");
    place.run("models rm churn:2").ok().prints("churn:2 is in the trash already");
    place.run(&format!("runs rm {}", &second[..8])).ok().prints("1 run in the trash");
    assert_eq!((place.listed(""), place.listed("--deleted"), place.listed("--nested --deleted")), (1, 1, 3));
    place.run(&format!("runs show {second}")).ok().prints("In the trash").prints("runs restore");
    place.run("models show churn").ok().prints("thrown away").prints("no better").prints("churn: 1 version");
    place.run("models show churn --deleted").ok().prints("churn:2");
    place.run("models list --deleted").ok().prints("churn:2").prints("models restore");
    place.run("predict churn:2 churn.csv").exit(2).says("tabwright models restore churn:2 brings it back");
    place.run("models restore churn:2").ok().prints("Brought back from the trash: churn:2");
    place.run(&format!("runs restore {second}")).ok().prints("1 run brought back");
    place.run(&format!("runs restore {second}")).exit(2).says("is not in the trash");
    assert_eq!((place.listed(""), place.listed("--deleted")), (2, 0));
    let again = place.run("models rm churn:2 --json").ok().json();
    assert_eq!(again, serde_json::json!({ "name": "churn", "deleted": [2] }));
    let thrown = place.run(&format!("runs rm {second} --json")).ok().json();
    assert_eq!(thrown["deleted"][0]["run_id"], second.as_str());
    place.run("gc").ok().prints("Freed: 0 runs").prints("Nothing has been in the trash for 30d");
    let said = place.run("gc --dry-run --older-than 0d").ok().stdout;
    assert!(said.contains("Would be freed: 3 runs") && said.contains("1 version (churn:2)"), "{said}");
    let done = place.run("gc --older-than 0d").ok().stdout;
    assert_eq!(done.lines().next(), said.lines().next().map(|l| l.replace("Would be freed", "Freed")).as_deref());
    place.run("gc --older-than soon").exit(2).says("such as 30d");
    place.run("models restore churn:2").exit(2).says("its number is not used again");
    place.run(&format!("runs show {second}")).exit(2).says("there is no run");
    let third = place.run(&format!("{TRAIN} --seed 3")).ok().json();
    assert_eq!(third["model"]["version"], 3);
    let events = place.run("models show churn --json").ok().json()["events"].clone();
    let told: Vec<&str> = events.as_array().unwrap().iter().map(|e| e["event"].as_str().unwrap()).collect();
    assert_eq!(told, ["thrown_away", "restored", "thrown_away", "freed"]);
    place.run("models reproduce churn:1").ok().prints("to the last bit");
}

#[test]
fn an_old_file_of_nobody_is_freed_and_its_bytes_are_counted() {
    let place = Place::new();
    place.churn(300);
    let file = place.run(TRAIN).ok().json()["artifact"].as_str().unwrap().to_owned();
    let orphan = place.path(".tabwright/artifacts/models/ab/orphan.tw");
    std::fs::create_dir_all(orphan.parent().unwrap()).unwrap();
    std::fs::write(&orphan, vec![0; 1_234_567]).unwrap();
    place.run("gc").ok().prints("0 files of 0 bytes").prints("Kept: 1 file of the last hour");
    let long_ago = std::time::SystemTime::now() - std::time::Duration::from_secs(7_200);
    for path in [&orphan, std::path::Path::new(&file)] {
        std::fs::File::options().write(true).open(path).unwrap().set_modified(long_ago).unwrap();
    }
    place.run("gc --dry-run").ok().prints("1 file of 1.23 MB");
    let freed = place.run("gc --json").ok().json();
    assert_eq!((&freed["files"], &freed["file_bytes"]), (&Value::from(1), &Value::from(1_234_567)));
    assert!(!orphan.exists() && std::path::Path::new(&file).is_file());
    place.run("show churn").ok();
}

#[cfg(unix)]
#[test]
fn a_model_file_that_is_a_link_is_refused() {
    let place = Place::new();
    place.churn(300);
    let file = place.run(TRAIN).ok().json()["artifact"].as_str().unwrap().to_owned();
    std::fs::rename(&file, place.path("outside.tw")).unwrap();
    std::os::unix::fs::symlink(place.path("outside.tw"), &file).unwrap();
    place.run("show churn").exit(3).says("churn:1 cannot be loaded").says("a link stands where the home keeps a file");
    place.run("show outside.tw").ok();
}

#[tokio::test]
async fn a_home_of_a_later_version_is_refused_and_left() {
    let place = Place::new();
    place.churn(300);
    place.run(TRAIN).ok();
    let path = place.path(".tabwright/tabwright.db");
    sqlx::any::install_default_drivers();
    let pool = sqlx::AnyPool::connect(&format!("sqlite://{}", path.display())).await.unwrap();
    sqlx::raw_sql("UPDATE tabwright_layout SET version = 99").execute(&pool).await.unwrap();
    pool.close().await;
    let before = std::fs::read(&path).unwrap();
    for command in ["runs list", "models show churn", "gc", "runs import model.tw.run.json"] {
        place.run(command).exit(3).says("made by a later version of Tabwright").says("TABWRIGHT_HOME");
    }
    let named = TRAIN.replace("--name churn", "");
    place.run(&named).ok().says("made by a later version").says("runs import model.tw.run.json");
    assert!(std::fs::read(&path).unwrap() == before, "the home is left as it is");
}
