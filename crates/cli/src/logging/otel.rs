//! Spans, sent to a collector by the OpenTelemetry protocol over HTTP (OTLP, protobuf).

use std::collections::HashMap;
use std::time::Duration;

use opentelemetry::propagation::TextMapPropagator;
use opentelemetry::trace::{TraceContextExt, TracerProvider};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing::Subscriber;
use tracing::level_filters::LevelFilter;
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::registry::LookupSpan;

use super::OtelOptions;
use crate::error::Failure;

/// Where a collector takes spans, by the protocol's specification.
const PATH: &str = "/v1/traces";
/// The beginning of what spans are sent of: this program. Spans of what sends them would be sent as well, and so on.
const OWN: &str = "tabwright";
/// How long a collector may take to answer.
const ANSWER: Duration = Duration::from_secs(5);
/// How long the end of the process may wait for spans to be sent: far less than what a container is given to stop.
const LAST_SPANS: Duration = Duration::from_secs(5);

/// Sends spans, in batches, on a thread of its own. What waits is sent when it is dropped.
#[derive(Debug)]
pub(super) struct Exporter {
    provider: SdkTracerProvider,
}

impl Exporter {
    /// Makes ready to send. Sends nothing yet.
    ///
    /// # Errors
    /// For an endpoint that is no address.
    pub(super) fn open(options: &OtelOptions) -> Result<Self, Failure> {
        // What the program has chosen for its TLS stays; where it has chosen nothing, there is none yet.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let endpoint = address(&options.endpoint)?;
        let exporter = SpanExporter::builder()
            .with_http()
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(endpoint)
            .with_timeout(ANSWER)
            .build()
            .map_err(|e| Failure::usage(format!("spans cannot be sent to {}: {e}", options.endpoint)))?;
        let resource = Resource::builder().with_service_name(options.service_name.clone()).build();
        let provider = SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource).build();
        Ok(Exporter { provider })
    }

    /// What makes spans of the program spans of the protocol.
    pub(super) fn layer<S>(&self) -> impl Layer<S> + Send + Sync + use<S>
    where
        S: Subscriber + for<'a> LookupSpan<'a> + Send + Sync,
    {
        let tracer = self.provider.tracer(OWN);
        // Places in the source and threads tell an operator nothing, and are a third of what is sent.
        let layer = tracing_opentelemetry::layer().with_location(false).with_threads(false).with_tracer(tracer);
        layer.with_filter(Targets::new().with_target(OWN, LevelFilter::INFO))
    }
}

impl Drop for Exporter {
    fn drop(&mut self) {
        // A collector that does not answer has been warned of while the process ran; it must not keep it from ending.
        let _ = self.provider.shutdown_with_timeout(LAST_SPANS);
    }
}

/// The whole address of an endpoint.
fn address(endpoint: &str) -> Result<String, Failure> {
    let rest = endpoint.strip_prefix("http://").or_else(|| endpoint.strip_prefix("https://"));
    let rest = rest.filter(|rest| !rest.is_empty() && !rest.starts_with('/') && !rest.contains(char::is_whitespace));
    let rest = rest.ok_or_else(|| {
        Failure::usage(format!("`{endpoint}` is no address of a collector; write http://127.0.0.1:4318 or https://…"))
    })?;
    Ok(match rest.split_once('/') {
        None => format!("{endpoint}{PATH}"),
        Some((_, "")) => format!("{}{PATH}", endpoint.trim_end_matches('/')),
        Some(_) => endpoint.to_owned(),
    })
}

