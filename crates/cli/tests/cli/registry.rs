//! Versions, aliases, the gate, rollback, reproduction.

use serde_json::Value;

use super::Place;

const TRAIN: &str = "train churn.csv --target churned --folds 2 --name churn --json --candidates";

impl Place {
    fn version(&self, more: &str) -> Value {
        self.run(&format!("{TRAIN} {more}")).ok().json()
    }

    fn model_json(&self) -> Value {
        self.run("models show churn --json").ok().json()
    }
}

#[test]
fn a_name_registers_versions_and_means_a_model_everywhere() {
    let place = Place::new();
    place.churn(300);
    place.run("models list").ok().prints("No models yet");
    place.run("predict churn churn.csv").exit(2).says("`tabwright train --name churn` registers one");
    let first = place.version("logistic_regression");
    assert!(!place.names().contains(&"model.tw".to_owned()), "with a name, the model is in the home alone");
    assert_eq!(first["model"], serde_json::json!({ "name": "churn", "version": 1 }));
    let second = place.version("gbdt_leafwise -o second.tw");
    assert!(place.path("second.tw").is_file() && second["artifact"] == "second.tw");
    let model = place.model_json();
    assert_eq!((&model["aliases"]["champion"], &model["versions"][1]["run_id"]), (&1.into(), &second["run_id"]));
    assert_eq!(model["versions"][0]["content_id"], first["content_id"]);
    assert_eq!(model["versions"][0]["metrics"]["test.roc_auc"], first["test"]["roc_auc"]);
    for (name, id) in [("churn", &first), ("churn:1", &first), ("churn@champion", &first), ("churn:2", &second)] {
        assert_eq!(place.run(&format!("show {name} --json")).ok().json()["content_id"], id["content_id"], "{name}");
    }
    place.run("predict churn:2 churn.csv -o p.csv").ok();
    place.run("check churn.csv --against churn").ok();
    place.run("models list").ok().prints("churn:1").prints("test.roc_auc");
    place.run("models show churn").ok().prints("champion").prints("registered").prints("gbdt_leafwise");
    place.run("models show churn:2").ok().prints("tabwright show churn:2").prints("blake3:");
    place.run("show churn:3").exit(2).says("there is no version `churn:3`; there are versions 1 to 2");
    place.run("show chrun").exit(2).says("did you mean `churn`?");
    place.run("show churn@shadow").exit(2).says("there is no alias `churn@shadow`; it has champion");
    place.run("show churn:x").exit(2).says("versions count from 1");
    let table = place.run("models register churn.csv --name churn").exit(3);
    table.says("churn.csv is no model file").says("tabwright train churn.csv --target COL --name churn");
}

#[test]
fn equal_models_are_stored_once_with_evidence_of_their_own() {
    let place = Place::new();
    place.churn(300);
    let first = place.version("logistic_regression");
    let second = place.version("logistic_regression,baseline --tag again=yes");
    assert_eq!(first["content_id"], second["content_id"]);
    let folder = place.path(".tabwright/artifacts/models");
    let files: usize =
        std::fs::read_dir(folder).unwrap().map(|d| std::fs::read_dir(d.unwrap().path()).unwrap().count()).sum();
    assert_eq!(files, 1);
    let made = |name: &str| place.run(&format!("show {name} --json")).ok().json()["record"].clone();
    assert_ne!(made("churn:1"), made("churn:2"));
    place.run(&format!("{} -o one.tw", TRAIN.replace("--name churn ", "") + " logistic_regression")).ok();
    let register = |more: &str| place.run(&format!("models register one.tw --name churn --json {more}")).ok().json();
    let third = register("--alias challenger --description by-hand");
    assert_eq!((&third["version"], &third["run_id"].is_string()), (&3.into(), &true));
    assert_eq!(register("")["version"], 3, "asking twice is as good as once");
    assert_eq!(place.model_json()["aliases"]["challenger"], 3);
}

