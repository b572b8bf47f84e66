//! Takes secrets out of what is recorded: passwords in URLs, and values behind names such as `password` or `api_key`.
//!
//! It errs on the side of taking out too much. References such as `env:NAME` are no secrets and stay.

use serde_json::Value;

/// What stands in the place of a secret.
const HIDDEN: &str = "***";

/// Words that the name of a secret ends in, in small letters and without `_` and `-`.
const NAMES: [&str; 11] = [
    "password",
    "passwd",
    "pwd",
    "secret",
    "token",
    "apikey",
    "accesskey",
    "secretkey",
    "privatekey",
    "credential",
    "signature",
];

/// Beginnings of values that only say where a secret is.
const REFERENCES: [&str; 2] = ["env:", "file:"];

/// A text without secrets.
pub fn text(text: &str) -> String {
    hide_values(&hide_logins(text))
}

/// The words of a command line without secrets; a word behind a flag such as `--password` is one.
pub fn words<'a>(words: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let mut is_secret = false;
    let mut shown = Vec::new();
    for word in words {
        let is_flag = word.starts_with('-') && !word.contains('=');
        let hidden = is_secret && !is_flag && !is_reference(word);
        shown.push(if hidden { HIDDEN.to_owned() } else { text(word) });
        is_secret = is_flag && is_name(word.trim_start_matches('-'));
    }
    shown
}

/// A document without secrets: texts are gone through, and values of fields with such a name are hidden.
pub fn json(value: &mut Value) {
    match value {
        Value::String(content) => *content = text(content),
        Value::Array(items) => items.iter_mut().for_each(json),
        Value::Object(fields) => {
            for (name, value) in fields {
                match value {
                    Value::String(content) if is_name(name) && !content.is_empty() && !is_reference(content) => {
                        *content = HIDDEN.to_owned();
                    }
                    value => json(value),
                }
            }
        }
        _ => {}
    }
}

fn is_reference(value: &str) -> bool {
    REFERENCES.iter().any(|start| value.starts_with(start))
}

fn is_name(name: &str) -> bool {
    let folded: String = name.chars().filter(|c| !matches!(c, '_' | '-')).flat_map(char::to_lowercase).collect();
    NAMES.iter().any(|n| folded.ends_with(n) || folded.ends_with(&format!("{n}s")))
}

/// `scheme://user:password@host` becomes `scheme://***@host`.
fn hide_logins(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + 3);
        shown.push_str(before);
        let end =
            after.find(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '<' | '>' | '`')).unwrap_or(after.len());
        // A password may hold a `/` that nobody has encoded: the last `@` before the end of the URL counts.
        rest = match after[..end].rfind('@') {
            Some(login) => {
                shown.push_str(HIDDEN);
                &after[login..]
            }
            None => after,
        };
    }
    shown.push_str(rest);
    shown
}

/// `password=…`, `"token": "…"` and the like lose their values.
fn hide_values(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['=', ':']) {
        let (before, after) = rest.split_at(at + 1);
        shown.push_str(before);
        let name = before[..at].trim_end_matches([' ', '"', '\'']);
        let begin = name
            .rfind(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '-')))
            .map_or(0, |i| i + name[i..].chars().next().map_or(1, char::len_utf8));
        let lead = after.len() - after.trim_start_matches([' ', '"', '\'']).len();
        let value = &after[lead..];
        if !is_name(&name[begin..]) || is_reference(value) || after.starts_with("//") {
            rest = after;
            continue;
        }
        let end =
            value.find(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '&' | ',' | ';')).unwrap_or(value.len());
        shown.push_str(&after[..lead]);
        if end > 0 {
            shown.push_str(HIDDEN);
        }
        rest = &value[end..];
    }
    shown.push_str(rest);
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_do_not_survive_and_all_else_does() {
        for (given, expected) in [
            ("postgres://ada:pa/ss@w@db/x?sslmode=require", "postgres://***@db/x?sslmode=require"),
            ("s3://bucket/key.csv", "s3://bucket/key.csv"),
            ("https://h/f.csv?token=abc&x=1", "https://h/f.csv?token=***&x=1"),
            ("https://h/f?X-Amz-Signature=deadbeef", "https://h/f?X-Amz-Signature=***"),
            ("store.password=geheim", "store.password=***"),
            ("api_key = \"k-123\", n = 3", "api_key = \"***\", n = 3"),
            ("{\"secret\": \"x y\"}", "{\"secret\": \"*** y\"}"),
            ("password=env:DB_PASSWORD", "password=env:DB_PASSWORD"),
            ("split.seed=42 target=churned", "split.seed=42 target=churned"),
            ("+DB_PASSWORDS: one\n+other: two", "+DB_PASSWORDS: ***\n+other: two"),
            ("größe:3 tokens:ü", "größe:3 tokens:***"),
            ("a://c:d@e f://g:h@i", "a://***@e f://***@i"),
        ] {
            assert_eq!(text(given), expected);
        }
    }

    #[test]
    fn words_behind_a_secret_flag_are_hidden() {
        let given = ["train", "--token", "abc", "--set", "x.password=y", "--seed", "7", "--secret", "env:X"];
        let expected = ["train", "--token", "***", "--set", "x.password=***", "--seed", "7", "--secret", "env:X"];
        assert_eq!(words(given), expected);
    }

    #[test]
    fn documents_are_gone_through() {
        let mut value = serde_json::json!({
            "store": { "password": "geheim", "database": "postgres://a:b@c/d" },
            "list": ["token=abc"], "token": "", "secret": "file:/run/secret",
        });
        json(&mut value);
        let expected = serde_json::json!({
            "store": { "password": "***", "database": "postgres://***@c/d" },
            "list": ["token=***"], "token": "", "secret": "file:/run/secret",
        });
        assert_eq!(value, expected);
    }
}
