//! Who may ask for what: tokens, names of hosts, and origins of pages.

use std::collections::HashMap;

use axum::http::{HeaderMap, StatusCode, header};
use tabwright_store::{Scope, Token};

use crate::options::{Changing, Secret};
use crate::refusal::{Answer, Refusal};

/// The tokens that are valid, by their hashes.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Tokens {
    known: HashMap<String, Known>,
    /// Whether one is needed.
    is_required: bool,
}

#[derive(Debug, PartialEq, Eq)]
struct Known {
    scope: Scope,
    /// Microseconds since 1970.
    expires: Option<i64>,
}

impl Tokens {
    /// Collects tokens: those of the store, and the one of the configuration, which is for predictions.
    pub(crate) fn new(stored: &[Token], configured: Option<&Secret>, is_required: bool) -> Self {
        let of_store = stored.iter().filter(|token| token.revoked.is_none());
        let mut known: HashMap<String, Known> =
            of_store.map(|token| (token.hash.clone(), Known { scope: token.scope, expires: token.expires })).collect();
        if let Some(Secret(text)) = configured {
            known.insert(tabwright_store::token_hash(text), Known { scope: Scope::Predict, expires: None });
        }
        Tokens { known, is_required }
    }

    /// Whether a caller needs one.
    pub(crate) fn is_required(&self) -> bool {
        self.is_required
    }

    /// Whether any token is valid at a time.
    pub(crate) fn has_valid(&self, now: i64) -> bool {
        self.known.values().any(|known| known.is_valid(now))
    }

    /// Lets a caller pass who may do what a scope says.
    pub(crate) fn check(&self, headers: &HeaderMap, scope: Scope, now: impl FnOnce() -> i64) -> Answer<()> {
        if !self.is_required {
            return Ok(());
        }
        let refuse = |message: &str| Err(Refusal::new(StatusCode::UNAUTHORIZED, "unauthorized", message));
        let Some(given) = headers.get(header::AUTHORIZATION) else {
            return refuse("a token is needed: send the header `Authorization: Bearer TOKEN`");
        };
        let token = given.to_str().ok().and_then(|text| {
            let (sort, token) = text.split_once(' ')?;
            sort.eq_ignore_ascii_case("bearer").then(|| token.trim())
        });
        let Some(token) = token else {
            return refuse("the header `Authorization` must be `Bearer TOKEN`");
        };
        let known = self.known.get(&tabwright_store::token_hash(token)).filter(|known| known.is_valid(now()));
        let Some(known) = known else {
            return refuse("this token is not valid: unknown, revoked or expired");
        };
        if known.scope < scope {
            let message = format!("this token has the scope `{}`; `{}` is needed", known.scope.name(), scope.name());
            return Err(Refusal::new(StatusCode::FORBIDDEN, "forbidden", message));
        }
        Ok(())
    }
}

impl Known {
    fn is_valid(&self, now: i64) -> bool {
        self.expires.is_none_or(|expires| now < expires)
    }
}

/// Refuses requests under a foreign name, as those of a page whose name was made to point here, and those of foreign pages.
pub(crate) fn check_names(headers: &HeaderMap, settings: &Changing, is_loopback: bool) -> Answer<()> {
    let mut hosts = headers.get_all(header::HOST).iter();
    let (Some(host), None) = (hosts.next().and_then(|host| host.to_str().ok()), hosts.next()) else {
        return Err(Refusal::bad("no_host", "the header `Host` must be there, once, and be text"));
    };
    let name = without_port(host);
    let is_own = is_loopback_name(name) || (!is_loopback && settings.hosts.is_empty());
    if !is_own && !settings.hosts.iter().any(|own| own.eq_ignore_ascii_case(name)) {
        let message =
            "the server does not go by the name in the header `Host`; serve.hosts says which names are its own";
        return Err(Refusal::new(StatusCode::MISDIRECTED_REQUEST, "foreign_host", message));
    }
    check_origin(headers, settings)
}

/// Refuses requests of foreign pages.
pub(crate) fn check_origin(headers: &HeaderMap, settings: &Changing) -> Answer<()> {
    let Some(origin) = headers.get(header::ORIGIN) else { return Ok(()) };
    let origin = origin.to_str().unwrap_or_default();
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let is_same = origin.split_once("://").is_some_and(|(_, rest)| rest.eq_ignore_ascii_case(host));
    if is_same || is_allowed_origin(origin, settings) {
        return Ok(());
    }
    let message = "pages of this origin may not ask here; serve.origins says which ones may";
    Err(Refusal::new(StatusCode::FORBIDDEN, "foreign_origin", message))
}

/// Whether pages of an origin may read answers.
pub(crate) fn is_allowed_origin(origin: &str, settings: &Changing) -> bool {
    settings.origins.iter().any(|allowed| allowed == origin)
}

/// Whether a name leads to the machine that asks, wherever it is asked: no other page goes by such a name.
fn is_loopback_name(name: &str) -> bool {
    let address = name.trim_start_matches('[').trim_end_matches(']').parse::<std::net::IpAddr>();
    name.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback())
}

fn without_port(host: &str) -> &str {
    let digits = host.bytes().rev().take_while(u8::is_ascii_digit).count();
    match host[..host.len() - digits].strip_suffix(':') {
        // `[::1]` has its colons inside of brackets.
        Some(name) if !name.ends_with(':') => name,
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn foreign_names_and_origins_are_refused() {
        let plain = Changing::default();
        let named = Changing { hosts: vec!["models.example".into()], ..Changing::default() };
        let check = |host: &str, settings: &Changing, is_loopback: bool| {
            check_names(&headers(&[("host", host)]), settings, is_loopback).is_ok()
        };
        for host in ["localhost", "LocalHost:8080", "127.0.0.1:80", "127.0.0.2", "[::1]:8080", "[::1]"] {
            assert!(check(host, &plain, true) && check(host, &named, false), "{host}");
        }
        assert!(!check("evil.example:8080", &plain, true) && check("any.example", &plain, false));
        assert!(check("models.example:443", &named, false) && !check("any.example", &named, false));
        let from = |origin: &str, settings: &Changing| {
            check_names(&headers(&[("host", "localhost:80"), ("origin", origin)]), settings, true).is_ok()
        };
        assert!(from("http://localhost:80", &plain) && !from("http://evil.example", &plain) && !from("null", &plain));
        let open = Changing { origins: vec!["https://app.example".into()], ..Changing::default() };
        assert!(from("https://app.example", &open) && !from("https://app.example.evil", &open));
        assert!(check_names(&headers(&[]), &plain, true).is_err());
        let mut twice = headers(&[("host", "localhost")]);
        twice.append("host", "localhost".parse().unwrap());
        assert!(check_names(&twice, &plain, true).is_err());
    }
}
