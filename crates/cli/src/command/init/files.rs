//! What a new project holds, beside its data: texts with its name, target and data filled in.

use tabwright_lifecycle::expectation;
use tabwright_lifecycle::profile::Profile;

use crate::config::document;

/// Folders that are empty at first.
const EMPTY: [&str; 5] = ["data/raw", "data/processed", "data/external", "models", "reports/figures"];

/// What the texts are about.
#[derive(Debug)]
pub(super) struct Facts<'a> {
    /// The name of project and model.
    pub(super) name: &'a str,
    /// The column to predict.
    pub(super) target: &'a str,
    /// The files of data, from the project's folder.
    pub(super) data: &'a [String],
    /// Whether the data is the generated sample.
    pub(super) is_sample: bool,
    /// A look at the data.
    pub(super) profile: &'a Profile,
}

/// Every file with its text.
pub(super) fn of_project(facts: &Facts<'_>) -> Vec<(String, String)> {
    let template = |text: &str| filled(text, facts);
    let what = format!("{} rows of {}", facts.profile.rows, facts.data.join(", "));
    let files = [
        ("README.md", template(include_str!("../../../templates/project/README.md"))),
        (".gitignore", include_str!("../../../templates/project/gitignore").to_owned()),
        ("tabwright.toml", document::project(&settings(facts))),
        ("features/README.md", include_str!("../../../templates/project/features.md").to_owned()),
        ("notebooks/README.md", include_str!("../../../templates/project/notebooks.md").to_owned()),
        ("tests/data.toml", expectation::data_tests(facts.profile, &what)),
        ("tests/model.toml", expectation::model_tests(facts.name, facts.profile)),
        (".github/workflows/model.yml", template(include_str!("../../../templates/project/model.yml"))),
    ];
    let empty = EMPTY.iter().map(|folder| (format!("{folder}/.gitkeep"), String::new()));
    files.into_iter().map(|(name, text)| (name.to_owned(), text)).chain(empty).collect()
}

/// The keys that the project sets, as they stand in the file.
fn settings(facts: &Facts<'_>) -> Vec<(&'static str, String)> {
    let quoted = expectation::quoted;
    let sources: Vec<String> = facts.data.iter().map(|file| quoted(file)).collect();
    let mut settings = vec![
        ("data.source", format!("[{}]", sources.join(", "))),
        ("data.target", quoted(facts.target)),
        ("train.name", quoted(facts.name)),
        ("project.name", quoted(facts.name)),
        ("registry.gate.no_findings", "[\"target_leak\"]".to_owned()),
    ];
    if let Some(task) = &facts.profile.task {
        let (metric, least) = expectation::better_than_guessing(task);
        settings.push(("registry.gate.metrics", format!("{{ \"test.{metric}\" = {least} }}")));
    }
    settings
}

fn filled(text: &str, facts: &Facts<'_>) -> String {
    let data: Vec<String> = facts.data.iter().map(|file| word(file)).collect();
    text.replace("@get_data@", &get_data(facts))
        .replace("@name@", facts.name)
        .replace("@data@", &data.join(" "))
        .replace("@target_word@", &word(facts.target))
        .replace("@target@", &facts.target.replace(['`', '\n', '\r'], " "))
}

/// The step of the workflow that brings the data, which is not in version control.
fn get_data(facts: &Facts<'_>) -> String {
    let files: Vec<String> = facts.data.iter().map(|file| word(file)).collect();
    let (files, step) = (files.join(" "), "      - name: Get the data\n");
    // A block: what is in it needs no marks of YAML's.
    match facts.is_sample {
        true => format!("{step}        run: |\n          tabwright example churn -o {files}"),
        false => format!(
            "      # The data is not in version control: put the command that fetches it here, such as aws s3 cp.\n\
             {step}        run: |\n          ls -l {files}"
        ),
    }
}

/// A text as one word of a shell.
pub(super) fn word(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '/');
    match !text.is_empty() && text.chars().all(is_plain) {
        true => text.to_owned(),
        false => format!("'{}'", text.replace('\'', "'\\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_names_are_one_word_of_a_shell() {
        assert_eq!(word("data/raw/a-1.csv"), "data/raw/a-1.csv");
        assert_eq!(word("my file; rm -rf *'.csv"), "'my file; rm -rf *'\\''.csv'");
        assert_eq!(word(""), "''");
    }
}
