//! Who will leave? Trains a classifier on a generated table, saves it, loads it and scores new customers.
#![allow(clippy::print_stdout, reason = "an example speaks to its reader")]

use std::error::Error;

use tabwright::{Config, Context, Example, Registry, Rows, Surroundings, example, load, save, train_table};

fn main() -> Result<(), Box<dyn Error>> {
    let mut config = Config::default();
    config.data.target = "churned".into();
    config.data.positive = "yes".into();
    config.train.candidates = vec!["logistic_regression".into(), "gbdt_leafwise".into()];

    let table = example(Example::Churn, 2_000, 42);
    let trained = train_table(table, &config, &Registry::default(), &Surroundings::default(), Context::silent())?;
    for line in &trained.found.leaderboard {
        let (mean, std) = line.cv_mean_std().unwrap_or_default();
        println!("{:<20} roc_auc {mean:.4} ± {std:.4}", line.candidate.name);
    }
    let test = trained.found.test.as_ref().ok_or("a test part is kept back by default")?;
    println!("on the test rows: roc_auc {:.4}", test["roc_auc"]);

    let folder = tempfile::tempdir()?;
    let path = folder.path().join("churn.tw");
    save(&trained, &path)?;

    let artifact = load(&path)?;
    assert_eq!(artifact.content_id(), trained.artifact.content_id());
    let customers = example(Example::Churn, 5, 7);
    let scorer = artifact.model().bind(customers.schema())?;
    for (i, p) in scorer.predict(Rows::all(customers.block())).values.iter().enumerate() {
        println!("customer {i}: leaves with probability {p:.3}");
    }
    Ok(())
}

#[test]
fn it_runs() -> Result<(), Box<dyn Error>> {
    main()
}
