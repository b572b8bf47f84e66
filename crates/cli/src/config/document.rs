//! The annotated configuration file with every key: what `tabwright docs configuration` prints and the guide shows.

use std::fmt::Write;

use super::keys::{KEYS, KeyType, variable};

/// The annotated file, as TOML that reads back as the defaults.
pub(crate) fn annotated() -> String {
    let mut text = String::from(
        "# Every key of tabwright.toml, with its default. Keys without one are commented out.\n\
         # A flag beats the environment, which beats this file, which beats the defaults; `--set KEY=VALUE` reaches any key.\n",
    );
    let mut section = "";
    for key in KEYS {
        let (own, name) = key.name.rsplit_once('.').unwrap_or(("", key.name));
        if own != section {
            section = own;
            let _ = write!(text, "\n[{section}]\n");
        }
        let flag = key.flag.map_or_else(String::new, |f| format!("--{f}, "));
        let words = match key.key_type {
            KeyType::Choice(words) => {
                let words: Vec<&str> = words.iter().copied().filter(|w| !w.is_empty()).collect();
                format!(" One of: {}.", words.join(", "))
            }
            _ => String::new(),
        };
        let _ = writeln!(text, "# {}{words} ({flag}{})", key.doc, variable(key));
        match key.default {
            "" => drop(writeln!(text, "# {name} = {}", example(key.key_type))),
            default => drop(writeln!(text, "{name} = {default}")),
        }
    }
    text.push_str(
        "\n# What is done to single columns, in every family of models; what is not given follows the family.\n\
         # [features.columns.total_bedrooms]\n\
         # impute = \"mean\"\n# indicator = true\n# scale = \"robust\"\n\n\
         # Candidates of your own: any number, any names, several of one type.\n\
         # [candidates.small_forest]\n# type = \"random_forest\"\n# n_estimators = 50\n",
    );
    text
}

fn example(key_type: KeyType) -> &'static str {
    match key_type {
        KeyType::Number => "0.7",
        KeyType::Switch => "true",
        _ => "\"\"",
    }
}
