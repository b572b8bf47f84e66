//! Records runs of a program's own, finds and compares them, and registers the better model.
//!
//! The store is asynchronous: a program brings its runtime, here that of Tokio.
#![allow(clippy::print_stdout, reason = "an example speaks to its reader")]

use tabwright::registry::{self, Registered};
use tabwright::store::{Home, Mover, NewRun, Order, Search, Status, Store, StoreOptions};
use tabwright::{Config, Context, Example, Registry, example, train_table};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let home = Home::at(folder.path().join(".tabwright"));
    let store = Store::open(&StoreOptions::in_home(home)).await?;
    for candidate in ["logistic_regression", "gbdt_leafwise"] {
        let new = NewRun {
            experiment: "example".into(),
            name: candidate.into(),
            primary_metric: "test.roc_auc".into(),
            ..NewRun::default()
        };
        let run = store.start_run(new).await?;
        run.log_param("candidate", candidate).await?;
        let mut config = Config::default();
        config.data.target = "churned".into();
        config.train.candidates = vec![candidate.into()];
        let table = example(Example::Churn, 1_000, 42);
        let trained = train_table(table, &config, &Registry::default(), &Default::default(), Context::silent())?;
        for (fold, score) in trained.found.best().cv_scores.iter().enumerate() {
            run.log_metric("fold.roc_auc", *score, fold as i64).await?;
        }
        for (name, value) in trained.found.test.iter().flatten() {
            run.log_metric(&format!("test.{name}"), *value, 0).await?;
        }
        let about = Registered { name: "churn".into(), run_id: run.id().to_owned(), ..Registered::default() };
        let mover = Mover { who: "example".into(), ..Mover::default() };
        let version = registry::register(&store, &trained.artifact, &about, &mover).await?;
        println!("churn:{} came from run {}", version.version, run.id());
        run.finish(Status::Completed).await?;
    }
    let search = Search {
        filter: "experiment = 'example' and metrics.test.roc_auc > 0.5".into(),
        sort: vec![Order::parse("metrics.test.roc_auc")?],
        ..Search::default()
    };
    for run in store.search(&search).await?.runs {
        println!("{}: {:.4}", run.run.name, run.metrics["test.roc_auc"].last);
    }
    Ok(())
}

#[test]
fn it_runs() -> Result<(), Box<dyn std::error::Error>> {
    main()
}
