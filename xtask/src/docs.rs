//! `cargo xtask docs`: writes the pages of the guide that the binary generates, so that they cannot differ from it.

use std::path::Path;
use std::process::Command;

use crate::process::{self, Result};

/// A generated page: its path, what precedes the text, what `tabwright docs` calls it, and the language of its block.
struct Page {
    path: &'static str,
    preface: &'static str,
    name: &'static str,
    block: Option<&'static str>,
}

const PAGES: [Page; 3] = [
    Page {
        path: "docs/src/configuration.md",
        preface: "# Configuration\n\n\
            `tabwright.toml` lies in the project, beside the data or above it. Every key has a default, so a project needs no\n\
            file at all; a key that does not exist is an error that names the nearest one. Flags beat the environment\n\
            (`TABWRIGHT_…`), which beats the file, which beats the defaults. `--set KEY=VALUE` reaches any key.\n\n\
            This is a whole file, with every key at its default and what it means. The program printed it (`cargo xtask docs`).\n",
        name: "configuration",
        block: Some("toml"),
    },
    Page {
        path: "docs/src/hyperparameters.md",
        preface: "# Hyperparameters\n\n\
            Every type of candidate with its hyperparameters, as `tabwright docs candidates` prints them. How they are set is\n\
            told in [Candidates](candidates.md).\n",
        name: "candidates",
        block: None,
    },
    Page {
        path: "docs/src/commands.md",
        preface: "# The command line\n\n\
            Every command with its flags, as `tabwright docs commands` prints them. What the exit codes mean stands in\n\
            [Exit codes](exit-codes.md).\n",
        name: "commands",
        block: None,
    },
];

/// Writes the pages, or with `--check` compares them, as `--binary FILE` or the release binary prints them.
///
/// # Errors
/// If the binary does not build or print them, or a page is stale under `--check`.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let (binary, rest) = process::chosen_binary(arguments)?;
    let check = match rest {
        [] => false,
        [flag] if flag == "--check" => true,
        other => return Err(format!("docs takes `--check` or nothing, got `{}`", other.join(" "))),
    };
    let stale = write(&binary, check)?;
    match (check, stale.as_slice()) {
        (true, [_, ..]) => Err(format!("stale: {}; run `cargo xtask docs` and commit the result", stale.join(", "))),
        (true, []) => {
            println!("docs: generated pages are up to date");
            Ok(())
        }
        (false, _) => {
            println!("docs: {} of {} generated pages changed", stale.len(), PAGES.len());
            Ok(())
        }
    }
}

/// The pages whose text differs from what the binary prints; they are written unless `check` is set.
///
/// # Errors
/// If the binary does not print them or a page cannot be written.
pub(crate) fn write(binary: &Path, check: bool) -> Result<Vec<String>> {
    let mut stale = Vec::new();
    for page in &PAGES {
        let mut command = Command::new(binary);
        command.args(["docs", page.name]);
        let text = render(page, &process::output(command)?);
        let path = process::root().join(page.path);
        if std::fs::read_to_string(&path).ok().as_deref() == Some(&text) {
            continue;
        }
        stale.push(page.path.to_owned());
        if !check {
            std::fs::write(&path, text).map_err(|e| format!("{} cannot be written: {e}", page.path))?;
        }
    }
    Ok(stale)
}

fn render(page: &Page, printed: &str) -> String {
    let printed = printed.trim_end();
    match page.block {
        Some(language) => format!("{}\n```{language}\n{printed}\n```\n", page.preface),
        None => format!("{}\n{printed}\n", page.preface),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_a_preface_and_what_was_printed() {
        assert!(render(&PAGES[1], "## `a`\n").ends_with("(candidates.md).\n\n## `a`\n"));
        let text = render(&PAGES[0], "[data]\nna = []\n\n");
        assert!(text.starts_with("# Configuration\n"));
        assert!(text.ends_with("\n\n```toml\n[data]\nna = []\n```\n"), "{text}");
    }
}
