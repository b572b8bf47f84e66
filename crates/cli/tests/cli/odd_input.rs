//! What is odd and must still work, with a warning.

use super::Place;

#[test]
fn rare_classes_and_classes_that_only_the_test_part_has_are_handled() {
    let place = Place::new();
    let mut text = String::from("x,part,y\n");
    for i in 0..120 {
        text += &format!(
            "{},{},{}\n",
            (i * 37) % 101,
            ["train", "validation", "test"][i % 3],
            ["a", "b", "c"][i % 3 + usize::from(i % 3 == 0) * (i / 3 % 2)]
        );
    }
    text += "5,test,rare\n6,train,once\n";
    place.write("t.csv", text);
    let json = place.run("train t.csv --target y --split-column part --folds 3 --json").ok().json();
    let codes: Vec<&str> = json["warnings"].as_array().unwrap().iter().map(|w| w["code"].as_str().unwrap()).collect();
    assert!(codes.contains(&"fewer_than_folds"), "{codes:?}");
    assert_eq!(json["task"], "multiclass");
    place.run("evaluate model.tw t.csv").ok().prints("rare");
}

#[test]
fn infinite_numbers_mixed_dates_and_empty_columns_are_warned_of() {
    let place = Place::new();
    let mut text = String::from("x,when,void,s,y\n");
    for i in 0..80 {
        let x = if i == 7 { "inf".into() } else { format!("{}", (i * 31) % 17) };
        let when = if i % 2 == 0 { format!("2024-01-{:02}", i % 28 + 1) } else { format!("{:02}/01/2024", i % 28 + 1) };
        text += &format!("{x},{when},,{},{}\n", ["u", "v"][i % 2], (i * 13 % 7) % 2);
    }
    place.write("t.csv", text);
    let json = place.run("train t.csv --target y --folds 2 --json").ok().json();
    let codes: Vec<&str> = json["warnings"].as_array().unwrap().iter().map(|w| w["code"].as_str().unwrap()).collect();
    for code in ["infinite", "mixed_dates", "all_missing"] {
        assert!(codes.contains(&code), "{code}: {codes:?}");
    }
}

#[test]
fn encodings_and_line_ends_are_detected() {
    let place = Place::new();
    let mut text = String::from("größe;stadt;ziel\r\n");
    for i in 0..60 {
        text += &format!("{};{};{}\r\n", i % 7, ["köln", "münchen"][i % 2], ["ja", "nein"][(i / 3) % 2]);
    }
    let latin: Vec<u8> = text.chars().map(|c| c as u8).collect();
    let utf16: Vec<u8> = "\u{feff}".chars().chain(text.chars()).flat_map(|c| (c as u16).to_le_bytes()).collect();
    place.write("latin.csv", latin);
    place.write("utf16.csv", utf16);
    place.write("utf8.csv", format!("\u{feff}{text}"));
    let id = |name: &str| {
        let train = format!("train {name} --target ziel --candidates logistic_regression --folds 2 --json");
        place.run(&train).ok().json()["content_id"].as_str().unwrap().to_owned()
    };
    let first = id("utf8.csv");
    assert_eq!([id("latin.csv"), id("utf16.csv")], [first.clone(), first]);
}

#[test]
fn rows_without_a_target_are_left_out_and_counted() {
    let place = Place::new();
    let mut text = String::from("x,y\n");
    for i in 0..90 {
        let y = if i % 9 == 0 { "" } else { ["a", "b"][i % 2] };
        text += &format!("{},{y}\n", (i * 7) % 23);
    }
    place.write("t.csv", text);
    let answer = place.run("train t.csv --target y --folds 2 --candidates logistic_regression --json").ok();
    assert_eq!(answer.json()["rows"], 80);
    answer.says("10 of 90 rows have no target");
}

#[test]
fn a_category_with_thousands_of_levels_is_handled() {
    let place = Place::new();
    let mut text = String::from("c,x,y\n");
    for i in 0..6_000 {
        text += &format!("level {},{},{}\n", i % 4_000, i % 17, (i % 4_000) % 2);
    }
    place.write("t.csv", text);
    place.run("train t.csv --target y --folds 2 --candidates logistic_regression,gbdt_leafwise,random_forest").ok();
}

