//! Paths, names and bodies that mean harm: each gets an answer of the 400s, and nothing changes.

use serde_json::json;
use tabwright_core::random::Keyed;

use super::*;

/// Parts of paths that have done harm elsewhere.
const PARTS: [&str; 24] = [
    "..",
    "%2e%2e",
    "%2e%2e%2f",
    "..%2f..%2fetc%2fpasswd",
    "%00",
    "%0d%0aSet-Cookie:x",
    "..%5c..%5cwindows",
    "%c0%ae%c0%ae",
    "%ff%fe",
    ".tabwright",
    "tabwright.db",
    "artifacts",
    "churn.tw",
    "churn%20",
    "%63hurn%00",
    "churn;x",
    "<script>",
    "'or'1'='1",
    "$%7Bjndi%7D",
    "%7B%7B7*7%7D%7D",
    "CON",
    "~root",
    "-rf",
    "%F0%9F%92%A9",
];

const BODIES: [&str; 22] = [
    "",
    "{",
    "}",
    "[",
    "null",
    "true",
    "\"x\"",
    "[[[[",
    "{\"rows\"",
    "{\"rows\":}",
    "{\"rows\":[}",
    "{\"rows\":{}}",
    "{\"rows\":[[]]}",
    "{\"rows\":[null]}",
    "{\"__proto__\":{}}",
    "\u{feff}{}",
    "{\"a\":1}{\"a\":2}",
    "{\"rows\":[{}],\"rows\":[{}]}",
    "\0",
    "{\"\\ud800\":1}",
    "{'rows':[]}",
    "/* */{}",
];

#[tokio::test]
async fn two_thousand_hostile_paths_get_4xx_and_change_nothing() {
    let bench = Bench::new();
    let before = bench.predict(&json!(rows(3))).await.is(200).json();
    let prefixes = [
        "/",
        "/v1/models/",
        "/v2/models/",
        "/v1/models/churn/versions/",
        "/v1/models/churn/aliases/",
        "/docs/",
        "/metrics/",
    ];
    let suffixes = ["", "/predict", "/infer", "/canary", "/ready", "/versions/1/predict", "/aliases/next/predict"];
    let mut asked = 0;
    for prefix in prefixes {
        for suffix in suffixes {
            for part in PARTS {
                for method in ["GET", "POST"] {
                    let Ok(request) = Request::builder()
                        .method(method)
                        .uri(format!("{prefix}{part}{suffix}"))
                        .header("host", "localhost")
                        .body(Body::from("{}"))
                    else {
                        continue;
                    };
                    let back = bench.send(request).await;
                    assert!(back.status.is_client_error(), "{method} {prefix}{part}{suffix}: {}", back.status);
                    let text = back.text();
                    assert!(!text.contains("panicked") && !text.contains("/root") && !text.contains(".rs:"), "{text}");
                    asked += 1;
                }
            }
        }
    }
    assert!(asked >= 2_000, "{asked}");
    for path in
        ["/v1/models/churn/predict", "/v2/models/churn/infer", "/invocations", "/v1/models/churn/aliases/next/predict"]
    {
        for body in BODIES {
            for content_type in
                ["application/json", "text/csv", "application/x-ndjson", "application/vnd.apache.arrow.stream"]
            {
                let back = bench.post(path, content_type, body).await;
                assert!(
                    back.status.is_client_error(),
                    "{path} {content_type} {body:?}: {} {}",
                    back.status,
                    back.text()
                );
            }
        }
    }
    let mut after = bench.predict(&json!(rows(3))).await.is(200).json();
    after["ids"] = before["ids"].clone();
    assert_eq!(before, after);
}

#[tokio::test]
async fn bodies_with_flipped_bytes_get_an_answer_and_never_a_failure_of_ours() {
    let bench = Bench::new();
    let draws = Keyed::new(7, tabwright_core::random::Purpose::Split);
    let bodies: [(&str, &str, Vec<u8>); 4] = [
        (
            "/v1/models/churn/predict",
            "application/json",
            json!({"rows": rows(2), "flags": true}).to_string().into_bytes(),
        ),
        ("/v1/models/churn/predict", "text/csv", table().into_bytes()[..2_000].to_vec()),
        ("/invocations", "application/json", json!({"dataframe_records": rows(2)}).to_string().into_bytes()),
        ("/v1/models/churn/predict", "application/vnd.apache.arrow.stream", arrow()),
    ];
    for (index, (path, content_type, body)) in bodies.iter().enumerate() {
        for round in 0..250u64 {
            let mut broken = body.clone();
            for flip in 0..1 + round % 4 {
                let draw = draws.bits((index as u64) << 32 | round << 8 | flip);
                let at = (draw % broken.len() as u64) as usize;
                broken[at] = (draw >> 40) as u8;
            }
            let back = bench.post(path, content_type, broken).await;
            assert!(back.status.as_u16() < 500, "{path} {content_type} {round}: {} {}", back.status, back.text());
        }
    }
}

