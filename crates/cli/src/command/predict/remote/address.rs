//! The address of a model on a server.

use std::net::IpAddr;

use reqwest::Url;
use tabwright_store::{Reference, Which};

use crate::error::Failure;

/// The route of a model on a server.
///
/// # Errors
/// If the server is not named by scheme, host and port, or the model is none.
pub(super) fn of_model(server: &str, model: &str, keep: &[String]) -> Result<Url, Failure> {
    let mut url = of_server(server)?;
    let reference = Reference::parse(model).map_err(|error| {
        Failure::usage(format!(
            "{error}; with --server a model is named as the server names it: NAME, NAME:VERSION or NAME@ALIAS"
        ))
    })?;
    if let Ok(mut path) = url.path_segments_mut() {
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

fn of_server(server: &str) -> Result<Url, Failure> {
    let refused = |why: &str| Err(Failure::usage(format!("--server {server}: {why}")));
    let Some((scheme, rest)) = server.split_once("://") else {
        return match server.is_empty() {
            true => refused("no address; give one such as http://127.0.0.1:8080"),
            false => refused(&format!(
                "http:// is missing; write http://{server}, or https:// if the server has a certificate"
            )),
        };
    };
    if !matches!(scheme, "http" | "https") {
        return refused(&format!("a server is asked over http:// or https://, not {scheme}://"));
    }
    let Ok(url) = Url::parse(server) else {
        return refused(&format!("`{rest}` is no host with a port; give an address such as http://127.0.0.1:8080"));
    };
    if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
        let origin = shown(&url);
        return refused(&format!(
            "it is scheme, host and port alone; write {origin}, the model is named before the file"
        ));
    }
    Ok(url)
}

/// A server without the password and the path of an address.
pub(super) fn shown(url: &Url) -> String {
    url.origin().ascii_serialization()
}

/// Whether others could read what is sent: no TLS, and not to this machine.
pub(super) fn is_open(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    let is_own = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
    url.scheme() == "http" && !is_own
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn models_are_named_as_in_the_registry() {
        let path = |server: &str, model: &str| of_model(server, model, &[]).unwrap().to_string();
        assert_eq!(path("http://h:1", "churn"), "http://h:1/v1/models/churn/predict");
        assert_eq!(path("http://h:1/", "churn:3"), "http://h:1/v1/models/churn/versions/3/predict");
        assert_eq!(path("https://h", "churn@next"), "https://h/v1/models/churn/aliases/next/predict");
        let kept = of_model("http://h", "churn", &["a b".into(), "c".into()]).unwrap();
        assert_eq!(kept.query(), Some("keep=a+b%2Cc"));
    }

    #[test]
    fn what_is_no_address_is_refused_with_what_to_write() {
        for (server, model, says) in [
            ("127.0.0.1:18080", "churn", "write http://127.0.0.1:18080"),
            ("localhost:1", "churn", "write http://localhost:1"),
            ("ftp://h", "churn", "not ftp://"),
            ("http://", "churn", "no host"),
            ("http://h:99999", "churn", "no host"),
            ("http://h:1/v1/models/churn", "churn", "write http://h:1,"),
            ("http://h?x=1", "churn", "scheme, host and port alone"),
            ("", "churn", "no address"),
            ("http://h", "a/b", "NAME:VERSION"),
        ] {
            let message = of_model(server, model, &[]).unwrap_err().message;
            assert!(message.contains(says), "{server} {model}: {message}");
        }
    }

    #[test]
    fn a_token_is_open_to_others_without_tls() {
        let open = |text: &str| is_open(&Url::parse(text).unwrap());
        assert!(open("http://models.example:80") && open("http://10.0.0.7"));
        assert!(!open("https://models.example") && !open("http://localhost:1") && !open("http://127.0.0.2:1"));
        assert!(!open("http://[::1]:8080"));
    }
}
