//! From what a user names to a catalog: files, and versions of the registry.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tabwright_core::suggest;
use tabwright_lifecycle::monitor::logger::version_of_file;
use tabwright_lifecycle::{file, registry};
use tabwright_model::artifact::Artifact;
use tabwright_store::{Reference, Store, Which};

use super::catalog::{Canary, Catalog, Entry, Shadow};
use super::served::Served;
use crate::error::{Error, Result};
use crate::log::Logging;

/// The version of a file: it has no number.
const FILE_VERSION: &str = "1";

/// A model to serve.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A model file: it goes by its stem, as version 1.
    File(PathBuf),
    /// A version of the registry.
    Registered(Reference),
}

/// A version that answers a share of the requests of its model.
#[derive(Debug, Clone, PartialEq)]
pub struct CanaryOptions {
    /// The version.
    pub reference: Reference,
    /// The share, from 0 to 1.
    pub share: f64,
    /// The column whose value decides which requests.
    pub key: Option<String>,
}

/// What is to be served.
#[derive(Debug, Clone, Default)]
pub(crate) struct ToServe {
    pub(crate) sources: Vec<Source>,
    pub(crate) default: Option<String>,
    pub(crate) canaries: Vec<CanaryOptions>,
    pub(crate) shadows: Vec<Reference>,
}

/// Makes catalogs.
#[derive(Debug)]
pub(crate) struct Loader {
    pub(crate) wanted: ToServe,
    pub(crate) store: Option<Store>,
    pub(crate) logging: Option<Arc<Logging>>,
}

/// Models that are being put together.
type Models = BTreeMap<String, Entry>;

/// The version number of each reference that is served.
pub(crate) type Resolved = BTreeMap<String, String>;

impl Loader {
    /// Reads every model that is wanted. Versions that `before` has are taken from it. `anew` says whether files are read again, and
    /// shares of canaries that were set since are forgotten.
    ///
    /// # Errors
    /// If one is not there or cannot be read, or two would have one name.
    pub(crate) async fn load(&self, before: &Catalog, anew: bool) -> Result<Catalog> {
        let mut catalog = Models::new();
        for source in &self.wanted.sources {
            match source {
                Source::File(path) => self.add_file(&mut catalog, path, before, anew)?,
                Source::Registered(reference) => self.add(&mut catalog, reference, before).await?,
            }
        }
        for canary in &self.wanted.canaries {
            self.add(&mut catalog, &canary.reference, before).await?;
            let entry = served_entry(&mut catalog, &canary.reference)?;
            let served = entry.of(&canary.reference)?;
            let set = before.models.get(&canary.reference.name).and_then(|old| old.canary.as_ref());
            let set = set.filter(|old| old.is_set && !anew).map(|old| old.share);
            let share = set.unwrap_or(canary.share);
            entry.canary = Some(Canary { served, share, key: canary.key.clone(), is_set: set.is_some() });
        }
        for reference in &self.wanted.shadows {
            self.add(&mut catalog, reference, before).await?;
            let entry = served_entry(&mut catalog, reference)?;
            let served = entry.of(reference)?;
            // Whoever is compared with another version begins anew.
            let kept = before.models.get(&reference.name).and_then(|old| {
                let shadow = old.shadow.as_ref()?;
                let is_same = shadow.served.version == served.version && old.main.version == entry.main.version;
                is_same.then(|| Arc::clone(&shadow.comparison))
            });
            entry.shadow = Some(Shadow { served, comparison: kept.unwrap_or_default() });
        }
        if let Some(default) = &self.wanted.default
            && !catalog.contains_key(default)
        {
            let near = suggest::did_you_mean(default, catalog.keys().map(String::as_str));
            return Err(Error::Usage(format!(
                "the default model `{default}` is not among those that are served{near}"
            )));
        }
        let models = catalog.into_iter().map(|(name, entry)| (name, Arc::new(entry))).collect();
        Ok(Catalog { models, default: self.wanted.default.clone() })
    }

    /// The versions that the references point to now.
    ///
    /// # Errors
    /// If one points to nothing, or the store does not answer.
    pub(crate) async fn resolve(&self) -> Result<Resolved> {
        let mut resolved = Resolved::new();
        let Some(store) = &self.store else { return Ok(resolved) };
        for reference in self.references() {
            let version = store.version(reference).await?;
            resolved.insert(reference.to_string(), version.version.to_string());
        }
        Ok(resolved)
    }

    /// The references that may point to another version later.
    fn references(&self) -> impl Iterator<Item = &Reference> {
        let sources = self.wanted.sources.iter().filter_map(|source| match source {
            Source::Registered(reference) => Some(reference),
            Source::File(_) => None,
        });
        let others = self.wanted.canaries.iter().map(|canary| &canary.reference).chain(&self.wanted.shadows);
        sources.chain(others).filter(|reference| matches!(reference.which, Which::Alias(_)))
    }

