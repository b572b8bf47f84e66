//! Every command does what its help says.

use super::{Place, lines};

#[test]
fn train_shows_a_leaderboard_and_says_where_the_model_is() {
    let place = Place::new();
    place.churn(600);
    let answer =
        place.run("train churn.csv --target churned --candidates logistic_regression,gbdt_leafwise -o m.tw").ok();
    let answer = answer.prints("positive class `yes`").prints("logistic_regression").prints("gbdt_leafwise");
    answer.prints("baseline").prints("test rows").prints("Model: m.tw").prints("tabwright predict m.tw");
    place.run("show m.tw").ok().prints("blake3:").prints("Leaderboard").prints("Plan: seed 42");
}

#[test]
fn json_is_one_document_and_nothing_else() {
    let place = Place::new();
    place.churn(500);
    let json = place.run("train churn.csv --target churned --candidates logistic_regression --json").ok().json();
    for key in [
        "task",
        "target",
        "positive",
        "metric",
        "rows",
        "seed",
        "seconds",
        "split",
        "leaderboard",
        "best",
        "train",
        "test",
        "validation",
        "artifact",
        "content_id",
        "warnings",
    ] {
        assert!(json.get(key).is_some(), "{key} is missing: {json:#}");
    }
    assert_eq!(json["task"], "binary");
    assert_eq!(json["leaderboard"][0]["cv_scores"].as_array().unwrap().len(), 5);
    assert!(json["test"]["roc_auc"].as_f64().unwrap() > 0.6, "{json:#}");
    assert!(json["test"]["roc_auc"].as_f64() != json["train"]["roc_auc"].as_f64());
    place.run("predict model.tw churn.csv -o p.jsonl --json").ok().json();
    let judged = place.run("evaluate model.tw churn.csv --json").ok().json();
    assert_eq!(judged["rows"], 500);
    assert!(!judged["curves"].as_array().unwrap().is_empty());
    assert_eq!(place.run("check churn.csv --against model.tw --json").ok().json()["ok"], true);
    assert_eq!(place.run("profile churn.csv --json").ok().json()["rows"], 500);
    assert_eq!(place.run("show model.tw --json").ok().json()["content_id"], json["content_id"]);
}

#[test]
fn training_twice_gives_the_same_content_on_any_number_of_threads() {
    let place = Place::new();
    place.churn(500);
    let id = |threads: &str| {
        let all = "train churn.csv --target churned --folds 2 --json --threads";
        place.run(&format!("{all} {threads}")).ok().json()["content_id"].as_str().unwrap().to_owned()
    };
    let first = id("1");
    assert_eq!([id("1"), id("2"), id("3")], [first.clone(), first.clone(), first]);
}

#[test]
fn predictions_keep_the_order_and_carry_columns_through() {
    let place = Place::new();
    place.model();
    for name in ["p.csv", "p.csv.gz", "p.jsonl", "p.jsonl.zst", "p.parquet", "p.arrow"] {
        place.run(&format!("predict churn.tw churn.csv --keep customer_id -o {name}")).ok();
    }
    let text = place.read("p.csv");
    assert_eq!(text.lines().next().unwrap(), "customer_id,prediction,probability_no,probability_yes");
    let ids = |text: &str| text.lines().skip(1).map(|l| l.split(',').next().unwrap().to_owned()).collect::<Vec<_>>();
    let source = place.read("churn.csv");
    assert_eq!(ids(&text), ids(&source));
    assert_eq!(lines(&place.path("p.jsonl")), 400);
    // A batch of one, a batch of all and standard input: the same bits.
    for size in ["1", "7", "400"] {
        place.run(&format!("predict churn.tw churn.csv --keep customer_id -o q.csv --batch-size {size}")).ok();
        assert_eq!(place.read("q.csv"), text, "batch size {size}");
    }
    let piped = place.run_with(&["predict", "churn.tw", "-", "--keep", "customer_id"], source.as_bytes()).ok();
    assert_eq!(piped.stdout, text);
    let one = source.lines().take(2).collect::<Vec<_>>().join("\n");
    let alone = place.run_with(&["predict", "churn.tw", "-", "--keep", "customer_id"], one.as_bytes()).ok();
    assert_eq!(alone.stdout.lines().collect::<Vec<_>>(), text.lines().take(2).collect::<Vec<_>>());
}

