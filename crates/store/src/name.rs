//! What may be a name. Checked before anything is stored, so that a name can stand in `NAME:1`, in a file name and in a URL.

use crate::error::{Error, Result};

/// The longest name of a model, alias, project or experiment, in bytes.
const LONGEST: usize = 100;
/// The longest name of a parameter, metric or tag, and the longest path of a file of a run, in bytes.
const LONGEST_KEY: usize = 250;
/// Characters of a bad name that a message shows.
const SHOWN: usize = 40;

/// Checks the name of a model, alias, project or experiment: ASCII letters, digits, `_`, `-` and `.`.
///
/// # Errors
/// [`Error::Name`] says what is wrong with it.
pub fn check(what: &'static str, name: &str) -> Result<()> {
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    let why = if name.is_empty() {
        "it is empty".to_owned()
    } else if name.len() > LONGEST {
        format!("it has {} bytes; {LONGEST} are allowed", name.len())
    } else if let Some(odd) = name.chars().find(|c| !is_allowed(*c)) {
        format!("it has {}; names are made of the letters a to z, digits, `_`, `-` and `.`", shown_character(odd))
    } else if !name.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        "it must begin with a letter or a digit".to_owned()
    } else if name.ends_with(".tw") {
        "it ends in `.tw`, like a model file; leave that out".to_owned()
    } else {
        return Ok(());
    };
    Err(Error::Name { what, found: shown(name), why })
}

/// Checks the name of an alias, which is no number: `NAME:3` and `NAME@3` would be mistaken for each other.
///
/// # Errors
/// As [`check`].
pub fn check_alias(name: &str) -> Result<()> {
    check("the alias", name)?;
    match name.bytes().all(|b| b.is_ascii_digit()) {
        true => {
            Err(Error::Name { what: "the alias", found: shown(name), why: "it is a number, like a version".into() })
        }
        false => Ok(()),
    }
}

/// Checks the name of a parameter, metric or tag: any text without control characters.
///
/// # Errors
/// [`Error::Name`] says what is wrong with it.
pub fn check_key(what: &'static str, name: &str) -> Result<()> {
    let why = if name.trim().is_empty() {
        "it is empty".to_owned()
    } else if name.len() > LONGEST_KEY {
        format!("it has {} bytes; {LONGEST_KEY} are allowed", name.len())
    } else if let Some(odd) = name.chars().find(|c| c.is_control()) {
        format!("it has {}; control characters are not allowed", shown_character(odd))
    } else {
        return Ok(());
    };
    Err(Error::Name { what, found: shown(name), why })
}

/// Checks the path of a file within its run: relative, with `/`, and never upwards.
///
/// # Errors
/// [`Error::Name`] says what is wrong with it.
pub fn check_path(path: &str) -> Result<()> {
    let what = "the path";
    check_key(what, path)?;
    let why = if path.starts_with('/') || path.contains('\\') || path.contains(':') {
        "paths of files are relative, with `/` between folders"
    } else if path.split('/').any(|part| part.is_empty() || part == "." || part == "..") {
        "a part of it is empty, `.` or `..`; it must stay within its run"
    } else {
        return Ok(());
    };
    Err(Error::Name { what, found: shown(path), why: why.to_owned() })
}

/// A name as a message shows it: short, and without control characters.
pub(crate) fn shown(name: &str) -> String {
    let cut: String = name.chars().take(SHOWN).flat_map(char::escape_debug).collect();
    let more = if name.chars().nth(SHOWN).is_some() { "…" } else { "" };
    format!("`{cut}{more}`")
}

fn shown_character(c: char) -> String {
    match c {
        ' ' => "a space".to_owned(),
        c if c.is_control() => format!("the control character {}", c.escape_default()),
        c => format!("`{c}`"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_could_be_mistaken_or_escape_are_refused() {
        for name in ["churn", "churn-2026.v2", "a", "9lives", &"a".repeat(100)] {
            check("the model name", name).unwrap();
        }
        for (name, says) in [
            ("", "it is empty"),
            ("a/b", "it has `/`"),
            ("..", "must begin with a letter"),
            (".hidden", "must begin with a letter"),
            ("a\0b", "the control character \\u{0}"),
            ("a b", "it has a space"),
            ("a:1", "it has `:`"),
            ("a@b", "it has `@`"),
            ("🚀", "it has `🚀`"),
            ("churn.tw", "like a model file"),
            (&"a".repeat(10_240), "it has 10240 bytes; 100 are allowed"),
        ] {
            let error = check("the model name", name).unwrap_err().to_string();
            assert!(error.contains(says) && error.len() < 250, "{name}: {error}");
        }
        assert!(check_alias("7").unwrap_err().to_string().contains("like a version"));
        check_alias("champion").unwrap();
    }

    #[test]
    fn keys_are_free_and_paths_stay_within_their_run() {
        for key in ["learning rate", "größe", "val/loss", "recall@5", "🚀"] {
            check_key("the parameter", key).unwrap();
        }
        for key in ["", "  ", "a\nb", &"x".repeat(251)] {
            assert!(check_key("the parameter", key).is_err(), "{key}");
        }
        check_path("plots/roc curve.svg").unwrap();
        for path in ["/etc/passwd", "../x", "a/../../x", "a//b", "a/", "C:\\x", "c:x", "a\\b", "./a", ""] {
            assert!(check_path(path).is_err(), "{path}");
        }
    }
}
