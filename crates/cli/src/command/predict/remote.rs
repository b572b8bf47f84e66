//! `tabwright predict --server URL`: has the rows of a file predicted by a server. The file is sent as it lies there (text in
//! another encoding as UTF-8) and the answer written as it comes, so neither is held in memory.

mod address;
mod answer;
mod connection;
mod options;

use std::io::Read;
use std::process::ExitCode;

use clap::ArgMatches;
use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use reqwest::{Body, Client, Url};
use tabwright_core::Clock;
use tabwright_data::{Compression, Format, Input};
use tabwright_lifecycle::error::Error;

use crate::error::Failure;
use crate::home;
use crate::screen::{self, Screen, WallClock};
use answer::Done;
use connection::Activity;

/// Bytes that are read from the file at a time.
const CHUNK: usize = 256 << 10;

/// What is sent where.
struct Request {
    url: Url,
    token: Option<String>,
    input: Input,
    /// What the file is, whatever its name says.
    format: Format,
    /// Its encoding, where the user names one.
    encoding: Option<String>,
    output: String,
    accept: &'static str,
    /// The format of the answer.
    wanted: Format,
    keeps_error: bool,
    accepts_bad_rows: bool,
}

pub(super) fn run(matches: &ArgMatches, server: &str) -> Result<ExitCode, Failure> {
    let on_screen = Screen::new(false);
    let request = Request::read(matches, server)?;
    if request.token.is_some() && address::is_open(&request.url) {
        on_screen.say("warning: the token is sent over http://, where everyone on the way can read it; use https://");
    }
    let clock = WallClock::start();
    let client = connection::client(matches)?;
    let done = home::runtime()?.block_on(async {
        tokio::select! {
            done = request.send(&client, &on_screen) => done,
            _ = tokio::signal::ctrl_c() => Err(Error::Cancelled("no predictions were written".into()).into()),
        }
    })?;
    // Nobody reads the output any more (`| head`).
    let Some(done) = done else { return Ok(ExitCode::SUCCESS) };
    let seconds = clock.seconds();
    if done.unusable > 0 {
        let rows = rows(done.unusable);
        on_screen.say(&format!("warning: {rows} could not be used; the column `error` says why"));
    }
    if matches.get_flag("json") {
        screen::print_json(&serde_json::json!({
            "rows": done.rows,
            "rejected": done.unusable,
            "output": request.output,
            "model": done.model,
            "model_version": done.version,
            "seconds": seconds,
        }))?;
    } else if request.output != "-" {
        let (rows, took) = (rows(done.rows), screen::seconds(seconds));
        let (name, version) = (&done.model, &done.version);
        on_screen.say(&format!("{rows} predicted by {name}:{version} in {took}: {}", request.output));
    }
    Ok(ExitCode::SUCCESS)
}

fn rows(count: usize) -> String {
    if count == 1 { "1 row".to_owned() } else { format!("{} rows", screen::count(count)) }
}

/// What is sent.
struct Content {
    chunks: BoxStream<'static, std::io::Result<Vec<u8>>>,
    /// Bytes of the file and how they are packed, where it is sent as it lies there.
    as_it_lies: Option<(u64, Compression)>,
}

impl Request {
    /// What was done; nothing if the reader of the output has gone.
    async fn send(&self, client: &Client, on_screen: &Screen) -> Result<Option<Done>, Failure> {
        let activity = Activity::begun();
        let Content { chunks, as_it_lies } = self.content(on_screen)?;
        let chunks = activity.of(chunks);
        let mut request = client
            .post(self.url.clone())
            .header("content-type", self.format.media_type())
            .header("accept", self.accept)
            .body(Body::wrap_stream(chunks));
        if let Some((size, packing)) = as_it_lies {
            request = request.header("content-length", size);
            match packing {
                Compression::None => {}
                Compression::Gzip => request = request.header("content-encoding", "gzip"),
                Compression::Zstd => request = request.header("content-encoding", "zstd"),
            }
        }
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        let response = match activity.watch(request.send()).await? {
            Ok(response) => response,
            Err(error) => return Err(connection::failed(client, &self.url, &error).await),
        };
        match response.status().is_success() {
            true => answer::receive(self, response).await,
            false => Err(answer::refused(self, response).await),
        }
    }

    /// The file as it lies there, or, where it is text and not UTF-8, as a server reads it.
    fn content(&self, on_screen: &Screen) -> Result<Content, Failure> {
        let decoded = match self.format.is_text() {
            true => self.input.decoded(self.encoding.as_deref()).map_err(Error::from)?,
            false => None,
        };
        if let Some((encoding, pieces)) = decoded {
            on_screen.say(&format!("{}: {encoding}, sent as UTF-8", self.input.name()));
            let chunks = stream::iter(pieces.map(|piece| piece.map_err(std::io::Error::other))).boxed();
            return Ok(Content { chunks, as_it_lies: None });
        }
        let file = std::fs::File::open(self.input.path());
        let file = file.map_err(|e| Failure::failed(format!("{}: it cannot be read: {e}", self.input.name())))?;
        let chunks = stream::try_unfold(file, |mut file| async move {
            let mut chunk = vec![0; CHUNK];
            let read = file.read(&mut chunk)?;
            chunk.truncate(read);
            Ok((read > 0).then_some((chunk, file)))
        });
        Ok(Content { chunks: chunks.boxed(), as_it_lies: Some((self.input.size(), self.input.compression())) })
    }
}
