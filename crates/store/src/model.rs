//! The registry: models by name, their versions, the aliases that point to versions, and the trail of every move.

mod alias;
mod read;
mod register;
mod trash;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::Deletion;
use crate::time::Micros;

pub use alias::{Mover, NewMove};
pub use trash::{Happened, VersionEvent};

/// What is registered.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NewVersion {
    /// The name of the model.
    pub name: String,
    /// The content id of what is in the file.
    pub content_id: String,
    /// The name of the file among those that are kept.
    pub file: String,
    /// Its size in bytes.
    pub size: u64,
    /// The run that made it; empty: unknown.
    pub run_id: String,
    /// A sentence for people.
    pub description: String,
    /// Metrics, named by where they were measured.
    pub metrics: BTreeMap<String, f64>,
    /// What was measured and how, as the model file has it.
    pub evidence: serde_json::Value,
    /// When and where it was made, as the model file has it.
    pub record: serde_json::Value,
    /// Anything else, as a JSON object: the signature above all.
    pub info: serde_json::Value,
    /// Tags.
    pub tags: BTreeMap<String, String>,
}

/// A version of a model.
#[derive(Debug, Clone, PartialEq)]
pub struct Version {
    pub(crate) key: i64,
    /// Its number, from 1.
    pub version: u64,
    /// When it was registered.
    pub created: Micros,
    /// When it was thrown away, and by whom; none of one that is not in the trash.
    pub deleted: Option<Deletion>,
    /// All that was registered.
    pub registered: NewVersion,
}

/// A model: a name with versions.
#[derive(Debug, Clone, PartialEq)]
pub struct Model {
    pub(crate) key: i64,
    /// The name.
    pub name: String,
    /// When its first version was registered.
    pub created: Micros,
    /// A sentence for people.
    pub description: String,
    /// Which version each alias points to.
    pub aliases: BTreeMap<String, u64>,
    /// The versions, in their order, without those that were thrown away.
    pub versions: Vec<Version>,
}

/// Why an alias moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Action {
    /// It came with a registration.
    Registered,
    /// Somebody promoted a version.
    Promoted,
    /// The same, although the gate said no.
    Forced,
    /// Somebody put the previous version back.
    RolledBack,
    /// Somebody set it, without a gate.
    Set,
    /// Somebody took it away.
    Removed,
}

impl Action {
    const ALL: [Action; 6] =
        [Action::Registered, Action::Promoted, Action::Forced, Action::RolledBack, Action::Set, Action::Removed];

    /// The text form.
    pub fn name(self) -> &'static str {
        match self {
            Action::Registered => "registered",
            Action::Promoted => "promoted",
            Action::Forced => "forced",
            Action::RolledBack => "rolled_back",
            Action::Set => "set",
            Action::Removed => "removed",
        }
    }

    fn parse(text: &str) -> Self {
        // An action of a later version moved an alias all the same.
        Action::ALL.into_iter().find(|a| a.name() == text).unwrap_or(Action::Set)
    }
}

/// A move of an alias.
#[derive(Debug, Clone, PartialEq)]
pub struct Move {
    /// The alias.
    pub alias: String,
    /// Where it pointed before.
    pub from: Option<u64>,
    /// Where it points since.
    pub to: Option<u64>,
    /// What moved it.
    pub action: Action,
    /// When; never before the move before it, even if the clock jumped back.
    pub at: Micros,
    /// Who.
    pub who: String,
    /// Why.
    pub why: String,
    /// What the gate said, where it was asked.
    pub verdict: serde_json::Value,
}
