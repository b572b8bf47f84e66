//! The server as callers meet it, without a socket: requests go in, answers come out.

mod bulk;
mod hostile;
mod motion;
mod native;
mod protocols;
mod routes;
mod wire;

use std::sync::{Arc, OnceLock};

use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::Value;
use tabwright_core::Context;
use tabwright_lifecycle::config::Config;
use tabwright_lifecycle::example::{self, Example};
use tabwright_model::artifact::Artifact;

use crate::app::{App, Beginning};
use crate::auth::Tokens;
use crate::http::RequestBody;
use crate::id::Ids;
use crate::model::{Catalog, Entry, Served};
use crate::options::Changing;

/// Rows of the customers that the models here are trained on.
const ROWS: usize = 400;

/// A table, and a model of it.
struct Fixture {
    folder: tempfile::TempDir,
    file: String,
    churn: Artifact,
    other: Artifact,
    houses: Artifact,
}

fn trained(file: &str, target: &str, candidate: &str) -> Artifact {
    let mut config = Config::default();
    config.data.source = vec![file.to_owned()];
    config.data.target = target.into();
    config.train.candidates = vec![candidate.into()];
    config.selection.folds = 0;
    let registry = tabwright_learn::candidate::Registry::default();
    let surroundings = tabwright_lifecycle::train::Surroundings::default();
    tabwright_lifecycle::train::train(&config, &registry, &surroundings, Context::silent()).unwrap().artifact
}

/// Trained once for all tests.
fn fixture() -> &'static Fixture {
    static FIXTURE: OnceLock<Fixture> = OnceLock::new();
    FIXTURE.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
        let (file, houses) = (at("churn.csv"), at("houses.csv"));
        example::write(Example::Churn, ROWS, 42, &file).unwrap();
        example::write(Example::Houses, ROWS, 42, &houses).unwrap();
        Fixture {
            churn: trained(&file, "churned", "gbdt_leafwise"),
            other: trained(&file, "churned", "logistic_regression"),
            houses: trained(&houses, "price", "ridge"),
            file,
            folder,
        }
    })
}

/// The table of customers as text.
fn table() -> String {
    std::fs::read_to_string(&fixture().file).unwrap()
}

/// The first rows of the table as JSON objects, each value a text as in the file.
fn rows(count: usize) -> Vec<Value> {
    let table = table();
    let mut lines = table.lines();
    let names: Vec<&str> = lines.next().unwrap().split(',').collect();
    let row = |line: &str| {
        let cells = line.split(',').map(|cell| if cell.is_empty() { Value::Null } else { cell.into() });
        Value::Object(names.iter().map(|name| (*name).to_owned()).zip(cells).collect())
    };
    lines.take(count).map(row).collect()
}

/// A server in memory.
struct Bench {
    app: Arc<App>,
}

/// What came back.
#[derive(Debug)]
struct Back {
    status: StatusCode,
    headers: HeaderMap,
    bytes: Vec<u8>,
}

impl Back {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap_or_else(|e| panic!("{e}: {}", self.text()))
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }

    #[track_caller]
    fn is(self, status: u16) -> Self {
        assert_eq!(self.status.as_u16(), status, "{}", self.text());
        self
    }

    /// The message of an error of ours.
    #[track_caller]
    fn says(self, code: &str, part: &str) -> Self {
        let error = &self.json()["error"];
        let message = error["message"].as_str().unwrap_or_default();
        assert!(error["code"] == code && message.contains(part), "{}", self.text());
        self
    }
}

fn entry(name: &str, versions: &[(&str, &Artifact)], aliases: &[(&str, &str)]) -> Arc<Entry> {
    let served = |(version, artifact): &(&str, &Artifact)| {
        ((*version).to_owned(), Arc::new(Served::new(name, version, (*artifact).clone(), None).unwrap()))
    };
    let versions: std::collections::BTreeMap<String, Arc<Served>> = versions.iter().map(served).collect();
    Arc::new(Entry {
        main: Arc::clone(versions.values().next().unwrap()),
        versions,
        aliases: aliases.iter().map(|(alias, version)| ((*alias).to_owned(), (*version).to_owned())).collect(),
        canary: None,
        shadow: None,
        file: None,
    })
}

impl Bench {
    /// Serves one model of customers, and one of houses.
    fn new() -> Self {
        let fixture = fixture();
        let churn =
            entry("churn", &[("1", &fixture.churn), ("2", &fixture.other)], &[("champion", "1"), ("next", "2")]);
        let houses = entry("houses", &[("1", &fixture.houses)], &[]);
        let models = [("churn".to_owned(), churn), ("houses".to_owned(), houses)].into();
        Bench::serving(Catalog { models, default: Some("churn".into()) }, Changing::default(), Tokens::default())
    }

    fn serving(catalog: Catalog, settings: Changing, tokens: Tokens) -> Self {
        let (reload, mut asked) = tokio::sync::mpsc::channel::<tokio::sync::oneshot::Sender<Result<(), String>>>(1);
        tokio::spawn(async move {
            while let Some(answer) = asked.recv().await {
                let _ = answer.send(Err("/etc/secret is not there".into()));
            }
        });
        let ids = Ids::new().unwrap();
        let home = None;
        let app = App::new(Beginning {
            catalog,
            settings,
            tokens,
            is_loopback: true,
            ids,
            home,
            continue_trace: None,
            reload,
        });
        Bench { app }
    }

    async fn send(&self, request: Request<Body>) -> Back {
        let response = crate::http::respond(Arc::clone(&self.app), request.map(RequestBody::given)).await;
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes().to_vec();
        Back { status: parts.status, headers: parts.headers, bytes }
    }

    async fn get(&self, path: &str) -> Back {
        self.send(Request::get(path).header("host", "localhost").body(Body::empty()).unwrap()).await
    }

    async fn post(&self, path: &str, content_type: &str, body: impl Into<Body>) -> Back {
        self.post_with(path, &[("content-type", content_type)], body).await
    }

    async fn post_with(&self, path: &str, headers: &[(&str, &str)], body: impl Into<Body>) -> Back {
        let mut request = Request::post(path).header("host", "localhost");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send(request.body(body.into()).unwrap()).await
    }

    /// Asks the native route of the model of customers.
    async fn predict(&self, body: &Value) -> Back {
        self.post("/v1/models/churn/predict", "application/json", body.to_string()).await
    }
}
