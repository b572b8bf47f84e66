//! The body of a request, which is taken off the wire even if nobody wants it.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::http::{HeaderMap, header};
use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, Incoming, SizeHint};

use super::activity::Busy;

/// Bytes of an unwanted body that are read all the same. Beyond, it costs a caller less to connect anew than to send the rest.
const UNWANTED: usize = 1 << 20;
/// How long an unwanted body is read.
const TIME: Duration = Duration::from_secs(2);

/// A body. If it is dropped before its end it is read on in the background, up to a limit: a connection that is closed while its
/// caller sends looks like a fault, and the answer is lost with it.
#[derive(Debug)]
pub(crate) struct RequestBody {
    source: Source,
    is_over: bool,
    /// The connection is busy until the body is read.
    busy: Option<Busy>,
}

/// Where a body comes from.
#[derive(Debug)]
enum Source {
    Nothing,
    Wire(Incoming),
    #[cfg(test)]
    Given(axum::body::Body),
}

impl RequestBody {
    pub(super) fn new(headers: &HeaderMap, body: Incoming, busy: Busy) -> Self {
        // Whoever waits for leave to send has sent nothing that needs to be taken.
        let is_over = body.is_end_stream() || headers.contains_key(header::EXPECT);
        RequestBody { source: Source::Wire(body), is_over, busy: Some(busy) }
    }

    #[cfg(test)]
    pub(crate) fn given(body: axum::body::Body) -> Self {
        RequestBody { source: Source::Given(body), is_over: false, busy: None }
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let polled = match &mut self.source {
            Source::Nothing => Poll::Ready(None),
            Source::Wire(body) => Pin::new(body).poll_frame(cx).map_err(axum::Error::new),
            #[cfg(test)]
            Source::Given(body) => Pin::new(body).poll_frame(cx),
        };
        if matches!(polled, Poll::Ready(None | Some(Err(_)))) || self.is_end_stream() {
            self.is_over = true;
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        match &self.source {
            Source::Nothing => true,
            Source::Wire(body) => body.is_end_stream(),
            #[cfg(test)]
            Source::Given(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.source {
            Source::Nothing => SizeHint::with_exact(0),
            Source::Wire(body) => body.size_hint(),
            #[cfg(test)]
            Source::Given(body) => body.size_hint(),
        }
    }
}

impl Drop for RequestBody {
    fn drop(&mut self) {
        let Source::Wire(body) = std::mem::replace(&mut self.source, Source::Nothing) else { return };
        if self.is_over {
            return;
        }
        let busy = self.busy.take();
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                let _ = tokio::time::timeout(TIME, read_on(body)).await;
                drop(busy);
            });
        }
    }
}

async fn read_on(mut body: Incoming) {
    let mut left = UNWANTED;
    while let Some(Ok(frame)) = body.frame().await {
        let size = frame.data_ref().map_or(0, Bytes::len);
        match left.checked_sub(size) {
            Some(rest) => left = rest,
            None => return,
        }
    }
}
