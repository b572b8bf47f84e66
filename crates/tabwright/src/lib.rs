//! Tabwright as a library: from a table to a model file and back.
//!
//! This is a façade: every item lives in a crate of its own and is gathered here under the names that a program needs.
//! The binary `tabwright` is built on the same items.
//!
//! # Train, save, load, predict
//!
//! ```
//! use tabwright::{Config, Context, Example, Registry, Rows, example, load, save, train_table};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let table = example(Example::Churn, 1_000, 42);
//! let mut config = Config::default();
//! config.data.target = "churned".into();
//! config.train.candidates = vec!["logistic_regression".into(), "gbdt_leafwise".into()];
//! let trained = train_table(table, &config, &Registry::default(), &Default::default(), Context::silent())?;
//! println!("{} {:?}", trained.found.leaderboard[0].candidate.name, trained.found.test);
//!
//! let folder = tempfile::tempdir()?;
//! let path = folder.path().join("churn.tw");
//! save(&trained, &path)?;
//!
//! let artifact = load(&path)?;
//! let new = example(Example::Churn, 10, 7);
//! let scorer = artifact.model().bind(new.schema())?;
//! let probabilities = scorer.predict(Rows::all(new.block()));
//! assert_eq!(probabilities.values.len(), 10);
//! # Ok(())
//! # }
//! ```
//!
//! # Record runs, register models
//!
//! [`store`] keeps runs and registered models, in SQLite or PostgreSQL; `train` of the command line uses nothing else.
//!
//! ```
//! use tabwright::store::{Home, NewRun, Search, Status, Store, StoreOptions};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # let home = Home::at(folder.path().join(".tabwright"));
//! let store = Store::open(&StoreOptions::in_home(home)).await?;
//! let run = store.start_run(NewRun { name: "by hand".into(), ..NewRun::default() }).await?;
//! run.log_param("depth", 6).await?;
//! run.log_metric("validation.rmse", 0.31, 0).await?;
//! run.finish(Status::Completed).await?;
//! let search = Search { filter: "params.depth > 3".into(), ..Search::default() };
//! assert_eq!(store.search(&search).await?.runs[0].run.name, "by hand");
//! # Ok(())
//! # }
//! ```
//!
//! # Log predictions
//!
//! A program that predicts by itself logs what it does; `tabwright monitor` then watches the model as it does one that is served.
//!
//! ```
//! use tabwright::monitoring::{LoggedInputs, Logger};
//! use tabwright::store::predictions::{LogOptions, Predictions, ReadRequest};
//! use tabwright::store::{Home, time};
//! use tabwright::{Config, Context, Example, Registry, Rows, example, train_table};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let mut config = Config::default();
//! # config.data.target = "price".into();
//! # config.train.candidates = vec!["ridge".into()];
//! # let table = example(Example::Houses, 300, 42);
//! # let artifact = train_table(table, &config, &Registry::default(), &Default::default(), Context::silent())?.artifact;
//! # let folder = tempfile::tempdir()?;
//! # let home = Home::at(folder.path().join(".tabwright"));
//! let model = artifact.model();
//! let logger = Logger::open(&home, ("houses", "1"), &artifact, &LoggedInputs::All, LogOptions::default())?;
//!
//! let new = example(Example::Houses, 3, 7);
//! let input = model.bind(new.schema())?.inputs(new.block())?;
//! let prediction = model.scorer().predict(Rows::all(&input));
//! let ids = logger.log_prediction(model, &input, &prediction, time::now())?;
//! logger.close()?;
//!
//! let log = Predictions::of(&home, "houses")?;
//! let chunk = log.read(&ReadRequest::window(0, i64::MAX))?.next().expect("three were logged")?;
//! assert_eq!(chunk.ids().get(0), Some(ids[0].as_str()));
//! # Ok(())
//! # }
//! ```
//!
//! More in the crate's `examples` folder: a churn classifier, a house-price regressor, a candidate of one's own, a
//! pipeline by itself, and runs that are recorded.

pub use tabwright_core::metric::{Metric, Predictions};
pub use tabwright_core::{
    Block, Cancel, Category, Clock, Column, Context, Event, Field, Kind, Levels, Measurement, Observer, Role, RowSet,
    Rows, Schema, Source, Table, Targets, Task, View, Warning,
};
pub use tabwright_data::{Format, Input, ReadOptions, resolve_inputs};
pub use tabwright_learn as learn;
pub use tabwright_learn::candidate::{
    Candidate, CandidateConfig, CandidateType, Learned, Learner, Registry, Sample, Tasks,
};
pub use tabwright_learn::param::{Allowed, Bound, Params, Spec, Value};
pub use tabwright_learn::transform::{Family, FittedPipeline, Inputs, TransformConfig};
pub use tabwright_learn::{linear, target, transform};
pub use tabwright_lifecycle::config::{self, Config};
pub use tabwright_lifecycle::error::Error;
pub use tabwright_lifecycle::example::{Example, generate as example};
pub use tabwright_lifecycle::file::load;
pub use tabwright_lifecycle::predict::{OnError, PredictOptions, predict};
pub use tabwright_lifecycle::train::{Surroundings, Trained, read_table, save, train, train_table};
pub use tabwright_lifecycle::{
    alert, card, check, compare, diff, drift, evaluate, monitor as monitoring, notify, profile, record, registry,
};
pub use tabwright_model::artifact::Artifact;
pub use tabwright_model::model::{Link, Model, Predictor, Scorer, Signature};
pub use tabwright_model::{FeatureColumn, Features, Linear, Pipeline, Scratch, Trees};
pub use tabwright_monitor as monitor;
pub use tabwright_report as report;
pub use tabwright_store as store;
pub use tabwright_trees as trees;

/// What the crates below return where something goes wrong; [`Error`] holds them.
pub mod error {
    pub use tabwright_core::Error as CoreError;
    pub use tabwright_data::Error as DataError;
    pub use tabwright_learn::Error as LearnError;
    pub use tabwright_model::Error as ModelError;
}

/// Runs the Rust of the README.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;
