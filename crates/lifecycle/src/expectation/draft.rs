//! First drafts of test files, from a look at the data: what holds of it now, a little loosened.

use std::fmt::Write;

use tabwright_core::summary::ColumnSummary;
use tabwright_core::{Code, Kind, Metric, Task};

use crate::profile::Profile;

/// Levels of a column that are listed at most.
const MOST_LEVELS: u64 = 12;
/// Steps of the shares of missing values.
const STEPS: f64 = 20.0;
/// Most milliseconds for one row: what a person does not notice.
const LATENCY_MS: u32 = 50;

/// A test file about data that looks like this. `what` says where it is from.
pub fn data_tests(profile: &Profile, what: &str) -> String {
    let mut text = format!(
        "# What is expected of the data. `tabwright test` looks at it; exit code 4 says that something is not so.\n\
         # A first draft, from {}: loosen what need not stay so, tighten what must.\n\n\
         [[data]]\nname = \"raw data\"\n# file = \"data/raw/*.csv\"   # absent: data.source of tabwright.toml\n\
         rows = {{ min = {} }}\n\n[data.columns]\n",
        one_line(what),
        profile.rows.div_ceil(2)
    );
    for column in &profile.columns {
        let _ = writeln!(text, "{} = {{ {} }}", key(&column.name), rule(column, profile).join(", "));
    }
    text.push_str(
        "\n# What holds of the rows; a share below 1 lets some of them differ. A comparison with a missing value does not hold.\n",
    );
    let target = profile.target.as_deref().filter(|name| is_plain(name));
    match target.and_then(|name| profile.columns.iter().find(|c| c.name == name)) {
        Some(target) => {
            let _ = write!(text, "[[data.conditions]]\nholds = '\"{}\" is not null'\n", target.name);
            if target.missing > 0 {
                let _ = writeln!(text, "share = {:.2}", 1.0 - most_missing(target));
            }
        }
        None => text.push_str("# [[data.conditions]]\n# holds = \"amount > 0 or amount is null\"\n# share = 0.99\n"),
    }
    text
}

/// What a column holds now.
fn rule(column: &ColumnSummary, profile: &Profile) -> Vec<String> {
    let mut rule = vec![format!("kind = \"{}\"", column.kind), format!("max_missing = {}", most_missing(column))];
    if is_identifier(column, profile) {
        rule.push("unique = true".to_owned());
    }
    if let (true, Some(numbers)) = (column.kind.is_numeric(), &column.numbers)
        && numbers.min >= 0.0
    {
        rule.push("min = 0".to_owned());
    }
    if let (Kind::Categorical, Some(categories)) = (column.kind, &column.categories)
        && categories.levels <= MOST_LEVELS
        && categories.top.len() as u64 == categories.levels
    {
        let mut levels: Vec<String> = categories.top.iter().map(|level| quoted(&level.value)).collect();
        levels.sort();
        rule.push(format!("levels = [{}]", levels.join(", ")));
    }
    rule
}

/// The share of missing values that is still no surprise: none where there is none, else the next step but one.
fn most_missing(column: &ColumnSummary) -> f64 {
    match column.missing {
        0 => 0.0,
        missing => (((missing as f64 / column.count as f64) * STEPS).floor() + 2.0).min(STEPS) / STEPS,
    }
}

fn is_identifier(column: &ColumnSummary, profile: &Profile) -> bool {
    let found =
        profile.findings.iter().any(|f| f.code == Code::IdentifierLike && f.column.as_deref() == Some(&column.name));
    found && column.distinct_exact && column.distinct == column.count - column.missing
}

/// A test file about a model of such data.
pub fn model_tests(model: &str, profile: &Profile) -> String {
    let mut text = format!(
        "# What is expected of a model. `tabwright test` looks at it; exit code 4 says that something is not so.\n\n\
         [[model]]\nname = \"champion\"\n\
         model = {}   # NAME is its champion; also NAME:VERSION, NAME@ALIAS, or a file\n\
         # data = \"data/processed/new.csv\"   # absent: the rows that the model was never fitted on\n\
         contract = true\nmax_latency_ms = {LATENCY_MS}\n",
        quoted(model)
    );
    let floor = profile.task.as_ref().map(better_than_guessing);
    if let Some((metric, least)) = floor {
        let _ = write!(
            text,
            "\n# The worst value of each metric. Just better than guessing: raise it to what the work needs.\n\
             metrics = {{ {metric} = {least} }}\n\
             # The same in slices, which [registry.slices] of tabwright.toml names.\n\
             # slices = {{ newcomers = {{ {metric} = {least} }} }}\n"
        );
    }
    let features = || profile.columns.iter().filter(|c| profile.target.as_deref() != Some(&c.name));
    let ids: Vec<String> = features()
        .filter(|c| is_identifier(c, profile))
        .map(|c| format!("{{ column = {} }}", quoted(&c.name)))
        .collect();
    text.push_str("\n# Columns whose change must not change the prediction.\n");
    match ids.is_empty() {
        true => text.push_str("# invariant_to = [{ column = \"name\", tolerance = 0.01, share = 0.99 }]\n"),
        false => drop(writeln!(text, "invariant_to = [{}]", ids.join(", "))),
    }
    let number = features().find(|c| c.kind.is_numeric() && !is_identifier(c, profile));
    let number = number.map_or("amount", |c| c.name.as_str());
    let (column, number) = (quoted(number), key(number));
    let _ = write!(
        text,
        "\n# Numbers that may move the prediction (the probability of the positive class, or the number) one way only.\n\
         # monotone_in = [{{ column = {column}, by = 1, direction = \"increasing\", share = 0.95 }}]\n\n\
         # Rows with known answers; columns that are left out are missing.\n\
         # [[model.examples]]\n# row = {{ {number} = 1 }}\n# min = 0.0\n"
    );
    text
}

/// A metric of a task with a value that is just better than guessing.
pub fn better_than_guessing(task: &Task) -> (Metric, f64) {
    match task {
        Task::Binary { .. } => (Metric::RocAuc, 0.55),
        Task::Multiclass { .. } => (Metric::Mcc, 0.05),
        Task::Regression => (Metric::R2, 0.05),
    }
}

/// A name as a key of TOML: as it is where it can be.
fn key(name: &str) -> String {
    let is_bare = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    match !name.is_empty() && name.chars().all(is_bare) {
        true => name.to_owned(),
        false => quoted(name),
    }
}

/// Whether a name can stand in a condition as it is, between quotes.
fn is_plain(name: &str) -> bool {
    !name.contains(['"', '\'']) && !name.chars().any(char::is_control)
}

/// A text in quotes, on one line: a value or a key of TOML.
pub fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c.is_control() => drop(write!(quoted, "\\u{:04X}", u32::from(c))),
            c => quoted.push(c),
        }
    }
    quoted + "\""
}

fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}
