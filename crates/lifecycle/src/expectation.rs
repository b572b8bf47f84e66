//! What a project expects of its data and its models, declared in files, and whether it is so: `tabwright test`.
//!
//! A file holds `[[data]]` and `[[model]]` tests; [`TestFile`] is its form. Nothing here knows where models are kept: those who
//! run tests say how one is found.

mod behaviour;
mod data;
mod draft;
mod file;
mod junit;
mod model;
mod rows;

use serde::Serialize;
use tabwright_core::{Context, Event};
use tabwright_model::artifact::Artifact;

use crate::config::Config;
use crate::error::{Error, Exit};

pub use draft::{better_than_guessing, data_tests, model_tests, quoted};
pub use file::TestFile;
pub use junit::junit;

/// A model that a test names, and how its training read the data, where that is known.
#[derive(Debug)]
pub struct Named {
    /// The model.
    pub artifact: Artifact,
    /// The configuration of the run that made it.
    pub config: Option<Config>,
}

/// What tests are about, beside what they say themselves.
#[derive(Clone, Copy)]
pub struct Project<'a> {
    /// The configuration: how data is read, and the named slices.
    pub config: &'a Config,
    /// Finds a model by its name or file.
    pub model: &'a dyn Fn(&str) -> Result<Named, Broken>,
}

impl std::fmt::Debug for Project<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Project").field("config", self.config).finish_non_exhaustive()
    }
}

/// Why something could not be tested at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// What stood in the way.
    pub message: String,
    /// What a command ends with for that reason.
    pub exit: Exit,
}

impl<E: Into<Error>> From<E> for Broken {
    fn from(error: E) -> Self {
        let error = error.into();
        Broken { exit: error.exit(), message: error.to_string() }
    }
}

/// What became of one expectation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It is met.
    Ok,
    /// It is not met.
    Failed,
    /// It could not be looked at: a file that cannot be read, a model that is not there.
    Error,
}

/// One expectation, and what was found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Outcome {
    /// The file that asks for it.
    pub file: String,
    /// The name of the test.
    pub test: String,
    /// What is expected: a key of the test, with the column or metric that it is about.
    pub check: String,
    /// What became of it.
    pub status: Status,
    /// What was found.
    pub message: String,
    /// How long it took.
    pub seconds: f64,
    /// What a command ends with where it could not be looked at.
    #[serde(skip)]
    pub exit: Option<Exit>,
}

/// What became of all expectations, in the order in which they were asked.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Report {
    /// One for each expectation.
    pub tests: Vec<Outcome>,
}

impl Report {
    /// How many ended so.
    pub fn count(&self, status: Status) -> usize {
        self.tests.iter().filter(|t| t.status == status).count()
    }

    /// What a command ends with: nothing where all is well, the first reason why something could not be tested, else a verdict.
    pub fn exit(&self) -> Option<Exit> {
        let broken = self.tests.iter().find_map(|t| t.exit);
        broken.or_else(|| (self.count(Status::Failed) > 0).then_some(Exit::Verdict))
    }
}

/// Runs the tests of files.
///
/// # Errors
/// Only if the user stops it. What cannot be tested is in the report.
pub fn run(files: &[TestFile], project: Project<'_>, context: Context<'_>) -> Result<Report, Error> {
    let mut report = Report::default();
    for file in files {
        context.observer.event(Event::Phase { name: &file.name, steps: Some(file.len()) });
        for test in file.data.iter().map(|test| test.get_ref()) {
            let mut asked = Asked::new(&mut report, context, &file.name, &test.name);
            data::run(test, project.config, &mut asked);
            asked.end()?;
        }
        for test in file.model.iter().map(|test| test.get_ref()) {
            let mut asked = Asked::new(&mut report, context, &file.name, &test.name);
            model::run(test, project, &mut asked);
            asked.end()?;
        }
    }
    Ok(report)
}

/// The expectations of one test, as they are looked at.
struct Asked<'a> {
    report: &'a mut Report,
    context: Context<'a>,
    file: &'a str,
    test: &'a str,
    since: f64,
}

/// Whether an expectation is met, and what was found.
type Found = Result<(bool, String), Broken>;

impl<'a> Asked<'a> {
    fn new(report: &'a mut Report, context: Context<'a>, file: &'a str, test: &'a str) -> Self {
        Asked { report, context, file, test, since: context.clock.seconds() }
    }

    /// Keeps what was found.
    fn add(&mut self, check: impl Into<String>, found: Found) {
        let now = self.context.clock.seconds();
        let (status, message, exit) = match found {
            Ok((true, message)) => (Status::Ok, message, None),
            Ok((false, message)) => (Status::Failed, message, None),
            Err(broken) => (Status::Error, broken.message, Some(broken.exit)),
        };
        self.report.tests.push(Outcome {
            file: self.file.to_owned(),
            test: self.test.to_owned(),
            check: check.into(),
            status,
            message,
            seconds: now - self.since,
            exit,
        });
        self.since = now;
    }

    fn end(self) -> Result<(), Error> {
        self.context.observer.event(Event::Step { name: self.test });
        match self.context.cancel.is_cancelled() {
            true => Err(Error::Cancelled("not every test was run".into())),
            false => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
