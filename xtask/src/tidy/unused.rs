//! Dependencies that nobody uses: a name that stands in a manifest and nowhere in the crate's source.
//!
//! A textual check: it finds what was forgotten and never calls a used one unused, unless it is only used by a macro.

use super::{File, Findings, edges};

/// Checks every crate's dependencies, and that each of the workspace's is some crate's.
pub(super) fn check(files: &[File], findings: &mut Findings) {
    let mut named = Vec::new();
    for file in files.iter().filter(|f| f.path.ends_with("/Cargo.toml")) {
        let Some(manifest) = edges::parse(file, findings) else { continue };
        let folder = file.path.trim_end_matches("Cargo.toml");
        for (name, section) in edges::dependencies(&manifest) {
            let word = name.replace('-', "_");
            let reach = if section == "dependencies" { format!("{folder}src/") } else { folder.to_owned() };
            let used = files.iter().any(|f| {
                f.path.starts_with(&reach) && f.extension() == "rs" && f.text.lines().any(|l| has_word(l, &word))
            });
            if !used {
                findings.problem(format!("{}: `{name}` ({section}) is used nowhere in {reach}", file.path));
            }
            named.push(name);
        }
    }
    let Some(root) = files.iter().find(|f| f.path == "Cargo.toml") else { return };
    let Some(manifest) = edges::parse(root, findings) else { return };
    let offered = manifest.get("workspace").and_then(|w| w.get("dependencies")).and_then(toml::Value::as_table);
    for name in offered.into_iter().flat_map(toml::Table::keys) {
        if !named.contains(name) {
            findings.problem(format!("Cargo.toml: no crate uses the workspace's dependency `{name}`"));
        }
    }
}

/// Whether a line of code, comments apart, has a word.
fn has_word(line: &str, word: &str) -> bool {
    let is_name = |c: char| c.is_alphanumeric() || c == '_';
    let code = line.trim_start();
    if code.starts_with("//") && !code.starts_with("///") && !code.starts_with("//!") {
        return false;
    }
    code.match_indices(word).any(|(at, _)| {
        !code[..at].chars().next_back().is_some_and(is_name)
            && !code[at + word.len()..].chars().next().is_some_and(is_name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_forgotten_dependency_is_found_and_a_used_one_is_not() {
        let files = [
            File::new("Cargo.toml", "[workspace.dependencies]\nrayon = '1'\nserde-json = '1'\nold = '1'\n"),
            File::new("crates/a/Cargo.toml", "[dependencies]\nrayon = '1'\nserde-json = '1'\n"),
            File::new("crates/a/src/lib.rs", "//! A.\n// rayon is not used\nuse serde_json::Value;\nfn crayon() {}\n"),
            File::new("crates/b/src/lib.rs", "use rayon::prelude;\n"),
        ];
        let mut findings = Findings::default();
        check(&files, &mut findings);
        assert_eq!(
            findings.problems,
            [
                "crates/a/Cargo.toml: `rayon` (dependencies) is used nowhere in crates/a/src/",
                "Cargo.toml: no crate uses the workspace's dependency `old`",
            ]
        );
    }

    #[test]
    fn a_dependency_of_tests_may_be_used_beside_the_source() {
        let files = [
            File::new("crates/a/Cargo.toml", "[dev-dependencies]\nproptest = '1'\n"),
            File::new("crates/a/tests/all.rs", "proptest::proptest! {}\n"),
        ];
        let mut findings = Findings::default();
        check(&files, &mut findings);
        assert_eq!(findings, Findings::default());
    }
}
