//! Bodies of requests: read within limits of size and time, and unpacked.

use std::io::{self, Read, Write};
use std::time::Duration;

use axum::http::{HeaderMap, StatusCode, header};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use tabwright_data::Spool;

use super::RequestBody;
use crate::refusal::{Answer, Refusal};

/// Bytes that are unpacked at a time.
const PIECE: usize = 64 << 10;

/// How a body is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Packing {
    None,
    Gzip,
    Zstd,
}

fn packing(headers: &HeaderMap) -> Answer<Packing> {
    let Some(value) = headers.get(header::CONTENT_ENCODING) else { return Ok(Packing::None) };
    match value.to_str().unwrap_or_default().trim().to_ascii_lowercase().as_str() {
        "" | "identity" => Ok(Packing::None),
        "gzip" | "x-gzip" => Ok(Packing::Gzip),
        "zstd" => Ok(Packing::Zstd),
        _ => {
            let message = "bodies are unpacked from gzip and zstd; the header `Content-Encoding` says something else";
            Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unknown_encoding", message))
        }
    }
}

/// Whether a body has to be unpacked.
pub(crate) fn is_packed(headers: &HeaderMap) -> bool {
    !matches!(packing(headers), Ok(Packing::None))
}

/// Bytes of a body, if its head says so.
pub(crate) fn length(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// The type of a body, in lower case and without its parameters; `None` if there is none. Another charset than UTF-8 is refused.
pub(crate) fn content_type(headers: &HeaderMap) -> Answer<Option<String>> {
    let Some(value) = headers.get(header::CONTENT_TYPE) else { return Ok(None) };
    let text = value.to_str().unwrap_or_default().to_ascii_lowercase();
    let mut parts = text.split(';').map(str::trim);
    let kind = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        if let Some(charset) = part.strip_prefix("charset=")
            && !matches!(charset.trim_matches('"'), "utf-8" | "utf8" | "us-ascii")
        {
            let message = "text must be UTF-8; the header `Content-Type` says something else";
            return Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unknown_charset", message));
        }
    }
    Ok(Some(kind))
}

/// Reads a body whole, as it came; `limit` is of bytes.
pub(crate) async fn read_whole(headers: &HeaderMap, body: RequestBody, limit: u64, time: Duration) -> Answer<Whole> {
    let packing = packing(headers)?;
    check_length(headers, limit)?;
    let bytes = in_time(time, collect(body, limit, length(headers))).await?;
    Ok(Whole { bytes, packing, limit })
}

/// A body that is in memory, and may be packed.
#[derive(Debug)]
pub(crate) struct Whole {
    bytes: Bytes,
    packing: Packing,
    limit: u64,
}

impl Whole {
    /// Whether it takes work to unpack it.
    pub(crate) fn is_packed(&self) -> bool {
        self.packing != Packing::None
    }

    /// Unpacks it; the limit holds for what comes out, too.
    pub(crate) fn unpack(self) -> Answer<Bytes> {
        if self.packing == Packing::None {
            return Ok(self.bytes);
        }
        let mut out = Vec::new();
        let reader = unpacking(self.packing, &self.bytes[..]).map_err(|_| damaged())?;
        reader.take(self.limit + 1).read_to_end(&mut out).map_err(|_| damaged())?;
        if out.len() as u64 > self.limit { Err(too_large(self.limit)) } else { Ok(out.into()) }
    }
}

/// Unpacks while it is read.
fn unpacking<'r>(packing: Packing, packed: impl Read + 'r) -> io::Result<Box<dyn Read + 'r>> {
    /// Memory that unpacking may take, as a power of two: what RFC 8878 asks every reader to grant.
    const WINDOW: u32 = 23;
    Ok(match packing {
        Packing::None => Box::new(packed),
        Packing::Gzip => Box::new(flate2::read::MultiGzDecoder::new(packed)),
        Packing::Zstd => {
            let mut decoder = zstd::Decoder::new(packed)?;
            decoder.window_log_max(WINDOW)?;
            Box::new(decoder)
        }
    })
}

