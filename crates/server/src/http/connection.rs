//! Connections: accepted up to a number, each with a time for the head of its requests, ended in order when the server drains.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use axum::Router;
use axum::http::StatusCode;
use hyper::server::conn::http1;
use hyper::service::Service;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

use crate::app::App;

/// Bytes that a connection holds of what it reads; also the largest head of a request.
const BUFFER: usize = 64 << 10;
/// Headers of a request, at most.
const HEADERS: usize = 64;
/// How long a connection without a request is left open when the server drains: what its caller sends in this time is answered.
const IDLE: Duration = Duration::from_millis(500);
/// How often a connection is looked at.
const WATCH: Duration = Duration::from_secs(1);
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
    let router = super::router(Arc::clone(&app));
    let mut http = http1::Builder::new();
    // The time for a head is taken here: that of hyper would run while a connection waits for its next request as well.
    http.timer(TokioTimer::new()).header_read_timeout(None).max_buf_size(BUFFER).max_headers(HEADERS);
    // Closed when the last connection has dropped its end.
    let (alive, mut all_gone) = tokio::sync::mpsc::channel::<()>(1);
    loop {
        let accepted = tokio::select! {
            biased;
            accepted = listener.accept() => accepted,
            _ = phase.wait_for(|phase| *phase == Phase::Ending) => break,
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
            let message = "there are too many connections; come again in a second";
            tokio::spawn(refuse(stream, StatusCode::TOO_MANY_REQUESTS, "overloaded", message));
            continue;
        };
        // A small answer must not wait for a larger one.
        let _ = stream.set_nodelay(true);
        let connection = Connection {
            http: http.clone(),
            router: router.clone(),
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

/// A stream that is still at hand when the connection over it has ended.
struct Lent<T> {
    stream: Arc<Mutex<T>>,
    activity: Arc<Activity>,
}

/// What a connection is doing, in milliseconds since it began.
struct Activity {
    begun: Instant,
    is_busy: AtomicBool,
    /// When the first byte of a head came; 0 where none has come.
    head: AtomicU64,
    /// When it last had a request.
    last: AtomicU64,
}

enum Verdict {
    Fine,
    TooSlow,
    Idle,
}

impl Activity {
    fn new() -> Self {
        Activity {
            begun: Instant::now(),
            is_busy: AtomicBool::new(false),
            head: AtomicU64::new(0),
            last: AtomicU64::new(0),
        }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX).max(1)
    }

    /// Bytes have come.
    fn read(&self) {
        if !self.is_busy.load(Ordering::Relaxed) && self.head.load(Ordering::Relaxed) == 0 {
            self.head.store(self.now(), Ordering::Relaxed);
        }
    }

    /// A head is complete.
    fn begin(&self) {
        self.is_busy.store(true, Ordering::Relaxed);
        self.head.store(0, Ordering::Relaxed);
    }

    /// A request is answered.
    fn end(&self) {
        self.last.store(self.now(), Ordering::Relaxed);
        self.is_busy.store(false, Ordering::Relaxed);
    }

    fn judge(&self, (header_time, idle_time): (Duration, Duration)) -> Verdict {
        if self.is_busy.load(Ordering::Relaxed) {
            return Verdict::Fine;
        }
        let now = self.now();
        let is_over = |since: u64, time: Duration| u128::from(now.saturating_sub(since)) > time.as_millis();
        match self.head.load(Ordering::Relaxed) {
            0 if is_over(self.last.load(Ordering::Relaxed), idle_time) => Verdict::Idle,
            head if head > 0 && is_over(head, header_time) => Verdict::TooSlow,
            _ => Verdict::Fine,
        }
    }
}

impl<T> Lent<T> {
    fn with<R>(&self, act: impl FnOnce(Pin<&mut T>) -> R) -> R
    where
        T: Unpin,
    {
        act(Pin::new(&mut *self.stream.lock().unwrap_or_else(PoisonError::into_inner)))
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Lent<T> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = self.with(|stream| stream.poll_read(cx, buffer));
        if buffer.filled().len() > before {
            self.activity.read();
        }
        read
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Lent<T> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.with(|stream| stream.poll_write(cx, bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.with(|stream| stream.poll_write_vectored(cx, bytes))
    }

    fn is_write_vectored(&self) -> bool {
        self.with(|stream| stream.is_write_vectored())
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.with(|stream| stream.poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.with(|stream| stream.poll_shutdown(cx))
    }
}

struct Connection {
    http: http1::Builder,
    router: Router,
    phase: watch::Receiver<Phase>,
    counted: crate::metrics::Counted,
    /// For a head, and without a request.
    times: (Duration, Duration),
    held: (tokio::sync::OwnedSemaphorePermit, tokio::sync::mpsc::Sender<()>),
}

impl Connection {
    async fn run(self, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
        let Connection { http, router, mut phase, counted, times, held } = self;
        let stream = Arc::new(Mutex::new(stream));
        let activity = Arc::new(Activity::new());
        let lent = Lent { stream: Arc::clone(&stream), activity: Arc::clone(&activity) };
        let router = TowerToHyperService::new(router);
        let service = {
            let activity = Arc::clone(&activity);
            hyper::service::service_fn(move |request| {
                activity.begin();
                let (answer, activity) = (router.call(request), Arc::clone(&activity));
                async move {
                    let answer = answer.await;
                    activity.end();
                    answer
                }
            })
        };
        let served = http.serve_connection(TokioIo::new(lent), service);
        let mut served = std::pin::pin!(served);
        let mut is_asked_to_end = false;
        let mut watch = tokio::time::interval(WATCH.min(times.0).max(Duration::from_millis(1)));
        watch.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let ended = loop {
            tokio::select! {
                biased;
                ended = served.as_mut() => break Some(ended),
                _ = watch.tick() => match activity.judge(times) {
                    Verdict::Fine => {}
                    Verdict::TooSlow => break None,
                    Verdict::Idle => served.as_mut().graceful_shutdown(),
                },
                _ = async {
                    // A caller may be about to send: it is answered, and told to close.
                    let _ = phase.wait_for(|phase| *phase != Phase::Serving).await;
                    tokio::time::sleep(IDLE).await;
                }, if !is_asked_to_end => {
                    is_asked_to_end = true;
                    served.as_mut().graceful_shutdown();
                }
            }
        };
        match ended {
            Some(Ok(())) => {}
            Some(Err(error)) => tracing::debug!(%error, "a connection broke"),
            None => {
                let message = "the head of the request did not come in time";
                let lent = Lent { stream, activity };
                refuse(lent, StatusCode::REQUEST_TIMEOUT, "too_slow", message).await;
            }
        }
        drop((counted, held));
    }
}
