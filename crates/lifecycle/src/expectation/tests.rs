//! What test files ask, on generated customers and a model of them.

use super::*;
use crate::example::{self, Example};

/// A folder with 600 customers, a configuration that reads them, and a model of them.
struct Customers {
    folder: tempfile::TempDir,
    config: Config,
    artifact: Artifact,
}

impl Customers {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("churn.csv").to_string_lossy().into_owned();
        example::write(Example::Churn, 600, 42, &file).unwrap();
        let mut config = Config::default();
        config.data.source = vec![file];
        config.data.target = "churned".into();
        config.train.candidates = vec!["gbdt_leafwise".into()];
        config.selection.folds = 2;
        config.registry.slices.insert("newcomers".into(), "tenure_months < 12".into());
        let registry = tabwright_learn::candidate::Registry::default();
        let surroundings = crate::train::Surroundings::default();
        let trained = crate::train::train(&config, &registry, &surroundings, Context::silent()).unwrap();
        Customers { folder, config, artifact: trained.artifact }
    }

    fn run(&self, text: &str) -> Report {
        let text = text.replace("FOLDER", &self.folder.path().to_string_lossy());
        let file = TestFile::parse("t.toml", &text).unwrap_or_else(|e| panic!("{e}"));
        let model = |name: &str| match name {
            "churn" => Ok(Named { artifact: self.artifact.clone(), config: Some(self.config.clone()) }),
            "file.tw" => Ok(Named { artifact: self.artifact.clone(), config: None }),
            other => Err(Broken { message: format!("there is no model {other}"), exit: Exit::Usage }),
        };
        run(&[file], Project { config: &self.config, model: &model }, Context::silent()).unwrap()
    }
}

#[track_caller]
fn is(report: &Report, check: &str, status: Status, says: &str) {
    let found = report.tests.iter().find(|t| t.check == check);
    let found = found.unwrap_or_else(|| panic!("no `{check}` in {report:#?}"));
    assert!(
        found.status == status && found.message.contains(says),
        "{check} should be {status:?}, `{says}`: {found:#?}"
    );
}

#[test]
fn expectations_of_data_are_met_or_told_with_the_first_row() {
    let customers = Customers::new();
    let report = customers.run(
        r#"[[data]]
        rows = { min = 600, max = 600 }
        columns.customer_id = { unique = true, max_missing = 0 }
        columns.country = { unique = true }
        columns.plan = { kind = "categorical", levels = ["basic", "standard"] }
        columns.contract = { levels = ["month-to-month", "one year", "two years"] }
        columns.satisfaction = { levels = [1, 2, 3, 4, 5], max_missing = 0.01 }
        columns.tenure_months = { min = 0, max = 5 }
        columns.monthly_charge = { kind = "integer", min = 0 }
        columns.support_calls = { kind = "float" }
        columns.senior = { min = 1 }
        columns.plann = {}
        conditions = [
          { holds = "tenure_months >= 0" },
          { holds = "plan = 'basic'", share = 0.9 },
          { holds = "plan != 'basic'", share = 0.5 },
          { holds = "tenure > 3" },
        ]
        [[data]]
        file = "FOLDER/nothing.csv"
        rows = { min = 1 }"#,
    );
    is(&report, "rows", Status::Ok, "600 rows (600 to 600 are expected)");
    is(&report, "columns.customer_id", Status::Ok, "none missing, each once");
    is(&report, "columns.country", Status::Failed, "hold a value that stood before");
    is(&report, "columns.plan", Status::Failed, "rows are not one of basic, standard: `");
    is(&report, "columns.contract", Status::Ok, "one of");
    is(&report, "columns.satisfaction", Status::Failed, "values are missing (1% at most)");
    is(&report, "columns.tenure_months", Status::Failed, "rows are not 0 to 5: `");
    is(&report, "columns.monthly_charge", Status::Failed, "it holds float values; integer ones are expected");
    is(&report, "columns.support_calls", Status::Ok, "integer");
    is(&report, "columns.senior", Status::Failed, "min and max are about numbers");
    is(&report, "columns.plann", Status::Failed, "did you mean `plan`?");
    is(&report, "holds: tenure_months >= 0", Status::Ok, "for all 600 rows");
    is(&report, "holds: plan = 'basic'", Status::Failed, "(90% at least); the first without is row ");
    is(&report, "holds: plan != 'basic'", Status::Ok, "(50% at least)");
    is(&report, "holds: tenure > 3", Status::Failed, "there is no column `tenure`");
    is(&report, "file", Status::Error, "no such file");
    assert_eq!(report.exit(), Some(Exit::Data));
}

