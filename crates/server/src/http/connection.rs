//! Connections: accepted up to a number, each with a time for the head of its requests, ended in order when the server drains.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::http::{Request, StatusCode};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

use super::RequestBody;
use super::activity::{Activity, Sent, Verdict, Watched};
use crate::app::App;

/// Bytes that a connection holds of what it reads; also the largest head of a request.
const BUFFER: usize = 64 << 10;
/// Headers of a request, at most.
const HEADERS: usize = 64;
/// How often a connection is looked at, at least. When the server drains, a connection without a request is left open this long once
/// or twice: what its caller sends in this time is answered.
const WATCH: Duration = Duration::from_millis(500);
/// A time is over after this many looks or more, so that it is kept to a quarter.
const LOOKS: u32 = 4;
/// How long is waited when the system has no more files to give.
const PAUSE: Duration = Duration::from_millis(50);

/// An answer to whoever has not sent a request.
fn plain_refusal(status: StatusCode, code: &'static str, message: &str) -> String {
    let body = format!("{{\"error\":{{\"code\":\"{code}\",\"message\":\"{message}\"}}}}");
    let again = if status == StatusCode::TOO_MANY_REQUESTS { "retry-after: 1\r\n" } else { "" };
    format!(
        "HTTP/1.1 {status}\r\n{again}connection: close\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// What connections are served with.
pub(crate) struct Listening {
    pub(crate) app: Arc<App>,
    pub(crate) listener: TcpListener,
    pub(crate) tls: Option<watch::Receiver<Arc<rustls::ServerConfig>>>,
    pub(crate) connections: usize,
    pub(crate) header_time: Duration,
    /// How long a connection without a request is left open.
    pub(crate) idle_time: Duration,
    /// How long requests under way are waited for.
    pub(crate) drain_time: Duration,
}

/// Where a server stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd)]
pub(crate) enum Phase {
    Serving,
    /// It is not ready, and answers as before: connections end with their next answer.
    Draining,
    /// It accepts no more connections.
    Ending,
}

/// Accepts and serves until the phase says otherwise, and until the last request is answered.
pub(crate) async fn serve(listening: Listening, mut phase: watch::Receiver<Phase>) {
    let Listening { app, listener, tls, connections, header_time, idle_time, drain_time } = listening;
    let open = Arc::new(tokio::sync::Semaphore::new(connections));
    let mut http = http1::Builder::new();
    // The time for a head is taken here: that of hyper would run while a connection waits for its next request as well.
    http.timer(TokioTimer::new()).header_read_timeout(None).max_buf_size(BUFFER).max_headers(HEADERS);
    // Closed when the last connection has dropped its end.
    let (alive, mut all_gone) = tokio::sync::mpsc::channel::<()>(1);
    loop {
        let accepted = tokio::select! {
            biased;
            _ = phase.wait_for(|phase| *phase == Phase::Ending) => break,
            accepted = listener.accept() => accepted,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        let Ok(permit) = Arc::clone(&open).try_acquire_owned() else {
            app.metrics.refuse_connection();
            if tls.is_some() {
                // Plain text would be no answer there.
                continue;
            }
            let message = "there are too many connections; come again in a second";
            tokio::spawn(refuse(stream, StatusCode::TOO_MANY_REQUESTS, "overloaded", message));
            continue;
        };
        // A small answer must not wait for a larger one.
        let _ = stream.set_nodelay(true);
        let connection = Connection {
            http: http.clone(),
            app: Arc::clone(&app),
            phase: phase.clone(),
            counted: app.metrics.connect(),
            times: (header_time, idle_time),
            held: (permit, alive.clone()),
        };
        match &tls {
            None => drop(tokio::spawn(connection.run(stream))),
            Some(tls) => {
                let acceptor = TlsAcceptor::from(Arc::clone(&tls.borrow()));
                tokio::spawn(async move {
                    match tokio::time::timeout(header_time, acceptor.accept(stream)).await {
                        Ok(Ok(stream)) => connection.run(stream).await,
                        Ok(Err(error)) => tracing::debug!(%error, "a connection spoke no TLS"),
                        Err(_) => tracing::debug!("a connection was too slow to agree on TLS"),
                    }
                });
            }
        }
    }
    drop((listener, alive));
    if tokio::time::timeout(drain_time, all_gone.recv()).await.is_err() {
        tracing::warn!(seconds = drain_time.as_secs_f64(), "requests were still under way and are cut off");
    }
}

/// Says why a connection ends. Whoever does not take the answer in a short time does not get it.
async fn refuse(mut stream: impl AsyncWrite + Unpin, status: StatusCode, code: &'static str, message: &str) {
    let text = plain_refusal(status, code, message);
    let _ = tokio::time::timeout(PAUSE, async {
        stream.write_all(text.as_bytes()).await?;
        stream.shutdown().await
    })
    .await;
}

struct Connection {
    http: http1::Builder,
    app: Arc<App>,
    phase: watch::Receiver<Phase>,
    counted: crate::metrics::Counted,
    /// For a head, and without a request.
    times: (Duration, Duration),
    held: (tokio::sync::OwnedSemaphorePermit, tokio::sync::mpsc::Sender<()>),
}

impl Connection {
    async fn run(self, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
        let Connection { http, app, phase, counted, times: (header_time, idle_time), held } = self;
        let watch = (header_time.min(idle_time) / LOOKS).clamp(Duration::from_millis(1), WATCH);
        let activity = Arc::new(Activity::new(watch, header_time, idle_time));
        let service = {
            let activity = Arc::clone(&activity);
            service_fn(move |request: Request<Incoming>| {
                let busy = activity.begin();
                let app = Arc::clone(&app);
                async move {
                    let (parts, body) = request.into_parts();
                    let body = RequestBody::new(&parts.headers, body, busy.clone());
                    let response = super::respond(app, Request::from_parts(parts, body)).await;
                    Ok::<_, Infallible>(response.map(|body| Sent::new(body, busy)))
                }
            })
        };
        let watched = Watched::new(stream, Arc::clone(&activity));
        let mut served = http.serve_connection(TokioIo::new(watched), service);
        let mut clock = tokio::time::interval(watch);
        clock.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut looks_while_draining = 0;
        let ended = loop {
            tokio::select! {
                biased;
                ended = &mut served => break Some(ended),
                _ = clock.tick() => {
                    match activity.look() {
                        Verdict::Fine => {}
                        Verdict::TooSlow => break None,
                        Verdict::Idle => std::pin::Pin::new(&mut served).graceful_shutdown(),
                        Verdict::Stuck => {
                            tracing::debug!("a caller does not read its answer: the connection is closed");
                            return;
                        }
                    }
                    if *phase.borrow() != Phase::Serving {
                        looks_while_draining += 1;
                        if looks_while_draining == 2 {
                            std::pin::Pin::new(&mut served).graceful_shutdown();
                        }
                    }
                }
            }
        };
        match ended {
            Some(Ok(())) => {}
            Some(Err(error)) => tracing::debug!(%error, "a connection broke"),
            None => {
                let message = "the head of the request did not come in time";
                let stream = served.into_parts().io.into_inner().into_inner();
                refuse(stream, StatusCode::REQUEST_TIMEOUT, "too_slow", message).await;
            }
        }
        drop((counted, held));
    }
}
