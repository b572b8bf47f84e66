//! What an Arrow IPC file says of the memory that it takes, checked before any of it is taken: the library believes the length
//! that stands before a packed buffer, and a program that is refused memory ends.

use std::io::{ErrorKind, Read, Seek, SeekFrom};

use arrow_ipc::{CompressionType, MessageHeader, RecordBatch, root_as_footer, root_as_message};

use super::open::{IPC_FILE, damaged};
use crate::error::Place;
use crate::input::ReadSeek;
use crate::{Error, Format, Input, ReadOptions, Result};

/// What marks the beginning of a message.
const CONTINUATION: [u8; 4] = [0xff; 4];

/// Bytes that a byte of LZ4 becomes at most: it prolongs a match by so many (LZ4 block format).
const LZ4_RATIO: u64 = 255;
/// Bytes that a byte of Zstandard becomes at most: a block of 128 KB may take four (RFC 8878, section 3.1.1.2).
const ZSTD_RATIO: u64 = 32 << 10;
/// Bytes beyond the ratio: what short buffers begin with.
const SLACK: u64 = 128 << 10;

/// How much larger than the file a batch may be where nothing is said.
const USUAL_RATIO: u64 = 100;
/// Bytes of a batch that are allowed in any case where nothing is said.
const USUAL_BYTES: u64 = 1 << 30;

/// Rows of a batch without any byte: columns of nothing but missing values have none.
const ROWS_WITHOUT_BYTES: u64 = 1 << 20;

/// Looks at every message of a file.
///
/// # Errors
/// If a buffer says that it becomes larger than its bytes can make it, if those of a batch are larger together than is allowed, or
/// if the messages cannot be followed.
pub(super) fn check(input: &Input, options: &ReadOptions) -> Result<()> {
    let usual = input.size().saturating_mul(USUAL_RATIO).max(USUAL_BYTES);
    let most = options.most_batch_bytes.unwrap_or(usual);
    let mut messages = Messages { name: input.name(), source: input.open_raw()?, most };
    let mut head = [0; IPC_FILE.len()];
    let is_file = messages.source.read_exact(&mut head).is_ok() && head == IPC_FILE;
    messages.seek(SeekFrom::Start(0))?;
    if is_file { messages.check_file() } else { messages.check_stream() }
}

/// Walks over the messages of a file. Bodies are passed over, but for the lengths in them.
struct Messages<'i> {
    name: &'i str,
    source: Box<dyn ReadSeek>,
    most: u64,
}

impl Messages<'_> {
    fn check_stream(&mut self) -> Result<()> {
        let mut at = 0;
        loop {
            let mut length = [0; 4];
            match self.source.read_exact(&mut length) {
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(()),
                other => other.map_err(|e| self.broken(&e))?,
            }
            at += 4;
            if length == CONTINUATION {
                self.read(&mut length)?;
                at += 4;
            }
            let length = self.count(i32::from_le_bytes(length).into())?;
            if length == 0 {
                return Ok(());
            }
            let metadata = self.metadata(length)?;
            let message = root_as_message(&metadata).map_err(|e| self.broken(&e))?;
            let body = at + length;
            self.check_message(&message, body)?;
            at = body.saturating_add(self.count(message.bodyLength())?);
            self.seek(SeekFrom::Start(at))?;
        }
    }

    fn check_file(&mut self) -> Result<()> {
        const END: usize = 4 + IPC_FILE.len();
        let mut end = [0; END];
        self.seek(SeekFrom::End(-(END as i64)))?;
        self.read(&mut end)?;
        let length = self.count(i32::from_le_bytes([end[0], end[1], end[2], end[3]]).into())?;
        self.seek(SeekFrom::End(-(END as i64) - length as i64))?;
        let footer = self.metadata(length)?;
        let footer = root_as_footer(&footer).map_err(|e| self.broken(&e))?;
        let blocks = footer.dictionaries().into_iter().chain(footer.recordBatches()).flatten();
        for block in blocks {
            let start = self.count(block.offset())?;
            let length = self.count(block.metaDataLength().into())?;
            self.seek(SeekFrom::Start(start))?;
            let metadata = self.metadata(length)?;
            let skip = if metadata.starts_with(&CONTINUATION) { 8 } else { 4 };
            let message = metadata.get(skip..).ok_or_else(|| self.broken(&"a message is cut off"))?;
            let message = root_as_message(message).map_err(|e| self.broken(&e))?;
            self.check_message(&message, start.saturating_add(length))?;
        }
        Ok(())
    }

    fn check_message(&mut self, message: &arrow_ipc::Message<'_>, body: u64) -> Result<()> {
        let batch = match message.header_type() {
            MessageHeader::RecordBatch => message.header_as_record_batch(),
            MessageHeader::DictionaryBatch => message.header_as_dictionary_batch().and_then(|d| d.data()),
            _ => None,
        };
        batch.map_or(Ok(()), |batch| self.check_batch(&batch, body))
    }

    fn check_batch(&mut self, batch: &RecordBatch<'_>, body: u64) -> Result<()> {
        let codec = batch.compression().map(|c| c.codec());
        let ratio = if codec == Some(CompressionType::LZ4_FRAME) { LZ4_RATIO } else { ZSTD_RATIO };
        let mut bytes = 0_u64;
        for buffer in batch.buffers().into_iter().flatten() {
            let packed = self.count(buffer.length())?;
            let mut unpacked = packed;
            if codec.is_some() && packed > 0 {
                self.seek(SeekFrom::Start(body.saturating_add(self.count(buffer.offset())?)))?;
                let mut claim = [0; 8];
                self.read(&mut claim)?;
                // Without a length, the bytes are as they are.
                unpacked = u64::try_from(i64::from_le_bytes(claim)).unwrap_or(packed);
                if unpacked > packed.saturating_mul(ratio).saturating_add(SLACK) {
                    let message = format!("a buffer of {packed} bytes says that it holds {unpacked}, which it cannot");
                    return Err(self.broken(&message));
                }
            }
            bytes = bytes.saturating_add(unpacked);
        }
        if bytes > self.most {
            let message = format!(
                "a batch of rows takes {bytes} bytes, and {} are allowed; write it in smaller batches",
                self.most
            );
            return Err(Error::unreadable(Place::file(self.name), message));
        }
        // A column has a bit for each row at least.
        let rows = self.count(batch.length())?;
        if rows > bytes.saturating_mul(8).max(ROWS_WITHOUT_BYTES) {
            return Err(self.broken(&format!("a batch of {bytes} bytes says that it has {rows} rows")));
        }
        Ok(())
    }

    /// Reads so many bytes; memory grows with those that are there.
    fn metadata(&mut self, length: u64) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let read = (&mut self.source).take(length).read_to_end(&mut bytes).map_err(|e| self.broken(&e))?;
        if read as u64 == length { Ok(bytes) } else { Err(self.broken(&"a message is cut off")) }
    }

    fn read(&mut self, bytes: &mut [u8]) -> Result<()> {
        self.source.read_exact(bytes).map_err(|e| self.broken(&e))
    }

    fn seek(&mut self, to: SeekFrom) -> Result<()> {
        self.source.seek(to).map(drop).map_err(|e| self.broken(&e))
    }

    /// A number of bytes or rows.
    fn count(&self, number: i64) -> Result<u64> {
        u64::try_from(number).map_err(|_| self.broken(&format!("{number} is no length")))
    }

    fn broken(&self, why: &dyn std::fmt::Display) -> Error {
        damaged(self.name, Format::Arrow, why)
    }
}
