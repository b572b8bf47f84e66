//! A server from its start to its end: models are loaded, the address is taken, what changes is taken up, and the last request is
//! answered before it ends.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tabwright_store::{Scope, Store};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot, watch};

use crate::app::{App, Beginning};
use crate::auth::Tokens;
use crate::error::{Error, Result};
use crate::http::{self, Listening, Phase};
use crate::id::Ids;
use crate::log::{Care, Logging};
use crate::model::{Catalog, Loader, Resolved, ToServe};
use crate::options::{Changing, ServeOptions};

/// How often aliases and tokens are looked up.
const POLL: Duration = Duration::from_millis(250);

/// A model that is served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServedModel {
    /// The name in the paths.
    pub name: String,
    /// The version that answers.
    pub version: String,
    /// Identifies its bytes.
    pub content_id: String,
}

/// What asks a server to do something while it runs.
#[derive(Debug)]
pub enum Signal {
    /// Take up what has changed.
    Reload,
    /// Answer what is under way, then end.
    End,
}

/// Reads the settings again.
pub type ReadSettings = Box<dyn Fn() -> std::result::Result<Changing, String> + Send>;

/// A server that listens.
pub struct Server {
    app: Arc<App>,
    listener: TcpListener,
    address: SocketAddr,
    options: ServeOptions,
    loader: Loader,
    tls: Option<watch::Sender<Arc<rustls::ServerConfig>>>,
    asked: mpsc::Receiver<oneshot::Sender<std::result::Result<(), String>>>,
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Server {
    /// Loads the models and takes the address. The runtime must have several threads.
    ///
    /// # Errors
    /// If a model cannot be served, the address not be taken, or others could reach it and it has no token.
    pub async fn start(options: ServeOptions, store: Option<Store>) -> Result<Self> {
        let is_loopback = options.address.ip().is_loopback();
        let needs_token = options.require_token || !(is_loopback || options.insecure);
        let tokens = read_tokens(store.as_ref(), &options.changing, needs_token).await?;
        if needs_token && !tokens.has_valid(tabwright_store::time::now()) {
            let why = match is_loopback {
                true => "a token is asked for".to_owned(),
                false => format!("{} can be reached by others", options.address),
            };
            let mend = if is_loopback { "" } else { ", or say --insecure to let everybody in" };
            let scope = Scope::Predict.name();
            return Err(Error::Usage(format!(
                "{why}, and there is no token: make one with `tabwright token create --name NAME --scope {scope}`, or set \
                 serve.token{mend}"
            )));
        }
        let tls = match &options.changing.tls {
            Some((certificate, key)) => {
                Some(watch::Sender::new(crate::tls::load(certificate, key).map_err(Error::Usage)?))
            }
            None => None,
        };
        let logging = options.log.clone().map(|to| Arc::new(Logging { to }));
        let loader = Loader { wanted: to_serve(&options.changing), store, logging };
        let catalog = loader.load(&Catalog::default(), true).await?;
        let listener = TcpListener::bind(options.address).await;
        let listener = listener.map_err(|source| Error::Listen { address: options.address.to_string(), source })?;
        let address = listener.local_addr();
        let address = address.map_err(|source| Error::System { what: "the address cannot be told", source })?;
        let ids = Ids::new().map_err(|e| Error::System { what: "there is no randomness", source: e.into() })?;
        let (reload, asked) = mpsc::channel(1);
        let settings = options.changing.clone();
        let app = App::new(Beginning {
            catalog,
            settings,
            tokens,
            is_loopback,
            ids,
            home: options.home.clone(),
            continue_trace: options.continue_trace,
            reload,
        });
        Ok(Server { app, listener, address, options, loader, tls, asked })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Whether it speaks TLS.
    pub fn is_encrypted(&self) -> bool {
        self.tls.is_some()
    }

    /// The models that it serves.
    pub fn models(&self) -> Vec<ServedModel> {
        let served = |entry: &Arc<crate::model::Entry>| ServedModel {
            name: entry.main.name.clone(),
            version: entry.main.version.clone(),
            content_id: entry.main.artifact.content_id().to_owned(),
        };
        self.app.catalog().models.values().map(served).collect()
    }

    /// Serves until a signal ends it. `settings` reads what may have changed when a reload is asked for.
    pub async fn run(self, mut signals: mpsc::Receiver<Signal>, settings: ReadSettings) {
        let Server { app, listener, options, loader, tls, asked, .. } = self;
        let (phase, watched) = watch::channel(Phase::Serving);
        let listening = Listening {
            app: Arc::clone(&app),
            listener,
            tls: tls.as_ref().map(watch::Sender::subscribe),
            connections: options.connections,
            header_time: options.header_time,
            idle_time: options.idle_time,
            drain_time: options.drain_time,
        };
        let serving = tokio::spawn(http::serve(listening, watched));
        let needs_token = options.require_token || !(app.is_loopback || options.insecure);
        let caring = loader.logging.clone().map(|logging| {
            let (end, ended) = oneshot::channel();
            (end, tokio::spawn(Care::new(Arc::clone(&app), logging).run(ended)))
        });
        let keeper = Keeper { app: Arc::clone(&app), loader, tls, settings, needs_token, seen: None, complained: None };
        // On its own, so that a store that does not answer delays no end.
        let keeping = tokio::spawn(keeper.keep(asked));
        while let Some(Signal::Reload) = signals.recv().await {
            let (answer, _) = oneshot::channel();
            if app.reload.try_send(answer).is_err() {
                tracing::warn!("a reload is under way already");
            }
        }
        keeping.abort();
        tracing::info!("draining: answering what is under way");
        app.drain();
        let _ = phase.send(Phase::Draining);
        tokio::time::sleep(options.drain_delay).await;
        let _ = phase.send(Phase::Ending);
        let _ = serving.await;
        if let Some((end, caring)) = caring {
            drop(end);
            let _ = caring.await;
        }
    }
}

fn to_serve(settings: &Changing) -> ToServe {
    ToServe {
        sources: settings.sources.clone(),
        default: settings.default.clone(),
        canaries: settings.canaries.clone(),
        shadows: settings.shadows.clone(),
    }
}

async fn read_tokens(store: Option<&Store>, settings: &Changing, is_required: bool) -> Result<Tokens> {
    let stored = match store {
        Some(store) => store.tokens().await?,
        None => Vec::new(),
    };
    Ok(Tokens::new(&stored, settings.token.as_ref(), is_required))
}

/// Takes up what has changed: aliases and tokens by themselves, files and settings when it is asked to.
struct Keeper {
    app: Arc<App>,
    loader: Loader,
    tls: Option<watch::Sender<Arc<rustls::ServerConfig>>>,
    settings: ReadSettings,
    needs_token: bool,
    /// What the references pointed to when they were last taken up.
    seen: Option<Resolved>,
    /// What went wrong last, so that it is said once.
    complained: Option<String>,
}

impl Keeper {
    /// Looks for changes, and reloads when it is asked to.
    async fn keep(mut self, mut asked: mpsc::Receiver<oneshot::Sender<std::result::Result<(), String>>>) {
        let mut clock = tokio::time::interval(POLL);
        clock.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                Some(answer) = asked.recv() => drop(answer.send(self.reload().await)),
                _ = clock.tick() => self.look().await,
            }
        }
    }

