//! What of the options of a server cannot work, told before it listens, with what to write instead.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use reqwest::Url;
use tabwright_core::suggest;
use tabwright_server::{Changing, ServeOptions, Source};
use tabwright_store::{Reference, Store, Token, time};

use super::LOG;
use crate::error::Failure;

/// The address to listen on.
pub(super) fn host(text: &str) -> Result<IpAddr, Failure> {
    let refused = |why: &str| Err(Failure::usage(format!("serve.host: `{text}` {why}")));
    if text == "localhost" {
        return Ok(IpAddr::from([127, 0, 0, 1]));
    }
    if let Ok(ip) = text.trim_matches(['[', ']']).parse() {
        return Ok(ip);
    }
    let name = text.rsplit_once(':').filter(|(_, port)| port.parse::<u16>().is_ok()).map(|(name, _)| name);
    match (text.parse::<SocketAddr>(), name) {
        (Ok(both), _) => {
            refused(&format!("has a port, which goes to --port: --host {} --port {}", both.ip(), both.port()))
        }
        (_, Some("localhost")) => refused("has a port, which goes to --port"),
        _ => refused("is no address; give one such as 127.0.0.1, 0.0.0.0 or ::1"),
    }
}

/// Names of the server, as the header `Host` has them without the port.
pub(super) fn hosts(all: &[String]) -> Result<(), Failure> {
    for text in all {
        let refused = |why: String| Err(Failure::usage(format!("serve.hosts: `{text}` {why}")));
        if text.contains('*') {
            return refused("is no name, and stands for none; name each, or leave --hosts out".into());
        }
        if let Some((_, rest)) = text.split_once("://") {
            let name = rest.split(['/', ':']).next().unwrap_or_default();
            return refused(format!("is an address; write the name alone: {name}"));
        }
        let has_port =
            |text: &str| text.rsplit_once(':').is_some_and(|(_, port)| port.bytes().all(|b| b.is_ascii_digit()));
        if text.parse::<std::net::Ipv6Addr>().is_ok() {
            return refused(format!("stands in brackets; write [{text}]"));
        }
        if !text.ends_with(']') && has_port(text) {
            let name = text.rsplit_once(':').map_or("", |(name, _)| name);
            return refused(format!("has a port; write the name alone: {name}"));
        }
        if text.contains(['/', ' ', '@', '?', '#']) {
            return refused("is no name of a host, such as models.example".into());
        }
    }
    Ok(())
}

/// Origins of pages, as browsers write them in the header `Origin`.
pub(super) fn origins(all: &[String]) -> Result<(), Failure> {
    for text in all {
        let refused = |why: String| Err(Failure::usage(format!("serve.origins: `{text}` {why}")));
        if text.contains('*') {
            return refused("stands for none; name each origin, such as https://app.example".into());
        }
        let Some((scheme, rest)) = text.split_once("://") else {
            return refused(format!("has no scheme; write https://{text}"));
        };
        // Browsers have schemes of their own, whose origins are written as they are.
        if !matches!(scheme.to_ascii_lowercase().as_str(), "http" | "https") && !rest.is_empty() && !rest.contains('/')
        {
            continue;
        }
        match Url::parse(text).map(|url| url.origin().ascii_serialization()) {
            Ok(origin) if origin == *text => {}
            Ok(origin) if origin != "null" => return refused(format!("is not as browsers write it; write {origin}")),
            _ => return refused("is no origin, such as https://app.example".into()),
        }
    }
    Ok(())
}

/// Models are not named as MLflow names them.
pub(super) fn foreign(text: &str) -> Result<(), Failure> {
    let Some(rest) = text.strip_prefix("models:/") else { return Ok(()) };
    let here = rest.trim_start_matches('/').trim_end_matches('/').replacen('/', ":", 1);
    Err(Failure::usage(format!("`{text}` is MLflow's way to name a model; write {here}")))
}

fn name_of(source: &Source) -> String {
    match source {
        Source::File(path) => path.file_stem().unwrap_or_default().to_string_lossy().into_owned(),
        Source::Registered(reference) => reference.name.clone(),
    }
}

fn shown(source: &Source) -> String {
    match source {
        Source::File(path) => Path::display(path).to_string(),
        Source::Registered(reference) => reference.to_string(),
    }
}

/// A file stands alone under its name.
pub(super) fn names(sources: &[Source]) -> Result<(), Failure> {
    for (at, source) in sources.iter().enumerate() {
        let is_file = |source: &Source| matches!(source, Source::File(_));
        let mut before = sources[..at].iter().filter(|other| is_file(source) || is_file(other));
        if let Some(other) = before.find(|other| name_of(other) == name_of(source)) {
            return Err(Failure::usage(format!(
                "two models would be served as `{}`: {} and {}; a file goes by its name without the ending: rename it",
                name_of(source),
                shown(other),
                shown(source)
            )));
        }
    }
    Ok(())
}

