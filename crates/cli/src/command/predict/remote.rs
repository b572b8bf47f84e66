//! `tabwright predict --server URL`: has the rows of a file predicted by a server. The file is sent as it lies there and the
//! answer written as it comes, so neither is held in memory.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use clap::ArgMatches;
use futures_util::StreamExt;
use reqwest::{Body, Client, Url};
use tabwright_data::{Compression, Destination, Format, Input};
use tabwright_store::{Reference, Which};

use super::super::texts;
use crate::error::Failure;
use crate::home;
use crate::screen::{self, Screen, WallClock};

/// Bytes that are read from the file at a time.
const CHUNK: usize = 256 << 10;
/// How long a server may take to accept the connection.
const CONNECT: Duration = Duration::from_secs(10);
/// Bytes of a message of the server that are shown at most.
const MESSAGE: usize = 4096;

/// What is sent where.
struct Request {
    url: Url,
    token: Option<String>,
    input: Input,
    output: String,
    accept: &'static str,
    accepts_bad_rows: bool,
}

pub(super) fn run(matches: &ArgMatches, server: &str) -> Result<ExitCode, Failure> {
    let request = Request::read(matches, server)?;
    let clock = WallClock::start();
    let runtime = home::runtime()?;
    let done = runtime.block_on(request.send(client(matches)?))?;
    let seconds = tabwright_core::Clock::seconds(&clock);
    let on_screen = Screen::new(false);
    if done.unusable > 0 {
        on_screen.say(&format!("warning: {} rows could not be used; the column `error` says why", done.unusable));
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
        let (rows, took) = (screen::count(done.rows), screen::seconds(seconds));
        let (name, version) = (&done.model, &done.version);
        on_screen.say(&format!("{rows} rows predicted by {name}:{version} in {took}: {}", request.output));
    }
    Ok(ExitCode::SUCCESS)
}

fn client(matches: &ArgMatches) -> Result<Client, Failure> {
    // Whoever comes second finds the same one installed.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut builder = Client::builder().connect_timeout(CONNECT).redirect(reqwest::redirect::Policy::none());
    if let Some(file) = matches.get_one::<String>("ca") {
        let told = |e: &dyn std::fmt::Display| Failure::usage(format!("--ca {file}: {e}"));
        let pem = std::fs::read(file).map_err(|e| told(&e))?;
        let all = reqwest::Certificate::from_pem_bundle(&pem).map_err(|e| told(&e))?;
        if all.is_empty() {
            return Err(told(&"there is no certificate in it; PEM is needed"));
        }
        builder = builder.tls_certs_merge(all);
    }
    builder.build().map_err(|e| Failure::failed(format!("no connection can be made: {}", deepest(&e))))
}

/// What was done.
struct Done {
    rows: usize,
    unusable: usize,
    model: String,
    version: String,
}

impl Request {
    fn read(matches: &ArgMatches, server: &str) -> Result<Self, Failure> {
        let model = matches.get_one::<String>("model").map_or("", String::as_str);
        let output = matches.get_one::<String>("output").cloned().unwrap_or_else(|| "-".into());
        let inputs =
            tabwright_data::resolve_inputs(&texts(matches, "data")).map_err(tabwright_lifecycle::Error::from)?;
        let [input] = inputs.as_slice() else {
            return Err(Failure::usage(format!("a server is sent one file at a time, these are {}", inputs.len())));
        };
        let accepts_bad_rows = match matches.get_one::<String>("on-error").map_or("fail", String::as_str) {
            "fail" => false,
            "null" => true,
            _ => {
                return Err(Failure::usage(
                    "--on-error with --server is fail or null: the server keeps no file of rows",
                ));
            }
        };
        let token = match matches.get_one::<String>("token") {
            None => None,
            Some(text) if text.starts_with("env:") || text.starts_with("file:") => {
                Some(home::referred(text).map_err(|why| Failure::usage(format!("--token: {why}")))?)
            }
            Some(_) => {
                return Err(Failure::usage(
                    "--token: name where the token is, env:NAME or file:PATH, not the token itself",
                ));
            }
        };
        let accept = match (Format::of_path(Path::new(&output)), output.as_str()) {
            (_, "-") => type_of(Format::Csv),
            ((Some(format), Compression::None), _) => type_of(format),
            ((Some(_), _), _) => {
                return Err(Failure::usage(format!(
                    "{output}: with --server nothing is packed; leave out .gz and .zst"
                )));
            }
            _ => {
                return Err(Failure::usage(format!(
                    "the name {output} tells no format; let it end in .csv, .jsonl, .parquet or .arrow"
                )));
            }
        };
        let url = url(server, model, &texts(matches, "keep"))?;
        Ok(Request { url, token, input: input.clone(), output, accept, accepts_bad_rows })
    }