#[test]
fn the_gate_says_no_with_reasons_and_every_move_is_on_record() {
    let place = Place::new();
    place.churn(1200);
    place.version("gbdt_leafwise");
    place.version("baseline --holdout split");
    let no = place.run("models promote churn:2 --json").exit(4).json();
    assert_eq!((&no["passed"], &no["moved"]), (&false.into(), &Value::Null));
    assert!(no["checks"][0]["message"].as_str().unwrap().contains("worse beyond noise"), "{no:#}");
    place.run("models promote churn:2").exit(4).prints("The gate says no").prints("that neither was fitted on");
    place.run("models promote churn:2 --force").exit(2).says("--force needs a reason");
    place
        .run_with(&["models", "promote", "churn:2", "--force", "--why", "an emergency"], b"")
        .ok()
        .prints("The gate said no; forced");
    let then = place.model_json()["moves"][1]["at"].as_str().unwrap().to_owned();
    place.run("models rollback churn --why mended").ok().prints("churn@champion is version 1 now (it was version 2)");
    place.run("models rollback churn").exit(2).says("nothing to go back to");
    let model = place.model_json();
    assert_eq!(model["aliases"]["champion"], 1);
    let told: Vec<_> = model["moves"]
        .as_array()
        .unwrap()
        .iter()
        .map(|m| (m["action"].as_str().unwrap(), m["why"].as_str().unwrap()))
        .collect();
    assert_eq!(told, [("registered", ""), ("forced", "an emergency"), ("rolled_back", "mended")]);
    assert_eq!(model["moves"][1]["verdict"]["passed"], false);
    let at = |at: &str| place.run(&format!("models show churn --json --at {at}")).ok().json()["aliases"].clone();
    assert_eq!(at(&then)["champion"], 2);
    assert_eq!(at("2020-01-01"), serde_json::json!({}));
    place.run(&format!("models show churn --at {then}")).ok().prints("churn@champion was churn:2");
    place.run("models show churn --at noon").exit(2).says("is no time");
    place.run("models promote churn:1").ok().prints("is version 1 already");
}

