//! Tests of the configuration: what beats what, and how mistakes are answered.

use super::*;

fn config(given: Given) -> Result<Config, String> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join(FILE);
    if given.file.is_none() {
        std::fs::write(&file, "").unwrap();
    }
    let given = Given { file: given.file.or(Some(file)), ..given };
    resolve(&given).map_err(|f| f.message)
}

fn from_text(text: &str) -> Result<Config, String> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join(FILE);
    std::fs::write(&file, text).unwrap();
    config(Given { file: Some(file), ..Given::default() })
}

#[test]
fn the_annotated_file_reads_back_as_the_defaults() {
    assert_eq!(from_text(&document::annotated()).unwrap(), Config::default());
}

#[test]
fn flags_and_set_beat_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join(FILE);
    std::fs::write(&file, "[split]\nseed = 1\ntest = 0.3\n[candidates.a]\ntype = \"ridge\"\nalpha = 2\n").unwrap();
    let flags = vec![(keys::find("split.seed").unwrap(), vec!["7".to_owned()])];
    let set = ["candidates.a.alpha=0.5", "data.na=x, y", "features.columns.z.scale=robust"].map(str::to_owned).to_vec();
    let config = config(Given { file: Some(file), flags, set }).unwrap();
    assert_eq!((config.split.seed, config.split.test), (7, Some(0.3)));
    assert_eq!(config.candidates["a"]["alpha"], tabwright_learn::param::Value::Float(0.5));
    assert_eq!(config.data.na, ["x", "y"]);
    assert!(config.features.columns["z"].scale.is_some());
}

#[test]
fn paths_of_a_file_are_meant_from_its_folder() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join(FILE);
    std::fs::write(&file, "[data]\nsource = [\"a.csv\", \"-\"]\n[split]\nlike = \"old.tw\"\n").unwrap();
    let config = config(Given { file: Some(file), ..Given::default() }).unwrap();
    let there = |name: &str| folder.path().join(name).display().to_string();
    assert_eq!(config.data.source, [there("a.csv"), "-".to_owned()]);
    assert_eq!(config.split.like, there("old.tw"));
    let nothing = from_text("[split]\nlike = \"\"\n").unwrap();
    assert_eq!(nothing.split.like, "");
}

#[test]
fn an_unknown_key_is_answered_with_the_nearest() {
    let error = from_text("[split]\nsede = 1\n").unwrap_err();
    assert!(error.contains("no key `split.sede` (did you mean `split.seed`?)"), "{error}");
    let error = from_text("folds = 3\n").unwrap_err();
    assert!(error.contains("did you mean `selection.folds`?"), "{error}");
    let error = from_text("[features.columns.x]\nscal = \"robust\"\n").unwrap_err();
    assert!(error.contains("scal"), "{error}");
}

#[test]
fn values_of_another_type_are_refused_with_the_key() {
    let error = from_text("[selection]\nfolds = \"five\"\n").unwrap_err();
    assert!(error.contains("`selection.folds`: a whole number from 0 on is needed"), "{error}");
    let error = from_text("[split]\nholdout = \"nnoe\"\n").unwrap_err();
    assert!(error.contains("did you mean `none`?"), "{error}");
    let flags = vec![(keys::find("selection.folds").unwrap(), vec!["-1".to_owned()])];
    let error = config(Given { flags, ..Given::default() }).unwrap_err();
    assert!(error.contains("--folds: `-1` is not a whole number"), "{error}");
}

#[test]
fn paths_in_a_file_are_meant_from_its_folder() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join(FILE);
    std::fs::write(&file, "[data]\nsource = [\"rows.csv\", \"-\"]\n").unwrap();
    let config = config(Given { file: Some(file), ..Given::default() }).unwrap();
    assert_eq!(config.data.source, [folder.path().join("rows.csv").to_string_lossy().into_owned(), "-".to_owned()]);
}

#[test]
fn rules_of_alerts_have_names_of_their_own() {
    let text =
        "[alerts]\nwebhook = \"env:HOOK\"\n[alerts.rules.slow]\nmeasure = \"latency\"\nabove = 0.5\nwindow = \"6h\"\n";
    let config = from_text(text).unwrap();
    let rules = config.alerts.rules(&config.monitor).unwrap();
    assert_eq!((rules.len(), rules[0].name.as_str(), config.alerts.webhook.as_str()), (1, "slow", "env:HOOK"));
    let error = from_text("[alerts]\nwebhok = \"x\"\n").unwrap_err();
    assert!(error.contains("no key `alerts.webhok` (did you mean `alerts.webhook`?)"), "{error}");
    let error = from_text("[alerts]\nrules = 3\n").unwrap_err();
    assert!(error.contains("`alerts.rules` is a section"), "{error}");
}