    async fn send(&self, client: Client) -> Result<Done, Failure> {
        let file = std::fs::File::open(self.input.path());
        let file = file.map_err(|e| Failure::failed(format!("{}: it cannot be read: {e}", self.input.name())))?;
        let chunks = futures_util::stream::try_unfold(file, |mut file| async move {
            let mut chunk = vec![0; CHUNK];
            let read = std::io::Read::read(&mut file, &mut chunk)?;
            chunk.truncate(read);
            Ok::<_, std::io::Error>((read > 0).then_some((chunk, file)))
        });
        let mut request = client
            .post(self.url.clone())
            .header("content-type", type_of(self.input.format()))
            .header("content-length", self.input.size())
            .header("accept", self.accept)
            .body(Body::wrap_stream(chunks));
        match self.input.compression() {
            Compression::None => {}
            Compression::Gzip => request = request.header("content-encoding", "gzip"),
            Compression::Zstd => request = request.header("content-encoding", "zstd"),
        }
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        let response = request.send().await.map_err(|e| {
            Failure::failed(format!("{}: {}; is the server running there?", shown(&self.url), deepest(&e)))
        })?;
        if !response.status().is_success() {
            return Err(self.refused(response).await);
        }
        let header = |name: &str| response.headers().get(name).and_then(|v| v.to_str().ok()).unwrap_or_default();
        let count = |name: &str| header(name).parse().unwrap_or(0);
        let done = Done {
            rows: count("x-rows"),
            unusable: count("x-unusable-rows"),
            model: header("x-model").to_owned(),
            version: header("x-model-version").to_owned(),
        };
        if done.unusable > 0 && !self.accepts_bad_rows {
            return Err(Failure {
                message: format!(
                    "{} of {} rows cannot be used; mend them, or use --on-error null: then the column `error` says what is wrong",
                    done.unusable, done.rows
                ),
                exit: tabwright_lifecycle::error::Exit::Data,
            });
        }
        let told = |e: std::io::Error| Failure::failed(format!("{}: it could not be written: {e}", self.output));
        let mut out = Destination::create(&self.output).map_err(told)?;
        let mut answer = response.bytes_stream();
        while let Some(chunk) = answer.next().await {
            let chunk = chunk.map_err(|e| Failure::failed(format!("the answer was cut off: {}", deepest(&e))))?;
            out.write_all(&chunk).map_err(told)?;
        }
        out.finish().map_err(told)?;
        Ok(done)
    }

    /// What the server says when it does not predict.
    async fn refused(&self, response: reqwest::Response) -> Failure {
        let status = response.status();
        let text = response.text().await.unwrap_or_default();
        let said = serde_json::from_str::<serde_json::Value>(&text).ok();
        let said = said.as_ref().and_then(|v| v["error"]["message"].as_str()).unwrap_or(&text);
        let said: String = said.chars().take(MESSAGE).collect();
        let said = said.replace("the body", self.input.name());
        let message = match said.trim() {
            "" => format!("{}: the server answers {status}", shown(&self.url)),
            said => format!("the server answers {}: {said}", status.as_u16()),
        };
        let exit = match status.as_u16() {
            400 | 413 | 422 => tabwright_lifecycle::error::Exit::Data,
            401 | 403 | 404 | 405 | 406 | 415 | 421 => tabwright_lifecycle::error::Exit::Usage,
            _ => tabwright_lifecycle::error::Exit::Failed,
        };
        Failure { message, exit }
    }
}

fn type_of(format: Format) -> &'static str {
    match format {
        Format::Csv => "text/csv",
        Format::Jsonl => "application/x-ndjson",
        Format::Parquet => "application/vnd.apache.parquet",
        Format::Arrow => "application/vnd.apache.arrow.stream",
    }
}

/// The route of a model on a server.
fn url(server: &str, model: &str, keep: &[String]) -> Result<Url, Failure> {
    let wrong = || Failure::usage(format!("--server {server}: no address; give one such as http://127.0.0.1:8080"));
    let mut url = Url::parse(server).map_err(|_| wrong())?;
    if !matches!(url.scheme(), "http" | "https") || url.cannot_be_a_base() {
        return Err(wrong());
    }
    let reference = Reference::parse(model).map_err(|error| {
        Failure::usage(format!(
            "{error}; with --server a model is named as the server names it: NAME, NAME:VERSION or NAME@ALIAS"
        ))
    })?;
    {
        let mut path = url.path_segments_mut().map_err(|()| wrong())?;
        path.pop_if_empty().extend(["v1", "models", &reference.name]);
        match &reference.which {
            Which::Version(version) => drop(path.extend(["versions", &version.to_string()])),
            // A bare name is whatever answers there.
            Which::Alias(alias) if model.contains('@') => drop(path.extend(["aliases", alias])),
            Which::Alias(_) => {}
        }
        path.push("predict");
    }
    if !keep.is_empty() {
        url.query_pairs_mut().append_pair("keep", &keep.join(","));
    }
    Ok(url)
}

/// An address without the password that it may hold.
fn shown(url: &Url) -> String {
    let mut url = url.clone();
    let _ = url.set_password(None);
    url.to_string()
}

/// What is at the bottom of an error: the layers above say only that something failed.
fn deepest(error: &dyn std::error::Error) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn models_are_named_as_in_the_registry() {
        let path = |server: &str, model: &str| url(server, model, &[]).unwrap().to_string();
        assert_eq!(path("http://h:1", "churn"), "http://h:1/v1/models/churn/predict");
        assert_eq!(path("http://h:1/base/", "churn:3"), "http://h:1/base/v1/models/churn/versions/3/predict");
        assert_eq!(path("https://h", "churn@next"), "https://h/v1/models/churn/aliases/next/predict");
        let kept = url("http://h", "churn", &["a b".into(), "c".into()]).unwrap();
        assert_eq!(kept.query(), Some("keep=a+b%2Cc"));
        for (server, model) in [("h:1", "churn"), ("ftp://h", "churn"), ("http://h", "a/b"), ("", "churn")] {
            assert!(url(server, model, &[]).is_err(), "{server} {model}");
        }
    }
}
