//! The model card.

use super::Place;

const SECTIONS: [&str; 7] = [
    "Overview",
    "Data pipeline",
    "Model architecture",
    "Performance",
    "Deployment",
    "Maintenance",
    "Limits and findings",
];

#[test]
fn a_card_has_its_sections_and_names_what_is_missing() {
    let place = Place::new();
    place.churn(800);
    place.write("tabwright.toml", "[registry]\nslices = { newcomers = \"tenure_months < 12\" }\n");
    place
        .run("train churn.csv --target churned --candidates logistic_regression,gbdt_leafwise --folds 2 --name churn")
        .ok();
    let card = place.run("card churn").ok().stdout;
    let found: Vec<&str> = card.lines().filter_map(|l| l.strip_prefix("## ")).collect();
    assert_eq!(found, SECTIONS);
    for part in [
        "- **Objective**: *missing: nobody has said it yet* (`project.objective` in `tabwright.toml`)",
        "- **Version**: churn:1 (champion)",
        "newcomers (tenure_months &lt; 12)",
        "| 0 to 0.1 |",
        "- **Command**: `tabwright models rollback churn`",
        "- **Brier score**: ",
        "| identifier_like | customer_id |",
    ] {
        assert!(card.contains(part), "`{part}` is not in\n{card}");
    }
    assert_eq!(place.run("card churn").ok().stdout, card, "the same evidence, the same card");
    let json = place.run("card churn --json").ok().json();
    let missing = json["missing"].as_array().unwrap();
    assert_eq!((missing.len(), &missing[0]), (12, &"project.objective".into()));
    let titles: Vec<_> = json["sections"].as_array().unwrap().iter().map(|s| s["title"].as_str().unwrap()).collect();
    assert_eq!(titles, SECTIONS);
    // Whatever the configuration says is missing no more.
    let said: String = missing.iter().map(|key| format!("--set {}=said ", key.as_str().unwrap())).collect();
    assert_eq!(place.run(&format!("card churn --json {said}")).ok().json()["missing"], serde_json::json!([]));
}

#[test]
fn the_reliability_curve_comes_from_the_evidence_and_agrees_with_an_evaluation() {
    let place = Place::new();
    place.churn(800);
    let split: String = place
        .read("churn.csv")
        .lines()
        .enumerate()
        .map(|(i, line)| {
            format!(
                "{line},{}\n",
                match i {
                    0 => "part",
                    i if i % 4 == 0 => "test",
                    _ => "train",
                }
            )
        })
        .collect();
    place.write("split.csv", &split);
    let test: String = split.lines().filter(|l| !l.ends_with(",train")).map(|l| format!("{l}\n")).collect();
    place.write("test.csv", test);
    place
        .run("train split.csv --target churned --split-column part --candidates logistic_regression --folds 2 -o m.tw")
        .ok();
    let evidence = place.run("show m.tw --json").ok().json()["evidence"].clone();
    let evaluated = place.run("evaluate m.tw test.csv --no-record --json").ok().json();
    assert_eq!(evidence["reliability"][0]["bins"], evaluated["curves"][0]["reliability"]);
    assert_eq!(evidence["reliability"][0]["label"], "yes");
    place.run("card m.tw --data test.csv -o card.html").ok().prints("Card: card.html").prints("card.rollback_plan");
    let page = place.read("card.html");
    assert_eq!(page.matches("<svg").count(), 4, "importances, candidates, and two reliability curves");
    assert!(page.contains("On the given data (200 rows with a target)") && !page.contains("NaN"));
}

