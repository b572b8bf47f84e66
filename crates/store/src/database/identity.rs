//! Whether the file of SQLite is the one that was written here, or a copy. One that is copied while others write to it can be
//! put together from two moments: a copy is checked, page by page, when it is opened for the first time.

use std::path::Path;
use std::time::UNIX_EPOCH;

use super::{Database, get};
use crate::error::{Error, Result};

impl Database {
    /// Checks the file if it is a copy, and remembers that it is whole.
    ///
    /// # Errors
    /// [`Error::Copied`] for a copy that is not whole.
    pub(super) async fn check_copy(&self, path: &Path) -> Result<()> {
        let Some(identity) = identity(path) else { return Ok(()) };
        let told = |e| self.error(e);
        let known = sqlx::query("SELECT identity FROM tabwright_file").fetch_one(self.pool()).await.map_err(told)?;
        if get::<String>(&known, 0).map_err(told)? == identity {
            return Ok(());
        }
        match self.verify().await {
            Ok(()) => {}
            Err(Error::Corrupt { place, why }) => return Err(Error::Copied { place, why }),
            Err(error) => return Err(error),
        }
        // Where it cannot be remembered, the next opening checks again.
        if let Ok(mut tx) = self.write().await {
            let update = sqlx::query("UPDATE tabwright_file SET identity = $1").bind(identity);
            if update.execute(&mut *tx).await.is_ok() {
                let _ = self.commit(tx).await;
            }
        }
        Ok(())
    }
}

#[cfg(feature = "s3")]
impl Database {
    /// What no other database has, and no copy of a file: the same for as long as it is there.
    ///
    /// # Errors
    /// From the database.
    pub(crate) async fn identity(&self) -> Result<String> {
        let told = |e| self.error(e);
        let read = async || -> Result<String> {
            let known =
                sqlx::query("SELECT identity FROM tabwright_file").fetch_one(self.pool()).await.map_err(told)?;
            get::<String>(&known, 0).map_err(told)
        };
        let mut known = read().await?;
        if known.is_empty() {
            // A server is no file, and some file systems know no births: a number is drawn, once.
            let mut tx = self.write().await?;
            let update = sqlx::query("UPDATE tabwright_file SET identity = $1 WHERE identity = ''");
            update.bind(crate::id::draw()?).execute(&mut *tx).await.map_err(told)?;
            self.commit(tx).await?;
            known = read().await?;
        }
        Ok(blake3::hash(known.as_bytes()).to_hex()[..32].to_owned())
    }
}

/// What a file keeps for as long as it is there, and no copy of it has: its number in the file system, and when it was made.
fn identity(path: &Path) -> Option<String> {
    let metadata = path.metadata().ok()?;
    let made = metadata.created().ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok());
    let made = made.map_or(String::new(), |at| at.as_micros().to_string());
    #[cfg(unix)]
    let number = std::os::unix::fs::MetadataExt::ino(&metadata).to_string();
    #[cfg(not(unix))]
    let number = String::new();
    (!made.is_empty() || !number.is_empty()).then(|| format!("{number}:{made}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_is_another_file_and_a_move_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        std::fs::write(path("a"), "x").unwrap();
        let a = identity(&path("a")).unwrap();
        std::fs::copy(path("a"), path("b")).unwrap();
        assert_ne!(identity(&path("b")).unwrap(), a);
        std::fs::write(path("a"), "changed").unwrap();
        std::fs::rename(path("a"), path("c")).unwrap();
        assert_eq!(identity(&path("c")).unwrap(), a);
        assert_eq!(identity(&path("nothing")), None);
    }
}