#[test]
fn every_format_gives_the_same_model() {
    let place = Place::new();
    place.churn(300);
    let id = |name: &str| {
        place.run(&format!("example churn --rows 300 -o {name}")).ok();
        let train = "--target churned --candidates gbdt_leafwise,logistic_regression --folds 2 --json";
        place.run(&format!("train {name} {train}")).ok().json()["content_id"].as_str().unwrap().to_owned()
    };
    let csv = id("t.csv");
    for name in ["t.csv.gz", "t.csv.zst", "t.jsonl", "t.jsonl.gz", "t.parquet", "t.arrow"] {
        assert_eq!(id(name), csv, "{name}");
    }
}

#[test]
fn several_files_a_glob_and_a_folder_are_one_table() {
    let place = Place::new();
    place.churn(300);
    let text = place.read("churn.csv");
    let (header, rows) = text.split_once('\n').unwrap();
    let rows: Vec<&str> = rows.lines().collect();
    std::fs::create_dir(place.path("parts")).unwrap();
    for (i, part) in rows.chunks(100).enumerate() {
        place.write(&format!("parts/p{i}.csv"), format!("{header}\n{}\n", part.join("\n")));
    }
    let id = |data: &str| {
        let train = format!("train {data} --target churned --candidates ridge,logistic_regression --json --folds 2");
        place.run(&train.replace("ridge,", "")).ok().json()["content_id"].as_str().unwrap().to_owned()
    };
    let whole = id("churn.csv");
    assert_eq!(id("parts/p0.csv parts/p1.csv parts/p2.csv"), whole);
    assert_eq!(id("parts/*.csv"), whole);
    assert_eq!(id("parts"), whole);
}

#[test]
fn a_test_file_a_split_column_groups_and_time_decide_the_split() {
    let place = Place::new();
    place.churn(400);
    place.run("example churn --rows 100 --seed 9 -o later.csv").ok();
    let split = |more: &str| {
        let base = "train churn.csv --target churned --candidates logistic_regression --folds 2 --json";
        place.run(&format!("{base} {more}")).ok().json()["split"].clone()
    };
    assert_eq!(split("--test later.csv")["test"], 100);
    assert_eq!(split("--time signup_date")["train"].as_u64().unwrap() / 10, 28);
    let groups = split("--group plan");
    assert_eq!(["train", "validation", "test"].map(|p| groups[p].as_u64().unwrap()).iter().sum::<u64>(), 400);
    let none = split("--holdout none");
    assert_eq!((none["train"].as_u64(), none["test"].as_u64()), (Some(400), Some(0)));
    let mut text = String::from("x,part,y\n");
    for i in 0..90 {
        text += &format!("{},{},{}\n", i % 11, ["train", "train", "validation", "test"][i % 4], i % 2);
    }
    place.write("parts.csv", text);
    let json = place
        .run("train parts.csv --target y --split-column part --folds 2 --json --candidates logistic_regression")
        .ok()
        .json();
    assert_eq!(json["split"], serde_json::json!({ "train": 46, "validation": 22, "test": 22 }));
}

