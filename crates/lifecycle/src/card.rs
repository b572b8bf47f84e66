//! The model card: what a model is for, how it was made and what it is worth, from the evidence in its file. What no machine can
//! know comes from the configuration, and is marked where it is missing.

mod keeping;
mod making;
mod overview;
mod performance;

use tabwright_core::{Context, Warning};
use tabwright_data::ReadOptions;
use tabwright_model::artifact::Artifact;
use tabwright_report::document::{Document, Value};
use tabwright_store::Version;

use crate::answers::{Answers, Files};
use crate::config::{CardConfig, Config};
use crate::error::Result;

/// What is known about a model besides its file.
#[derive(Debug, Clone, Copy)]
pub struct About<'a> {
    /// How it was named.
    pub name: &'a str,
    /// The configuration of the project.
    pub config: &'a Config,
    /// The version, of a registered model, and the aliases that point to it.
    pub version: Option<(&'a Version, &'a [String])>,
    /// The configuration of the run that made it, where it is known.
    pub run: Option<&'a Config>,
}

/// Files with known answers, to measure the model on.
#[derive(Debug, Clone, Default)]
pub struct CardData {
    /// Files, globs or folders; none: the card is from the evidence alone.
    pub sources: Vec<String>,
    /// How they are read.
    pub read: ReadOptions,
}

/// Writes the card of a model, and says what the user should know.
///
/// # Errors
/// From reading the files; if the model cannot read their rows.
pub fn card(
    artifact: &Artifact,
    about: About<'_>,
    data: &CardData,
    context: Context<'_>,
) -> Result<(Document, Vec<Warning>)> {
    let answers = match data.sources.is_empty() {
        true => None,
        false => Some(Files::find(&data.sources, &data.read)?.ask(artifact, context)?),
    };
    let mut warnings = answers.as_ref().map(|a| a.warnings.clone()).unwrap_or_default();
    let card = Card { artifact, about, answers: answers.as_ref() };
    let sections = vec![
        card.overview(),
        card.data_pipeline(),
        card.architecture(),
        card.performance(&mut warnings),
        card.deployment()?,
        card.maintenance(),
        card.limits(),
    ];
    let signature = artifact.model().signature();
    let lead = format!("{} for `{}`, {}", artifact.model().candidate_type(), signature.target, card.made());
    Ok((Document { title: format!("Model card: {}", about.name), lead, sections }, warnings))
}

/// A card that is being written.
struct Card<'a> {
    artifact: &'a Artifact,
    about: About<'a>,
    answers: Option<&'a Answers>,
}

impl Card<'_> {
    /// A text of `[card]`: of the project, else of the run that made the model.
    fn told(&self, name: &str, text: fn(&CardConfig) -> &String) -> Value {
        let own = text(&self.about.config.card);
        let recorded = || self.about.run.map_or("", |run| text(&run.card));
        Value::of_key(&format!("card.{name}"), if own.trim().is_empty() { recorded() } else { own })
    }

    /// When and where it was made, in words.
    fn made(&self) -> String {
        let record = &self.artifact.record;
        let day = record.created_at.get(..10).unwrap_or(&record.created_at);
        let on = if day.is_empty() { String::new() } else { format!(" on {day}") };
        format!("made{on} with Tabwright {}", record.version)
    }

    /// How many rows a part of the split has.
    fn rows(&self, part: &str) -> usize {
        self.artifact.evidence.plan["rows"][part].as_u64().and_then(|n| usize::try_from(n).ok()).unwrap_or(0)
    }
}
