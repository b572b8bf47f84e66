//! Expectations of a model: how good it is, overall and in slices, how fast, and whether data keeps its contract.

use std::collections::BTreeMap;

use tabwright_core::{Context, Metric, suggest};
use tabwright_model::contract::Limits;
use toml::Spanned;

use super::file::ModelTest;
use super::rows::{self, Ground};
use super::{Asked, Broken, Found, Named, Project, behaviour};
use crate::check::{CheckOptions, check};
use crate::config::Config;
use crate::error::{Error, Exit, Result};
use crate::registry::gate;
use crate::slice;

/// Finds the model of a test, and looks at every expectation.
pub(super) fn run(test: &ModelTest, project: Project<'_>, asked: &mut Asked<'_>) {
    let named = match (project.model)(&test.model) {
        Ok(named) => named,
        Err(broken) => return asked.add("model", Err(broken)),
    };
    if test.contract {
        asked.add("contract", contract(test, &named, project.config, asked.context));
    }
    if needs_rows(test) {
        match rows::ground(&named, test.data.as_deref(), project.config, asked.context) {
            Ok(ground) => on_rows(test, &named, &ground, project.config, asked),
            Err(error) => asked.add("data", Err(Broken::from(error))),
        }
    }
    for (number, example) in test.examples.iter().enumerate() {
        let found = behaviour::example(example.get_ref(), &named.artifact);
        asked.add(format!("examples {}", number + 1), found);
    }
}

fn needs_rows(test: &ModelTest) -> bool {
    !test.metrics.is_empty()
        || !test.slices.is_empty()
        || test.max_latency_ms.is_some()
        || !test.invariant_to.is_empty()
        || !test.monotone_in.is_empty()
}

fn on_rows(test: &ModelTest, named: &Named, ground: &Ground, config: &Config, asked: &mut Asked<'_>) {
    let everywhere = |metrics: &BTreeMap<Spanned<String>, f64>| !metrics.is_empty();
    if everywhere(&test.metrics) {
        scores(&test.metrics, named, ground, None, asked);
    }
    for (name, metrics) in &test.slices {
        let rows = match config.registry.slices.get(name) {
            Some(condition) => slice::rows_of(&ground.held.table, &ground.held.rows, condition)
                .map_err(|e| Error::Config(format!("registry.slices.{name}: {e}"))),
            None => Err(unknown_slice(name, config)),
        };
        match rows {
            Ok(rows) => scores(metrics, named, ground, Some((name, rows)), asked),
            Err(error) => asked.add(format!("slices.{name}"), Err(Broken::from(error))),
        }
    }
    if let Some(limit) = test.max_latency_ms {
        let measured = gate::latency(named.artifact.model(), &ground.held, limit, asked.context);
        asked.add("max_latency_ms", measured.map_err(Broken::from));
    }
    for invariant in &test.invariant_to {
        let found = behaviour::invariant(invariant, &named.artifact, ground);
        asked.add(format!("invariant_to {}", invariant.column), found);
    }
    for monotone in &test.monotone_in {
        let found = behaviour::monotone(monotone, &named.artifact, ground);
        asked.add(format!("monotone_in {}", monotone.column), found);
    }
}

fn unknown_slice(name: &str, config: &Config) -> Error {
    let known = config.registry.slices.keys().map(String::as_str);
    let hint = suggest::did_you_mean(name, known.clone());
    let known = match config.registry.slices.is_empty() {
        true => "there is none yet".to_owned(),
        false => format!("known are {}", suggest::shorten(known)),
    };
    Error::Config(format!("there is no slice `{name}` in [registry.slices] of tabwright.toml{hint}; {known}"))
}

/// Holds metrics against their worst allowed values, over all rows or those of a slice.
fn scores(
    metrics: &BTreeMap<Spanned<String>, f64>,
    named: &Named,
    ground: &Ground,
    slice: Option<(&str, Vec<u32>)>,
    asked: &mut Asked<'_>,
) {
    let (model, held) = (named.artifact.model(), &ground.held);
    let (prefix, rows, what) = match &slice {
        None => ("metrics".to_owned(), &held.rows, ground.what.clone()),
        Some((name, rows)) => (format!("slices.{name}"), rows, format!("{} of {}", rows.len(), ground.what)),
    };
    let target = &model.signature().target;
    let predictions = match (ground.has_target, rows.is_empty()) {
        (false, _) => {
            let message = format!("the data has no column `{target}`, so nothing can be scored");
            Err(Broken { message, exit: Exit::Data })
        }
        (true, true) => Ok(None),
        (true, false) => held.predict(model, rows).map(Some).map_err(Broken::from),
    };
    for (name, limit) in metrics {
        let found = |name: &str| -> Found {
            let metric = Metric::parse_for(name, model.task())?;
            let Some(predictions) = predictions.as_ref().map_err(Clone::clone)? else {
                return Ok((false, "no row is in the slice".to_owned()));
            };
            let (met, message) = gate::held_to(metric, held.score(metric, model, rows, predictions), *limit);
            Ok((met, format!("{message}, on {what}")))
        };
        asked.add(format!("{prefix}.{}", name.get_ref()), found(name.get_ref()));
    }
}

/// Whether data keeps the contract of a model: the data of the test, or that which the model was trained with.
fn contract(test: &ModelTest, named: &Named, config: &Config, context: Context<'_>) -> Found {
    let sources = match (&test.data, &named.config) {
        (Some(file), _) => vec![file.clone()],
        (None, Some(run)) => run.data.source.clone(),
        (None, None) => config.data.source.clone(),
    };
    let options = rows::options_of_model(named.artifact.model(), config)?;
    let looked = rows::with_known_types(options, |read| -> Result<_> {
        let options = CheckOptions { sources: sources.clone(), limits: Limits::default(), read: read.clone() };
        check(&named.artifact, &options, context)
    })?;
    let breaches: Vec<String> = looked
        .breaches
        .iter()
        .map(|b| b.column.as_ref().map_or_else(|| b.message.clone(), |column| format!("{column}: {}", b.message)))
        .collect();
    match breaches.is_empty() {
        true => Ok((true, format!("{} rows fit the model", looked.rows))),
        false => Ok((false, breaches.join("; "))),
    }
}
