//! The table of routes: who may use which, and what every answer has.

use tabwright_store::{Scope, Token, token_hash};

use super::*;
use crate::http::{ROUTES, Verb};
use crate::options::Secret;

fn token(scope: Scope, text: &str, expires: Option<i64>, revoked: Option<i64>) -> Token {
    Token { id: text.to_owned(), name: text.to_owned(), scope, hash: token_hash(text), created: 0, expires, revoked }
}

fn guarded() -> Bench {
    let all: Vec<Token> = Scope::ALL.iter().map(|scope| token(*scope, scope.name(), None, None)).collect();
    let mut all = all;
    all.push(token(Scope::Admin, "expired", Some(1), None));
    all.push(token(Scope::Admin, "revoked", None, Some(1)));
    let configured = Secret("of the configuration".into());
    let tokens = Tokens::new(&all, Some(&configured), true);
    let churn = entry("churn", &[("1", &fixture().churn)], &[("champion", "1")]);
    let catalog = Catalog { models: [("churn".to_owned(), churn)].into(), default: None };
    Bench::serving(catalog, Changing::default(), tokens)
}

async fn status(bench: &Bench, method: Verb, path: &str, token: Option<&str>) -> u16 {
    let mut request = Request::builder().method(method.name()).uri(path).header("host", "localhost");
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    bench.send(request.body(Body::empty()).unwrap()).await.status.as_u16()
}

#[tokio::test]
async fn every_route_lets_in_who_has_its_scope_and_nobody_else() {
    let bench = guarded();
    for route in ROUTES {
        let path = route.path.replace("{name}", "churn").replace("{version}", "1").replace("{alias}", "champion");
        let ask = async |token| status(&bench, route.method, &path, token).await;
        let Some(needed) = route.scope else {
            assert!(ask(None).await < 400, "{path}");
            continue;
        };
        for token in [None, Some("unknown"), Some("expired"), Some("revoked"), Some("")] {
            assert_eq!(ask(token).await, 401, "{path} {token:?}");
        }
        for scope in Scope::ALL {
            let found = ask(Some(scope.name())).await;
            assert_eq!(found == 403, scope < needed, "{path} with {}: {found}", scope.name());
            assert_ne!(found, 401, "{path} with {}", scope.name());
        }
        assert_eq!(ask(Some("of the configuration")).await == 403, Scope::Predict < needed, "{path}");
    }
    let wrong = Request::get("/v1/models").header("host", "localhost").header("authorization", "Basic abc");
    bench.send(wrong.body(Body::empty()).unwrap()).await.is(401).says("unauthorized", "must be `Bearer TOKEN`");
}

#[tokio::test]
async fn answers_say_who_asked_and_forbid_what_pages_could_do_with_them() {
    let bench = Bench::new();
    for path in ["/health/live", "/nothing", "/docs", "/v1/models/nobody"] {
        let back = bench.get(path).await;
        for (name, value) in [("x-content-type-options", "nosniff"), ("cache-control", "no-store")] {
            assert_eq!(back.headers[name], value, "{path}");
        }
        assert!(back.headers["content-security-policy"].to_str().unwrap().starts_with("default-src 'none'"), "{path}");
        assert!(back.headers.contains_key("x-request-id"), "{path}");
    }
    let with = |name: &str, value: &str| {
        Request::get("/health/live").header("host", "localhost").header(name, value).body(Body::empty()).unwrap()
    };
    let own = bench.send(with("x-request-id", "order-7")).await;
    assert_eq!(own.headers["x-request-id"], "order-7");
    let long = bench.send(with("x-request-id", &"x".repeat(500))).await;
    assert_eq!(long.headers["x-request-id"].len(), 32, "an id that is none is replaced");
    bench.send(with("origin", "https://evil.example")).await.is(403).says("foreign_origin", "serve.origins");
    let foreign = |path: &str| Request::get(path).header("host", "evil.example").body(Body::empty()).unwrap();
    bench.send(foreign("/v1/models")).await.is(421).says("foreign_host", "serve.hosts");
    bench.send(foreign("/health/ready")).await.is(200);
}

#[tokio::test]
async fn browsers_of_allowed_origins_may_ask() {
    let settings = Changing { origins: vec!["https://app.example".into()], ..Changing::default() };
    let churn = entry("churn", &[("1", &fixture().churn)], &[]);
    let catalog = Catalog { models: [("churn".to_owned(), churn)].into(), default: None };
    let bench = Bench::serving(catalog, settings, Tokens::default());
    let ask = |origin: &str| {
        let path = "/v1/models/churn/predict";
        let request =
            Request::builder().method("OPTIONS").uri(path).header("host", "localhost").header("origin", origin);
        request.body(Body::empty()).unwrap()
    };
    let allowed = bench.send(ask("https://app.example")).await.is(204);
    assert_eq!(allowed.headers["access-control-allow-origin"], "https://app.example");
    assert_eq!(allowed.headers["allow"], "POST");
    bench.send(ask("https://evil.example")).await.is(403);
    let plain = Request::builder().method("OPTIONS").uri("/metrics").header("host", "localhost");
    assert_eq!(bench.send(plain.body(Body::empty()).unwrap()).await.is(204).headers["allow"], "GET");
    let other =
        bench.post("/metrics", "text/plain", "").await.is(405).says("other_method", "POST is not for this path");
    assert_eq!(other.headers["allow"], "GET");
}

#[tokio::test]
async fn health_metrics_and_documents_are_there() {
    let bench = Bench::new();
    assert_eq!(bench.get("/health/live").await.is(200).json()["status"], "live");
    assert_eq!(bench.get("/health/ready").await.is(200).json()["status"], "ready");
    bench.predict(&serde_json::json!({"rows": rows(3)})).await.is(200);
    let metrics = bench.get("/metrics").await.is(200).text();
    for line in [
        "tabwright_requests_total{operation=\"predict\",status=\"200\"} 1",
        "tabwright_predicted_rows_total{model=\"churn\",version=\"1\"} 3",
        "tabwright_model_served{model=\"houses\",version=\"1\"} 1",
        "tabwright_request_seconds_count{operation=\"predict\"} 1",
        "tabwright_in_flight 1",
    ] {
        assert!(metrics.contains(line), "{line} in {metrics}");
    }
    assert!(metrics.ends_with("# EOF\n"));
    let page = bench.get("/docs").await.is(200).text();
    assert!(page.contains("tenure_months") && page.contains("month-to-month") && page.contains("POST /invocations"));
    let openapi = bench.get("/openapi.json").await.is(200).json();
    assert_eq!(openapi["openapi"], "3.1.0");
    let row = &openapi["components"]["schemas"]["Row1"];
    assert_eq!(row["properties"]["tenure_months"]["x-kind"], "integer");
    let example =
        openapi["paths"]["/v1/models/churn/predict"]["post"]["requestBody"]["content"]["application/json"]["example"]
            .clone();
    let back = bench.predict(&example).await.is(200).json();
    assert_eq!(back["predictions"].as_array().unwrap().len(), 1, "the example of the description is answered");
    bench.app.drain();
    assert_eq!(bench.get("/health/ready").await.is(503).json()["status"], "draining");
    bench.get("/ping").await.is(503);
    let last = bench.predict(&example).await.is(200);
    assert_eq!(last.headers["connection"], "close", "who asks a server that drains is answered, and told to go");
    bench.get("/health/live").await.is(200);
}

#[tokio::test]
async fn a_reload_that_fails_tells_no_caller_what_the_log_says() {
    let back = Bench::new().post("/v1/reload", "application/json", "").await.is(409);
    assert!(!back.text().contains("/etc"), "{}", back.text());
}
