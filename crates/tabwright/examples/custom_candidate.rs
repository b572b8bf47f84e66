//! A candidate of one's own, registered by name: it competes on the leaderboard, and its model is stored and loaded like
//! any other, by programs that have never heard of it.
#![allow(clippy::print_stdout, reason = "an example speaks to its reader")]

use std::error::Error;

use tabwright::{
    Allowed, Bound, CandidateType, Config, Context, Example, Family, FeatureColumn, Learned, Learner, Linear, Link,
    Predictor, Registry, Sample, Spec, Surroundings, Tasks, Value, example, load, save, train_table,
};

/// Regresses on one feature after the other: each takes its least-squares share of what is left (one boosting pass over
/// columns).
struct Stagewise {
    rate: f64,
}

impl Learner for Stagewise {
    fn fit(&self, sample: &Sample<'_>) -> Result<Learned, tabwright::learn::Error> {
        let targets = &sample.targets.values;
        let mean = targets.iter().sum::<f64>() / targets.len() as f64;
        let mut rest: Vec<f64> = targets.iter().map(|y| y - mean).collect();
        let mut weights = Vec::new();
        for column in sample.features.columns() {
            match column {
                // Features of linear models are scaled to mean 0, so the share is Σxy / Σx².
                FeatureColumn::Number(x) => {
                    let product: f64 = x.iter().zip(&rest).map(|(x, r)| x * r).sum();
                    let square: f64 = x.iter().map(|x| x * x).sum();
                    let weight = if square > 0.0 { self.rate * product / square } else { 0.0 };
                    rest.iter_mut().zip(x).for_each(|(r, x)| *r -= weight * x);
                    weights.push(weight);
                }
                other => weights.extend(std::iter::repeat_n(0.0, other.width())),
            }
        }
        let linear = Linear::new(1, vec![mean], weights).map_err(|e| tabwright::learn::Error::Data(e.to_string()))?;
        Ok(Learned::new(Predictor::Linear(linear), Link::Identity))
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let rate = Spec {
        name: "rate",
        aliases: &[],
        default: Value::Float(0.9),
        allowed: Allowed::Float(Bound::Open(0.0), Bound::Closed(1.0)),
        optional: false,
        doc: "Share of the least-squares step that is taken.",
    };
    let mut registry = Registry::default();
    registry.register(CandidateType::new("stagewise", Family::Linear, Tasks::Regression, vec![rate], |_, params| {
        Ok(Box::new(Stagewise { rate: params.float("rate").unwrap_or(0.9) }))
    }));

    let mut config = Config::default();
    config.data.target = "price".into();
    config.train.candidates = vec!["stagewise".into()];
    let table = example(Example::Houses, 1_000, 42);
    let trained = train_table(table, &config, &registry, &Surroundings::default(), Context::silent())?;
    assert_eq!(trained.found.leaderboard[0].candidate.name, "stagewise", "it beats the baseline");

    let folder = tempfile::tempdir()?;
    let path = folder.path().join("stagewise.tw");
    save(&trained, &path)?;
    println!("stored and loaded: {} ({})", load(&path)?.content_id(), load(&path)?.model().candidate_type());
    Ok(())
}

#[test]
fn it_runs() -> Result<(), Box<dyn Error>> {
    main()
}