/// See [`super::continue_trace`].
pub(super) fn continue_trace(span: &tracing::Span, traceparent: &str, tracestate: Option<&str>) {
    let named = [("traceparent", Some(traceparent)), ("tracestate", tracestate)];
    let headers = named.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned())));
    let caller = TraceContextPropagator::new().extract(&headers.collect::<HashMap<_, _>>());
    if caller.span().span_context().is_valid() {
        // Where no collector is named, there is no span to continue with.
        let _ = span.set_parent(caller);
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;

    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    /// Takes one request, and returns its first line with what was sent.
    fn collector() -> (String, std::thread::JoinHandle<(String, Vec<u8>)>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let thread = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let (mut bytes, mut buffer) = (Vec::new(), [0; 4096]);
            loop {
                let n = stream.read(&mut buffer).unwrap();
                bytes.extend_from_slice(&buffer[..n]);
                let Some(end) = bytes.windows(4).position(|w| w == b"\r\n\r\n") else { continue };
                let head = String::from_utf8_lossy(&bytes[..end]).to_lowercase();
                let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
                if bytes.len() >= end + 4 + length.unwrap().parse::<usize>().unwrap() {
                    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").unwrap();
                    return (head, bytes[end + 4..].to_vec());
                }
            }
        });
        (endpoint, thread)
    }

    #[test]
    fn a_span_reaches_the_collector_in_the_trace_of_its_caller() {
        let (endpoint, thread) = collector();
        let exporter = Exporter::open(&OtelOptions { endpoint, service_name: "churn-service".into() }).unwrap();
        tracing::subscriber::with_default(tracing_subscriber::registry().with(exporter.layer()), || {
            let span = tracing::info_span!(target: "tabwright_server", "predict", rows = 7, request_id = "r1");
            super::super::continue_trace(&span, "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", None);
            span.in_scope(|| tracing::info_span!(target: "hyper", "noise").in_scope(|| ()));
        });
        drop(exporter);
        let (head, body) = thread.join().unwrap();
        assert!(head.starts_with("post /v1/traces http/1.1") && head.contains("application/x-protobuf"), "{head}");
        let has = |bytes: &[u8]| body.windows(bytes.len()).any(|window| window == bytes);
        assert!(has(b"churn-service") && has(b"predict") && has(b"request_id") && has(b"r1"));
        assert!(has(&0x0af7_6519_16cd_43dd_8448_eb21_1c80_319c_u128.to_be_bytes()), "the trace of the caller");
        assert!(has(&0xb7ad_6b71_6920_3331_u64.to_be_bytes()), "the span of the caller is the parent");
        assert!(!has(b"noise"));
    }

    #[test]
    fn a_header_that_is_none_changes_nothing() {
        let (endpoint, thread) = collector();
        let exporter = Exporter::open(&OtelOptions { endpoint, service_name: "s".into() }).unwrap();
        tracing::subscriber::with_default(tracing_subscriber::registry().with(exporter.layer()), || {
            for header in ["", "nonsense", "00-00000000000000000000000000000000-0000000000000000-01"] {
                let span = tracing::info_span!(target: "tabwright_server", "predict");
                super::super::continue_trace(&span, header, Some("vendor=1"));
                span.in_scope(|| ());
            }
        });
        drop(exporter);
        assert!(thread.join().unwrap().1.windows(7).filter(|w| w == b"predict").count() == 3);
    }

    #[test]
    fn a_collector_that_is_not_there_does_not_keep_the_process() {
        let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let options = OtelOptions { endpoint: format!("http://{gone}"), service_name: "s".into() };
        let exporter = Exporter::open(&options).unwrap();
        tracing::subscriber::with_default(tracing_subscriber::registry().with(exporter.layer()), || {
            tracing::info_span!(target: "tabwright_server", "predict").in_scope(|| ());
        });
        let begun = std::time::Instant::now();
        drop(exporter);
        assert!(begun.elapsed() < LAST_SPANS + ANSWER, "{:?}", begun.elapsed());
    }

    #[test]
    fn an_endpoint_is_an_address_with_or_without_a_path() {
        for (endpoint, whole) in [
            ("http://127.0.0.1:4318", "http://127.0.0.1:4318/v1/traces"),
            ("https://otel.example/", "https://otel.example/v1/traces"),
            ("https://otel.example/otlp/v1/traces", "https://otel.example/otlp/v1/traces"),
        ] {
            assert_eq!(address(endpoint).unwrap(), whole);
        }
        for endpoint in ["", "127.0.0.1:4318", "http://", "http:///x", "grpc://x", "http://a b"] {
            assert!(address(endpoint).unwrap_err().message.contains("http://127.0.0.1:4318"), "{endpoint}");
        }
    }
}
