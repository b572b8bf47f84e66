//! Registered models: how a model becomes a version, and how a version becomes a model again.

pub mod gate;
pub mod promote;
pub mod reproduce;
pub mod retrain;

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::json;
use tabwright_model::artifact::Artifact;
use tabwright_model::evidence::Evidence;
use tabwright_store::{Files, Mover, NewVersion, Reference, Search, Store, Version};

use crate::error::{Error, Result};
use crate::record::{RecordFile, Registration};

/// What is registered besides the model.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Registered {
    /// The name of the model.
    pub name: String,
    /// The run that made it; empty: unknown.
    pub run_id: String,
    /// A sentence for people.
    pub description: String,
    /// An alias that is to point to it.
    pub alias: Option<String>,
    /// Tags.
    pub tags: BTreeMap<String, String>,
}

/// A model whose file is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptModel {
    file: String,
    size: u64,
}

/// Keeps the file of a model; one that is there and whole is left as it is, and claimed, so that nobody frees it before a
/// version refers to it. Sending a large one into a bucket may take long.
///
/// # Errors
/// From the place of the files.
pub fn keep(store: &Store, artifact: &Artifact) -> Result<KeptModel> {
    store.check_writable()?;
    let files = store.files();
    let file = Files::model_name(artifact.content_id())?;
    if files.claim(&file)? {
        let known = files.read(&file)?;
        if Artifact::from_bytes(&known).is_ok_and(|known| known.content_id() == artifact.content_id()) {
            return Ok(KeptModel { file, size: known.len() as u64 });
        }
    }
    let size = files.write(&file, |out| artifact.write_to(out).map_err(std::io::Error::other))?;
    Ok(KeptModel { file, size })
}

/// Registers a model as the next version of a name. Its file is kept once, however many versions have this content.
///
/// # Errors
/// For names that cannot be, and from the store; then nothing is registered.
pub async fn register(store: &Store, artifact: &Artifact, about: &Registered, mover: &Mover) -> Result<Version> {
    tabwright_store::name::check("the model name", &about.name)?;
    let kept = keep(store, artifact)?;
    register_kept(store, artifact, kept, about, mover).await
}

/// Registers a model whose file is kept already.
///
/// # Errors
/// As [`register`].
pub async fn register_kept(
    store: &Store,
    artifact: &Artifact,
    kept: KeptModel,
    about: &Registered,
    mover: &Mover,
) -> Result<Version> {
    let run_id = match about.run_id.is_empty() {
        true => run_of(store, artifact).await?,
        false => about.run_id.clone(),
    };
    let told = |e: serde_json::Error| Error::Data(e.to_string());
    let new = NewVersion {
        name: about.name.clone(),
        content_id: artifact.content_id().to_owned(),
        file: kept.file,
        size: kept.size,
        run_id,
        description: about.description.clone(),
        metrics: metrics(&artifact.evidence),
        evidence: serde_json::to_value(&artifact.evidence).map_err(told)?,
        record: serde_json::to_value(&artifact.record).map_err(told)?,
        info: json!({
            "signature": artifact.model().signature(),
            "type": artifact.model().candidate_type(),
            "inputs": artifact.model().pipeline().inputs(),
        }),
        tags: about.tags.clone(),
    };
    Ok(store.register(&new, about.alias.as_deref(), mover).await?)
}

/// The run that made a model, if one here did: that of an earlier version with the same content and record.
async fn run_of(store: &Store, artifact: &Artifact) -> Result<String> {
    let same = store.versions_of_content(artifact.content_id()).await?;
    let record = json!(artifact.record);
    let found = same.into_iter().map(|v| v.registered).find(|v| v.record == record);
    if let Some(version) = found {
        return Ok(version.run_id);
    }
    let filter = format!("kind = '{}' and params.content_id = '{}'", crate::record::TRAIN, artifact.content_id());
    let page = store.search(&Search { filter, limit: 1, ..Search::default() }).await?;
    Ok(page.runs.into_iter().next().map(|run| run.run_id).unwrap_or_default())
}

/// Metrics of a model, named by where they were measured. The one that decided stands under its bare name too.
pub fn metrics(evidence: &Evidence) -> BTreeMap<String, f64> {
    let parts = [
        ("train", &evidence.train),
        ("cv", &evidence.cross_validation),
        ("validation", &evidence.validation),
        ("test", &evidence.test),
    ];
    let named = parts.into_iter().flat_map(|(part, metrics)| {
        metrics.iter().flatten().map(move |(name, value)| (format!("{part}.{name}"), *value))
    });
    let mut metrics: BTreeMap<String, f64> = named.filter(|(_, value)| value.is_finite()).collect();
    let best = evidence.leaderboard.first();
    let decided = best.and_then(|line| {
        line.cv_mean.or_else(|| line.validation.as_ref().and_then(|v| v.get(&evidence.metric).copied()))
    });
    if let Some(score) = decided.filter(|s| s.is_finite()) {
        metrics.insert(evidence.metric.clone(), score);
    }
    metrics
}

/// The model of a version, with the version's own evidence and record.
///
/// # Errors
/// If there is no such version, or its file is not there, damaged, or of another content.
pub async fn load(store: &Store, reference: &Reference) -> Result<(Version, Artifact)> {
    let version = store.version(reference).await?;
    let artifact = of_version(store, &version)?;
    Ok((version, artifact))
}

/// The model of a version that is at hand.
///
/// # Errors
/// As [`load`].
pub fn of_version(store: &Store, version: &Version) -> Result<Artifact> {
    let registered = &version.registered;
    let named = format!("{}:{}", registered.name, version.version);
    let files = store.files();
    let bytes = files.read(&registered.file).map_err(|e| match e {
        tabwright_store::Error::Damaged { .. } => {
            Error::Data(format!("{named} cannot be loaded: {e} (put the file back from a copy, or train again)"))
        }
        other => other.into(),
    })?;
    let path = files.address(&registered.file)?;
    let artifact = Artifact::from_bytes(&bytes);
    let mut artifact = artifact.map_err(|source| Error::Artifact { path: path.clone(), source })?;
    if artifact.content_id() != registered.content_id {
        return Err(Error::Data(format!("{}: it holds another model than {named}", path.display())));
    }
    let told = |e| Error::Data(format!("what is stored about {named} cannot be read: {e}"));
    artifact.evidence = serde_json::from_value(registered.evidence.clone()).map_err(told)?;
    artifact.record = serde_json::from_value(registered.record.clone()).map_err(told)?;
    Ok(artifact)
}

/// Brings runs in from a file, and registers what was to be registered. Twice is as good as once.
///
/// # Errors
/// If the file is no record, the model beside it is missing, or the store cannot take it.
pub async fn import(store: &Store, path: &Path, mover: &Mover) -> Result<(RecordFile, Option<Version>)> {
    let record = RecordFile::load(path)?;
    let model = match &record.register {
        None => None,
        Some(Registration { file, .. }) => {
            tabwright_store::name::check_path(file)?;
            Some(crate::file::load(&path.with_file_name(file))?)
        }
    };
    store.record(&record.runs).await?;
    let (Some(registration), Some(artifact)) = (&record.register, model) else { return Ok((record, None)) };
    let about = Registered {
        name: registration.name.clone(),
        run_id: record.runs.first().map(|r| r.run_id.clone()).unwrap_or_default(),
        alias: registration.alias.clone(),
        ..Registered::default()
    };
    let version = register(store, &artifact, &about, mover).await?;
    Ok((record, Some(version)))
}