#[test]
fn labels_keep_their_leading_zeros_and_missing_targets_are_left_out_of_the_judgement() {
    let place = Place::new();
    let line = |i: usize, label: &str| format!("{},{label}\n", (i * 7) % 13);
    let coded: String = (0..90).map(|i| line(i, ["01", "02", "03"][i % 3])).collect();
    place.write("coded.csv", format!("x,y\n{coded}"));
    place.run("train coded.csv --target y --candidates gbdt_leafwise --folds 2 -o coded.tw").ok();
    place.run("predict coded.tw coded.csv -o p.csv").ok();
    let first = place.read("p.csv").lines().nth(1).unwrap().split(',').next().unwrap().to_owned();
    assert!(["01", "02", "03"].contains(&first.as_str()), "{first}");
    let some: String = (0..90).map(|i| line(i, ["0", "1", "NA"][i % 3])).collect();
    place.write("some.csv", format!("x,y\n{some}"));
    place.run("train some.csv --target y --candidates gbdt_leafwise --folds 2 -o some.tw").ok();
    place.run("evaluate some.tw some.csv").ok().says("30 of 90 rows have no target");
}

#[test]
fn a_weight_that_the_model_reads_too_weighs_the_rows() {
    let place = Place::new();
    place.model();
    place.run("evaluate churn.tw churn.csv").ok();
    place.run("evaluate churn.tw churn.csv --weight churned").exit(2).says("is the target");
    let text = |weight: &str| place.run(&format!("evaluate churn.tw churn.csv --json {weight}")).ok().json();
    let (plain, weighed) = (text(""), text("--weight tenure_months"));
    let auc = |judged: &serde_json::Value| judged["scores"]["roc_auc"].as_f64().unwrap();
    assert_ne!(auc(&plain), auc(&weighed));
    // A column that was lost to the model would leave it blind.
    assert!((auc(&plain) - auc(&weighed)).abs() < 0.1, "{} and {}", auc(&plain), auc(&weighed));
}

#[test]
fn a_lone_candidate_that_fails_is_an_error_and_no_baseline() {
    let place = Place::new();
    let rows: String = (0..60).map(|i| format!("{},{}\n", i % 7, (i * 31) % 17)).collect();
    place.write("t.csv", format!("x,y\n{rows}"));
    let diverging = "--set candidates.a.type=gbdt_depthwise --set candidates.a.learning_rate=10 --set candidates.a.n_estimators=2000";
    place.run(&format!("train t.csv --target y --candidates a {diverging}")).exit(1).says("not finite");
    place.run(&format!("train t.csv --target y --candidates a --holdout none --folds 0 {diverging}")).exit(1);
    assert!(!place.names().iter().any(|n| n == "model.tw"));
    place.run("train t.csv --target y --candidates ridge --folds 0 --set split.validation=0").ok();
}

#[test]
fn noise_is_said_to_be_noise_and_control_characters_are_shown() {
    let place = Place::new();
    let rows: String = (0u64..300)
        .map(|i| {
            let noise = tabwright_core::random::mix(i);
            format!("{},{}\n", noise % 97, ["no", "yes"][(noise >> 40) as usize % 2])
        })
        .collect();
    place.write("noise.csv", format!("a\x1b[31mb,y\n{rows}"));
    let json = place.run("train noise.csv --target y --candidates logistic_regression --folds 3 --json").ok().json();
    let codes: Vec<&str> = json["warnings"].as_array().unwrap().iter().map(|w| w["code"].as_str().unwrap()).collect();
    assert!(codes.contains(&"no_better_than_baseline"), "{codes:?}");
    let shown = place.run("profile noise.csv").ok().prints("\\u{1b}[31mb");
    assert!(!shown.stdout.contains('\x1b'));
}

#[cfg(unix)]
#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let place = Place::new();
    place.model();
    place.run("example churn -o many.csv --rows 30000").ok();
    let line =
        format!("{} predict churn.tw many.csv | head -n 1; exit ${{PIPESTATUS[0]}}", env!("CARGO_BIN_EXE_tabwright"));
    let mut shell = std::process::Command::new("bash");
    shell.args(["-c", &line]).env_clear().env("PATH", std::env::var_os("PATH").unwrap());
    let output = shell.current_dir(place.folder.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
}