#[test]
fn the_gate_asks_what_the_configuration_says() {
    let place = Place::new();
    place.churn(1200);
    place.version("logistic_regression");
    place.version("gbdt_leafwise");
    let gate = |text: &str| place.write("tabwright.toml", text);
    gate("[registry.gate]\nmetrics = { \"test.roc_auc\" = 0.999, \"test.log_loss\" = 9 }\n");
    let no = place.run("models promote churn:2 --json").exit(4).json();
    let passed: Vec<_> = no["checks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| (c["name"].as_str().unwrap(), c["passed"].as_bool().unwrap()))
        .collect();
    assert_eq!(passed[..2], [("metrics.test.log_loss", true), ("metrics.test.roc_auc", false)]);
    gate("[registry.gate]\nnot_worse = false\nmetrics = { \"test.rocauc\" = 0.1 }\n");
    place.run("models promote churn:2").exit(4).prints("did you mean `test.roc_auc`?");
    gate("[registry.gate]\nnot_worse = false\nmax_size = \"1KB\"\nno_findings = [\"identifier_like\"]\n");
    place.run("models promote churn:2").exit(4).prints("1000 at most").prints("customer_id");
    gate(
        "[registry]\nslices = { new = \"tenure_months < 12\" }\n[registry.gate]\nnot_worse = false\nmax_latency_ms = 1000\nslices = { new = 0.01 }\n",
    );
    place
        .run("models promote churn:2")
        .ok()
        .prints("slices.new")
        .prints("(0.01 at least), on")
        .prints("is version 2 now");
    gate("[registry]\nslices = { new = \"tenure < 12\" }\n[registry.gate]\nslices = { new = 0.01 }\n");
    place.run("models promote churn:2").exit(2).says("registry.slices.new").says("there is no column `tenure`");
    gate("[registry.gate]\nmetrics = { \"test.roc_auc\" = \"high\" }\n");
    place.run("models promote churn:2").exit(2).says("test.roc_auc: a number is needed");
}

#[test]
fn aliases_are_set_and_taken_away() {
    let place = Place::new();
    place.churn(300);
    place.version("logistic_regression");
    place.run("models alias churn:1 shadow").ok().prints("churn@shadow is version 1 now");
    place.run("show churn@shadow").ok();
    place.run("models alias churn:1 champion").exit(2).says("tabwright models promote churn:1");
    place.run("models alias churn shadow --remove").ok().prints("churn@shadow is gone");
    place.run("models alias churn shadow --remove").exit(2).says("there is no alias of this model `shadow`");
    place.run("models alias churn:9 shadow").exit(2).says("there is version 1");
    for name in ["a/b", "..", "🚀", "a b", "x.tw"] {
        let arguments = ["train", "churn.csv", "--target", "churned", "--name", name];
        place.run_with(&arguments, b"").exit(2).says("the model name");
    }
    let long = "x".repeat(10_240);
    place.run_with(&["models", "show", &long], b"").exit(2).says("100 are allowed");
}

#[test]
fn a_version_is_reproduced_to_the_last_bit_or_the_difference_is_named() {
    let place = Place::new();
    place.churn(400);
    place.version("gbdt_leafwise,logistic_regression");
    let same = place.run("models reproduce churn:1 --json").ok().json();
    assert_eq!((&same["identical"], &same["difference"]), (&true.into(), &Value::Null));
    let text = place.read("churn.csv");
    place.write("fewer.csv", text.lines().take(300).collect::<Vec<_>>().join("\n"));
    place.run("models reproduce churn:1 fewer.csv").exit(4).prints("in the data: the data has 299 rows, it had 400");
    place.write("churn.csv", text.replacen(",yes", ",no", 1));
    let changed = place.run("models reproduce churn --json").exit(4).json();
    assert_eq!(changed["difference"]["what"], "data");
    std::fs::remove_file(place.path("churn.csv")).unwrap();
    place.run("models reproduce churn").exit(3).says("churn.csv");
    place.write("churn.csv", text);
    place
        .run(
            &TRAIN
                .replace("--name churn --json", "--no-record -o other.tw")
                .replace("churn.csv", "fewer.csv")
                .replace("--candidates", "--candidates gbdt_depthwise"),
        )
        .ok();
    place.run("models register other.tw --name other").ok();
    place.run("models reproduce other").exit(3).says("tabwright models reproduce other:1 FILE");
    place.run("models reproduce other fewer.csv").ok().prints("to the last bit");
}

#[test]
fn retraining_follows_the_recipe_and_keeps_tested_rows_apart() {
    let place = Place::new();
    place.run("example churn -o churn.csv --rows 800").ok();
    let first = place.version("gbdt_leafwise --seed 9 --threads 1");
    place.run("example churn -o grown.csv --rows 1200").ok();
    let second = place.run("retrain churn grown.csv --json").ok().json();
    assert_eq!((&second["seed"], &second["rows"], &second["best"]), (&9.into(), &1200.into(), &"gbdt_leafwise".into()));
    assert_eq!(second["model"], serde_json::json!({ "name": "churn", "version": 2 }));
    assert_eq!((&second["compared_with"], &second["comparison"]["passed"]), (&1.into(), &true.into()), "{second:#}");
    assert!(second["comparison"]["message"].as_str().unwrap().contains("rows that neither was fitted on"));
    let model = place.model_json();
    assert_eq!(model["aliases"], serde_json::json!({ "champion": 1, "challenger": 2 }));
    place.run("models reproduce churn:2").ok().prints("to the last bit");
    place.run("retrain churn").ok().prints("churn:3 is the challenger. Beside churn:1:");
    assert_ne!(first["content_id"], second["content_id"]);
    place.run("models promote churn@challenger").ok();
    place.run("retrain nobody").exit(2).says("there is no model `nobody`");
}

#[test]
fn versions_are_dense_when_several_processes_train() {
    let place = Place::new();
    place.churn(200);
    let train = |i: usize| {
        std::process::Command::new(env!("CARGO_BIN_EXE_tabwright"))
            .args(TRAIN.split(' '))
            .args(["logistic_regression", "--seed", &i.to_string()])
            .current_dir(place.folder.path())
            .env_clear()
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap()
    };
    for mut child in (0..4).map(train).collect::<Vec<_>>() {
        assert!(child.wait().unwrap().success());
    }
    let model = place.model_json();
    let numbers: Vec<u64> =
        model["versions"].as_array().unwrap().iter().map(|v| v["version"].as_u64().unwrap()).collect();
    assert_eq!(numbers, [1, 2, 3, 4]);
}

#[test]
fn a_missing_or_damaged_model_file_is_said() {
    let place = Place::new();
    place.churn(300);
    let file = place.version("logistic_regression")["artifact"].as_str().unwrap().to_owned();
    let mut bytes = std::fs::read(&file).unwrap();
    bytes[5000] ^= 1;
    std::fs::write(&file, bytes).unwrap();
    place.run("show churn").exit(3).says("checksum does not match");
    std::fs::remove_file(&file).unwrap();
    place.run("show churn").exit(3).says("churn:1 cannot be loaded").says("the file is missing");
    place.version("logistic_regression");
    assert!(std::path::Path::new(&file).is_file(), "training again puts it back");
    place.run("show churn:1").ok();
}
