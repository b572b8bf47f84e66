//! `tabwright serve`: models over HTTP.

mod checks;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::ArgMatches;
use serde_json::json;
use tabwright_lifecycle::config::{Config, LogConfig, ServeConfig};
use tabwright_lifecycle::monitor::LogMode;
use tabwright_server::{CanaryOptions, Changing, Limits, LogTo, Secret, ServeOptions, Server, Signal, Source};
use tabwright_store::{Reference, Store, WAIT};
use tokio::sync::mpsc;

use super::{configuration, is_file, texts};
use crate::error::Failure;
use crate::home;
use crate::logging::{self, LogFormat, OtelOptions};
use crate::screen;

/// The part of the program that events of a server are from, whoever tells them.
const LOG: &str = "tabwright_server";

/// How long work that nobody waits for may go on at the end.
const LAST: std::time::Duration = std::time::Duration::from_secs(1);

pub(super) fn run(matches: &ArgMatches) -> Result<ExitCode, Failure> {
    let config = configuration(matches, true)?;
    let models = texts(matches, "models");
    let options = options(&config, &models)?;
    let otel = Some(&config.serve.otel_endpoint).filter(|endpoint| !endpoint.is_empty());
    let otel = otel.map(|endpoint| OtelOptions { endpoint: endpoint.clone(), service_name: "tabwright".into() });
    let format = if config.serve.log_format == "json" { LogFormat::Json } else { LogFormat::Text };
    let _logs = logging::install(format, &config.serve.log_level, otel.as_ref())?;
    let threads = match config.serve.threads {
        0 => std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
        threads => threads,
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(threads)
        .enable_all()
        .build()
        .map_err(|e| Failure::failed(format!("no thread can be started: {e}")))?;
    let again = {
        let (matches, models) = (matches.clone(), models.clone());
        Box::new(move || {
            let config = configuration(&matches, true).map_err(|failure| failure.message)?;
            changing(&config.serve, &models).map_err(|failure| failure.message)
        })
    };
    allow_connections(config.serve.max_connections);
    let outcome = runtime.block_on(async {
        let store = open_store(&config, &options).await?;
        if let Some(store) = &store {
            checks::tokens(store, &options).await?;
            checks::say_of_twins(store, &options.changing).await;
        }
        // Before the first request can come, so that no signal is missed.
        let signals = signals()?;
        let server = Server::start(options, store).await?;
        announce(&server, matches.get_flag("json"), format)?;
        server.run(signals, again).await;
        Ok(ExitCode::SUCCESS)
    });
    // What is still computed for callers who were cut off does not hold up the end.
    runtime.shutdown_timeout(LAST);
    tabwright_data::remove_unfinished();
    outcome
}

/// Lets the process open as many files as it may have connections, where the system lets it.
#[cfg(unix)]
fn allow_connections(connections: usize) {
    use rustix::process::{Resource, getrlimit, setrlimit};
    /// Files beside connections: the database, models, temporary files.
    const OTHERS: u64 = 256;
    let mut limit = getrlimit(Resource::Nofile);
    let wanted = connections as u64 + OTHERS;
    if limit.current.is_some_and(|current| current < wanted) {
        limit.current = Some(limit.maximum.map_or(wanted, |most| most.min(wanted)));
        // Where that is refused, connections beyond are refused one by one.
        let _ = setrlimit(Resource::Nofile, limit);
    }
}

#[cfg(not(unix))]
fn allow_connections(_: usize) {}

/// Says where the server listens: as lines for people, or as events where the log is for machines.
fn announce(server: &Server, json: bool, format: LogFormat) -> Result<(), Failure> {
    let scheme = if server.is_encrypted() { "https" } else { "http" };
    let address = format!("{scheme}://{}", server.address());
    let models = server.models();
    if json {
        let all: Vec<_> =
            models.iter().map(|m| json!({"name": m.name, "version": m.version, "content_id": m.content_id})).collect();
        return screen::print(&format!("{}\n", json!({"address": address, "models": all})));
    }
    let on_screen = screen::Screen::new(false);
    for model in &models {
        let (name, version, url) = (&model.name, &model.version, url(&address, &model.name));
        match format {
            LogFormat::Json => tracing::info!(target: LOG, model = name, version, url, "serving"),
            LogFormat::Text => on_screen.say(&format!("serving {name} (version {version}): POST {url}")),
        }
    }
    match format {
        LogFormat::Json => tracing::info!(target: LOG, address, "listening on {address}"),
        LogFormat::Text => {
            on_screen.say(&format!("listening on {address} (what there is: {address}/docs; stop with Ctrl-C)"));
        }
    }
    Ok(())
}

/// Where the predictions of a model are asked for. A file may have any name.
fn url(address: &str, name: &str) -> String {
    let Ok(mut url) = reqwest::Url::parse(address) else { return address.to_owned() };
    if let Ok(mut path) = url.path_segments_mut() {
        path.pop_if_empty().extend(["v1", "models", name, "predict"]);
    }
    url.to_string()
}

/// The store, where a registered model is served or a token may be needed, or where there is one anyway.
async fn open_store(config: &Config, options: &ServeOptions) -> Result<Option<Store>, Failure> {
    let is_needed = options.changing.sources.iter().any(|source| matches!(source, Source::Registered(_)));
    if config.store.database.is_empty() && !home::locate()?.exists() {
        return match is_needed {
            true => Err(Failure::usage(format!(
                "there is no home here yet ({} is not there), so no model is registered: `tabwright train --name NAME` makes \
                 one; or name another with TABWRIGHT_HOME, or a model file (with a `/` or ending in `.tw`)",
                home::locate()?.folder().display()
            ))),
            false => Ok(None),
        };
    }
    if !is_needed && !checks::needs_tokens(options) {
        return Ok(None);
    }
    let store = Store::open(&home::options(config, WAIT)?).await;
    Ok(Some(store.map_err(tabwright_lifecycle::Error::from)?))
}

fn options(all: &Config, models: &[String]) -> Result<ServeOptions, Failure> {
    let config = &all.serve;
    let ip = checks::host(&config.host)?;
    Ok(ServeOptions {
        address: SocketAddr::new(ip, config.port),
        insecure: config.insecure,
        require_token: config.require_token,
        connections: at_least_one("max_connections", config.max_connections)?,
        header_time: seconds("header_time", config.header_time)?,
        idle_time: seconds("idle_time", config.idle_time)?,
        continue_trace: Some(logging::continue_trace),
        drain_delay: seconds("drain_delay", config.drain_delay)?,
        drain_time: seconds("drain_time", config.drain_time)?,
        home: Some(home::locate()?),
        log: log_to(&all.log)?,
        changing: changing(config, models)?,
    })
}

/// Where predictions are logged, if they are.
fn log_to(config: &LogConfig) -> Result<Option<LogTo>, Failure> {
    let settings = config.settings()?;
    if settings.mode == LogMode::Off {
        return Ok(None);
    }
    let home = home::locate()?;
    // Where that is refused, what is answered is served all the same, and every prediction that is lost is told.
    if let Err(error) = home.create() {
        screen::Screen::new(false).say(&format!("warning: predictions cannot be logged for now: {error}"));
    }
    Ok(Some(LogTo { home, settings, retention: config.retention(0)? }))
}

/// What is taken up again when the server is asked to reload.
fn changing(config: &ServeConfig, models: &[String]) -> Result<Changing, Failure> {
    let (body, bulk_body) = config.body_limits()?;
    let limits = Limits {
        body,
        bulk_body,
        rows: at_least_one("max_rows", config.max_rows)?,
        columns: at_least_one("max_columns", config.max_columns)?,
        request_time: seconds("request_time", config.request_time)?,
        queue: at_least_one("max_queue", config.max_queue)?,
        wait: seconds("max_wait", config.max_wait)?,
    };
    let tls = match (config.tls_certificate.as_str(), config.tls_key.as_str()) {
        ("", "") => None,
        (certificate, key) if !certificate.is_empty() && !key.is_empty() => {
            Some((PathBuf::from(certificate), PathBuf::from(key)))
        }
        _ => {
            return Err(Failure::usage(
                "serve.tls_certificate and serve.tls_key belong together; one of them is missing",
            ));
        }
    };
    checks::hosts(&config.hosts)?;
    checks::origins(&config.origins)?;
    let sources: Vec<Source> = models.iter().map(|text| source(text)).collect::<Result<_, _>>()?;
    let canaries = canaries(config)?;
    let shadows: Vec<Reference> =
        config.shadow.iter().map(|text| reference("serve.shadow", text)).collect::<Result<_, _>>()?;
    checks::names(&sources)?;
    let others = canaries.iter().map(|c| ("serve.canary", &c.reference));
    checks::beside(&sources, others.chain(shadows.iter().map(|reference| ("serve.shadow", reference))))?;
    Ok(Changing {
        sources,
        default: Some(config.default.clone()).filter(|name| !name.is_empty()),
        canaries,
        shadows,
        tls,
        token: token(&config.token)?,
        hosts: config.hosts.clone(),
        origins: config.origins.clone(),
        limits,
    })
}

fn source(text: &str) -> Result<Source, Failure> {
    checks::foreign(text)?;
    if is_file(text) {
        return Ok(Source::File(text.into()));
    }
    match Reference::parse(text) {
        Ok(reference) => Ok(Source::Registered(reference)),
        Err(_) if Path::new(text).exists() => Ok(Source::File(text.into())),
        Err(error) => Err(Failure::usage(format!(
            "{error}; a model is a file (with a `/` or ending in `.tw`) or a registered NAME, NAME:VERSION or NAME@ALIAS"
        ))),
    }
}

fn reference(key: &str, text: &str) -> Result<Reference, Failure> {
    Reference::parse(text).map_err(|error| Failure::usage(format!("{key}: {error}")))
}

fn canaries(config: &ServeConfig) -> Result<Vec<CanaryOptions>, Failure> {
    let mut canaries: Vec<CanaryOptions> = Vec::new();
    for (text, &share) in &config.canary {
        if !(0.0..=1.0).contains(&share) {
            return Err(Failure::usage(format!(
                "serve.canary: {text}: a share lies between 0 and 1, {share} does not"
            )));
        }
        let reference = reference("serve.canary", text)?;
        if canaries.iter().any(|other| other.reference.name == reference.name) {
            return Err(Failure::usage(format!("serve.canary: `{}` can have one canary, not two", reference.name)));
        }
        let key = config.canary_key.get(&reference.name).cloned();
        canaries.push(CanaryOptions { reference, share, key });
    }
    match config.canary_key.keys().find(|name| canaries.iter().all(|c| c.reference.name != **name)) {
        Some(name) => Err(Failure::usage(format!("serve.canary_key: `{name}` has no canary"))),
        None => Ok(canaries),
    }
}

/// The token that the configuration refers to. It never stands in the configuration itself, which is shown and kept.
fn token(text: &str) -> Result<Option<Secret>, Failure> {
    if text.is_empty() {
        return Ok(None);
    }
    if !text.starts_with("env:") && !text.starts_with("file:") {
        return Err(Failure::usage(
            "serve.token: name where the token is, env:NAME or file:PATH, not the token itself",
        ));
    }
    const SHORTEST: usize = 16;
    match home::referred(text).map_err(|why| Failure::usage(format!("serve.token: {why}")))? {
        token if token.len() < SHORTEST => {
            Err(Failure::usage(format!("serve.token: a token has at least {SHORTEST} characters, this one has not")))
        }
        token => Ok(Some(Secret(token))),
    }
}

fn seconds(key: &str, seconds: f64) -> Result<Duration, Failure> {
    let wrong = || Failure::usage(format!("serve.{key}: {seconds} is no time in seconds"));
    Duration::try_from_secs_f64(seconds).map_err(|_| wrong())
}

fn at_least_one(key: &str, count: usize) -> Result<usize, Failure> {
    if count == 0 { Err(Failure::usage(format!("serve.{key}: at least 1 is needed"))) } else { Ok(count) }
}

/// Signals of the system, as the server understands them. A second one to end ends at once.
#[cfg(unix)]
fn signals() -> Result<mpsc::Receiver<Signal>, Failure> {
    use tokio::signal::unix::{SignalKind, signal};
    let (sender, receiver) = mpsc::channel(4);
    let listen = |kind| signal(kind).map_err(|e| Failure::failed(format!("signals cannot be received: {e}")));
    let (mut hangup, mut terminate) = (listen(SignalKind::hangup())?, listen(SignalKind::terminate())?);
    let mut interrupt = listen(SignalKind::interrupt())?;
    tokio::spawn(async move {
        let mut is_ending = false;
        loop {
            tokio::select! {
                _ = hangup.recv() => drop(sender.send(Signal::Reload).await),
                _ = terminate.recv() => end(&sender, &mut is_ending).await,
                _ = interrupt.recv() => end(&sender, &mut is_ending).await,
            }
        }
    });
    Ok(receiver)
}

#[cfg(not(unix))]
fn signals() -> Result<mpsc::Receiver<Signal>, Failure> {
    let (sender, receiver) = mpsc::channel(4);
    tokio::spawn(async move {
        let mut is_ending = false;
        while tokio::signal::ctrl_c().await.is_ok() {
            end(&sender, &mut is_ending).await;
        }
    });
    Ok(receiver)
}

async fn end(sender: &mpsc::Sender<Signal>, is_ending: &mut bool) {
    if *is_ending {
        tabwright_data::remove_unfinished();
        #[expect(clippy::exit, reason = "the user has asked twice, and no half-written file is left")]
        std::process::exit(130);
    }
    *is_ending = true;
    let _ = sender.send(Signal::End).await;
}
