//! Promoting a version: the gate is asked, then the alias moves, if it has not moved in the meantime.

use std::path::Path;

use serde_json::json;
use tabwright_core::Context;
use tabwright_store::{Action, Files, Move, Mover, NewMove, Reference, Store, Version, Which};

use super::gate::{Question, Side, Verdict, judge};
use crate::config::{Config, RegistryConfig};
use crate::error::{Error, Result};

/// What is to be promoted.
#[derive(Debug, Clone, Copy)]
pub struct Promote<'a> {
    /// The version.
    pub reference: &'a Reference,
    /// The alias that is to point to it.
    pub alias: &'a str,
    /// Promote whatever the gate says; this needs a reason.
    pub force: bool,
    /// Files to compare on, instead of those that the version was trained with.
    pub data: &'a [String],
    /// What the gate asks.
    pub asked: &'a RegistryConfig,
}

/// What became of it.
#[derive(Debug, Clone)]
pub struct Promoted {
    /// The version.
    pub version: Version,
    /// What the gate said.
    pub verdict: Verdict,
    /// The move; none where the gate said no, or the alias points there already.
    pub moved: Option<Move>,
}

/// Promotes a version. The gate may read and predict many rows before the store is asked again.
///
/// # Errors
/// For a version that is not there, a gate that cannot be asked, `force` without a reason, and an alias that moved while the
/// gate was asked.
pub async fn promote(
    store: &Store,
    asked: &Promote<'_>,
    who: &str,
    why: &str,
    context: Context<'_>,
) -> Result<Promoted> {
    tabwright_store::name::check_alias(asked.alias)?;
    if asked.force && why.trim().is_empty() {
        return Err(Error::Config("--force needs a reason for the audit trail: add --why \"…\"".into()));
    }
    let (version, artifact) = super::load(store, asked.reference).await?;
    let model = store.model(&asked.reference.name).await?;
    let current = model.aliases.get(asked.alias).copied();
    let config = config_of_run(store, &version).await?;
    let held = match current.filter(|c| *c != version.version) {
        None => None,
        Some(number) => {
            let reference = Reference { name: model.name.clone(), which: Which::Version(number) };
            let (version, artifact) = super::load(store, &reference).await?;
            let config = config_of_run(store, &version).await?;
            Some((version, artifact, config))
        }
    };
    let question = Question {
        candidate: Side { version: &version, artifact: &artifact, config: config.as_ref() },
        current: held.as_ref().map(|(version, artifact, config)| Side { version, artifact, config: config.as_ref() }),
        asked: asked.asked,
        data: asked.data,
    };
    let verdict = judge(&question, context)?;
    let is_there = current == Some(version.version);
    if is_there || !verdict.passed && !asked.force {
        return Ok(Promoted { version, verdict, moved: None });
    }
    let action = if verdict.passed { Action::Promoted } else { Action::Forced };
    let new = NewMove { alias: asked.alias, to: Some(version.version), action, expected: Some(current) };
    let mover = Mover { who: who.to_owned(), why: why.to_owned(), verdict: json!(verdict) };
    let moved = store.move_alias(&model.name, &new, &mover).await?;
    Ok(Promoted { version, verdict, moved: Some(moved) })
}

/// The configuration of the run that made a version, where it is known here.
///
/// # Errors
/// From the store; a configuration that cannot be read any more counts as unknown.
pub async fn config_of_run(store: &Store, version: &Version) -> Result<Option<Config>> {
    let run_id = &version.registered.run_id;
    if run_id.is_empty() {
        return Ok(None);
    }
    let mut config: Config = match store.run(run_id).await {
        Ok(run) => match serde_json::from_value(run.run.info["config"].clone()) {
            Ok(config) => config,
            Err(_) => return Ok(None),
        },
        Err(tabwright_store::Error::Unknown { .. }) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    // The model whose split was repeated was in a home that may be elsewhere by now, or was a copy of what is in a bucket.
    if !Path::new(&config.split.like).exists()
        && let Some(name) = Files::model_in_path(&config.split.like)
        && let Ok(path) = store.files().locate(&name)
    {
        config.split.like = path.to_string_lossy().into_owned();
    }
    Ok(Some(config))
}