    /// Looks up aliases and tokens. What cannot be taken up is said once, and what was served before is served on.
    async fn look(&mut self) {
        let outcome = self.try_look().await;
        match outcome.map_err(|e| e.to_string()) {
            Ok(()) => {
                if self.complained.take().is_some() {
                    tracing::info!("the store answers again");
                }
            }
            Err(why) => {
                if self.complained.as_ref() != Some(&why) {
                    self.app.metrics.failed_reload();
                    tracing::warn!(why, "a change could not be looked up; what was served before is served on");
                }
                self.complained = Some(why);
            }
        }
    }

    async fn try_look(&mut self) -> Result<()> {
        let Some(store) = &self.loader.store else { return Ok(()) };
        let tokens = read_tokens(Some(store), &self.app.settings(), self.needs_token).await?;
        if tokens != *self.app.tokens() {
            tracing::info!("tokens have changed");
            self.app.set_tokens(tokens);
        }
        let resolved = self.loader.resolve().await?;
        if self.seen.as_ref() == Some(&resolved) {
            return Ok(());
        }
        if self.seen.is_some() || self.is_outdated(&resolved) {
            let catalog = self.loader.load(&self.app.catalog(), false).await?;
            self.take(catalog, false);
        }
        self.seen = Some(resolved);
        Ok(())
    }

    /// Whether an alias has moved between the start and the first look.
    fn is_outdated(&self, resolved: &Resolved) -> bool {
        let catalog = self.app.catalog();
        resolved.iter().any(|(reference, number)| {
            let Some((name, alias)) = reference.split_once('@') else { return false };
            catalog.models.get(name).and_then(|entry| entry.aliases.get(alias)) != Some(number)
        })
    }

    /// Has a catalog served. `anew` forgets the shares of canaries that were set since.
    fn take(&self, catalog: Catalog, anew: bool) {
        let mut catalog = catalog;
        let before = self.app.catalog();
        for (name, entry) in &catalog.models {
            let was = before.models.get(name).map(|entry| entry.main.version.as_str());
            if was != Some(entry.main.version.as_str()) {
                tracing::info!(model = name, version = entry.main.version, before = was, "another version answers");
            }
        }
        self.app.metrics.models(&catalog);
        self.app.change_catalog(|now| {
            if !anew {
                // A share may have been set while the models were read.
                catalog.keep_shares(now);
            }
            (catalog, ())
        });
    }

    /// Reads settings, files and certificates again.
    async fn reload(&mut self) -> std::result::Result<(), String> {
        let outcome = self.try_reload().await;
        match &outcome {
            Ok(()) => {
                tracing::info!(
                    "reloaded; the address, the limit of connections and what is logged stay until the next start"
                )
            }
            Err(why) => {
                self.app.metrics.failed_reload();
                tracing::warn!(why, "the reload failed; what was served before is served on");
            }
        }
        outcome
    }

    async fn try_reload(&mut self) -> std::result::Result<(), String> {
        let settings = (self.settings)()?;
        let tls = match (&self.tls, &settings.tls) {
            (Some(_), Some((certificate, key))) => Some(crate::tls::load(certificate, key)?),
            _ => None,
        };
        let tokens = read_tokens(self.loader.store.as_ref(), &settings, self.needs_token).await;
        let tokens = tokens.map_err(|e| e.to_string())?;
        let wanted = std::mem::replace(&mut self.loader.wanted, to_serve(&settings));
        let catalog = match self.loader.load(&self.app.catalog(), true).await {
            Ok(catalog) => catalog,
            Err(error) => {
                self.loader.wanted = wanted;
                return Err(error.to_string());
            }
        };
        if let (Some(sender), Some(tls)) = (&self.tls, tls) {
            sender.send_replace(tls);
        }
        self.app.set_tokens(tokens);
        self.app.set_settings(settings);
        self.take(catalog, true);
        Ok(())
    }
}
