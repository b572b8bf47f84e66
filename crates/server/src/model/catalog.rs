//! What is served at one moment: names, their versions and aliases. A catalog never changes; another takes its place, so that a
//! request that has begun keeps the version that it began with.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use axum::http::StatusCode;
use tabwright_core::suggest;

use super::comparison::Comparison;
use super::served::Served;
use crate::id::as_share;
use crate::refusal::{Answer, Refusal};

/// Models by name.
#[derive(Debug, Default)]
pub(crate) struct Catalog {
    pub(crate) models: BTreeMap<String, Arc<Entry>>,
    /// The model of routes that name none.
    pub(crate) default: Option<String>,
}

/// One model.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    /// The version that answers where none is asked for.
    pub(crate) main: Arc<Served>,
    /// The versions that are served, by their number.
    pub(crate) versions: BTreeMap<String, Arc<Served>>,
    /// The aliases that are served, and the versions that they point to.
    pub(crate) aliases: BTreeMap<String, String>,
    /// Another version that answers a share of the requests.
    pub(crate) canary: Option<Canary>,
    /// Another version that is asked as well, and whose answers nobody gets.
    pub(crate) shadow: Option<Shadow>,
    /// Where it comes from if it is a file, which stands alone.
    pub(crate) file: Option<PathBuf>,
}

/// A version that answers a share of the requests.
#[derive(Debug, Clone)]
pub(crate) struct Canary {
    pub(crate) served: Arc<Served>,
    /// From 0 to 1.
    pub(crate) share: f64,
    /// The column whose value decides; without one, a key of the request, else chance.
    pub(crate) key: Option<String>,
    /// Whether the share was set while the server runs: then it stays until a reload.
    pub(crate) is_set: bool,
}

/// A version that is compared.
#[derive(Debug, Clone)]
pub(crate) struct Shadow {
    pub(crate) served: Arc<Served>,
    pub(crate) comparison: Arc<Comparison>,
}

/// Which version of a model a request is for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Wanted<'a> {
    /// Whichever answers.
    Any,
    Version(&'a str),
    Alias(&'a str),
}

impl Catalog {
    /// A model by its name.
    pub(crate) fn entry(&self, name: &str) -> Answer<&Arc<Entry>> {
        self.models.get(name).ok_or_else(|| {
            let near = suggest::did_you_mean(name, self.models.keys().map(String::as_str));
            let known = suggest::shorten(self.models.keys().map(String::as_str));
            let message = format!("no model `{}` is served here{near}; there are: {known}", shown(name));
            Refusal::new(StatusCode::NOT_FOUND, "unknown_model", message)
        })
    }

    /// Keeps the shares of canaries that were set in another catalog while it was served.
    pub(crate) fn keep_shares(&mut self, other: &Catalog) {
        for (name, entry) in &mut self.models {
            let set = other.models.get(name).and_then(|entry| entry.canary.as_ref()).filter(|canary| canary.is_set);
            if let Some(set) = set
                && entry.canary.is_some()
                && let Some(canary) = &mut Arc::make_mut(entry).canary
            {
                canary.share = set.share;
                canary.is_set = true;
            }
        }
    }

    /// The model of a route that names none: the default, or the only one.
    pub(crate) fn unnamed(&self) -> Answer<&Arc<Entry>> {
        if let Some(name) = &self.default {
            return self.entry(name);
        }
        let mut models = self.models.values();
        match (models.next(), models.next()) {
            (Some(only), None) => Ok(only),
            _ => {
                let known = suggest::shorten(self.models.keys().map(String::as_str));
                let message = format!(
                    "several models are served ({known}) and none is the default: start the server with --default NAME, \
                     or name one in the path"
                );
                Err(Refusal::bad("no_default_model", message))
            }
        }
    }
}

impl Entry {
    /// A version of the model, without the canary.
    pub(crate) fn find(&self, wanted: Wanted<'_>) -> Answer<&Arc<Served>> {
        let version = match wanted {
            Wanted::Any => return Ok(&self.main),
            Wanted::Version(version) => version,
            Wanted::Alias(alias) => self.aliases.get(alias).ok_or_else(|| {
                let near = suggest::did_you_mean(alias, self.aliases.keys().map(String::as_str));
                let known = suggest::shorten(self.aliases.keys().map(String::as_str));
                let known = if known.is_empty() { "none".to_owned() } else { known };
                let (name, alias) = (&self.main.name, shown(alias));
                let message = format!("no alias `{alias}` of `{name}` is served here{near}; aliases: {known}");
                Refusal::new(StatusCode::NOT_FOUND, "unknown_alias", message)
            })?,
        };
        self.versions.get(version).ok_or_else(|| {
            let known = suggest::shorten(self.versions.keys().map(String::as_str));
            let (name, version) = (&self.main.name, shown(version));
            let message = format!("version {version} of `{name}` is not served here; versions: {known}");
            Refusal::new(StatusCode::NOT_FOUND, "unknown_version", message)
        })
    }

    /// The version that answers a request: the canary for its share of the keys.
    pub(crate) fn choose(&self, wanted: Wanted<'_>, key: impl FnOnce(&Canary) -> f64) -> Answer<&Arc<Served>> {
        match (wanted, &self.canary) {
            (Wanted::Any, Some(canary)) if key(canary) < canary.share => Ok(&canary.served),
            _ => self.find(wanted),
        }
    }
}

/// Where a key stands between 0 and 1. The same key has the same place for ever, so who is with the canary at 10% stays there at
/// 20%.
pub(crate) fn place_of(model: &str, key: &str) -> f64 {
    let mut hasher = blake3::Hasher::new();
    hasher.update(model.as_bytes()).update(&[0]).update(key.as_bytes());
    let mut first = [0; 8];
    first.copy_from_slice(&hasher.finalize().as_bytes()[..8]);
    as_share(u64::from_le_bytes(first))
}

/// A name of a caller, short enough for a message.
fn shown(name: &str) -> String {
    const LONGEST: usize = 80;
    let mut out: String = name.chars().take(LONGEST).flat_map(char::escape_debug).collect();
    if name.chars().nth(LONGEST).is_some() {
        out.push('…');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_spread_evenly_and_stay_where_they_are() {
        let places: Vec<f64> = (0..10_000).map(|i| place_of("churn", &i.to_string())).collect();
        let share = |limit: f64| places.iter().filter(|p| **p < limit).count() as f64 / 10_000.0;
        assert!((share(0.1) - 0.1).abs() < 0.01 && (share(0.5) - 0.5).abs() < 0.02);
        assert_eq!(place_of("churn", "7").to_bits(), place_of("churn", "7").to_bits());
        assert_ne!(place_of("churn", "7").to_bits(), place_of("price", "7").to_bits());
    }
}
