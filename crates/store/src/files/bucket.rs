//! Files in a bucket of S3, or of what speaks its language. An object appears when it is whole, so nothing is half-written;
//! uploads in parts that a process did not finish are invisible, and a rule of the bucket ends them.
//!
//! A bucket knows no locks. Processes of one home share that of the home all the same, and those of several homes share a
//! PostgreSQL database: a version is registered and files are taken away under one lock of it, so that either the cleaning
//! sees the version or the registration sees that its file is gone (see `gc`). What is not referred to yet is kept
//! by its age alone: an object that is not young is not claimed but written again, and right before one is taken away it is
//! asked for its age once more. Ages are those that the bucket tells, whose clock differs from ours by minutes at most: it
//! refuses requests otherwise.
//!
//! Every wait for the bucket has an end (see `Bucket::limit`). The names below a prefix belong to one store (see `owner`).

mod connect;
mod owner;
mod upload;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use futures_util::{StreamExt, TryStreamExt, stream};
use object_store::aws::AmazonS3;
use object_store::path::Path as Key;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt};

use super::{BucketLocation, Content, FOLDERS, Folder, Kept, MISSING, Owner, Place};
use crate::error::{Error, Result};
use crate::gc::GRACE;
use crate::time::Micros;
use connect::{Connection, Trouble};
use upload::Upload;

/// Bytes that even a slow connection carries in a second: what is sent or read may take as long as it has bytes for.
const SLOWEST: u64 = 100_000;
/// Files that are taken away at the same time.
const AT_ONCE: usize = 16;
/// Largest piece of memory that is set aside for an object before its bytes are there.
const SET_ASIDE: u64 = 64 << 20;
const UNREADABLE: &str = "it cannot be read";
const UNREACHABLE: &str = "the bucket cannot be read";

/// The names below a prefix of a bucket.
#[derive(Debug)]
pub(super) struct Bucket {
    location: BucketLocation,
    copies: Folder,
    owner: Owner,
    wait: Duration,
    /// Opened when it is first needed: a command that asks for no file pays nothing.
    connection: Mutex<Option<Arc<Connection>>>,
    /// Set once it is known that the prefix is this store's.
    owned: OnceLock<()>,
}

impl Bucket {
    pub(super) fn new(location: BucketLocation, copies: Folder, owner: Owner, wait: Duration) -> Self {
        Bucket { location, copies, owner, wait, connection: Mutex::default(), owned: OnceLock::new() }
    }

    fn connection(&self) -> Result<Arc<Connection>> {
        let mut held = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(connection) = &*held {
            return Ok(Arc::clone(connection));
        }
        let connection = Arc::new(Connection::open(&self.location, self.wait)?);
        *held = Some(Arc::clone(&connection));
        Ok(connection)
    }

    fn key(&self, name: &str) -> Key {
        Key::from(self.location.key(name))
    }

    /// How long a request with a number of bytes may take.
    fn limit(&self, bytes: u64) -> Duration {
        self.wait + Duration::from_secs(bytes / SLOWEST)
    }

    /// What an error means for a file.
    fn error(&self, name: &str, what: &'static str, trouble: Trouble) -> Error {
        let path = self.address(name);
        match trouble {
            Trouble::Missing => Error::Damaged { path, why: MISSING.into() },
            other => Error::file(path, what)(other.told(&self.location, self.wait)),
        }
    }

    fn head(&self, name: &str) -> Result<Option<ObjectMeta>> {
        let connection = self.connection()?;
        let (store, key) = (connection.store(), self.key(name));
        let answer = connection.wait(self.limit(0), async move { Ok(store.head(&key).await?) });
        match answer {
            Ok(meta) => Ok(Some(meta)),
            Err(Trouble::Missing) => Ok(None),
            Err(other) => Err(self.error(name, UNREADABLE, other)),
        }
    }
}

/// Takes an object away that is not younger than a moment. Whether it was there and is not any more.
async fn take_away(store: &AmazonS3, key: &Key, until: Micros) -> Result<bool, Trouble> {
    match store.head(key).await.map_err(Trouble::from) {
        Err(Trouble::Missing) => Ok(false),
        Err(other) => Err(other),
        Ok(meta) if modified(&meta) > until => Ok(false),
        Ok(_) => {
            store.delete(key).await?;
            Ok(true)
        }
    }
}

