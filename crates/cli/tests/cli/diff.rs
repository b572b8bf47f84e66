//! What differs between two models, and where they decide otherwise.

use super::{Answer, Place};

impl Place {
    fn fitted(&self, data: &str, target: &str, model: &str, more: &str) -> Answer {
        self.run(&format!("train {data} --target {target} --folds 0 --no-record -o {model} --candidates {more}")).ok()
    }

    /// A table of numbers, with a target of three classes and one that is a number.
    fn shapes(&self) {
        let mut text = String::from("a,b,shape,size\n");
        for i in 0..240 {
            let (a, b) = (i % 17, (i * 7) % 23);
            let shape = ["ball", "cube", "disc"][a / 6];
            text += &format!("{a},{b},{shape},{}\n", 3 * a + b);
        }
        self.write("shapes.csv", text);
    }
}

#[test]
fn decisions_that_flip_are_counted_and_explained() {
    let place = Place::new();
    place.churn(800);
    place.write(
        "tabwright.toml",
        "[registry]\nslices = { newcomers = \"tenure_months < 12\", odd = \"nothing = 1\" }\n",
    );
    place.fitted("churn.csv", "churned", "a.tw", "logistic_regression");
    place.fitted("churn.csv", "churned", "b.tw", "gbdt_leafwise").says("the slice `odd` was not measured");
    place.run("example churn -o new.csv --rows 500 --seed 9").ok();
    let found = place
        .run("models diff a.tw b.tw --data new.csv --json -o diff.html")
        .ok()
        .says("`odd` was not measured")
        .json();
    let changes = &found["data"]["changes"];
    let rows = changes["rows"].as_u64().unwrap();
    assert!(rows > 0 && found["data"]["rows"] == 500, "{changes:#}");
    let (mended, broken) = (changes["mended"].as_u64().unwrap(), changes["broken"].as_u64().unwrap());
    assert_eq!(mended + broken, rows, "of two classes, one of both is right");
    let directions = changes["directions"].as_array().unwrap();
    assert_eq!(directions.iter().map(|d| d["rows"].as_u64().unwrap()).sum::<u64>(), rows);
    // What features and the average add is the probability, so the differences add up to that of the probabilities.
    let example = &changes["examples"][0];
    assert_ne!(example["decision_a"], example["decision_b"]);
    assert_eq!(
        (example["reasons"].as_array().unwrap().len(), &found["data"]["slices"][0]["name"]),
        (4, &"newcomers".into())
    );
    assert!(directions[0]["reasons"][0]["difference"].as_f64().unwrap().abs() > 0.001);
    // The counts are those of the predictions.
    for model in ["a", "b"] {
        place.run(&format!("predict {model}.tw new.csv -o {model}.csv")).ok();
    }
    let decisions = |file: &str| -> Vec<String> {
        place.read(file).lines().skip(1).map(|l| l.split(',').next().unwrap().to_owned()).collect()
    };
    let flipped = decisions("a.csv").iter().zip(decisions("b.csv")).filter(|(a, b)| **a != *b).count();
    assert_eq!(flipped as u64, rows);
    let roc = |document: &serde_json::Value| document["scores"]["roc_auc"].as_f64().unwrap();
    let evaluated = roc(&place.run("evaluate b.tw new.csv --no-record --json").ok().json());
    let metric = found["data"]["metrics"].as_array().unwrap().iter().find(|m| m["name"] == "roc_auc").unwrap();
    assert!((metric["b"].as_f64().unwrap() - evaluated).abs() < 1e-12);
    let page = place.read("diff.html");
    assert!(page.matches("<svg").count() >= 3 && !page.contains("<script") && !page.contains("NaN"));
}

