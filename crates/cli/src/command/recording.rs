//! Records a command as a run, beside the work: nothing here can stop it or make it wait for long. What the store does not
//! take is written to a file, for `runs import`.

use std::path::Path;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use serde_json::{Map, Value, json};
use tabwright_core::{Code, Warning};
use tabwright_lifecycle::config::Config;
use tabwright_lifecycle::error::Error;
use tabwright_lifecycle::record::{self, About, RecordFile, Registration};
use tabwright_store::{ActiveRun, RunDocument, Store, StoreOptions, time};
use tokio::runtime::Runtime;

use crate::error::Failure;
use crate::{home, surroundings};

/// How long to wait for another process that writes to the store: the work is done, and its record can wait in a file.
const WAIT: Duration = Duration::from_secs(4);
/// How long to wait for the store in all.
const PATIENCE: Duration = Duration::from_secs(8);

/// A run that is being recorded.
pub(super) struct Recording {
    runtime: Runtime,
    options: StoreOptions,
    about: About,
    begun: Receiver<Begun>,
}

/// What was found out, and started, while the work began.
struct Begun {
    surroundings: Map<String, Value>,
    started: Result<(Store, ActiveRun), Error>,
}

impl Recording {
    /// Begins to record a run of a kind. The store is opened beside the work.
    ///
    /// # Errors
    /// For a configuration that names no place; what the store says comes at the end.
    pub(super) fn begin(kind: &'static str, config: &Config, sources: &[String]) -> Result<Self, Failure> {
        tabwright_store::name::check("the project", &config.project.name).map_err(Error::from)?;
        tabwright_store::name::check("the experiment", &config.project.experiment).map_err(Error::from)?;
        let options = home::options(config, WAIT)?;
        let runtime = home::runtime()?;
        let run_id = Store::draw_run_id().map_err(Error::from)?;
        let about = About { run_id, started: time::now(), ..About::default() };
        let (sender, begun) = channel();
        let (config, sources, own, opened) = (config.clone(), sources.to_vec(), about.clone(), options.clone());
        runtime.spawn(async move {
            let surroundings = surroundings::gather();
            let about = About { surroundings: surroundings.clone(), ..own };
            let started = async {
                let store = Store::open(&opened).await?;
                let run = record::begun(kind, &config, &sources, &about);
                let active = store.start_run_as(about.run_id.clone(), run).await?;
                Ok((store, active))
            };
            let started = started.await;
            // Where nobody waits any more, the command has ended.
            let _ = sender.send(Begun { surroundings, started });
        });
        Ok(Recording { runtime, options, about, begun })
    }

    /// The id of the run.
    pub(super) fn run_id(&self) -> &str {
        &self.about.run_id
    }

    /// The work has ended: what is known of it now, and the store, if it can be had.
    pub(super) fn end(self) -> Ended {
        let begun = self.begun.recv_timeout(PATIENCE);
        let mut about = self.about;
        about.ended = time::now();
        let started = match begun {
            Ok(begun) => {
                about.surroundings = begun.surroundings;
                begun.started
            }
            Err(_) => {
                about.surroundings = surroundings::gather();
                let place = self.options.location.shown();
                Err(tabwright_store::Error::Locked { place, seconds: PATIENCE.as_secs() }.into())
            }
        };
        if let Some(bytes) = surroundings::peak_memory() {
            about.surroundings.insert("peak_memory".into(), json!(bytes));
        }
        Ended { runtime: self.runtime, about, started }
    }
}

/// A run whose work has ended.
pub(super) struct Ended {
    runtime: Runtime,
    /// What is known of it.
    pub(super) about: About,
    started: Result<(Store, ActiveRun), Error>,
}

impl Ended {
    /// The store, if it could be had.
    pub(super) fn store(&self) -> Option<&Store> {
        self.started.as_ref().ok().map(|(store, _)| store)
    }

    /// Writes the documents to the store, and then does more with it.
    ///
    /// # Errors
    /// What the store says, and what comes of doing more.
    pub(super) fn write<T>(
        self,
        documents: &[RunDocument],
        more: impl AsyncFnOnce(&Store) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let (store, active) = self.started?;
        let answer = self.runtime.block_on(async {
            let work = async {
                active.finish_as(documents).await?;
                let answer = more(&store).await?;
                store.close().await;
                Ok(answer)
            };
            let place = store.place().to_owned();
            let late = |_| Error::from(tabwright_store::Error::Locked { place, seconds: PATIENCE.as_secs() });
            tokio::time::timeout(PATIENCE, work).await.map_err(late)?
        });
        self.runtime.shutdown_background();
        answer
    }
}

/// Writes documents to a file, since the store did not take them, and says so.
pub(super) fn set_aside(
    documents: Vec<RunDocument>,
    register: Option<Registration>,
    path: &Path,
    error: &Error,
) -> Warning {
    let shown = path.display();
    let place = match RecordFile::new(documents, register).save(path) {
        Ok(()) => format!("It lies in {shown}; later: tabwright runs import {shown}"),
        Err(why) => format!("Nor could it be set aside: {why}"),
    };
    Warning::general(Code::NotRecorded, format!("the run is not in the store: {error}. {place}"))
}
