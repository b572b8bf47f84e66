//! Where the events of a long-running command go: to standard error, one line each, and spans to a collector where one is named.
//!
//! Libraries only say what happens (`tracing`); this is the one place that listens.

mod line;
#[cfg(feature = "otel")]
mod otel;

use std::io::IsTerminal;

use tabwright_core::suggest;
use tracing::Subscriber;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, Registry, fmt};

use crate::error::Failure;
use line::OneLine;

/// How an event is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LogFormat {
    /// For people.
    Text,
    /// For machines: one JSON object a line, with the fields beside the message.
    Json,
}

/// The collector that spans are sent to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OtelOptions {
    /// Its address, `http://` or `https://`. One without a path means `/v1/traces` there (OTLP over HTTP).
    pub(crate) endpoint: String,
    /// What the spans are from: `service.name`.
    pub(crate) service_name: String,
}

/// Keeps what was installed alive. Dropping it sends the spans that wait, and takes a few seconds at most.
#[derive(Debug)]
#[must_use = "spans that wait are sent when it is dropped"]
pub(crate) struct LogGuard {
    #[cfg(feature = "otel")]
    _exporter: Option<otel::Exporter>,
}

/// What is logged of whatever `level` does not name.
const OTHERS: LevelFilter = LevelFilter::WARN;
/// Names of levels, the quietest first.
const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

/// Installs what listens, for the whole process. `level` is a level such as `info`, or levels of parts of the program, such as
/// `info,tabwright_server=debug`; of what it does not name, warnings are logged. Call it before any runtime is there, once.
///
/// # Errors
/// For a level that is none, a collector that cannot be used or that this program was built without, and a second call.
pub(crate) fn install(format: LogFormat, level: &str, otel: Option<&OtelOptions>) -> Result<LogGuard, Failure> {
    let filter = targets(level)?;
    let logs = logs::<Registry, _>(format, filter, std::io::stderr, std::io::stderr().is_terminal());
    #[cfg(feature = "otel")]
    {
        let exporter = otel.map(otel::Exporter::open).transpose()?;
        let spans = exporter.as_ref().map(otel::Exporter::layer);
        tracing_subscriber::registry().with(logs).with(spans).try_init().map_err(twice)?;
        Ok(LogGuard { _exporter: exporter })
    }
    #[cfg(not(feature = "otel"))]
    {
        if let Some(options) = otel {
            return Err(Failure::usage(format!(
                "spans cannot be sent to {}: this program was built without OpenTelemetry; build it with `--features otel`, or \
                 name no endpoint",
                options.endpoint
            )));
        }
        tracing_subscriber::registry().with(logs).try_init().map_err(twice)?;
        Ok(LogGuard {})
    }
}

fn twice(error: impl std::fmt::Display) -> Failure {
    Failure::failed(format!("the log cannot be set up: {error}"))
}

/// Makes a span a part of the trace that a caller names in its header `traceparent` (W3C Trace Context), with `tracestate` where
/// it sends one. To be called before the span is entered. A header that is none changes nothing, and so does a program without
/// OpenTelemetry.
pub(crate) fn continue_trace(span: &tracing::Span, traceparent: &str, tracestate: Option<&str>) {
    #[cfg(feature = "otel")]
    otel::continue_trace(span, traceparent, tracestate);
    #[cfg(not(feature = "otel"))]
    let _ = (span, traceparent, tracestate);
}

/// Writes events, each with the span that it is in.
fn logs<S, W>(format: LogFormat, filter: Targets, writer: W, colours: bool) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    // What goes wrong while a line is written would be written to the same place, and end the process if that is gone.
    let layer = fmt::layer().with_ansi(colours).log_internal_errors(false);
    match format {
        LogFormat::Text => layer.with_writer(OneLine::new(writer, colours)).with_filter(filter).boxed(),
        LogFormat::Json => {
            let layer = layer.with_writer(writer).json().flatten_event(true);
            layer.with_current_span(true).with_span_list(false).with_filter(filter).boxed()
        }
    }
}

/// Reads what is logged. A word that is no level would be taken for the name of a part of the program, and nothing be logged.
fn targets(text: &str) -> Result<Targets, Failure> {
    let mut targets = Targets::new().with_default(OTHERS);
    for part in text.split(',').map(str::trim) {
        match part.split_once('=') {
            None => targets = targets.with_default(level(part)?),
            Some((target, of)) if is_target(target) => targets = targets.with_target(target, level(of)?),
            Some((target, _)) => {
                return Err(Failure::usage(format!(
                    "the level of the log: `{target}` is no part of the program; write info,tabwright_server=debug"
                )));
            }
        }
    }
    Ok(targets)
}