fn arrow() -> Vec<u8> {
    let inputs = tabwright_data::resolve_inputs(std::slice::from_ref(&fixture().file)).unwrap();
    let options = tabwright_data::ReadOptions::default();
    let table = tabwright_data::read_table(&inputs, &options, Context::silent()).unwrap().table.take(&[0, 1, 2]);
    let file = fixture().folder.path().join("few.arrow");
    tabwright_data::write_table(&table, &file.to_string_lossy(), None).unwrap();
    std::fs::read(file).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn packed_bodies_are_unpacked_within_limits_and_to_their_end() {
    let settings = Changing {
        limits: crate::options::Limits { body: 1 << 20, bulk_body: 8 << 20, ..Default::default() },
        ..Changing::default()
    };
    let churn = entry("churn", &[("1", &fixture().churn)], &[]);
    let bench = Bench::serving(
        Catalog { models: [("churn".to_owned(), churn)].into(), default: None },
        settings,
        Tokens::default(),
    );
    let send = async |content_type: &str, packing: &str, body: Vec<u8>| {
        let headers = [("content-type", content_type), ("content-encoding", packing)];
        bench.post_with("/v1/models/churn/predict", &headers, body).await
    };
    let (table, copies) = (table(), 40);
    let (header, lines) = table.split_once('\n').unwrap();
    let table = format!("{header}\n{}", lines.repeat(copies));
    let packed = [("zstd", zstd::encode_all(table.as_bytes(), 3).unwrap()), ("gzip", gzip(table.as_bytes()))];
    for (packing, bytes) in &packed {
        let whole = send("text/csv", packing, bytes.clone()).await.is(200);
        assert_eq!(whole.text().lines().count(), 1 + ROWS * copies);
        for part in [1, 2, 3] {
            let cut = bytes[..bytes.len() * part / 4].to_vec();
            send("text/csv", packing, cut).await.is(400).says("damaged_body", "damaged");
        }
    }
    // A few bytes that are many.
    let spaces = vec![b' '; 16 << 20];
    for (packing, bytes) in [("zstd", zstd::encode_all(&spaces[..], 3).unwrap()), ("gzip", gzip(&spaces))] {
        assert!(bytes.len() < 256 << 10);
        send("text/csv", packing, bytes.clone()).await.is(413);
        send("application/json", packing, bytes).await.is(413);
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    out.write_all(bytes).unwrap();
    out.finish().unwrap()
}

#[tokio::test]
async fn answers_that_would_be_far_larger_than_what_is_asked_are_refused() {
    let bench = Bench::new();
    let mut all = rows(1);
    all.resize(99_000, json!({}));
    for option in ["explain", "flags"] {
        let back = bench.predict(&json!({"rows": all, option: true})).await;
        assert_eq!(back.status, 413, "{option}: {} bytes", back.bytes.len());
        back.says("too_large", "fewer rows");
    }
    let keep: Vec<&str> = vec!["last_note"; 20_000];
    let mut row = rows(1).remove(0);
    row["last_note"] = "x".repeat(20_000).into();
    let back = bench.predict(&json!({"rows": [row], "keep": keep})).await;
    assert!(back.status.is_client_error(), "{}", back.status);
}

#[tokio::test]
async fn names_and_headers_that_mean_harm_are_refused() {
    let bench = Bench::new();
    let row = rows(1)[0].to_string();
    for name in ["\u{202e}", "a\nb", "<img src=x>", &"x".repeat(5_000), "../../etc/passwd", "{name}", "%"] {
        let encoded: String = name.bytes().map(|b| format!("%{b:02X}")).collect();
        let back = bench.post(&format!("/v1/models/{encoded}/predict"), "application/json", row.clone()).await.is(404);
        assert!(back.bytes.len() < 1_500, "a message is short whatever the name");
    }
    for header in ["host", "origin", "authorization", "content-type", "accept", "content-encoding", "x-routing-key"] {
        let value = axum::http::HeaderValue::from_bytes(b"\xff\xfe").unwrap();
        let request = Request::post("/v1/models/churn/predict").header("host", "localhost").header(header, value);
        let back = bench.send(request.body(Body::from("{}")).unwrap()).await;
        assert!(back.status.is_client_error(), "{header}: {}", back.status);
    }
    for query in [
        "%ff",
        "explain=-1",
        "explain=99999999999",
        "flags=maybe",
        "threshold=NaN",
        "nobody=1",
        "keep=%00",
        "interval=0.9",
    ] {
        let back = bench.post(&format!("/v1/models/churn/predict?{query}"), "application/json", row.clone()).await;
        assert!(back.status.is_client_error(), "{query}: {} {}", back.status, back.text());
    }
}