#[test]
fn every_kind_of_model_has_a_card() {
    let place = Place::new();
    let mut text = String::from("<script>alert(1)</script>,a|b,shape,size\n");
    for i in 0..240 {
        let (a, b) = (i % 17, (i * 7) % 23);
        text += &format!("{a},{b},{},{}\n", ["ball", "cube|<b>", "disc"][a / 6], 3 * a + b);
    }
    place.write("shapes.csv", text);
    for (target, candidate, more, says) in [
        ("shape", "gbdt_leafwise", "", "Calibration error of `ball`"),
        ("shape", "logistic_regression", "", "cube"),
        ("shape", "baseline", "", "one answer for every row"),
        ("size", "ridge", "", "It answers with numbers"),
        ("size", "gbdt_depthwise", "--holdout none --folds 0", "It was tested on no row that was held back"),
        ("shape", "random_forest", "--holdout none", "No row was held back to test on"),
    ] {
        place
            .run(&format!("train shapes.csv --target {target} --candidates {candidate} --no-record {more} -o m.tw"))
            .ok();
        let card = place.run("card m.tw").ok().prints(says).stdout;
        assert_eq!(card.lines().filter(|l| l.starts_with("## ")).count(), SECTIONS.len(), "{candidate}");
        assert!(!card.contains("<script") && !card.contains("NaN") && !card.contains("null"), "{card}");
        assert!(card.contains("not registered: the file m.tw"));
        // Every row of a table has as many cells as its header.
        let mut cells = 0;
        for line in card.lines() {
            let own = line.replace("\\|", "").matches('|').count();
            assert!(own == 0 || cells == 0 || own == cells, "{line}");
            cells = own;
        }
        place.run("card m.tw -o card.html").ok();
        let page = place.read("card.html");
        assert!(!page.contains("<script") && !page.contains("NaN") && !page.contains("<b>"), "{candidate}");
    }
}

#[test]
fn mistakes_are_answered() {
    let place = Place::new();
    place.model();
    place.run("card churn.tw -o card.pdf").exit(2).says("written as .md or .html");
    place.run("card nothing.tw").exit(3).says("nothing.tw");
    place.run("card churn.csv").exit(3);
    place.run("card ./churn.csv").exit(3);
    place.run("card churn.tw -o nowhere/card.md").exit(1).says("there is no folder nowhere");
    place.run("card churn.tw --data churn.tw").exit(3);
    place.run("card churn.tw --set card.ownre=x").exit(2).says("did you mean `card.owner`?");
    place.run("card churn.tw -o card.md").ok();
    assert!(place.read("card.md").starts_with("# Model card: churn.tw\n"));
}

#[test]
fn slices_are_evidence_and_change_no_model() {
    let place = Place::new();
    place.churn(600);
    let train = |more: &str| {
        place.run(&format!(
            "train churn.csv --target churned --candidates gbdt_leafwise --folds 0 --no-record -o m.tw --json {more}"
        ))
    };
    let slices = "--set registry.slices=newcomers=tenure_months<12";
    let plain = train("").ok().json()["content_id"].clone();
    assert_eq!(train(slices).ok().json()["content_id"], plain);
    let evidence = place.run("show m.tw --json").ok().json()["evidence"].clone();
    assert_eq!(evidence["slices"][0]["condition"], "tenure_months<12");
    assert!(evidence["slices"][0]["rows"].as_u64().unwrap() > 0);
    place.run(&format!("train churn.csv --target churned --candidates gbdt_leafwise --folds 0 -o m.tw {slices}")).ok();
    let by_slice = "metrics.\"test.roc_auc[newcomers]\" > 0";
    let runs = place.run_with(&["runs", "list", "--filter", by_slice, "--json"], b"").ok().json();
    let recorded = runs["runs"][0]["metrics"]["test.roc_auc[newcomers]"].clone();
    assert_eq!(recorded, evidence["slices"][0]["metrics"]["roc_auc"]);
    let streamed = train(&format!("{slices} --set train.rows_from=stream")).ok().says("since the rows stream").json();
    assert_eq!(streamed["content_id"], plain);
    let held = evidence["reliability"].clone();
    assert_eq!(place.run("show m.tw --json").ok().json()["evidence"]["reliability"], held);
    place.run("card m.tw").ok().prints("`registry.slices` in `tabwright.toml`");
}