/// A canary and a shadow stand beside a registered model that is served.
pub(super) fn beside<'a>(
    sources: &[Source],
    others: impl Iterator<Item = (&'a str, &'a Reference)>,
) -> Result<(), Failure> {
    for (key, reference) in others {
        match sources.iter().find(|source| name_of(source) == reference.name) {
            Some(Source::Registered(_)) => {}
            Some(Source::File(path)) => {
                return Err(Failure::usage(format!(
                    "{key}: `{}` is the file {}, which stands alone; register it to have versions",
                    reference.name,
                    path.display()
                )));
            }
            None => {
                let names: Vec<String> = sources.iter().map(name_of).collect();
                let near = suggest::did_you_mean(&reference.name, names.iter().map(String::as_str));
                return Err(Failure::usage(format!(
                    "{key}: `{reference}` stands beside `{}`, which is not among the models that are served{near}; name it too",
                    reference.name
                )));
            }
        }
    }
    Ok(())
}

/// Whether callers need a token.
pub(super) fn needs_tokens(options: &ServeOptions) -> bool {
    options.require_token || !(options.address.ip().is_loopback() || options.insecure)
}

/// Tells who has tokens, and none that is valid, which ones these are.
pub(super) async fn tokens(store: &Store, options: &ServeOptions) -> Result<(), Failure> {
    if !needs_tokens(options) || options.changing.token.is_some() {
        return Ok(());
    }
    let now = time::now();
    let all = store.tokens().await.map_err(tabwright_lifecycle::Error::from)?;
    let all: Vec<&Token> = all.iter().filter(|token| token.revoked.is_none()).collect();
    let is_over = |token: &&&Token| token.expires.is_some_and(|at| at <= now);
    let last = all.iter().filter(is_over).filter_map(|token| token.expires).max();
    match last {
        Some(last) if all.iter().all(|token| is_over(&token)) => {
            let last = time::to_seconds(last);
            let what = match all.len() {
                1 => format!("1 token, expired on {last}"),
                n => format!("{n} tokens, the last of which expired on {last}"),
            };
            Err(Failure::usage(format!(
                "a token is asked for, and there is none that is valid ({what}): make one with `tabwright token create --name \
                 NAME --scope predict`, or set serve.token"
            )))
        }
        _ => Ok(()),
    }
}

/// Warns of a canary or a shadow that is the version beside which it stands. An alias may move later, so it is no error.
pub(super) async fn say_of_twins(store: &Store, changing: &Changing) {
    let canaries = changing.canaries.iter().map(|canary| ("canary", &canary.reference));
    for (what, reference) in canaries.chain(changing.shadows.iter().map(|shadow| ("shadow", shadow))) {
        let main = changing.sources.iter().find_map(|source| match source {
            Source::Registered(main) if main.name == reference.name => Some(main),
            _ => None,
        });
        let Some(main) = main else { continue };
        if let (Ok(main), Ok(other)) = (store.version(main).await, store.version(reference).await)
            && main.version == other.version
        {
            let (model, version) = (&reference.name, main.version);
            tracing::warn!(
                target: LOG,
                model, version, "the {what} {reference} is the version that answers anyway: there is nothing to compare"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused<T: std::fmt::Debug>(outcome: Result<T, Failure>, says: &str) {
        let message = outcome.unwrap_err().message;
        assert!(message.contains(says), "`{says}` in {message}");
    }

    #[test]
    fn hosts_and_origins_that_can_be_nobody_are_refused_with_what_to_write() {
        let list = |text: &str| [text.to_owned()];
        for fine in ["models.example", "10.0.0.7", "[::1]"] {
            hosts(&list(fine)).unwrap();
        }
        for (text, says) in [
            ("*", "name each"),
            ("http://x", "alone: x"),
            ("https://x:80/a", "alone: x"),
            ("x:8080", "alone: x"),
            ("::1", "write [::1]"),
            ("a/b", "no name"),
        ] {
            refused(hosts(&list(text)), says);
        }
        for fine in ["https://app.example", "http://localhost:3000", "app://window"] {
            origins(&list(fine)).unwrap();
        }
        for (text, says) in [
            ("*", "name each"),
            ("app.example", "write https://app.example"),
            ("https://app.example/", "write https://app.example"),
            ("https://App.example:443", "write https://app.example"),
            ("https://", "no origin"),
        ] {
            refused(origins(&list(text)), says);
        }
    }

    #[test]
    fn addresses_are_told_from_ports_and_names() {
        assert_eq!(host("localhost").unwrap(), host("127.0.0.1").unwrap());
        assert_eq!(host("[::1]").unwrap(), host("::1").unwrap());
        refused(host("127.0.0.1:9000"), "--host 127.0.0.1 --port 9000");
        refused(host("localhost:9000"), "--port");
        refused(host("example.com"), "no address");
    }

    #[test]
    fn names_of_models_are_checked_before_any_is_loaded() {
        let of = |text: &str| Source::Registered(Reference::parse(text).unwrap());
        let file = |path: &str| Source::File(path.into());
        names(&[of("a"), of("a@b"), file("c.tw")]).unwrap();
        refused(names(&[file("a/m.tw"), of("b"), file("b/m.tw")]), "a/m.tw and b/m.tw");
        refused(names(&[of("m"), file("m.tw")]), "and m.tw");
        let next = Reference::parse("churn@next").unwrap();
        let stand = |sources: &[Source]| beside(sources, std::iter::once(("serve.canary", &next)));
        stand(&[of("churn:1")]).unwrap();
        refused(stand(&[of("chrun")]), "did you mean `chrun`");
        refused(stand(&[file("m/churn.tw")]), "the file m/churn.tw");
        refused(foreign("models:/telco/1"), "write telco:1");
        foreign("models/telco.tw").unwrap();
    }
}