#[test]
fn reasons_add_up_to_the_difference_of_the_answers() {
    let place = Place::new();
    place.shapes();
    place.fitted("shapes.csv", "size", "a.tw", "ridge");
    place.fitted("shapes.csv", "size", "b.tw", "gbdt_leafwise");
    let found = place.run("models diff a.tw b.tw --data shapes.csv --json").ok().json();
    let changes = &found["data"]["changes"];
    assert_eq!((&changes["of"], &changes["mended"]), (&"numbers".into(), &serde_json::Value::Null));
    for example in changes["examples"].as_array().unwrap() {
        let sum: f64 = example["reasons"].as_array().unwrap().iter().map(|r| r["difference"].as_f64().unwrap()).sum();
        let apart = example["b"].as_f64().unwrap() - example["a"].as_f64().unwrap();
        assert!((sum - apart).abs() < 1e-6, "{example:#}");
    }
    assert_eq!(found["data"]["trained_on_them"], serde_json::json!(["a.tw", "b.tw"]));
    place
        .run("models diff a.tw b.tw --data shapes.csv")
        .ok()
        .prints("ANSWERS THAT CHANGE")
        .prints("its scores flatter it");
}

#[test]
fn equal_models_and_models_of_other_questions_get_a_clear_answer() {
    let place = Place::new();
    place.shapes();
    place.fitted("shapes.csv", "shape", "a.tw", "gbdt_leafwise");
    place.fitted("shapes.csv", "shape", "same.tw", "gbdt_leafwise");
    place.fitted("shapes.csv", "size", "size.tw", "ridge");
    place.fitted("shapes.csv", "shape", "baseline.tw", "baseline");
    let same = place.run("models diff a.tw same.tw --data shapes.csv --json").ok().json();
    assert_eq!((&same["identical"], &same["data"]["changes"]["rows"]), (&true.into(), &0.into()));
    place.run("models diff a.tw same.tw").ok().prints("the same model, to the last bit");
    let other = place.run("models diff a.tw size.tw --data shapes.csv --json").ok().json();
    assert!(other["incomparable"].as_str().unwrap().contains("`shape`, size.tw predicts `size`"), "{other:#}");
    assert_eq!((&other["data"], &other["metrics"]), (&serde_json::Value::Null, &serde_json::json!([])));
    assert!(!other["schema"]["columns"].as_array().unwrap().is_empty());
    // A model that asks no feature, and three classes.
    let found = place.run("models diff baseline.tw a.tw --data shapes.csv --json").ok().json();
    assert!(found["data"]["changes"]["rows"].as_u64().unwrap() > 0);
    assert!(found["data"]["changes"]["no_reasons"].is_string() || found["data"]["changes"]["unit"].is_string());
}

#[test]
fn columns_and_levels_that_came_and_went_are_named() {
    let place = Place::new();
    let table = |extra: &str, level: &str| {
        let mut text = format!("<script>,{extra},y\n");
        for i in 0..120 {
            let levels = ["x", "y", level];
            text += &format!("{},{},{}\n", levels[i % 3], i % 11, if (i % 11) * (i % 3) > 6 { "yes" } else { "no" });
        }
        text
    };
    place.write("old.csv", table("b|c", "old"));
    place.write("new.csv", table("*d*", "new"));
    place.fitted("old.csv", "y", "old.tw", "gbdt_leafwise");
    place.fitted("new.csv", "y", "new.tw", "gbdt_leafwise --set data.zone=Europe/Berlin");
    let found = place.run("models diff old.tw new.tw --json -o diff.html").ok().json();
    let columns = found["schema"]["columns"].as_array().unwrap();
    let named = |name: &str| columns.iter().find(|c| c["name"] == name).unwrap();
    assert_eq!(named("<script>")["levels_added"], serde_json::json!(["new"]));
    assert_eq!(named("<script>")["levels_removed"], serde_json::json!(["old"]));
    assert_eq!(
        (&named("b|c")["kind_b"], &named("*d*")["kind_a"]),
        (&serde_json::Value::Null, &serde_json::Value::Null)
    );
    assert_eq!(found["schema"]["signature"][0]["b"], "Europe/Berlin");
    assert!(place.read("diff.html").contains("&lt;script&gt;") && !place.read("diff.html").contains("<script"));
    place.run("models diff old.tw new.tw --data old.csv").exit(3).says("*d*");
    place.run("models diff old.tw missing.tw").exit(3).says("missing.tw");
    place.run("models diff old.tw new.tw -o diff.txt").exit(2).says("written as .html");
    place.run("models diff old.tw new.tw --data nothing.csv").exit(3).says("nothing.csv");
}
