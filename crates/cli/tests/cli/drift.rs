//! Whether the world has moved, between tables and since a model was trained.

use super::Place;

impl Place {
    /// Two draws of the same customers, and one whose prices have risen.
    fn months(&self) {
        self.run("example churn -o december.csv --rows 2500 --seed 7").ok();
        self.run("example churn -o january.csv --rows 2500 --seed 8").ok();
        let dearer = |(number, line): (usize, &str)| {
            let mut cells: Vec<String> = line.split(',').map(str::to_owned).collect();
            if number > 0 {
                cells[6] = format!("{:.2}", cells[6].parse::<f64>().unwrap_or(0.0) * 1.5);
            }
            cells.join(",") + "\n"
        };
        let text: String = self.read("january.csv").lines().enumerate().map(dearer).collect();
        self.write("february.csv", text);
    }
}

#[test]
fn a_quiet_month_does_not_drift_and_one_with_other_prices_does() {
    let place = Place::new();
    place.months();
    let quiet = place.run("drift january.csv --against december.csv --gate --json").ok().json();
    assert_eq!((&quiet["drift"], &quiet["drifted_share"]), (&false.into(), &0.0.into()), "{quiet:#}");
    let names: Vec<&str> = quiet["columns"].as_array().unwrap().iter().map(|c| c["column"].as_str().unwrap()).collect();
    assert!(names.contains(&"monthly_charge") && !names.contains(&"customer_id"), "{names:?}");
    let moved = place.run("drift february.csv --against december.csv --drift-share 0.05 --gate --json").exit(4).json();
    let drifting: Vec<&serde_json::Value> =
        moved["columns"].as_array().unwrap().iter().filter(|c| c["drift"] == true).collect();
    assert_eq!(drifting.len(), 1, "{moved:#}");
    assert_eq!((&drifting[0]["column"], &drifting[0]["test"]), (&"monthly_charge".into(), &"wasserstein".into()));
    assert!(drifting[0]["statistic"].as_f64().unwrap() > 0.5);
    // Without the gate it is told, and is no failure.
    place.run("drift february.csv --against december.csv --drift-share 0.05").ok().prints("monthly_charge");
    place.run("drift february.csv --against december.csv --drift-share 0.05 -o drift.html").ok().prints("drift.html");
    let page = place.read("drift.html");
    assert!(page.contains("<svg") && page.contains("monthly_charge") && page.contains("wasserstein"));
}

#[test]
fn a_model_remembers_what_its_rows_looked_like() {
    let place = Place::new();
    place.months();
    place.run("train december.csv --target churned --folds 0 --no-record --candidates gbdt_leafwise -o m.tw").ok();
    let quiet = place.run("drift january.csv --against m.tw --json").ok().json();
    assert_eq!((&quiet["approximate"], &quiet["drift"]), (&true.into(), &false.into()), "{quiet:#}");
    let moved = place.run("drift february.csv --against m.tw --drift-share 0.01 --gate --json").exit(4).json();
    let charge = moved["columns"].as_array().unwrap().iter().find(|c| c["column"] == "monthly_charge").unwrap();
    assert_eq!(charge["drift"], true, "{charge:#}");
    place.run("drift january.csv --against m.tw --whole").exit(2).says("carries no rows");
}

#[test]
fn settings_are_checked_and_tests_that_do_not_fit_give_way() {
    let place = Place::new();
    place.months();
    let line = "drift january.csv --against december.csv";
    let found = place.run(&format!("{line} --test ks --json")).ok().json();
    let plan = found["columns"].as_array().unwrap().iter().find(|c| c["column"] == "plan").unwrap();
    assert!(plan["test"] != "ks" && plan["note"].as_str().unwrap().contains("ks"), "{plan:#}");
    place.run(&format!("{line} --test kss")).exit(2).says("did you mean `ks`");
    place.run(&format!("{line} --threshold much")).exit(2).says("auto");
    place.run(&format!("{line} --drift-share 2")).exit(2).says("drift_share");
    place.run(&format!("{line} --drift-thresholds tenure_month=0.2")).says("tenure_months").exit(2);
    place.run(&format!("{line} --columns plan,nobody")).says("nobody").exit(2);
    place.run(&format!("{line} -o drift.pdf")).exit(2).says(".html");
    place.run("drift january.csv --against nobody.csv").exit(3).says("nobody.csv");
    place.write("other.csv", "a,b\n1,2\n3,4\n");
    place.run("drift january.csv --against other.csv").exit(3).says("nothing to compare");
    place.write("one.csv", place.read("january.csv").lines().take(2).map(|l| l.to_owned() + "\n").collect::<String>());
    let one = place.run("drift one.csv --against december.csv --json").ok().json();
    assert_eq!(one["rows"], serde_json::json!([2500, 1]));
}
