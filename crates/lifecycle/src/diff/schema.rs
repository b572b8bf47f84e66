//! Columns, roles, labels and features of two models.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use tabwright_model::artifact::Artifact;
use tabwright_model::levels::FrozenLevels;
use tabwright_model::model::Model;
use tabwright_model::pipeline::Operator;

use super::Row;
use crate::show::becomes;

/// Target, labels and columns of two models.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SchemaDiff {
    /// Target, task and how rows are read, where they differ.
    pub signature: Vec<Row>,
    /// Labels of the second alone.
    pub labels_added: Vec<String>,
    /// Labels of the first alone.
    pub labels_removed: Vec<String>,
    /// Columns that differ.
    pub columns: Vec<ColumnRow>,
    /// Columns that are the same.
    pub same: usize,
}

/// A column that differs: in its kind or role, or in its levels. A model that does not read it has neither.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ColumnRow {
    /// Its name.
    pub name: String,
    /// Kind in the first.
    pub kind_a: Option<String>,
    /// Kind in the second.
    pub kind_b: Option<String>,
    /// Role in the first.
    pub role_a: Option<String>,
    /// Role in the second.
    pub role_b: Option<String>,
    /// Levels that the second alone knows.
    pub levels_added: Vec<String>,
    /// Levels that the first alone knows.
    pub levels_removed: Vec<String>,
}

pub(super) fn diff(a: &Artifact, b: &Artifact) -> SchemaDiff {
    let (left, right) = (a.model().signature(), b.model().signature());
    let signature = |artifact: &Artifact| {
        let signature = artifact.model().signature();
        BTreeMap::from([
            ("target".to_owned(), signature.target.clone()),
            ("task".to_owned(), signature.task.name().to_owned()),
            ("zone".to_owned(), signature.zone.clone()),
            ("missing tokens".to_owned(), signature.na.join(", ")),
        ])
    };
    let (labels_added, labels_removed) = added_removed(left.task.labels(), right.task.labels());
    let (roles_a, roles_b) = (roles(a), roles(b));
    let names: BTreeSet<&String> = roles_a.keys().chain(roles_b.keys()).collect();
    let total = names.len();
    let columns: Vec<ColumnRow> =
        names.into_iter().filter_map(|name| column(name, (a, &roles_a), (b, &roles_b))).collect();
    SchemaDiff {
        signature: super::rows(&signature(a), &signature(b)),
        labels_added,
        labels_removed,
        same: total - columns.len(),
        columns,
    }
}

/// The role of each column that a model is known to have met: those that it reads, its target, and those that its split followed.
fn roles(artifact: &Artifact) -> BTreeMap<String, &'static str> {
    let split = &artifact.evidence.plan["split"];
    let mut roles: BTreeMap<String, &'static str> = BTreeMap::new();
    for (key, role) in [("group", "group"), ("time", "time"), ("column", "split")] {
        if let Some(name) = split[key].as_str().filter(|n| !n.is_empty()) {
            roles.insert(name.to_owned(), role);
        }
    }
    for input in artifact.model().pipeline().inputs() {
        let role = if roles.get(&input.name) == Some(&"time") { "feature, time" } else { "feature" };
        roles.insert(input.name.clone(), role);
    }
    roles.insert(artifact.model().signature().target.clone(), "target");
    roles
}

type Side<'a> = (&'a Artifact, &'a BTreeMap<String, &'static str>);

fn column(name: &str, (a, roles_a): Side<'_>, (b, roles_b): Side<'_>) -> Option<ColumnRow> {
    let kind = |artifact: &Artifact| {
        artifact.model().pipeline().inputs().iter().find(|i| i.name == name).map(|i| i.kind.name().to_owned())
    };
    let role = |roles: &BTreeMap<String, &'static str>| roles.get(name).map(|r| (*r).to_owned());
    let (left, right) = (levels(a.model(), name), levels(b.model(), name));
    let (levels_added, levels_removed) = match (left, right) {
        (Some(left), Some(right)) => {
            let all = |levels: &FrozenLevels| levels.levels().iter().map(str::to_owned).collect::<Vec<_>>();
            added_removed(&all(left), &all(right))
        }
        _ => (Vec::new(), Vec::new()),
    };
    let row = ColumnRow {
        name: name.to_owned(),
        kind_a: kind(a),
        kind_b: kind(b),
        role_a: role(roles_a),
        role_b: role(roles_b),
        levels_added,
        levels_removed,
    };
    let differs = row.kind_a != row.kind_b
        || row.role_a != row.role_b
        || !row.levels_added.is_empty()
        || !row.levels_removed.is_empty();
    differs.then_some(row)
}

/// The levels of a column that a model has codes for.
fn levels<'a>(model: &'a Model, name: &str) -> Option<&'a FrozenLevels> {
    let position = model.pipeline().inputs().iter().position(|i| i.name == name)?;
    model.pipeline().steps().iter().find_map(|step| match &step.operator {
        Operator::Encode { input, levels } if *input == position => Some(levels),
        _ => None,
    })
}

fn added_removed(a: &[String], b: &[String]) -> (Vec<String>, Vec<String>) {
    let (left, right): (BTreeSet<&String>, BTreeSet<&String>) = (a.iter().collect(), b.iter().collect());
    let only = |of: &BTreeSet<&String>, not: &BTreeSet<&String>| of.difference(not).map(|l| (*l).clone()).collect();
    (only(&right, &left), only(&left, &right))
}

/// What the pipeline makes of each column, in words.
pub(super) fn features(model: &Model) -> BTreeMap<String, String> {
    let pipeline = model.pipeline();
    let inputs = pipeline.inputs().iter().enumerate();
    inputs.map(|(i, input)| (input.name.clone(), becomes(pipeline, i).join(", "))).collect()
}
