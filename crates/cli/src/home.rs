//! The home of a command: where it is, and the store in it, with the one asynchronous runtime of the program.

use std::future::Future;
use std::path::PathBuf;
use std::time::Duration;

use tabwright_lifecycle::config::Config;
use tabwright_lifecycle::error::Error;
use tabwright_store::{FileLocation, Home, Location, Store, StoreOptions, home};
use tokio::runtime::Runtime;

use crate::config;
use crate::error::Failure;

/// The home that is meant: `TABWRIGHT_HOME`, else the nearest from here upwards, else one beside `tabwright.toml` or here.
///
/// # Errors
/// If the current folder is gone, or the home that is named is none.
pub(crate) fn locate() -> Result<Home, Failure> {
    if let Some(named) = std::env::var_os("TABWRIGHT_HOME").filter(|n| !n.is_empty()) {
        let path =
            std::path::absolute(PathBuf::from(named)).map_err(|e| Failure::usage(format!("TABWRIGHT_HOME: {e}")))?;
        return Ok(Home::at(path));
    }
    let here =
        std::env::current_dir().map_err(|e| Failure::failed(format!("the current folder cannot be read: {e}")))?;
    if let Some(home) = Home::find(&here) {
        return Ok(home);
    }
    let file = config::find_file(None)?;
    let folder = file.and_then(|f| f.parent().map(PathBuf::from)).unwrap_or(here);
    Ok(Home::at(folder.join(home::FOLDER)))
}

/// What the store is opened with.
///
/// # Errors
/// If the home or the database cannot be named.
pub(crate) fn options(config: &Config, wait: Duration) -> Result<StoreOptions, Failure> {
    let home = locate()?;
    let database = referred(&config.store.database).map_err(|why| Failure::usage(format!("store.database: {why}")))?;
    let mut options = StoreOptions::in_home(home);
    options.wait = wait;
    if !database.is_empty() {
        options.location = Location::parse(&database).map_err(Error::from)?;
    }
    let told = |why: &dyn std::fmt::Display| Failure::usage(format!("store.files: {why}"));
    let files = referred(&config.store.files).map_err(|why| told(&why))?;
    if !files.is_empty() {
        let variables = std::env::vars_os().filter_map(|(n, v)| Some((n.into_string().ok()?, v.into_string().ok()?)));
        options.files = FileLocation::parse(&files, variables).map_err(|why| told(&why))?;
    }
    Ok(options)
}

/// Checks that a model can be kept as far as that is known without asking anybody, before hours are spent on it.
///
/// # Errors
/// If something is missing that reaching the place of the files needs.
pub(crate) fn check_files(config: &Config) -> Result<(), Failure> {
    let options = options(config, tabwright_store::WAIT)?;
    options.files.check().map_err(|why| Failure::usage(format!("store.files: {why}")))
}

/// A text, or the one that `env:NAME` or `file:PATH` refers to.
///
/// # Errors
/// If there is no such variable or file.
pub(crate) fn referred(text: &str) -> Result<String, String> {
    if let Some(name) = text.strip_prefix("env:") {
        return std::env::var(name).map_err(|_| format!("the environment has no variable {name}"));
    }
    match text.strip_prefix("file:") {
        Some(path) => {
            let content = std::fs::read_to_string(path).map_err(|e| format!("{path} cannot be read: {e}"))?;
            Ok(content.trim().to_owned())
        }
        None => Ok(text.to_owned()),
    }
}

/// The runtime of the program. One thread beside the main one is enough: the store waits more than it computes.
///
/// # Errors
/// If the system gives no thread.
pub(crate) fn runtime() -> Result<Runtime, Failure> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .map_err(|e| Failure::failed(format!("no thread can be started: {e}")))
}

/// An open store, with what runs it.
#[derive(Debug)]
pub(crate) struct OpenHome {
    runtime: Runtime,
    /// The store.
    pub(crate) store: Store,
}

impl OpenHome {
    /// Opens the store of a command; a home that is not there is made.
    ///
    /// # Errors
    /// If it cannot be opened.
    pub(crate) fn open(config: &Config) -> Result<Self, Failure> {
        let options = options(config, tabwright_store::WAIT)?;
        let runtime = runtime()?;
        let store = runtime.block_on(Store::open(&options)).map_err(Error::from)?;
        Ok(OpenHome { runtime, store })
    }

    /// Opens the store if there is one: looking at what is there makes no home.
    ///
    /// # Errors
    /// As [`OpenHome::open`].
    pub(crate) fn find(config: &Config) -> Result<Option<Self>, Failure> {
        if config.store.database.is_empty() && !locate()?.exists() {
            return Ok(None);
        }
        OpenHome::open(config).map(Some)
    }

    /// Opens the store of a command that cannot do without one.
    ///
    /// # Errors
    /// As [`OpenHome::open`], and if there is none.
    pub(crate) fn expect(config: &Config) -> Result<Self, Failure> {
        match OpenHome::find(config)? {
            Some(home) => Ok(home),
            None => Err(Failure::usage(format!(
                "there is no home here yet ({} is not there): `tabwright train` makes one; or name another with TABWRIGHT_HOME",
                locate()?.folder().display()
            ))),
        }
    }

    /// Waits for an answer of the store.
    ///
    /// # Errors
    /// What the store answers.
    pub(crate) fn wait<T, E: Into<Error>>(&self, answer: impl Future<Output = Result<T, E>>) -> Result<T, Failure> {
        self.runtime.block_on(answer).map_err(|e| Failure::from(e.into()))
    }
}

impl Drop for OpenHome {
    fn drop(&mut self) {
        self.runtime.block_on(self.store.close());
    }
}

/// Who works here, for the audit trail.
pub(crate) fn user() -> String {
    let named = ["USER", "LOGNAME", "USERNAME"].iter().find_map(|name| std::env::var(name).ok());
    named.filter(|n| !n.is_empty()).or_else(asked).unwrap_or_else(|| "unknown".into())
}

/// What the system says where the environment does not.
fn asked() -> Option<String> {
    let output = std::process::Command::new("whoami").output().ok().filter(|o| o.status.success())?;
    let name = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    (!name.is_empty()).then_some(name)
}