    async fn add(&self, catalog: &mut Models, reference: &Reference, before: &Catalog) -> Result<()> {
        let store = self.store.as_ref().ok_or_else(|| {
            Error::Usage(format!("`{reference}` is a registered model, and there is no home here: see TABWRIGHT_HOME"))
        })?;
        let served = match &reference.which {
            // A version that is served is served on, even when it is thrown away.
            Which::Version(number) => known(catalog, before, &reference.name, &number.to_string()),
            Which::Alias(_) => None,
        };
        let served = match served {
            Some(served) => served,
            None => {
                let version = store.version(reference).await?;
                let number = version.version.to_string();
                let known = known(catalog, before, &reference.name, &number);
                // The registry never gives a number twice, but a home may have been replaced.
                match known.filter(|known| known.artifact.content_id() == version.registered.content_id) {
                    Some(known) => known,
                    None => {
                        let artifact = tokio::task::block_in_place(|| registry::of_version(store, &version))?;
                        self.served((&reference.name, &number), &number, artifact)?
                    }
                }
            }
        };
        let number = served.version.clone();
        let entry = catalog.entry(reference.name.clone()).or_insert_with(|| Entry::new(Arc::clone(&served)));
        if let Some(file) = &entry.file {
            let (name, file) = (&reference.name, file.display());
            return Err(Error::Usage(format!(
                "two models would be served as `{name}`: the registered one and {file}; a file goes by its name without the \
                 ending, so rename it"
            )));
        }
        entry.versions.insert(number.clone(), served);
        if let Which::Alias(alias) = &reference.which {
            entry.aliases.insert(alias.clone(), number);
        }
        Ok(())
    }

    fn add_file(&self, catalog: &mut Models, path: &Path, before: &Catalog, anew: bool) -> Result<()> {
        let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        if let Some(other) = catalog.get(&stem) {
            return Err(twice(&stem, path, other));
        }
        let known = before.models.get(&stem).filter(|entry| !anew && entry.file.as_deref() == Some(path));
        let served = match known {
            Some(known) => Arc::clone(&known.main),
            None => {
                let artifact = tokio::task::block_in_place(|| file::load(path))?;
                let logged_as = version_of_file(&artifact);
                self.served((&stem, FILE_VERSION), &logged_as, artifact)?
            }
        };
        let mut entry = Entry::new(Arc::clone(&served));
        entry.file = Some(path.to_owned());
        entry.versions.insert(FILE_VERSION.into(), served);
        catalog.insert(stem, entry);
        Ok(())
    }

    fn served(&self, (name, version): (&str, &str), logged_as: &str, artifact: Artifact) -> Result<Arc<Served>> {
        let log = self.logging.as_ref().map(|logging| logging.open((name, logged_as), &artifact)).transpose();
        let served = log.and_then(|log| Served::new(name, version, artifact, log));
        Ok(Arc::new(served.map_err(Error::Model)?))
    }
}

/// A version that is served already.
fn known(catalog: &Models, before: &Catalog, name: &str, number: &str) -> Option<Arc<Served>> {
    let now = catalog.get(name).and_then(|entry| entry.versions.get(number));
    now.or_else(|| before.models.get(name)?.versions.get(number)).cloned()
}

fn twice(name: &str, path: &Path, other: &Entry) -> Error {
    let other = other.file.as_ref().map_or_else(|| "a registered model".to_owned(), |file| file.display().to_string());
    let path = path.display();
    Error::Usage(format!(
        "two models would be served as `{name}`: {other} and {path}; a file goes by its name without the ending, so rename it"
    ))
}

fn served_entry<'c>(catalog: &'c mut Models, reference: &Reference) -> Result<&'c mut Entry> {
    let missing =
        || Error::Usage(format!("`{reference}` is to stand beside `{}`, which is not served", reference.name));
    catalog.get_mut(&reference.name).ok_or_else(missing)
}

impl Entry {
    fn new(main: Arc<Served>) -> Self {
        Entry { main, versions: BTreeMap::new(), aliases: BTreeMap::new(), canary: None, shadow: None, file: None }
    }

    fn of(&self, reference: &Reference) -> Result<Arc<Served>> {
        let number = match &reference.which {
            Which::Alias(alias) => self.aliases.get(alias).cloned(),
            Which::Version(number) => Some(number.to_string()),
        };
        let served = number.and_then(|number| self.versions.get(&number)).cloned();
        served.ok_or_else(|| Error::Usage(format!("`{reference}` is not served")))
    }
}
