//! `cargo xtask tidy`: the rules of the house that the compiler does not know. Reads the checkout, changes nothing.

mod edges;
mod markdown;
mod source;
mod unused;

use std::path::Path;
use std::process::Command;

use crate::process::{self, Result};

/// What tidy found: problems fail, notes do not.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Findings {
    problems: Vec<String>,
    notes: Vec<String>,
}

impl Findings {
    fn problem(&mut self, text: impl Into<String>) {
        self.problems.push(text.into());
    }

    fn note(&mut self, text: impl Into<String>) {
        self.notes.push(text.into());
    }
}

/// A file of the checkout: its path from the root, with `/`, and its text.
#[derive(Debug, Clone)]
pub(crate) struct File {
    path: String,
    text: String,
}

impl File {
    #[cfg(test)]
    fn new(path: &str, text: &str) -> Self {
        File { path: path.to_owned(), text: text.to_owned() }
    }

    fn extension(&self) -> &str {
        self.path.rsplit_once('.').map_or("", |(_, e)| e)
    }
}

/// Checks the checkout and prints what is wrong.
///
/// # Errors
/// If anything is.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    if let Some(odd) = arguments.first() {
        return Err(format!("tidy takes no argument, got `{odd}`"));
    }
    let root = process::root();
    let files = text_files(&root)?;
    let findings = check(&root, &files);
    for note in &findings.notes {
        println!("note: {note}");
    }
    for problem in &findings.problems {
        println!("tidy: {problem}");
    }
    println!("tidy: {} files, {} problems, {} notes", files.len(), findings.problems.len(), findings.notes.len());
    if findings.problems.is_empty() { Ok(()) } else { Err("tidy found problems".into()) }
}

fn check(root: &Path, files: &[File]) -> Findings {
    let mut findings = Findings::default();
    edges::check(files, &mut findings);
    unused::check(files, &mut findings);
    source::check(files, &mut findings);
    markdown::check(root, files, &mut findings);
    findings
}

/// Every file that git knows or would add, if it is text.
fn text_files(root: &Path) -> Result<Vec<File>> {
    let mut git = Command::new("git");
    git.current_dir(root).args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
    let mut paths: Vec<String> = process::output(git)?.split('\0').filter(|p| !p.is_empty()).map(Into::into).collect();
    paths.sort_unstable();
    paths.dedup();
    // A tracked file may be deleted in the work tree; a file that is not UTF-8 is not ours to judge.
    let read = |path: String| std::fs::read_to_string(root.join(&path)).ok().map(|text| File { path, text });
    Ok(paths.into_iter().filter_map(read).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checkout_has_rust_files_with_text() {
        let files = text_files(&process::root()).unwrap();
        assert!(files.iter().any(|f| f.path == "xtask/src/tidy.rs" && f.text.contains("the_checkout_has")));
        assert!(files.iter().all(|f| !f.path.starts_with("target/")));
    }
}