fn level(text: &str) -> Result<LevelFilter, Failure> {
    let known = LEVELS.contains(&text).then(|| text.parse().ok()).flatten();
    known.ok_or_else(|| {
        let (near, all) = (suggest::did_you_mean(text, LEVELS), suggest::shorten(LEVELS));
        Failure::usage(format!(
            "the level of the log: `{text}` is no level{near}; write one of {all}, or levels of parts of the program, such as \
             info,tabwright_server=debug"
        ))
    })
}

/// Whether a text may name modules: `tabwright_server::route`.
fn is_target(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b':'))
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use super::*;

    /// What was written.
    #[derive(Debug, Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    /// What is written of an event in a span, of one of a part that is told apart, and of one of another program's part.
    fn written(format: LogFormat, level: &str) -> String {
        let lines = Lines::default();
        let to = lines.clone();
        let layer = logs::<Registry, _>(format, targets(level).unwrap(), move || to.clone(), false);
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
            let span = tracing::info_span!(target: "tabwright_server", "request", request_id = "r1");
            let _entered = span.enter();
            tracing::info!(target: "tabwright_server", model = "churn", rows = 3, "predicted");
            tracing::debug!(target: "tabwright_server::batch", path = %"/a\nforged\x1b[31m", "waited");
            tracing::info!(target: "hyper", "noise");
            tracing::warn!(target: "hyper", "trouble");
        });
        let bytes = lines.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn an_event_is_one_line_with_its_fields_and_its_span() {
        let text = written(LogFormat::Text, "info");
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 3, "{text}");
        for part in ["Z  INFO request{request_id=\"r1\"}: tabwright_server: predicted", "model=\"churn\" rows=3"] {
            assert!(lines[0].contains(part), "{text}");
        }
        assert!(!text.contains('\x1b'));
        for format in [LogFormat::Text, LogFormat::Json] {
            let all = written(format, "trace");
            assert!(all.lines().count() == 4 && all.contains("/a\\nforged") && !all.contains('\x1b'), "{all}");
        }
        let json = written(LogFormat::Json, "info");
        let first: serde_json::Value = serde_json::from_str(json.lines().next().unwrap()).unwrap();
        assert_eq!(
            (&first["level"], &first["message"], &first["rows"]),
            (&"INFO".into(), &"predicted".into(), &3.into())
        );
        assert_eq!((&first["target"], &first["span"]["request_id"]), (&"tabwright_server".into(), &"r1".into()));
        assert!(first["timestamp"].as_str().unwrap().ends_with('Z') && first.get("spans").is_none());
    }

    #[test]
    fn levels_of_parts_are_told_apart() {
        for (level, expected) in [
            ("info", &["predicted", "noise", "trouble"][..]),
            ("tabwright_server=debug", &["predicted", "waited", "trouble"]),
            ("warn, tabwright_server=info", &["predicted", "trouble"]),
            ("tabwright_server::batch=trace,off", &["waited"]),
            ("off", &[]),
        ] {
            let text = written(LogFormat::Text, level);
            let found: Vec<&str> =
                ["predicted", "waited", "noise", "trouble"].into_iter().filter(|word| text.contains(word)).collect();
            assert_eq!(found, expected, "{level}");
        }
    }

    #[test]
    fn a_level_that_is_none_is_said() {
        for (level, says) in [
            ("imfo", "`imfo` is no level (did you mean `info`?); write one of off, error"),
            ("INFO", "(did you mean `info`?)"),
            ("", "`` is no level"),
            ("info,", "`` is no level"),
            ("tabwright_server=debgu", "`debgu` is no level (did you mean `debug`?)"),
            ("=debug", "`` is no part of the program"),
            ("a b=debug", "`a b` is no part of the program"),
        ] {
            let message = targets(level).unwrap_err().message;
            assert!(message.contains(says), "{level}: {message}");
        }
    }

    #[cfg(not(feature = "otel"))]
    #[test]
    fn an_endpoint_needs_the_feature() {
        let options = OtelOptions { endpoint: "http://127.0.0.1:4318".into(), service_name: "churn".into() };
        let failure = install(LogFormat::Json, "info", Some(&options)).unwrap_err();
        assert!(failure.message.contains("`--features otel`"), "{}", failure.message);
        continue_trace(&tracing::Span::none(), "nonsense", None);
    }
}
