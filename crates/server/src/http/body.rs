//! Bodies of requests: read within limits of size and time, and unpacked.

use std::io::{self, Read, Write};
use std::time::Duration;

use axum::http::{HeaderMap, StatusCode, header};
use bytes::{Bytes, BytesMut};
use flate2::write::MultiGzDecoder;
use http_body_util::BodyExt;
use tabwright_data::Spool;

use super::RequestBody;
use crate::refusal::{Answer, Refusal};

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

/// Reads a body whole, unpacked. `limit` holds for it packed and unpacked.
pub(crate) async fn read_whole(headers: &HeaderMap, body: RequestBody, limit: u64, time: Duration) -> Answer<Bytes> {
    let packing = packing(headers)?;
    check_length(headers, limit)?;
    let bytes = in_time(time, collect(body, limit)).await?;
    let unpack: fn(&[u8], u64) -> Answer<Bytes> = match packing {
        Packing::None => return Ok(bytes),
        Packing::Gzip => |bytes, limit| unpack(flate2::read::MultiGzDecoder::new(bytes), limit),
        Packing::Zstd => |bytes, limit| unpack(zstd::Decoder::with_buffer(bytes).map_err(|_| damaged())?, limit),
    };
    tokio::task::spawn_blocking(move || unpack(&bytes, limit)).await.map_err(|e| Refusal::internal(&e))?
}

async fn collect(mut body: RequestBody, limit: u64) -> Answer<Bytes> {
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
                    rest.extend_from_slice(begun);
                }
                rest.extend_from_slice(&data);
            }
        }
    }
    Ok(if rest.is_empty() { first.unwrap_or_default() } else { rest.freeze() })
}

fn unpack(reader: impl Read, limit: u64) -> Answer<Bytes> {
    let mut out = Vec::new();
    reader.take(limit + 1).read_to_end(&mut out).map_err(|_| damaged())?;
    if out.len() as u64 > limit { Err(too_large(limit)) } else { Ok(out.into()) }
}

/// Reads a body of any size: in memory while it is small, in a temporary file beyond.
pub(crate) async fn spool(
    headers: &HeaderMap,
    mut body: RequestBody,
    (in_memory, limit): (usize, u64),
    time: Duration,
) -> Answer<Spool> {
    check_length(headers, limit)?;
    let mut unpacker = Unpacker::new(packing(headers)?, in_memory, limit)?;
    let mut size = 0;
    let reading = async {
        while let Some(frame) = body.frame().await {
            let Ok(data) = frame.map_err(|_| cut_off())?.into_data() else { continue };
            size += data.len() as u64;
            if size > limit {
                return Err(too_large(limit));
            }
            unpacker.write(&data)?;
        }
        Ok(())
    };
    in_time(time, reading).await?;
    unpacker.finish()
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

/// Bytes up to a limit.
struct Bounded {
    spool: Spool,
    limit: u64,
    is_over: bool,
}

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.spool.size() + bytes.len() as u64 > self.limit {
            self.is_over = true;
            return Err(io::Error::other("too large"));
        }
        self.spool.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.spool.flush()
    }
}

/// Unpacks a body while it comes.
pub(crate) struct Unpacker(Unpacking);

enum Unpacking {
    None(Bounded),
    Gzip(Box<MultiGzDecoder<Bounded>>),
    Zstd(Box<zstd::stream::write::Decoder<'static, Bounded>>),
}

impl Unpacker {
    fn new(packing: Packing, in_memory: usize, limit: u64) -> Answer<Self> {
        let bounded = Bounded { spool: Spool::new(in_memory), limit, is_over: false };
        Ok(Unpacker(match packing {
            Packing::None => Unpacking::None(bounded),
            Packing::Gzip => Unpacking::Gzip(Box::new(MultiGzDecoder::new(bounded))),
            Packing::Zstd => {
                let decoder = zstd::stream::write::Decoder::new(bounded).map_err(|e| Refusal::internal(&e))?;
                Unpacking::Zstd(Box::new(decoder))
            }
        }))
    }

    fn write(&mut self, bytes: &[u8]) -> Answer<()> {
        let written = match &mut self.0 {
            Unpacking::None(out) => out.write_all(bytes),
            Unpacking::Gzip(out) => out.write_all(bytes),
            Unpacking::Zstd(out) => out.write_all(bytes),
        };
        written.map_err(|error| self.refusal(&error))
    }

    fn finish(mut self) -> Answer<Spool> {
        let ended = match &mut self.0 {
            Unpacking::None(_) => Ok(()),
            Unpacking::Gzip(out) => out.try_finish(),
            Unpacking::Zstd(out) => out.flush(),
        };
        ended.map_err(|error| self.refusal(&error))?;
        match self.0 {
            Unpacking::None(out) => Ok(out.spool),
            Unpacking::Gzip(out) => out.finish().map(|out| out.spool).map_err(|_| damaged()),
            Unpacking::Zstd(out) => Ok(out.into_inner().spool),
        }
    }

    fn bounded(&self) -> &Bounded {
        match &self.0 {
            Unpacking::None(out) => out,
            Unpacking::Gzip(out) => out.get_ref(),
            Unpacking::Zstd(out) => out.get_ref(),
        }
    }

    fn refusal(&self, error: &io::Error) -> Box<Refusal> {
        let is_disk = error.raw_os_error().is_some();
        match self.bounded() {
            bounded if bounded.is_over => too_large(bounded.limit),
            _ if is_disk => Refusal::internal(error),
            _ => damaged(),
        }
    }
}
