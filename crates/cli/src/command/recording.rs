//! Records a command as a run, beside the work: nothing here can stop it or make it wait for long. While a training runs, what its
//! candidates have found is written now and then, by a thread that the training never waits for. What the store does not take is
//! written to a file, for `runs import`.

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use serde_json::{Map, Value, json};
use tabwright_core::{Code, Event, Observer, Warning};
use tabwright_lifecycle::config::Config;
use tabwright_lifecycle::error::Error;
use tabwright_lifecycle::record::{self, About, Live, RecordFile, Registration};
use tabwright_store::{ActiveRun, Batch, NewRun, RunDocument, Store, StoreOptions, time};
use tokio::runtime::Runtime;
use tokio::sync::oneshot;

use crate::error::Failure;
use crate::{home, surroundings};

/// How long to wait for another process that writes to the store: the work is done, and its record can wait in a file.
const WAIT: Duration = Duration::from_secs(4);
/// How long to wait for the store in all.
const PATIENCE: Duration = Duration::from_secs(8);
/// How long after one look for news the next is taken: who watches a training sees it soon enough, and what many quick candidates
/// find goes to the disk at once.
const PAUSE: Duration = Duration::from_millis(200);
/// How long to leave a store alone that did not take something.
const REST: Duration = Duration::from_secs(5);

/// A run that is being recorded.
pub(super) struct Recording {
    runtime: Runtime,
    options: StoreOptions,
    about: About,
    live: Arc<Live>,
    /// Ends the following; what was begun comes then.
    stop: oneshot::Sender<()>,
    begun: Receiver<Begun>,
}

/// What was found out, and started, while the work went on.
struct Begun {
    surroundings: Map<String, Value>,
    started: Result<(Store, ActiveRun), Error>,
}

impl Recording {
    /// Begins to record a run of a kind. The store is opened, and what is new is written, beside the work; `say` tells the user
    /// once if that goes wrong for long.
    ///
    /// # Errors
    /// For a configuration that names no place; what the store says comes at the end.
    pub(super) fn begin(
        kind: &'static str,
        config: &Config,
        sources: &[String],
        say: impl Fn(&str) + Send + Sync + 'static,
    ) -> Result<Self, Failure> {
        tabwright_store::name::check("the project", &config.project.name).map_err(Error::from)?;
        tabwright_store::name::check("the experiment", &config.project.experiment).map_err(Error::from)?;
        let options = home::options(config, WAIT)?;
        let runtime = home::runtime()?;
        let run_id = Store::draw_run_id().map_err(Error::from)?;
        let live = Arc::new(Live::new(config, &run_id));
        let about = About { run_id, started: time::now(), ..About::default() };
        let (sender, begun) = channel();
        let (stop, stopped) = oneshot::channel();
        let (config, sources, own, opened) = (config.clone(), sources.to_vec(), about.clone(), options.clone());
        let followed = Arc::clone(&live);
        runtime.spawn(async move {
            let surroundings = surroundings::gather();
            let about = About { surroundings: surroundings.clone(), ..own };
            let run = record::begun(kind, &config, &sources, &about);
            let known = if kind == record::TRAIN { record::known(&config) } else { Batch::default() };
            let follower = Follower { options: opened, run_id: about.run_id, run, known };
            let started = follower.follow(&followed, stopped, say).await;
            // Where nobody waits any more, the command has ended.
            let _ = sender.send(Begun { surroundings, started });
        });
        Ok(Recording { runtime, options, about, live, stop, begun })
    }

    /// The id of the run.
    pub(super) fn run_id(&self) -> &str {
        &self.about.run_id
    }

    /// Takes note of what happens in the training.
    pub(super) fn observer(&self) -> &dyn Observer {
        &*self.live
    }

    /// The work has ended: what is known of it now, and the store, if it can be had.
    pub(super) fn end(self) -> Ended {
        // Where nobody listens, it has ended by itself.
        let _ = self.stop.send(());
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
        Ended { runtime: self.runtime, about, candidates: self.live.documents(), started }
    }
}

/// What is started in the store, and then followed.
struct Follower {
    options: StoreOptions,
    run_id: String,
    run: NewRun,
    known: Batch,
}

impl Follower {
    /// Starts the run and writes what is new, until `stopped`. What fails is tried again: at the end, everything is written once
    /// more.
    async fn follow(
        &self,
        live: &Live,
        mut stopped: oneshot::Receiver<()>,
        say: impl Fn(&str),
    ) -> Result<(Store, ActiveRun), Error> {
        let mut started = self.start().await;
        let mut trouble = started.is_err();
        let mut is_told = false;
        loop {
            let pause = if trouble { REST } else { PAUSE };
            if tokio::time::timeout(pause, &mut stopped).await.is_ok() {
                return started;
            }
            let tried = match &started {
                Ok((store, _)) => write_news(store, live).await.map_err(|error| error.to_string()),
                Err(_) => {
                    started = self.start().await;
                    started.as_ref().map(drop).map_err(Error::to_string)
                }
            };
            if let Err(why) = &tried
                && trouble
                && !is_told
            {
                say(&format!(
                    "warning: the run is not recorded while it goes on: {why}. At its end, that is tried once more"
                ));
                is_told = true;
            }
            trouble = tried.is_err();
        }
    }

    async fn start(&self) -> Result<(Store, ActiveRun), Error> {
        let store = Store::open(&self.options).await?;
        let active = store.start_run_as(self.run_id.clone(), self.run.clone(), &self.known).await?;
        Ok((store, active))
    }
}

/// Writes what is new of the candidates, in one transaction.
async fn write_news(store: &Store, live: &Live) -> Result<(), tabwright_store::Error> {
    let news = live.news();
    if news.is_empty() {
        return Ok(());
    }
    let written = store.record(&news).await;
    if written.is_err() {
        live.not_written();
    }
    written
}

/// Tells two observers.
pub(super) struct Both<'a>(pub(super) &'a dyn Observer, pub(super) &'a dyn Observer);

impl Observer for Both<'_> {
    fn event(&self, event: Event<'_>) {
        self.0.event(event);
        self.1.event(event);
    }
}

/// A run whose work has ended.
pub(super) struct Ended {
    runtime: Runtime,
    /// What is known of it.
    pub(super) about: About,
    /// The candidates that had begun.
    pub(super) candidates: Vec<RunDocument>,
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
        let answer = self.started.and_then(|(store, active)| {
            self.runtime.block_on(async {
                let work = async {
                    active.finish_as(documents).await?;
                    let answer = more(&store).await?;
                    store.close().await;
                    Ok(answer)
                };
                let place = store.place().to_owned();
                let late = |_| Error::from(tabwright_store::Error::Locked { place, seconds: PATIENCE.as_secs() });
                tokio::time::timeout(PATIENCE, work).await.map_err(late)?
            })
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
