//! The page for people: what can be asked, and how the rows of each model look.

use std::fmt::Write;

use super::columns;
use super::openapi::{encoded, options};
use crate::http::ROUTES;
use crate::model::{Catalog, Entry};
use crate::options::Changing;

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:60rem;padding:0 1rem;color:#1b1f24;background:#fff}\
h1{font-size:1.6rem}h2{margin-top:2.5rem;border-bottom:1px solid #d0d7de}h3{margin-bottom:.3rem}\
table{border-collapse:collapse;width:100%;font-size:.9rem}th,td{text-align:left;padding:.35rem .6rem;border-bottom:1px solid #e4e8ec;vertical-align:top}\
th{color:#57606a;font-weight:600}code,pre{font-family:ui-monospace,monospace;font-size:.85rem}\
pre{background:#f6f8fa;padding:.8rem;overflow-x:auto;border-radius:6px}.s{color:#57606a}\
@media(prefers-color-scheme:dark){body{color:#e6edf3;background:#0d1117}h2,th,td{border-color:#30363d}pre{background:#161b22}th,.s{color:#8b949e}}";

/// The whole page. `address` is where the server is asked.
pub(super) fn write(catalog: &Catalog, settings: &Changing, needs_token: bool, address: &str) -> String {
    let mut out = String::from("<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">");
    out.push_str("<meta name=\"viewport\" content=\"width=device-width\"><title>Tabwright</title><style>");
    out.push_str(STYLE);
    out.push_str("</style></head><body>\n<h1>Tabwright</h1>\n<p>Predictions of the models below. ");
    out.push_str(
        "Each answer says which version gave it. For programs: <a href=\"/openapi.json\">openapi.json</a>.</p>\n",
    );
    if needs_token {
        out.push_str("<p>A token is needed: send the header <code>Authorization: Bearer TOKEN</code>.</p>\n");
    }
    for entry in catalog.models.values() {
        model(&mut out, entry, needs_token, address);
    }
    asked_for(&mut out);
    routes(&mut out);
    let limits = &settings.limits;
    let _ = write!(
        out,
        "<h2>Limits</h2>\n<p>A JSON document has at most {} bytes, {} rows and {} columns. Rows as CSV, JSON Lines, Arrow or Parquet may \
         have {} bytes. Beyond them the answer is 413; when more is asked than can be answered, 429 with \
         <code>Retry-After</code>.</p>\n</body></html>\n",
        limits.body, limits.rows, limits.columns, limits.bulk_body
    );
    out
}

fn model(out: &mut String, entry: &Entry, needs_token: bool, address: &str) {
    let served = &entry.main;
    let (name, version) = (escaped(&served.name), escaped(&served.version));
    let task = served.model().task();
    let _ = write!(out, "<h2>{name} <span class=\"s\">version {version}</span></h2>\n<p>");
    let target = escaped(&served.model().signature().target);
    match task.labels() {
        [] => drop(write!(out, "Predicts the number <code>{target}</code>.")),
        labels => {
            let labels: Vec<String> = labels.iter().map(|label| format!("<code>{}</code>", escaped(label))).collect();
            let _ = write!(out, "Predicts <code>{target}</code>: {}.", labels.join(", "));
        }
    }
    let aliases: Vec<String> = entry.aliases.iter().map(|(a, v)| format!("{} → {}", escaped(a), escaped(v))).collect();
    if !aliases.is_empty() {
        let _ = write!(out, " Aliases: {}.", aliases.join(", "));
    }
    if let Some(canary) = &entry.canary {
        let _ =
            write!(out, " Version {} answers {:.4} of the requests.", escaped(&canary.served.version), canary.share);
    }
    if let Some(shadow) = &entry.shadow {
        let _ = write!(out, " Version {} is compared.", escaped(&shadow.served.version));
    }
    let token = if needs_token { " -H 'Authorization: Bearer TOKEN'" } else { "" };
    let example = format!("{{\"rows\": [{}]}}", columns::example_text(served)).replace('\'', "'\\''");
    let _ = write!(
        out,
        "</p>\n<pre>curl '{}/v1/models/{}/predict'{token} -H 'Content-Type: application/json' -d '{}'</pre>\n\
         <table><tr><th>column</th><th>kind</th><th>values</th></tr>\n",
        escaped(address),
        escaped(&encoded(&served.name)),
        escaped(&example)
    );
    for column in columns::of(served) {
        let (name, kind, values) = (escaped(column.name), column.kind.name(), escaped(&column.described()));
        let _ = writeln!(out, "<tr><td><code>{name}</code></td><td>{kind}</td><td>{values}</td></tr>");
    }
    out.push_str("</table>\n");
}

fn asked_for(out: &mut String) {
    out.push_str(
        "<h2>What may be asked for beside the predictions</h2>\n<p>In the query of the address, or beside <code>rows</code>, where \
         <code>ids</code> and <code>keep</code> may be lists.</p>\n<table><tr><th>option</th><th></th></tr>\n",
    );
    for (name, _, about) in options() {
        let _ = writeln!(out, "<tr><td><code>{name}</code></td><td>{}</td></tr>", escaped(about));
    }
    out.push_str("</table>\n");
}

fn routes(out: &mut String) {
    out.push_str("<h2>What can be asked</h2>\n<table><tr><th>route</th><th>scope</th><th></th></tr>\n");
    for route in ROUTES {
        let scope = route.scope.map_or("all", |scope| scope.name());
        let (method, path, about) = (route.method.name(), escaped(route.path), escaped(route.about));
        let _ = writeln!(out, "<tr><td><code>{method} {path}</code></td><td>{scope}</td><td>{about}</td></tr>");
    }
    out.push_str("</table>\n");
}

/// Text that a page shows as it is.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}