async fn collect(mut body: RequestBody, limit: u64, length: Option<u64>) -> Answer<Bytes> {
    /// Bytes for which room is made because a head says so: more has to come first.
    const BELIEVED: u64 = 1 << 20;
    let mut first: Option<Bytes> = None;
    let mut rest = BytesMut::new();
    let mut size = 0;
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| cut_off())?.into_data() else { continue };
        size += data.len() as u64;
        if size > limit {
            return Err(too_large(limit));
        }
        match &first {
            None => first = Some(data),
            Some(begun) => {
                if rest.is_empty() {
                    rest.reserve(length.unwrap_or(0).min(BELIEVED) as usize);
                    rest.extend_from_slice(begun);
                }
                rest.extend_from_slice(&data);
            }
        }
    }
    Ok(if rest.is_empty() { first.unwrap_or_default() } else { rest.freeze() })
}

/// Reads a body of any size, as it came: in memory while it is small, in a temporary file beyond.
pub(crate) async fn spool(
    headers: &HeaderMap,
    mut body: RequestBody,
    (in_memory, limit): (usize, u64),
    time: Duration,
) -> Answer<Spooled> {
    check_length(headers, limit)?;
    let packing = packing(headers)?;
    let mut spool = Spool::new(in_memory);
    let reading = async {
        while let Some(frame) = body.frame().await {
            let Ok(data) = frame.map_err(|_| cut_off())?.into_data() else { continue };
            if spool.size() + data.len() as u64 > limit {
                return Err(too_large(limit));
            }
            spool.write_all(&data).map_err(|e| Refusal::internal(&e))?;
        }
        Ok(())
    };
    in_time(time, reading).await?;
    Ok(Spooled { spool, packing, in_memory, limit })
}

/// A body of any size that may be packed.
#[derive(Debug)]
pub(crate) struct Spooled {
    spool: Spool,
    packing: Packing,
    in_memory: usize,
    limit: u64,
}

impl Spooled {
    /// Unpacks it, which takes as long as its content is large.
    pub(crate) fn unpack(mut self) -> Answer<Spool> {
        if self.packing == Packing::None {
            return Ok(self.spool);
        }
        let mut out = Spool::new(self.in_memory);
        let reader = unpacking(self.packing, self.spool.reader().map_err(|e| Refusal::internal(&e))?);
        let mut reader = reader.map_err(|_| damaged())?.take(self.limit + 1);
        let mut piece = vec![0; PIECE];
        loop {
            let read = reader.read(&mut piece).map_err(|_| damaged())?;
            if read == 0 {
                return Ok(out);
            }
            if out.size() + read as u64 > self.limit {
                return Err(too_large(self.limit));
            }
            out.write_all(&piece[..read]).map_err(|e| Refusal::internal(&e))?;
        }
    }
}

async fn in_time<T>(time: Duration, reading: impl Future<Output = Answer<T>>) -> Answer<T> {
    let mut reading = std::pin::pin!(reading);
    // Most bodies have arrived with their heads: they need no clock.
    if let Some(done) = futures_util::FutureExt::now_or_never(reading.as_mut()) {
        return done;
    }
    match tokio::time::timeout(time, reading).await {
        Ok(done) => done,
        Err(_) => {
            let message = format!("the body did not arrive within {} s", time.as_secs_f64());
            let refusal = Refusal::new(StatusCode::REQUEST_TIMEOUT, "too_slow", message);
            Err(Box::new(Refusal { close: true, ..*refusal }))
        }
    }
}

fn check_length(headers: &HeaderMap, limit: u64) -> Answer<()> {
    if length(headers).is_some_and(|length| length > limit) { Err(too_large(limit)) } else { Ok(()) }
}

fn too_large(limit: u64) -> Box<Refusal> {
    Refusal::too_large(format!(
        "the body has more than {limit} bytes; send fewer rows at a time, or rows as CSV, JSON Lines or Arrow, which may be larger"
    ))
}

fn cut_off() -> Box<Refusal> {
    let refusal = Refusal::bad("cut_off", "the body was cut off");
    Box::new(Refusal { close: true, ..*refusal })
}

fn damaged() -> Box<Refusal> {
    Refusal::bad("damaged_body", "the body is not packed as the header `Content-Encoding` says, or it is damaged")
}
