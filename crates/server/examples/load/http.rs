//! One connection of HTTP/1.1: a request that is made once and sent again and again, and answers of which only the status and
//! the length are read.

use std::io;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Bytes that are read at once.
const BUFFER: usize = 64 * 1024;

/// What went wrong with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failure {
    /// No connection was made.
    Refused,
    /// The connection was closed before any byte of the answer.
    Closed,
    /// It was closed in the middle of the answer.
    Broken,
    /// The answer is no HTTP.
    Odd,
}

/// An answer that has come whole.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Bytes of head and body.
    pub(crate) bytes: u64,
    /// Whether the server will close the connection.
    pub(crate) closes: bool,
}

/// An open connection.
pub(crate) struct Connection {
    stream: TcpStream,
    buffer: Box<[u8]>,
    /// What of the buffer is filled and not yet taken.
    start: usize,
    end: usize,
    /// Bytes of the answer so far.
    seen: u64,
}

/// How long a body is.
enum Length {
    Known(u64),
    Chunked,
    UntilClosed,
}

struct Head {
    status: u16,
    length: Length,
    closes: bool,
}

impl Connection {
    pub(crate) async fn open(address: &str) -> Result<Self, Failure> {
        let stream = TcpStream::connect(address).await.map_err(|_| Failure::Refused)?;
        stream.set_nodelay(true).map_err(|_| Failure::Refused)?;
        Ok(Connection { stream, buffer: vec![0; BUFFER].into(), start: 0, end: 0, seen: 0 })
    }

    /// Sends the request and reads the answer to its end.
    pub(crate) async fn ask(&mut self, request: &[u8]) -> Result<Answer, Failure> {
        (self.start, self.end, self.seen) = (0, 0, 0);
        // A server may answer and close before it has read all of the request: the answer counts.
        let sent = self.stream.write_all(request).await;
        let head = match self.head().await {
            Err(Failure::Closed) if sent.is_err() => return Err(Failure::Closed),
            other => other?,
        };
        let mut closes = head.closes || sent.is_err();
        match head.length {
            Length::Known(length) => self.skip(length).await?,
            Length::Chunked => self.chunks().await?,
            Length::UntilClosed => {
                closes = true;
                while self.fill().await.map_err(|_| Failure::Broken)? > 0 {
                    (self.start, self.end) = (0, 0);
                }
            }
        }
        Ok(Answer { status: head.status, bytes: self.seen, closes })
    }

    /// Reads more behind what is there, after making room; 0 at the end.
    async fn fill(&mut self) -> io::Result<usize> {
        if self.start > 0 {
            self.buffer.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        let count = self.stream.read(&mut self.buffer[self.end..]).await?;
        self.end += count;
        self.seen += count as u64;
        Ok(count)
    }

    /// As `fill`, in the middle of an answer.
    async fn more(&mut self) -> Result<(), Failure> {
        if self.start == 0 && self.end == self.buffer.len() {
            return Err(Failure::Odd);
        }
        match self.fill().await {
            Ok(1..) => Ok(()),
            _ if self.seen == 0 => Err(Failure::Closed),
            _ => Err(Failure::Broken),
        }
    }

    async fn head(&mut self) -> Result<Head, Failure> {
        let mut looked = 0;
        loop {
            let bytes = &self.buffer[self.start..self.end];
            if let Some(at) = bytes[looked..].windows(4).position(|w| w == b"\r\n\r\n") {
                let head = parse(&bytes[..looked + at]).ok_or(Failure::Odd)?;
                self.start += looked + at + 4;
                return Ok(head);
            }
            looked = bytes.len().saturating_sub(3);
            self.more().await?;
        }
    }

    async fn skip(&mut self, mut length: u64) -> Result<(), Failure> {
        loop {
            let taken = length.min((self.end - self.start) as u64);
            self.start += taken as usize;
            length -= taken;
            if length == 0 {
                return Ok(());
            }
            self.more().await?;
        }
    }

    /// One line without its end.
    async fn line(&mut self) -> Result<&[u8], Failure> {
        loop {
            let found = self.buffer[self.start..self.end].windows(2).position(|w| w == b"\r\n");
            if let Some(length) = found {
                let from = self.start;
                self.start += length + 2;
                return Ok(&self.buffer[from..from + length]);
            }
            self.more().await?;
        }
    }

    async fn chunks(&mut self) -> Result<(), Failure> {
        loop {
            let line = std::str::from_utf8(self.line().await?).map_err(|_| Failure::Odd)?;
            let digits = line.split(';').next().unwrap_or_default().trim();
            let size = u64::from_str_radix(digits, 16).map_err(|_| Failure::Odd)?;
            if size == 0 {
                while !self.line().await?.is_empty() {}
                return Ok(());
            }
            self.skip(size).await?;
            if !self.line().await?.is_empty() {
                return Err(Failure::Odd);
            }
        }
    }
}

fn parse(head: &[u8]) -> Option<Head> {
    let text = std::str::from_utf8(head).ok()?;
    let mut lines = text.split("\r\n");
    let first = lines.next()?.strip_prefix("HTTP/1.")?;
    let status = first.get(2..5)?.parse().ok()?;
    let mut found = Head { status, length: Length::UntilClosed, closes: first.starts_with('0') };
    for line in lines {
        let (name, value) = line.split_once(':')?;
        if name.eq_ignore_ascii_case("content-length") {
            found.length = Length::Known(value.trim().parse().ok()?);
        } else if name.eq_ignore_ascii_case("transfer-encoding") {
            found.length = Length::Chunked;
        } else if name.eq_ignore_ascii_case("connection") {
            found.closes = value.trim().eq_ignore_ascii_case("close");
        }
    }
    Some(if matches!(status, 204 | 304) { Head { length: Length::Known(0), ..found } } else { found })
}
