//! A run under way: what a program logs to.

use std::path::Path;

use super::{Batch, Measured, NewRun, RunDocument, RunFile, Status};
use crate::error::Result;
use crate::home::RunningMark;
use crate::{Store, id, name};

impl Store {
    /// Starts a run. While the answer is held, the run counts as under way; if the process dies, it is found and marked as
    /// killed.
    ///
    /// # Errors
    /// For names that cannot be, a parent that is not there, and what the database says.
    pub async fn start_run(&self, run: NewRun) -> Result<ActiveRun> {
        self.start_run_as(id::draw()?, run, &Batch::default()).await
    }

    /// Starts a run under an id that was drawn before (see [`Store::draw_run_id`]), with what is known of it already.
    ///
    /// # Errors
    /// As [`Store::start_run`] and [`Store::log`]; then nothing is started.
    pub async fn start_run_as(&self, run_id: String, run: NewRun, logged: &Batch) -> Result<ActiveRun> {
        run.check()?;
        id::check(&run_id)?;
        super::write::check_batch(logged)?;
        self.check_writable()?;
        let mark = self.home().mark_running(&run_id)?;
        let row =
            super::write::Row { run_id: &run_id, run: &run, status: Status::Running, started: self.now(), ended: None };
        let mut tx = self.database().write().await?;
        let key = self.write_row(&mut tx, row).await?;
        self.write_batch(&mut tx, key, logged).await?;
        self.database().commit(tx).await?;
        Ok(ActiveRun { store: self.clone(), run_id, mark })
    }

    /// Draws an id for a run.
    ///
    /// # Errors
    /// If the system gives no random numbers.
    pub fn draw_run_id() -> Result<String> {
        id::draw()
    }

    /// The id of a run within another, by its name there. Whoever records the two anew finds the same id again.
    pub fn run_id_within(parent: &str, name: &str) -> String {
        id::within(parent, name)
    }
}

/// A run under way. One that is dropped before it is finished counts as killed.
#[derive(Debug)]
pub struct ActiveRun {
    store: Store,
    run_id: String,
    mark: RunningMark,
}

impl ActiveRun {
    /// Its id.
    pub fn id(&self) -> &str {
        &self.run_id
    }

    /// Logs a parameter. The same value again is fine.
    ///
    /// # Errors
    /// If the parameter has another value already, and as [`Store::log`].
    pub async fn log_param(&self, name: &str, value: impl ToString) -> Result<()> {
        self.log(&Batch { params: [(name.to_owned(), value.to_string())].into(), ..Batch::default() }).await
    }

    /// Logs a value of a metric at a step: an epoch, a fold; 0 where there is no course.
    ///
    /// # Errors
    /// As [`Store::log`].
    pub async fn log_metric(&self, name: &str, value: f64, step: i64) -> Result<()> {
        let one = Measured { name: name.to_owned(), step, at: self.store.now(), value };
        self.log(&Batch { metrics: vec![one], ..Batch::default() }).await
    }

    /// Sets a tag; a new value replaces the old.
    ///
    /// # Errors
    /// As [`Store::log`].
    pub async fn set_tag(&self, name: &str, value: &str) -> Result<()> {
        self.log(&Batch { tags: [(name.to_owned(), value.to_owned())].into(), ..Batch::default() }).await
    }

    /// Keeps a copy of a file as part of the run, under a path with `/` between folders.
    ///
    /// # Errors
    /// If the file cannot be read or kept, and as [`Store::log`].
    pub async fn log_file(&self, path: &str, source: &Path) -> Result<()> {
        name::check_path(path)?;
        let (file, size) = self.store.files().keep(source)?;
        self.log(&Batch { files: vec![RunFile { path: path.to_owned(), file, size }], ..Batch::default() }).await
    }

    /// Logs many things in one transaction: all of them, or nothing.
    ///
    /// # Errors
    /// As [`Store::log`].
    pub async fn log(&self, batch: &Batch) -> Result<()> {
        self.store.log(&self.run_id, batch).await
    }

    /// Ends the run.
    ///
    /// # Errors
    /// From the database.
    pub async fn finish(self, status: Status) -> Result<()> {
        self.store.write_end(&self.run_id, status, Some(self.store.now())).await?;
        self.mark.take_away();
        Ok(())
    }

    /// Ends the run with documents that say how it and the runs within it ended: see [`Store::record`].
    ///
    /// # Errors
    /// As [`Store::record`].
    pub async fn finish_as(self, documents: &[RunDocument]) -> Result<()> {
        self.store.record(documents).await?;
        self.mark.take_away();
        Ok(())
    }
}
