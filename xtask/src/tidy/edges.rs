//! Which crate may depend on which, and what stays out of the crates that a model is embedded with.
//!
//! The table is the one of ARCHITECTURE.md; a new edge changes both in one commit.

use std::collections::BTreeMap;

use super::{File, Findings};

/// A crate's folder below `crates/`, and the folders of the crates that it may use.
const ALLOWED: &[(&str, &[&str])] = &[
    ("core", &[]),
    ("data", &["core"]),
    ("model", &["core"]),
    ("trees", &["core", "model"]),
    ("learn", &["core", "model", "trees"]),
    ("monitor", &["core", "model", "trees", "learn"]),
    ("store", &["core", "data"]),
    ("report", &["core", "model"]),
    ("lifecycle", &["core", "data", "model", "trees", "learn", "monitor", "store", "report"]),
    ("tabwright", &["core", "data", "model", "trees", "learn", "monitor", "store", "report", "lifecycle"]),
    ("server", &["core", "data", "model", "learn", "lifecycle", "store"]),
    (
        "cli",
        &["core", "data", "model", "trees", "learn", "monitor", "store", "report", "lifecycle", "server", "tabwright"],
    ),
];

/// Crates without I/O: a model can be embedded with next to no dependencies.
pub(super) const PURE: [&str; 5] = ["core", "model", "trees", "learn", "monitor"];

/// Beginnings of the names of dependencies that pure crates never have.
const NOT_PURE: [&str; 12] = [
    "arrow",
    "parquet",
    "tokio",
    "clap",
    "indicatif",
    "comfy-table",
    "tracing-subscriber",
    "jiff",
    "chrono",
    "csv",
    "rand",
    "reqwest",
];

/// Checks every manifest below `crates/`, `xtask`'s, and that ARCHITECTURE.md lists each crate.
pub(super) fn check(files: &[File], findings: &mut Findings) {
    let architecture = files.iter().find(|f| f.path == "ARCHITECTURE.md");
    if architecture.is_none() {
        findings.problem("ARCHITECTURE.md is missing");
    }
    for file in files.iter().filter(|f| f.path.ends_with("/Cargo.toml")) {
        let Some(manifest) = parse(file, findings) else { continue };
        match file.path.strip_prefix("crates/").and_then(|p| p.strip_suffix("/Cargo.toml")) {
            Some(folder) => {
                of_crate(folder, &manifest, findings);
                let names = [format!("`{folder}`"), format!("crates/{folder}")];
                if architecture.is_some_and(|a| !names.iter().any(|name| a.text.contains(name))) {
                    findings.problem(format!("ARCHITECTURE.md does not list the crate `{folder}`"));
                }
            }
            None => {
                for name in internal(&manifest) {
                    findings.problem(format!("{}: `{name}` is no dependency for a chore", file.path));
                }
            }
        }
    }
}

fn of_crate(folder: &str, manifest: &toml::Table, findings: &mut Findings) {
    let Some((_, allowed)) = ALLOWED.iter().find(|(name, _)| *name == folder) else {
        findings.problem(format!(
            "crates/{folder} has no row among the allowed edges (xtask/src/tidy/edges.rs); add one there and in ARCHITECTURE.md"
        ));
        return;
    };
    let expected = if folder == "tabwright" { "tabwright".to_owned() } else { format!("tabwright-{folder}") };
    if manifest.get("package").and_then(|p| p.get("name")).and_then(toml::Value::as_str) != Some(&expected) {
        findings.problem(format!("crates/{folder}: the package must be named `{expected}`"));
    }
    for name in internal(manifest) {
        if !allowed.contains(&name.as_str()) {
            findings.problem(format!("crates/{folder} must not depend on `{name}`; allowed: {}", listed(allowed)));
        }
    }
    if PURE.contains(&folder) {
        for name in dependencies(manifest).keys() {
            if NOT_PURE.iter().any(|start| name.starts_with(start)) {
                findings
                    .problem(format!("crates/{folder} does no I/O and keeps no time; it must not depend on `{name}`"));
            }
        }
    }
}

fn listed(names: &[&str]) -> String {
    if names.is_empty() { "none".into() } else { names.join(", ") }
}

/// The folders of the project's own crates among the dependencies; those for tests count as well.
fn internal(manifest: &toml::Table) -> Vec<String> {
    let own = |name: &String| {
        let rest = name.strip_prefix("tabwright")?;
        Some(rest.strip_prefix('-').map_or_else(|| "tabwright".to_owned(), str::to_owned))
    };
    dependencies(manifest).keys().filter_map(own).collect()
}

/// Every dependency of a manifest, with the section that names it, `target.….dependencies` included.
pub(super) fn dependencies(manifest: &toml::Table) -> BTreeMap<String, &'static str> {
    const SECTIONS: [&str; 3] = ["dependencies", "dev-dependencies", "build-dependencies"];
    let targets = manifest.get("target").and_then(toml::Value::as_table).into_iter().flat_map(|t| t.values());
    let tables = std::iter::once(manifest).chain(targets.filter_map(toml::Value::as_table));
    let mut found = BTreeMap::new();
    for table in tables {
        for section in SECTIONS.into_iter().rev() {
            let names = table.get(section).and_then(toml::Value::as_table).into_iter().flat_map(toml::Table::keys);
            found.extend(names.map(|name| (name.clone(), section)));
        }
    }
    found
}

/// A manifest as a table; a problem if it is none.
pub(super) fn parse(file: &File, findings: &mut Findings) -> Option<toml::Table> {
    match file.text.parse() {
        Ok(table) => Some(table),
        Err(e) => {
            findings.problem(format!("{}: {e}", file.path));
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(path: &str, manifest: &str) -> Vec<String> {
        let files = [File::new("ARCHITECTURE.md", "`core` `model` `learn` `tabwright`"), File::new(path, manifest)];
        let mut findings = Findings::default();
        check(&files, &mut findings);
        findings.problems
    }

    #[test]
    fn an_edge_that_the_table_lacks_is_found() {
        let manifest = "[package]\nname = 'tabwright-model'\n[dependencies]\ntabwright-core.workspace = true\n\
                        [dev-dependencies]\ntabwright-learn.workspace = true\n";
        let found = problems("crates/model/Cargo.toml", manifest);
        assert_eq!(found, ["crates/model must not depend on `learn`; allowed: core"]);
    }

    #[test]
    fn arrow_stays_out_of_the_crates_that_models_are_embedded_with() {
        let manifest = "[package]\nname = 'tabwright-learn'\n[target.'cfg(unix)'.dependencies]\narrow-array = '60'\n";
        let found = problems("crates/learn/Cargo.toml", manifest);
        assert_eq!(found.len(), 1);
        assert!(found[0].contains("must not depend on `arrow-array`"), "{found:?}");
    }

    #[test]
    fn a_crate_without_a_row_or_a_line_in_the_architecture_is_found() {
        let found = problems("crates/songs/Cargo.toml", "[package]\nname = 'tabwright-songs'\n");
        assert!(found[0].contains("crates/songs has no row"), "{found:?}");
        assert!(found[1].contains("does not list the crate `songs`"), "{found:?}");
    }

    #[test]
    fn the_library_may_use_all_below_it() {
        let manifest = "[package]\nname = 'tabwright'\n[dependencies]\ntabwright-lifecycle.workspace = true\n";
        assert!(problems("crates/tabwright/Cargo.toml", manifest).is_empty());
        let found = problems("xtask/Cargo.toml", "[dependencies]\ntabwright.workspace = true\n");
        assert_eq!(found, ["xtask/Cargo.toml: `tabwright` is no dependency for a chore"]);
    }
}
