//! `tabwright token`: creates, lists and revokes tokens. The text of a token is printed once, when it is created.

use std::process::ExitCode;

use clap::ArgMatches;
use serde_json::{Value, json};
use tabwright_lifecycle::error::Error;
use tabwright_store::{NewToken, Scope, Token, time};

use super::configuration;
use crate::error::Failure;
use crate::home::OpenHome;
use crate::screen;

/// What `--expires` is for a token without an end.
const NEVER: &str = "never";

pub(super) fn run(matches: &ArgMatches) -> Result<ExitCode, Failure> {
    match matches.subcommand() {
        Some(("create", matches)) => create(matches),
        Some(("list", matches)) => list(matches),
        Some(("revoke", matches)) => revoke(matches),
        _ => unreachable!("invariant: clap lets no other command through"),
    }
}

fn text<'a>(matches: &'a ArgMatches, name: &str) -> &'a str {
    matches.get_one::<String>(name).map_or("", String::as_str)
}

fn create(matches: &ArgMatches) -> Result<ExitCode, Failure> {
    let name = text(matches, "name").to_owned();
    let scope = Scope::parse(text(matches, "scope")).map_err(Error::from)?;
    let expires = ending(text(matches, "expires"))?;
    tabwright_store::name::check("the token name", &name).map_err(Error::from)?;
    let home = OpenHome::open(&configuration(matches, true)?)?;
    let (token, secret) = home.wait(home.store.create_token(&NewToken { name, scope, expires }))?;
    if matches.get_flag("json") {
        let mut document = document(&token);
        document["token"] = json!(secret);
        screen::print_json(&document)?;
        return Ok(ExitCode::SUCCESS);
    }
    screen::note(&format!(
        "the token `{}` (id {}) has the scope {}, and {}. Its text is shown this once; keep it where secrets are kept",
        token.name,
        token.id,
        token.scope,
        token.expires.map_or("no end".to_owned(), |at| format!("ends at {}", time::to_seconds(at))),
    ));
    screen::print(&format!("{secret}\n"))?;
    Ok(ExitCode::SUCCESS)
}

/// When a token ends that lasts for a span from now on.
fn ending(span: &str) -> Result<Option<time::Micros>, Failure> {
    if span == NEVER {
        return Ok(None);
    }
    let told = |why: &dyn std::fmt::Display| Failure::usage(format!("--expires: {why}"));
    let lasts = time::parse_span(span).map_err(|e| told(&format!("{e}, or {NEVER}")))?;
    if lasts.is_zero() {
        return Err(told(&"a token that ends at once is of no use"));
    }
    let micros = time::Micros::try_from(lasts.as_micros()).ok();
    // Later moments have no text, and are as good as none.
    let at = micros.and_then(|micros| time::now().checked_add(micros)).filter(|at| *at <= time::LAST);
    at.map(Some).ok_or_else(|| told(&format!("{span} is longer than times go; write {NEVER}")))
}

fn list(matches: &ArgMatches) -> Result<ExitCode, Failure> {
    let tokens = match OpenHome::find(&configuration(matches, true)?)? {
        Some(home) => home.wait(home.store.tokens())?,
        None => Vec::new(),
    };
    match matches.get_flag("json") {
        true => screen::print_json(&json!({ "tokens": tokens.iter().map(document).collect::<Vec<_>>() }))?,
        false => screen::print(&shown(&tokens))?,
    }
    Ok(ExitCode::SUCCESS)
}

fn revoke(matches: &ArgMatches) -> Result<ExitCode, Failure> {
    let home = OpenHome::expect(&configuration(matches, true)?)?;
    let token = home.wait(home.store.revoke_token(text(matches, "token")))?;
    match matches.get_flag("json") {
        true => screen::print_json(&document(&token))?,
        false => screen::print(&format!(
            "The token `{}` (id {}) is revoked since {}.\n",
            token.name,
            token.id,
            token.revoked.map(time::to_seconds).unwrap_or_default()
        ))?,
    }
    Ok(ExitCode::SUCCESS)
}

/// A token for machines. The hash is nobody's business.
fn document(token: &Token) -> Value {
    json!({
        "id": token.id,
        "name": token.name,
        "scope": token.scope.name(),
        "state": token.state(time::now()).name(),
        "created": time::to_text(token.created),
        "expires": token.expires.map(time::to_text),
        "revoked": token.revoked.map(time::to_text),
    })
}

fn shown(tokens: &[Token]) -> String {
    if tokens.is_empty() {
        return "No tokens yet: `tabwright token create --name NAME --scope predict` creates one.\n".to_owned();
    }
    let mut table = screen::text_table(&["id", "name", "scope", "state", "created", "ends"]);
    for token in tokens {
        table.add_row([
            token.id.clone(),
            token.name.clone(),
            token.scope.name().to_owned(),
            token.state(time::now()).name().to_owned(),
            time::to_seconds(token.created),
            token.expires.map_or(NEVER.to_owned(), time::to_seconds),
        ]);
    }
    format!("{table}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_ends_after_its_span_or_never() {
        assert_eq!(ending(NEVER).unwrap(), None);
        let twelve_hours = ending("12h").unwrap().unwrap() - time::now();
        assert!((43_190_000_000..=43_200_000_000).contains(&twelve_hours), "{twelve_hours}");
        for (span, says) in [
            ("0s", "of no use"),
            ("90", "such as 30d, or never"),
            ("forever", "such as 30d, or never"),
            ("99999999w", "longer than times go"),
            ("9999999999999w", "longer than times go"),
        ] {
            let message = ending(span).unwrap_err().message;
            assert!(message.starts_with("--expires: ") && message.contains(says), "{span}: {message}");
        }
    }
}