#[test]
fn a_model_is_held_to_metrics_on_rows_that_it_was_not_fitted_on() {
    let customers = Customers::new();
    let test_score = customers.artifact.evidence.test.as_ref().unwrap()["roc_auc"];
    let metrics =
        "metrics = { roc_auc = 0.5, log_loss = 0.0001 }\nslices = { newcomers = { accuracy = 0.0 }, old = { f1 = 0 } }";
    for model in ["churn", "file.tw"] {
        let report =
            customers.run(&format!("[[model]]\nmodel = '{model}'\ncontract = true\nmax_latency_ms = 1000\n{metrics}"));
        is(&report, "metrics.roc_auc", Status::Ok, "on 90 rows that it was not fitted on");
        is(&report, "metrics.roc_auc", Status::Ok, &format!("roc_auc {}", gate_rounded(test_score)));
        is(&report, "metrics.log_loss", Status::Failed, "(0.0001 at most)");
        is(&report, "slices.newcomers.accuracy", Status::Ok, "of 90 rows that it was not fitted on");
        is(&report, "slices.old", Status::Error, "there is no slice `old`");
        is(&report, "contract", Status::Ok, "600 rows fit the model");
        is(&report, "max_latency_ms", Status::Ok, "in the middle of 200");
        assert_eq!(report.exit(), Some(Exit::Usage), "a slice that is not there is no verdict");
    }
    let all =
        customers.run("[[model]]\nmodel = 'churn'\ndata = 'FOLDER/churn.csv'\nmetrics = { roc_auc = 1.0, r2 = 0 }");
    is(&all, "metrics.roc_auc", Status::Failed, "on 600 rows");
    is(&all, "metrics.r2", Status::Error, "not defined for a binary task");
    let missing = customers.run("[[model]]\nmodel = 'chrun'\ncontract = true");
    is(&missing, "model", Status::Error, "there is no model chrun");
}

fn gate_rounded(score: f64) -> String {
    crate::registry::gate::rounded(score)
}

#[test]
fn rows_of_other_data_are_held_against_the_models_labels_and_contract() {
    let customers = Customers::new();
    let text = std::fs::read_to_string(customers.folder.path().join("churn.csv")).unwrap();
    let write = |name: &str, text: String| std::fs::write(customers.folder.path().join(name), text).unwrap();
    write("labels.csv", text.replacen(",no\n", ",perhaps\n", 1));
    write("unlabelled.csv", text.replace(",churned\n", ",other\n"));
    write("plans.csv", text.replace("basic", "gold"));
    let ask = |file: &str, asked: &str| {
        customers.run(&format!("[[model]]\nmodel = 'churn'\ndata = 'FOLDER/{file}'\n{asked}"))
    };
    let report = ask("labels.csv", "metrics = { roc_auc = 0.5 }");
    is(&report, "data", Status::Error, "the model does not know the label `perhaps`; it knows no, yes");
    let report = ask("unlabelled.csv", "metrics = { roc_auc = 0.5 }\ninvariant_to = [{ column = 'customer_id' }]");
    is(&report, "metrics.roc_auc", Status::Error, "the data has no column `churned`");
    is(&report, "invariant_to customer_id", Status::Ok, "does not read it");
    is(&ask("plans.csv", "contract = true"), "contract", Status::Failed, "plan: ");
}

