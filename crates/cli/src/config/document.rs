//! The annotated configuration file with every key: what `tabwright docs configuration` prints and the guide shows.

use std::fmt::Write;

use super::keys::{KEYS, Key, KeyType, variable};

/// What takes names of the user's own.
const FREE: &str = "\n# What is done to single columns, in every family of models; what is not given follows the family.\n\
         # [features.columns.total_bedrooms]\n\
         # impute = \"mean\"\n# indicator = true\n# scale = \"robust\"\n\n\
         # Candidates of your own: any number, any names, several of one type.\n\
         # [candidates.small_forest]\n# type = \"random_forest\"\n# n_estimators = 50\n\n\
         # Rules of alerts: any number, any names. A rule has a measure (drift_share, volume, latency, errors, lost, missing,\n\
         # maturity, or a metric) and a bound: above, reaches (this or more) or below. All else is at its default here: windows in\n\
         # a row that must break the bound (for), the value and the windows at which it is over (clear: the bound), how long it is\n\
         # not told again, how long after its end a window is judged (for labels that come late), info, warning or critical, and\n\
         # the group that is told in one message.\n\
         # [alerts.rules.slow]\n# measure = \"latency\"\n# above = 0.5\n# window = \"1d\"\n# for = 1\n# clear = 0.5\n# clear_for = 1\n\
         # silence = \"1d\"\n# delay = \"0s\"\n# severity = \"warning\"\n# group = \"\"\n# enabled = true\n";

/// The annotated file, as TOML that reads back as the defaults.
pub(crate) fn annotated() -> String {
    let mut text = String::from(
        "# Every key of tabwright.toml, with its default. Keys without one are commented out.\n\
         # A flag beats the environment, which beats this file, which beats the defaults; `--set KEY=VALUE` reaches any key.\n",
    );
    sections(&mut text, |key| match key.default {
        "" => format!("# {} = {}", last(key.name), example(key.key_type)),
        default => format!("{} = {default}", last(key.name)),
    });
    text.push_str(FREE);
    text
}

/// The file of a new project: every key, with those that it sets; all others are commented out at their defaults.
pub(crate) fn project(settings: &[(&'static str, String)]) -> String {
    let mut text = String::from(
        "# The configuration of this project, with every key. Those that are commented out are at their defaults.\n\
         # A flag beats the environment, which beats this file; `--set KEY=VALUE` reaches any key. Paths are meant from here.\n",
    );
    sections(&mut text, |key| {
        let name = last(key.name);
        match (settings.iter().find(|(set, _)| *set == key.name), key.default) {
            (Some((_, value)), _) => format!("{name} = {value}"),
            (None, "") => format!("# {name} = {}", example(key.key_type)),
            (None, default) => format!("# {name} = {default}"),
        }
    });
    text.push_str(FREE);
    text
}

/// Every key in its section, below what it means.
fn sections(text: &mut String, line: impl Fn(&Key) -> String) {
    let mut section = "";
    for key in KEYS {
        let own = key.name.rsplit_once('.').map_or("", |(own, _)| own);
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
        let _ = writeln!(text, "# {}{words} ({flag}{})\n{}", key.doc, variable(key), line(key));
    }
}

/// The name of a key within its section.
fn last(name: &'static str) -> &'static str {
    name.rsplit_once('.').map_or(name, |(_, last)| last)
}

fn example(key_type: KeyType) -> &'static str {
    match key_type {
        KeyType::Number => "0.7",
        KeyType::Switch => "true",
        _ => "\"\"",
    }
}