#[test]
fn the_order_of_rows_does_not_matter_to_the_split() {
    let place = Place::new();
    place.churn(300);
    let text = place.read("churn.csv");
    let (header, rows) = text.split_once('\n').unwrap();
    let mut rows: Vec<&str> = rows.lines().collect();
    rows.reverse();
    place.write("reversed.csv", format!("{header}\n{}\n", rows.join("\n")));
    let test = |name: &str| {
        let train = format!("train {name} --target churned --candidates logistic_regression --folds 3 --json");
        let json = place.run(&train).ok().json();
        (json["test"]["roc_auc"].as_f64().unwrap() * 1e6).round()
    };
    assert_eq!(test("churn.csv"), test("reversed.csv"));
}

#[test]
fn a_configuration_file_environment_and_flags_are_followed() {
    let place = Place::new();
    place.churn(300);
    place.write(
        "tabwright.toml",
        "[data]\nsource = [\"churn.csv\"]\ntarget = \"churned\"\n[selection]\nfolds = 2\n\
         [candidates.small]\ntype = \"random_forest\"\nn_estimators = 5\n[candidates.other]\ntype = \"lightgbm\"\neta = 0.2\n",
    );
    let json = place.run("train --json").ok().json();
    let names: Vec<&str> =
        json["leaderboard"].as_array().unwrap().iter().map(|l| l["name"].as_str().unwrap()).collect();
    assert!(names.contains(&"small") && names.contains(&"other") && names.contains(&"baseline"), "{names:?}");
    assert_eq!(json["leaderboard"][0]["cv_scores"].as_array().unwrap().len(), 2);
    let json = place.run("train --json --candidates xgboost --folds 3").ok().json();
    assert!(json["leaderboard"].as_array().unwrap().iter().any(|l| l["name"] == "gbdt_depthwise"));
    assert_eq!(json["leaderboard"][0]["cv_scores"].as_array().unwrap().len(), 3);
}

#[test]
fn a_broken_contract_is_exit_code_4() {
    let place = Place::new();
    place.model();
    place.run("check churn.csv --against churn.tw").ok().prints("The contract is kept");
    let text = place.read("churn.csv");
    let header = text.lines().next().unwrap();
    let plan = header.split(',').position(|c| c == "plan").unwrap();
    let renamed = text.replacen("support_calls", "calls", 1);
    place.write("renamed.csv", &renamed);
    place.run("check renamed.csv --against churn.tw").exit(4).prints("support_calls").prints("missing_column");
    let new_plans: Vec<String> = text
        .lines()
        .enumerate()
        .map(|(i, line)| {
            let mut cells: Vec<&str> = line.split(',').collect();
            if i % 5 == 1 {
                cells[plan] = "galactic";
            }
            cells.join(",")
        })
        .collect();
    place.write("plans.csv", new_plans.join("\n"));
    place.run("check plans.csv --against churn.tw").exit(4).prints("galactic").prints("unseen_levels");
    place.run("check plans.csv --against churn.tw --max-unseen 0.5").ok();
}

#[test]
fn profile_shows_kinds_distributions_and_findings() {
    let place = Place::new();
    place.churn(500);
    let answer = place.run("profile churn.csv --target churned").ok();
    answer
        .prints("500 rows")
        .prints("customer_id")
        .prints("identifier_like")
        .prints("categorical")
        .prints("timestamp")
        .prints("▇");
}

#[test]
fn the_example_is_the_bundled_sample() {
    let place = Place::new();
    let bundled = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/churn.csv")).unwrap();
    let rows = bundled.lines().count() - 1;
    place.run(&format!("example churn --rows {rows} --seed 42 -o churn.csv")).ok();
    assert_eq!(place.read("churn.csv"), bundled);
    assert!(bundled.len() < 1_000_000);
}

#[test]
fn help_names_every_command() {
    let place = Place::new();
    let help = place.run("--help").ok();
    for command in ["train", "predict", "evaluate", "check", "profile", "show", "example"] {
        assert!(help.stdout.contains(command), "{command}");
        place.run(&format!("{command} --help")).ok();
    }
    place.run("docs configuration").ok().prints("[split]");
    place.run("docs candidates").ok().prints("`gbdt_leafwise`");
}