#[test]
fn changed_rows_and_known_answers_tell_how_a_model_behaves() {
    let customers = Customers::new();
    let report = customers.run(
        r#"[[model]]
        model = "churn"
        data = "FOLDER/churn.csv"
        invariant_to = [
          { column = "customer_id" },
          { column = "contract" },
          { column = "plan", tolerance = 1 },
          { column = "nothing" },
        ]
        monotone_in = [
          { column = "late_payments", by = 0, direction = "increasing" },
          { column = "tenure_months", by = 1000, direction = "increasing" },
          { column = "plan", by = 1, direction = "decreasing" },
          { column = "satisfaction", by = -5, direction = "increasing", share = 0, class = "maybe" },
        ]
        examples = [
          { row = { tenure_months = 1, contract = "month-to-month", satisfaction = 1, senior = true, signup_date = "2024-01-01" }, min = 0.0, max = 1.0 },
          { row = { tenure_months = 1.5 }, min = 1.1 },
          { row = {}, class = "no", max = -0.1 },
          { row = { plan = "basic" }, prediction = "maybe" },
          { row = { tenure = 3 }, min = 0 },
          { row = { tenure_months = "long" }, min = 0 },
        ]"#,
    );
    is(&report, "invariant_to customer_id", Status::Ok, "the model does not read it");
    is(&report, "invariant_to contract", Status::Failed, "(all should); most from `");
    is(&report, "invariant_to plan", Status::Ok, "600 of 600 rows keep their prediction");
    is(&report, "invariant_to nothing", Status::Error, "there is no column `nothing`");
    is(&report, "monotone_in late_payments", Status::Ok, "600 of 600 rows");
    is(&report, "monotone_in tenure_months", Status::Failed, "the other way");
    is(&report, "monotone_in plan", Status::Failed, "only numbers can be raised");
    is(&report, "monotone_in satisfaction", Status::Error, "no class `maybe`; it has no, yes");
    is(&report, "examples 1", Status::Ok, "(0 to 1)");
    is(&report, "examples 2", Status::Failed, "(1.1 at least)");
    is(&report, "examples 3", Status::Failed, "(-0.1 at most)");
    is(&report, "examples 4", Status::Error, "no class `maybe`");
    is(&report, "examples 5", Status::Error, "the model does not know the column `tenure`");
    is(&report, "examples 6", Status::Error, "cannot stand there");
}

#[test]
fn a_file_that_is_not_in_order_is_refused_with_the_place() {
    for (text, says) in [
        ("", "it holds no test; one begins with [[data]] or [[model]]"),
        ("[[data]]\nrow = { min = 1 }", "line 2, character 1: there is no key `row`"),
        ("[[data]]\nrow = { min = 1 }", "did you mean `rows`?"),
        ("[[data]]\nname = 'x'", "the test `x` expects nothing"),
        ("[[data]]\ncolumns.a = { kind = 'categorial' }", "did you mean `categorical`?"),
        ("[[data]]\ncolumns.a = { min = 3, max = 1 }", "min is above max"),
        ("[[data]]\ncolumns.a = { max_missing = 5 }", "it lies between 0 and 1"),
        ("[[data]]\ncolumns.a = { levels = [[1]] }", "levels are texts, numbers"),
        ("[[data]]\nrows = {}", "rows need min, max or both"),
        ("[[data]]\nconditions = [{ holds = 'a = = 1' }]", "line 2, character 25: the condition at character 5"),
        ("[[data]]\nconditions = [{ holds = 'a = 1', share = 2 }]", "a share lies between 0 and 1"),
        ("[[model]]\nmetrics = { auc = 1 }", "missing field `model`"),
        ("[[model]]\nmodel = 'a'", "expects nothing; give it metrics"),
        (
            "[[model]]\nmodel = 'a'\nmetrics = { roc_aux = 1 }",
            "line 3, character 13: unknown metric `roc_aux` (did you mean",
        ),
        ("[[model]]\nmodel = 'a'\nexamples = [{ row = {} }]", "needs prediction, min or max"),
        ("[[model]]\nmodel = 'a'\nexamples = [{ row = {}, prediction = 'a', class = 'b' }]", "neither is here"),
        (
            "[[model]]\nmodel = 'a'\nmonotone_in = [{ column = 'b', by = 1, direction = 'up' }]",
            "`increasing` or `decreasing`",
        ),
        ("a = [", "line 1"),
    ] {
        let error = TestFile::parse("t.toml", text).expect_err(text);
        assert_eq!(error.exit(), Exit::Usage);
        let error = error.to_string();
        assert!(error.starts_with("t.toml, line ") && error.contains(says), "{text}: {error}");
        assert!(error.ends_with('^'), "{error}");
    }
    let long = format!("[[data]]\nfile = '{}'\nrows = {{ mean = 1 }}", "ü".repeat(10_000));
    assert!(TestFile::parse("t.toml", &long).unwrap_err().to_string().len() < 600);
}

