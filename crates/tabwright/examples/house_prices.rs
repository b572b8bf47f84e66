//! What will a house sell for? A regression with a candidate of changed hyperparameters and an observer that listens.
#![allow(clippy::print_stdout, reason = "an example speaks to its reader")]

use std::error::Error;
use std::sync::atomic::{AtomicUsize, Ordering};

use tabwright::{
    Cancel, Clock, Config, Context, Event, Example, Observer, Registry, Surroundings, Value, example, train_table,
};

/// Counts the folds that were scored.
#[derive(Default)]
struct Folds(AtomicUsize);

impl Observer for Folds {
    fn event(&self, event: Event<'_>) {
        if let Event::Fold { candidate, fold, score } = event {
            self.0.fetch_add(1, Ordering::Relaxed);
            println!("{candidate}, fold {}: rmse {score:.0}", fold + 1);
        }
    }
}

struct WallClock(std::time::Instant);

impl Clock for WallClock {
    fn seconds(&self) -> f64 {
        self.0.elapsed().as_secs_f64()
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut config = Config::default();
    config.data.target = "price".into();
    let params = [("type", Value::Text("gbdt_leafwise".into())), ("num_leaves", Value::Integer(15))];
    config.candidates.insert("small_trees".into(), params.map(|(n, v)| (n.to_owned(), v)).into());
    config.train.candidates = vec!["ridge".into(), "small_trees".into()];

    let (folds, cancel, clock) = (Folds::default(), Cancel::new(), WallClock(std::time::Instant::now()));
    let context = Context { observer: &folds, cancel: &cancel, clock: &clock };
    let table = example(Example::Houses, 2_000, 42);
    let trained = train_table(table, &config, &Registry::default(), &Surroundings::default(), context)?;
    assert_eq!(folds.0.into_inner(), 15, "five folds of three candidates, the baseline among them");

    let test = trained.found.test.as_ref().ok_or("a test part is kept back by default")?;
    let best = &trained.found.leaderboard[0];
    println!("{}: rmse {:.0}, r2 {:.3}, in {:.2} s", best.candidate.name, test["rmse"], test["r2"], trained.seconds);
    Ok(())
}

#[test]
fn it_runs() -> Result<(), Box<dyn Error>> {
    main()
}
