//! Trains, records the run and registers the model: what `train` and `retrain` share.

use std::path::Path;

use tabwright_core::Observer;
use tabwright_core::observe::Silent;
use tabwright_learn::candidate::Registry;
use tabwright_lifecycle::config::Config;
use tabwright_lifecycle::error::Error;
use tabwright_lifecycle::record::{self, RecordFile, Registration};
use tabwright_lifecycle::registry::{self, Registered};
use tabwright_lifecycle::train::{self, Surroundings, Trained};
use tabwright_store::{Store, Version};

use super::recording::{Both, Recording, set_aside};
use super::{context, mover, stop_on_signal};
use crate::error::Failure;
use crate::home::{self, OpenHome};
use crate::screen::{self, Screen, WallClock};

/// Trains as a configuration says, writes the model to `output` and into the home where it has a name, and points `alias` to
/// the version.
///
/// # Errors
/// From the training; from the store only where nothing is recorded. A model that could not be registered is kept, and its
/// failure stands in [`Kept`].
pub(super) fn train_and_keep(
    config: &Config,
    output: Option<String>,
    alias: Option<&str>,
    on_screen: &Screen,
) -> Result<(Trained, Kept), Failure> {
    if !config.train.name.is_empty() {
        home::check_files(config)?;
    }
    let recording = match config.train.record {
        true => Some(Recording::begin(record::TRAIN, config, &config.data.source, on_screen.speaker())?),
        false => None,
    };
    stop_on_signal("the best of the candidates that are complete is fitted and kept");
    let clock = WallClock::start();
    let recorder = recording.as_ref().map_or(&Silent as &dyn Observer, Recording::observer);
    let observer = Both(on_screen, recorder);
    let trained = train::train(config, &Registry::default(), &surroundings(), context(&observer, &clock));
    on_screen.finish();
    let saved = trained.and_then(|trained| match &output {
        Some(output) => train::save(&trained, Path::new(output)).map(|()| trained),
        None => Ok(trained),
    });
    let mut trained = match saved {
        Ok(trained) => trained,
        Err(error) => {
            if let Some(recording) = recording {
                let mut ended = recording.end();
                let candidates = std::mem::take(&mut ended.candidates);
                let documents = record::of_failure(config, &ended.about, &error, candidates);
                // The error of the training is what the user must hear of.
                let _ = ended.write(&documents, async |_| Ok(()));
            }
            return Err(error.into());
        }
    };
    let kept = keep(&mut trained, config, (output, alias), recording, on_screen)?;
    Ok((trained, kept))
}

/// Where a trained model went.
pub(super) struct Kept {
    /// The model file.
    pub(super) file: String,
    /// The run, if it was recorded or its record lies in a file.
    pub(super) run_id: Option<String>,
    /// The version, if it was registered.
    pub(super) version: Option<Version>,
    /// The model was to be registered, and is not.
    pub(super) failure: Option<Failure>,
}

/// Records the run and registers the model; what the store does not take lies beside the model.
fn keep(
    trained: &mut Trained,
    config: &Config,
    (output, alias): (Option<String>, Option<&str>),
    recording: Option<Recording>,
    on_screen: &Screen,
) -> Result<Kept, Failure> {
    let name = config.train.name.clone();
    let mut kept = Kept { file: output.clone().unwrap_or_default(), run_id: None, version: None, failure: None };
    let Some(recording) = recording else {
        if !name.is_empty() {
            let about = Registered { name, alias: alias.map(str::to_owned), ..Registered::default() };
            if let Err(failure) = register_alone(trained, config, &about, &mut kept) {
                let id = Store::draw_run_id().map_err(Error::from)?;
                kept.set_model_aside(trained, output.is_none(), (&about.name, &id))?;
                kept.failure = Some(not_registered(&about.name, &kept.file, &failure.message));
            }
        }
        return Ok(kept);
    };
    let run_id = recording.run_id().to_owned();
    let ended = recording.end();
    let documents = record::of_training(trained, config, &ended.about, &ended.candidates);
    let alias = alias.map(str::to_owned);
    let about =
        Registered { name: name.clone(), run_id: run_id.clone(), alias: alias.clone(), ..Registered::default() };
    // Sending a large model may take longer than a store that does not answer is waited for.
    let sent = ended.store().filter(|_| !name.is_empty()).map(|store| registry::keep(store, &trained.artifact));
    let written = ended.write(&documents, async |store| {
        let Some(sent) = sent else { return Ok(None) };
        let version = registry::register_kept(store, &trained.artifact, sent?, &about, &mover("")).await?;
        Ok(Some((version, store.clone())))
    });
    kept.run_id = Some(run_id.clone());
    match written {
        Ok(Some((version, store))) => kept.take(version, &store)?,
        Ok(None) => {}
        Err(error) => {
            kept.set_model_aside(trained, output.is_none(), (&name, &run_id))?;
            let file = Path::new(&kept.file);
            let beside = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let register = (!name.is_empty()).then(|| Registration { name: name.clone(), file: beside, alias });
            let warning = set_aside(documents, register, &RecordFile::beside(file), &error);
            on_screen.say(&format!("warning: {}", screen::warning_line(&warning)));
            trained.warnings.push(warning);
            if !name.is_empty() {
                kept.failure = Some(not_registered(&name, &kept.file, "see above"));
            }
        }
    }
    Ok(kept)
}

/// Registers a model whose run is not recorded.
fn register_alone(trained: &Trained, config: &Config, about: &Registered, kept: &mut Kept) -> Result<(), Failure> {
    let home = OpenHome::open(config)?;
    let version = home.wait(registry::register(&home.store, &trained.artifact, about, &mover("")))?;
    kept.take(version, &home.store)
}

fn not_registered(name: &str, file: &str, why: &str) -> Failure {
    Failure::failed(format!("`{name}` is trained but not registered ({why}); the model is in {file}"))
}

impl Kept {
    /// Writes a model that was to be in the home alone to a file here, under a name that no other has.
    fn set_model_aside(
        &mut self,
        trained: &Trained,
        is_nowhere: bool,
        (name, id): (&str, &str),
    ) -> Result<(), Failure> {
        if is_nowhere {
            self.file = format!("{name}-{id}.tw");
            train::save(trained, Path::new(&self.file))?;
        }
        Ok(())
    }

    fn take(&mut self, version: Version, store: &Store) -> Result<(), Failure> {
        if self.file.is_empty() {
            let path = store.files().address(&version.registered.file).map_err(Error::from)?;
            self.file = path.to_string_lossy().into_owned();
        }
        self.version = Some(version);
        Ok(())
    }
}

fn surroundings() -> Surroundings {
    Surroundings { created_at: now(), machine: crate::surroundings::machine() }
}

/// Now, to the second.
fn now() -> String {
    let now = jiff::Timestamp::now();
    now.round(jiff::Unit::Second).unwrap_or(now).to_string()
}
