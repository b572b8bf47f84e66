//! The mark of the store that the names below a prefix belong to. Two stores that shared them would each take away what the
//! other needs, since neither knows the other's versions: the second is refused before it writes, and so is a copy of a home.

use std::time::Duration;

use object_store::{ObjectStore, ObjectStoreExt, PutMode};
use serde::{Deserialize, Serialize};

use super::connect::Trouble;
use super::{Bucket, Place};
use crate::error::{Error, Result};
use crate::time;

/// The name of the mark.
const NAME: &str = "owner.json";
const CANNOT: &str = "the bucket cannot be used";

/// What stands in the mark.
#[derive(Debug, Serialize, Deserialize)]
struct Mark {
    /// What no other store has.
    store: String,
    /// Where the store is, for a person.
    #[serde(default)]
    place: String,
    /// When it was made, for a person.
    #[serde(default)]
    since: String,
}

impl Bucket {
    /// Makes sure that the prefix is this store's, and marks it where it is nobody's. Asks once.
    pub(super) fn check_owner(&self) -> Result<()> {
        if self.owned.get().is_some() {
            return Ok(());
        }
        let connection = self.connection()?;
        let (store, key, limit) = (connection.store(), self.key(NAME), self.limit(0));
        let own = Mark {
            store: self.owner.id.clone(),
            place: self.owner.place.clone(),
            since: time::to_seconds((self.owner.clock)()),
        };
        let text = serde_json::to_vec_pretty(&own).map_err(|e| Error::Invalid(e.to_string()))?;
        let finding = async move {
            let read = async || -> Result<_, Trouble> { Ok(store.get(&key).await?.bytes().await?) };
            match read().await {
                Err(Trouble::Missing) => {}
                other => return other.map(Some),
            }
            let written = store.put_opts(&key, text.clone().into(), PutMode::Create.into()).await;
            match written {
                Ok(_) => Ok(None),
                // Another store was faster, perhaps this one in another process.
                Err(object_store::Error::AlreadyExists { .. } | object_store::Error::Precondition { .. }) => {
                    read().await.map(Some)
                }
                Err(error) => Err(error.into()),
            }
        };
        let found = connection.wait(limit + Duration::from_secs(1), finding);
        if let Some(found) = found.map_err(|trouble| self.error("", CANNOT, trouble))? {
            self.compare(&found)?;
        }
        let _ = self.owned.set(());
        Ok(())
    }

    fn compare(&self, found: &[u8]) -> Result<()> {
        let path = self.address(NAME);
        let mark: Mark = serde_json::from_slice(found)
            .map_err(|e| Error::Damaged { path: path.clone(), why: format!("it is no mark of a store: {e}") })?;
        if mark.store == self.owner.id {
            return Ok(());
        }
        Err(Error::Conflict(format!(
            "{} holds the files of another store ({}, since {}); give this one ({}) a prefix of its own in store.files. If the \
             other was moved here or is gone for good, delete {}, and this one takes its place",
            self.location.shown(),
            mark.place,
            mark.since,
            self.owner.place,
            path.display()
        )))
    }
}