fn modified(meta: &ObjectMeta) -> Micros {
    meta.last_modified.timestamp_micros()
}

impl Place for Bucket {
    fn address(&self, name: &str) -> PathBuf {
        match name {
            "" => PathBuf::from(self.location.shown()),
            name => PathBuf::from(format!("{}/{name}", self.location.shown())),
        }
    }

    fn size(&self, name: &str) -> Result<Option<u64>> {
        Ok(self.head(name)?.map(|meta| meta.size))
    }

    /// No object becomes younger without being written again; one that is young enough stays so until it is referred to.
    fn renew(&self, name: &str) -> Result<bool> {
        self.check_owner()?;
        let young_from = (self.owner.clock)().saturating_sub(GRACE / 2);
        Ok(self.head(name)?.is_some_and(|meta| modified(&meta) > young_from))
    }

    fn write(&self, name: &str, content: Content<'_>) -> Result<u64> {
        self.check_owner()?;
        let mut upload = Upload::new(self, self.connection()?, name);
        let done = content(&mut upload).and_then(|()| upload.finish());
        if done.is_err() {
            upload.abort();
        }
        done.map_err(Error::file(self.address(name), "it could not be written"))
    }

    fn read(&self, name: &str) -> Result<Vec<u8>> {
        let connection = self.connection()?;
        let (store, key, wait) = (connection.store(), self.key(name), self.wait);
        // Each piece has its own limit, so the whole has none.
        let reading = async move {
            let answer = tokio::time::timeout(wait, store.get(&key)).await??;
            let size = usize::try_from(answer.meta.size.min(SET_ASIDE)).unwrap_or_default();
            let (mut bytes, mut pieces) = (Vec::with_capacity(size), answer.into_stream());
            while let Some(piece) = tokio::time::timeout(wait, pieces.next()).await? {
                bytes.extend_from_slice(&piece?);
            }
            Ok(bytes)
        };
        connection.wait(Duration::MAX, reading).map_err(|trouble| self.error(name, UNREADABLE, trouble))
    }

    fn local(&self, name: &str) -> Result<PathBuf> {
        let bytes = self.read(name)?;
        self.copies.write(name, Box::new(move |out| out.write_all(&bytes)))?;
        self.copies.local(name)
    }

    fn list(&self) -> Result<Vec<Kept>> {
        self.check_owner()?;
        let connection = self.connection()?;
        let mut found = Vec::new();
        for folder in FOLDERS {
            let (store, key, wait) = (connection.store(), self.key(folder), self.wait);
            let listing = async move {
                let (mut metas, mut objects) = (Vec::new(), store.list(Some(&key)));
                while let Some(meta) = tokio::time::timeout(wait, objects.next()).await? {
                    metas.push(meta?);
                }
                Ok(metas)
            };
            let metas: Vec<ObjectMeta> =
                connection.wait(Duration::MAX, listing).map_err(|trouble| self.error(folder, UNREACHABLE, trouble))?;
            let below = self.location.key("");
            found.extend(metas.into_iter().filter_map(|meta| {
                let name = meta.location.as_ref().strip_prefix(&below)?.to_owned();
                Some(Kept { name, size: meta.size, modified: modified(&meta) })
            }));
        }
        Ok(found)
    }

    fn remove(&self, kept: Vec<Kept>, until: Micros) -> Result<Vec<Kept>> {
        self.check_owner()?;
        let connection = self.connection()?;
        let (store, limit) = (connection.store(), self.limit(0));
        let keyed: Vec<(Key, Kept)> = kept.into_iter().map(|one| (self.key(&one.name), one)).collect();
        let taking = async move {
            let one = |(key, kept): (Key, Kept)| {
                let store = Arc::clone(&store);
                async move {
                    let done = tokio::time::timeout(limit, take_away(&store, &key, until)).await?;
                    Ok::<_, Trouble>(done?.then_some(kept))
                }
            };
            let gone: Vec<Option<Kept>> = stream::iter(keyed).map(one).buffered(AT_ONCE).try_collect().await?;
            Ok(gone.into_iter().flatten().collect())
        };
        let gone = connection
            .wait(Duration::MAX, taking)
            .map_err(|trouble| self.error("", "files could not be taken away", trouble))?;
        let copies = self.copies.list()?;
        self.copies.remove(copies, until)?;
        Ok(gone)
    }
}
