//! A file on its way into a bucket: in one request, or in parts where it is large, so that little of it is held in memory.

use std::io::{self, Write};
use std::sync::Arc;

use object_store::path::Path as Key;
use object_store::{MultipartUpload, ObjectStoreExt};

use super::Bucket;
use super::connect::{Connection, Trouble};

/// Bytes of a part: above the 5 MiB that S3 asks for, and little enough to be held. S3 takes 10,000 parts: 80 GiB.
const PART: usize = 8 << 20;

/// What was written of a file, and how much of it is sent.
pub(super) struct Upload<'a> {
    bucket: &'a Bucket,
    connection: Arc<Connection>,
    key: Key,
    /// What is not sent yet.
    buffer: Vec<u8>,
    /// The parts that are sent, if there are any.
    parts: Option<Box<dyn MultipartUpload>>,
    size: u64,
}

impl<'a> Upload<'a> {
    pub(super) fn new(bucket: &'a Bucket, connection: Arc<Connection>, name: &str) -> Self {
        let key = bucket.key(name);
        Upload { bucket, connection, key, buffer: Vec::new(), parts: None, size: 0 }
    }

    fn told(&self, trouble: &Trouble) -> io::Error {
        trouble.told(&self.bucket.location, self.bucket.wait)
    }

    /// Sends what was gathered as the next part.
    fn send(&mut self) -> io::Result<()> {
        let mut parts = match self.parts.take() {
            Some(parts) => parts,
            None => {
                let (store, key) = (self.connection.store(), self.key.clone());
                let begun =
                    self.connection.wait(self.bucket.limit(0), async move { Ok(store.put_multipart(&key).await?) });
                begun.map_err(|trouble| self.told(&trouble))?
            }
        };
        let bytes = std::mem::take(&mut self.buffer);
        let limit = self.bucket.limit(bytes.len() as u64);
        let sent = parts.put_part(bytes.into());
        self.parts = Some(parts);
        self.connection.wait(limit, async move { Ok(sent.await?) }).map_err(|trouble| self.told(&trouble))
    }

    /// Sends the rest: from here on the file is there. Returns its size.
    pub(super) fn finish(&mut self) -> io::Result<u64> {
        let limit = self.bucket.limit(self.buffer.len() as u64);
        if self.parts.is_some() && !self.buffer.is_empty() {
            self.send()?;
        }
        let done = match self.parts.take() {
            Some(mut parts) => self.connection.wait(limit, async move { Ok(parts.complete().await?) }),
            None => {
                let (store, key) = (self.connection.store(), self.key.clone());
                let bytes = std::mem::take(&mut self.buffer);
                self.connection.wait(limit, async move { Ok(store.put(&key, bytes.into()).await?) })
            }
        };
        done.map_err(|trouble| self.told(&trouble))?;
        Ok(self.size)
    }

    /// Gives up: the parts that are sent are thrown away.
    pub(super) fn abort(&mut self) {
        if let Some(mut parts) = self.parts.take() {
            // Where this fails as well, a rule of the bucket ends the upload.
            let _ = self.connection.wait(self.bucket.limit(0), async move { Ok(parts.abort().await?) });
        }
    }
}

impl Write for Upload<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n = bytes.len().min(PART - self.buffer.len());
        self.buffer.extend_from_slice(&bytes[..n]);
        self.size += n as u64;
        if self.buffer.len() == PART {
            self.send()?;
        }
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