#[test]
fn drafts_are_in_order_and_met_by_what_they_were_drawn_from() {
    let customers = Customers::new();
    let mut config = customers.config.clone();
    let looked = crate::profile::profile(&config, Context::silent()).unwrap();
    let report = customers.run(&data_tests(&looked, "a\nfile"));
    assert_eq!((report.exit(), report.tests.len()), (None, 18), "{report:#?}");
    is(&report, "columns.customer_id", Status::Ok, "each once");
    let draft = model_tests("churn", &looked);
    assert_eq!(customers.run(&draft).exit(), None);
    // What is commented out is in order too.
    let is_setting = |line: &&str| line.contains(" = ") || line.contains("[[");
    let bare = |line: &str| line.strip_prefix("# ").filter(is_setting).unwrap_or(line).to_owned();
    let whole: Vec<String> = draft.lines().map(bare).collect();
    let file = TestFile::parse("draft.toml", &whole.join("\n")).unwrap_or_else(|e| panic!("{e}\n{draft}"));
    let test = file.model[0].get_ref();
    assert!(test.data.is_some() && !test.slices.is_empty() && !test.monotone_in.is_empty() && test.examples.len() == 1);
    // Names and levels with any characters, a number as target, missing targets.
    let odd = customers.folder.path().join("odd.csv");
    let row = |i: u32| {
        let target = if i == 7 { String::new() } else { format!("{i}.5") };
        format!("\"x\ty\"\"'\\,{}\",{target},{i}\n", i % 3)
    };
    let rows: String = (0..40).map(row).collect();
    std::fs::write(&odd, format!("\"a \"\"b\"\" \\ ü\",y z,id\n{rows}")).unwrap();
    config.data.source = vec![odd.to_string_lossy().into_owned()];
    config.data.target = "y z".into();
    let looked = crate::profile::profile(&config, Context::silent()).unwrap();
    let customers = Customers { config, ..customers };
    let report = customers.run(&data_tests(&looked, "odd"));
    assert_eq!(report.exit(), None, "{report:#?}");
    assert!(model_tests("odd", &looked).contains("r2 = 0.05"));
}

#[test]
fn junit_counts_and_escapes() {
    let outcome = |file: &str, status: Status, message: &str| Outcome {
        file: file.into(),
        test: "a <b>".into(),
        check: "c & \"d\"".into(),
        status,
        message: message.into(),
        seconds: 0.25,
        exit: None,
    };
    let report = Report {
        tests: vec![
            outcome("one.toml", Status::Ok, "fine"),
            outcome("one.toml", Status::Failed, "1 < 2\nline\u{1b}"),
            outcome("two.toml", Status::Error, "gone"),
        ],
    };
    let text = junit(&report);
    assert!(text.contains("<testsuites tests=\"3\" failures=\"1\" errors=\"1\" time=\"0.750\">"), "{text}");
    assert!(text.contains("<testsuite name=\"one.toml\" tests=\"2\" failures=\"1\" errors=\"0\" time=\"0.500\">"));
    assert!(text.contains("classname=\"a &lt;b&gt;\" name=\"c &amp; &quot;d&quot;\" time=\"0.250\"/>"));
    assert!(
        text.contains("<failure message=\"1 &lt; 2&#10;line\u{fffd}\"/>") && text.contains("<error message=\"gone\"/>")
    );
    assert_eq!((text.matches("<testcase").count(), text.matches("</testsuite>").count()), (3, 2));
    assert!(junit(&Report::default()).contains("<testsuites tests=\"0\""));
}
