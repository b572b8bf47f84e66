//! The body of a request, which is taken off the wire even if nobody wants it.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, header};
use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Body as _, Frame, SizeHint};

/// Bytes of an unwanted body that are read all the same. Beyond, it costs a caller less to connect anew than to send the rest.
const UNWANTED: usize = 1 << 20;
/// How long an unwanted body is read.
const TIME: Duration = Duration::from_secs(2);

/// A body. If it is dropped before its end it is read on in the background, up to a limit: a connection that is closed while its
/// caller sends looks like a fault, and the answer is lost with it.
#[derive(Debug)]
pub(crate) struct RequestBody {
    body: Body,
    is_over: bool,
}

impl RequestBody {
    pub(super) fn new(headers: &HeaderMap, body: Body) -> Self {
        // Whoever waits for leave to send has sent nothing that needs to be taken.
        let is_over = body.is_end_stream() || headers.contains_key(header::EXPECT);
        RequestBody { body, is_over }
    }
}

impl hyper::body::Body for RequestBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        self.is_over |= matches!(polled, Poll::Ready(None | Some(Err(_)))) || self.body.is_end_stream();
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for RequestBody {
    fn drop(&mut self) {
        if self.is_over {
            return;
        }
        let body = std::mem::replace(&mut self.body, Body::empty());
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(tokio::time::timeout(TIME, read_on(body)));
        }
    }
}

async fn read_on(mut body: Body) {
    let mut left = UNWANTED;
    while let Some(Ok(frame)) = body.frame().await {
        let size = frame.data_ref().map_or(0, Bytes::len);
        match left.checked_sub(size) {
            Some(rest) => left = rest,
            None => return,
        }
    }
}
