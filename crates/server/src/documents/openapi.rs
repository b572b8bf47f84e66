//! OpenAPI 3.1, made from the table of routes and from the models.

use serde_json::{Map, Value, json};
use tabwright_core::Kind;

use super::columns::{self, Column};
use crate::http::{ROUTES, Route, Verb};
use crate::model::{Catalog, Entry};
use crate::options::Changing;
use crate::refusal::Protocol;

/// The whole document.
pub(super) fn write(catalog: &Catalog, settings: &Changing, needs_token: bool) -> Value {
    let mut paths: Map<String, Value> = Map::new();
    let mut schemas = common();
    for (index, entry) in catalog.models.values().enumerate() {
        schemas.insert(row_name(index), row(entry));
    }
    for route in ROUTES {
        if route.path.contains("{name}") {
            for (index, entry) in catalog.models.values().enumerate() {
                for path in concrete(route, entry) {
                    add(&mut paths, path, route, (Some((index, entry)), settings, needs_token));
                }
            }
        } else {
            let entry = catalog.unnamed().ok();
            let index = entry.and_then(|entry| catalog.models.keys().position(|name| *name == entry.main.name));
            let of_default = entry.zip(index).map(|(entry, index)| (index, &**entry));
            add(&mut paths, route.path.to_owned(), route, (of_default, settings, needs_token));
        }
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Tabwright",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Predictions of the models that are served here. Each answer says which version gave it.",
            "license": {"name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    })
}

fn row_name(index: usize) -> String {
    format!("Row{}", index + 1)
}

/// The paths of a route for one model, with what stands there.
fn concrete(route: &Route, entry: &Entry) -> Vec<String> {
    let path = route.path.replace("{name}", &encoded(&entry.main.name));
    if path.contains("{version}") {
        return entry.versions.keys().map(|version| path.replace("{version}", &encoded(version))).collect();
    }
    if path.contains("{alias}") {
        return entry.aliases.keys().map(|alias| path.replace("{alias}", &encoded(alias))).collect();
    }
    if route.operation == "canary" && entry.canary.is_none() {
        return Vec::new();
    }
    vec![path]
}

/// A part of a path, with what a path cannot hold as `%XX`.
pub(super) fn encoded(part: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~');
    part.bytes().map(|b| if plain(b) { (b as char).to_string() } else { format!("%{b:02X}") }).collect()
}

type Context<'a> = (Option<(usize, &'a Entry)>, &'a Changing, bool);

fn add(paths: &mut Map<String, Value>, path: String, route: &Route, (model, settings, needs_token): Context<'_>) {
    let mut operation = json!({
        "summary": route.about,
        "operationId": format!("{}{}", route.operation, path.replace(|c: char| !c.is_ascii_alphanumeric(), "_")),
        "tags": [match route.protocol {
            Protocol::Native => "Tabwright",
            Protocol::Mlflow => "MLflow",
            Protocol::Infer => "Open Inference",
        }],
        "responses": responses(route, settings),
    });
    if let Some(scope) = route.scope
        && needs_token
    {
        operation["security"] = json!([{"token": []}]);
        operation["description"] = json!(format!("Needs a token with the scope `{}`.", scope.name()));
    }
    let of_predict = route.operation == "predict";
    if of_predict {
        operation["parameters"] = parameters();
    }
    if let Some(body) = body(route, model) {
        operation["requestBody"] = json!({"required": true, "content": body});
    }
    let method = match route.method {
        Verb::Get => "get",
        Verb::Post => "post",
        Verb::Put => "put",
    };
    let item = paths.entry(path).or_insert_with(|| json!({}));
    item[method] = operation;
}

fn responses(route: &Route, settings: &Changing) -> Value {
    let error = match route.protocol {
        Protocol::Native => "Error",
        Protocol::Mlflow => "MlflowError",
        Protocol::Infer => "InferError",
    };
    let content = json!({"application/json": {"schema": {"$ref": format!("#/components/schemas/{error}")}}});
    let refused = |what: &str| json!({"description": what, "content": content});
    let ok = match route.operation {
        "predict" => json!({
            "application/json": {"schema": {"$ref": "#/components/schemas/Predictions"}},
            "application/x-ndjson": {"schema": {"type": "string"}},
            "text/csv": {"schema": {"type": "string"}},
            "application/vnd.apache.arrow.stream": {"schema": {"type": "string", "format": "binary"}},
            "application/vnd.apache.parquet": {"schema": {"type": "string", "format": "binary"}},
        }),
        "docs" => json!({"text/html": {"schema": {"type": "string"}}}),
        "version" => json!({"text/plain": {"schema": {"type": "string"}}}),
        "metrics" => json!({"application/openmetrics-text": {"schema": {"type": "string"}}}),
        "ping" => json!({"application/json": {"schema": {}}}),
        "infer" => json!({
            "application/json": {"schema": {"type": "object"}},
            "application/octet-stream": {"schema": {"type": "string", "format": "binary"}},
        }),
        _ => json!({"application/json": {"schema": {"type": "object"}}}),
    };
    let mut all = json!({"200": {"description": "The answer.", "content": ok}});
    let mut refuse = |status: &str, what: &str| all[status] = refused(what);
    refuse("400", "The request cannot be understood; the message says why.");
    refuse("403", "The token, or the page, may not do this.");
    refuse("421", "The server does not go by this name.");
    if route.scope.is_some() {
        refuse("401", "A token is needed, or this one is not valid.");
    }
    if matches!(route.operation, "ready" | "ping" | "infer_ready") {
        all["503"] = json!({"description": "Not ready: send requests elsewhere.", "content": {"application/json": {"schema": {}}}});
        return all;
    }
    if route.path.contains('{') {
        refuse("404", "There is no such model, version or alias.");
    }
    if route.method == Verb::Get {
        return all;
    }
    refuse("408", "The request did not come in time.");
    refuse(
        "413",
        &format!("Too large: at most {} bytes and {} rows as JSON.", settings.limits.body, settings.limits.rows),
    );
    refuse("415", "Rows do not come in this type.");
    refuse("406", "No answer of this type can be given.");
    refuse("409", "It cannot be done as things are.");
    if route.operation == "labels" {
        refuse("422", "A label cannot be one; the message says which.");
    }
    if route.operation == "predict" {
        let schema = json!({"anyOf": [
            {"$ref": "#/components/schemas/Error"},
            {"$ref": "#/components/schemas/Predictions"},
        ]});
        all["422"] = json!({
            "description": "No row could be used; the message and `errors` say why.",
            "content": {"application/json": {"schema": schema}},
        });
    }
    all["429"] = json!({
        "description": "More is asked than can be answered; come again after the seconds of `Retry-After`.",
        "headers": {"Retry-After": {"schema": {"type": "integer"}}},
        "content": content,
    });
    all
}

/// What may be asked for beside the predictions: name, type and range, and what it does.
pub(super) fn options() -> [(&'static str, Value, &'static str); 6] {
    [
        ("ids", json!({"type": "string"}), "The column that holds the ids of the predictions."),
        (
            "explain",
            json!({"type": "integer", "minimum": 0, "maximum": 65535}),
            "Reasons for each row: so many of the features that moved it most.",
        ),
        ("flags", json!({"type": "boolean"}), "What is unusual about each row."),
        ("keep", json!({"type": "string"}), "Columns to carry through, separated by commas."),
        (
            "threshold",
            json!({"type": "number", "minimum": 0, "maximum": 1}),
            "Probability from which the answer is the positive class.",
        ),
        ("key", json!({"type": "string"}), "Decides whether a canary answers: the same key, the same version."),
    ]
}

fn parameters() -> Value {
    let one = |(name, schema, about)| json!({"name": name, "in": "query", "schema": schema, "description": about});
    options().into_iter().map(one).collect()
}

fn body(route: &Route, model: Option<(usize, &Entry)>) -> Option<Value> {
    let (index, entry) = model?;
    let row = json!({"$ref": format!("#/components/schemas/{}", row_name(index))});
    let example = columns::example(&entry.main);
    let rows = json!({"type": "array", "minItems": 1, "items": row});
    Some(match route.operation {
        "predict" => json!({
            "application/json": {
                "schema": {"type": "object", "required": ["rows"], "properties": {
                    "rows": rows,
                    "ids": {"type": "array", "items": {"type": "string"}},
                    "explain": {"type": "integer", "minimum": 0, "maximum": 65535},
                    "flags": {"type": "boolean"},
                    "keep": {"type": "array", "items": {"type": "string"}},
                    "threshold": {"type": "number", "minimum": 0, "maximum": 1},
                }},
                "example": {"rows": [example]},
            },
            "application/x-ndjson": {"schema": {"type": "string"}, "example": format!("{example}\n")},
            "text/csv": {"schema": {"type": "string"}},
            "application/vnd.apache.arrow.stream": {"schema": {"type": "string", "format": "binary"}},
            "application/vnd.apache.parquet": {"schema": {"type": "string", "format": "binary"}},
        }),
        "invocations" => json!({
            "application/json": {
                "schema": {"type": "object", "properties": {
                    "dataframe_records": rows,
                    "dataframe_split": {"type": "object"},
                    "instances": {"type": "array"},
                    "inputs": {},
                }},
                "example": {"dataframe_records": [example]},
            },
            "text/csv": {"schema": {"type": "string"}},
        }),
        "infer" => json!({"application/json": {
            "schema": {"type": "object", "required": ["inputs"], "properties": {
                "id": {"type": "string"},
                "inputs": {"type": "array", "minItems": 1, "items": {"type": "object",
                    "required": ["name", "shape", "datatype", "data"],
                    "properties": {
                        "name": {"type": "string"},
                        "shape": {"type": "array", "items": {"type": "integer", "minimum": 0}},
                        "datatype": {"type": "string"},
                        "data": {"type": "array"},
                    },
                }},
                "outputs": {"type": "array", "items": {"type": "object"}},
            }},
        }}),
        "labels" => json!({"application/json": {
            "schema": {"type": "object", "required": ["labels"], "properties": {
                "labels": {"type": "array", "minItems": 1, "items": {
                    "type": "object", "required": ["id", "label"], "additionalProperties": false, "properties": {
                        "id": {"type": "string", "description": "The id of the prediction."},
                        "label": label(entry),
                        "time": {"type": "string", "format": "date-time", "description": "When it was true."},
                    },
                }},
            }},
            "example": {"labels": [{"id": "order-7", "label": label_example(entry)}]},
        }}),
        "canary" => json!({"application/json": {
            "schema": {"type": "object", "required": ["share"], "properties": {
                "share": {"type": "number", "minimum": 0, "maximum": 1},
            }},
            "example": {"share": 0.1},
        }}),
        _ => return None,
    })
}

/// What a label can be.
fn label(entry: &Entry) -> Value {
    match entry.main.labels.is_empty() {
        true => json!({"type": "number"}),
        false => json!({"enum": labels(entry)}),
    }
}

fn label_example(entry: &Entry) -> Value {
    labels(entry).into_iter().next_back().unwrap_or_else(|| json!(1.5))
}

/// The classes of a model, as predictions have them.
fn labels(entry: &Entry) -> Vec<Value> {
    let labels = entry.main.labels.iter();
    labels.map(|label| serde_json::from_str(label).unwrap_or_else(|_| json!(label))).collect()
}

/// The columns of a model as a schema.
fn row(entry: &Entry) -> Value {
    let columns = columns::of(&entry.main);
    let properties: Map<String, Value> =
        columns.iter().map(|column| (column.name.to_owned(), property(column))).collect();
    json!({
        "type": "object",
        "title": format!("A row of {}", entry.main.name),
        "description": "Columns that the model does not read are passed over. null is a value that is not known.",
        "required": columns.iter().map(|column| column.name).collect::<Vec<_>>(),
        "properties": properties,
        "example": columns::example(&entry.main),
    })
}

fn property(column: &Column<'_>) -> Value {
    let types = match column.kind {
        Kind::Boolean => json!(["boolean", "null"]),
        // 39.5 years are an age although only whole ones were met before.
        Kind::Integer | Kind::Float => json!(["number", "null"]),
        Kind::Timestamp | Kind::Text => json!(["string", "null"]),
        Kind::Categorical => json!(["string", "number", "boolean", "null"]),
    };
    let mut property = json!({"type": types, "description": column.described(), "x-kind": column.kind.name()});
    if let Some((low, high)) = column.range() {
        property["x-trained-range"] = json!([low, high]);
    }
    if let Some((levels, count)) = column.levels().filter(|_| column.kind == Kind::Categorical) {
        property["x-levels"] = json!(levels);
        property["x-level-count"] = json!(count);
    }
    property["examples"] = json!([column.example()]);
    property
}

/// Schemas that all models share.
fn common() -> Map<String, Value> {
    let all = json!({
        "Error": {"type": "object", "required": ["error"], "properties": {
            "error": {"type": "object", "required": ["code", "message"], "properties": {
                "code": {"type": "string"}, "message": {"type": "string"}, "column": {"type": "string"},
            }},
            "model": {"type": "string"}, "model_version": {"type": "string"}, "request_id": {"type": "string"},
        }},
        "MlflowError": {"type": "object", "required": ["error_code", "message"], "properties": {
            "error_code": {"type": "string"}, "message": {"type": "string"},
        }},
        "InferError": {"type": "object", "required": ["error"], "properties": {"error": {"type": "string"}}},
        "Predictions": {"type": "object", "required": ["predictions", "model", "model_version", "ids"], "properties": {
            "model": {"type": "string"},
            "model_version": {"type": "string"},
            "predictions": {"type": "array", "items": {"type": ["string", "number", "null"]},
                "description": "The label or the number of each row; null where it could not be used."},
            "classes": {"type": "array", "items": {"type": ["string", "number"]}},
            "probabilities": {"type": "array", "description": "For each row one for each class, in the order of `classes`.",
                "items": {"type": ["array", "null"], "items": {"type": "number"}}},
            "ids": {"type": "array", "items": {"type": "string"}},
            "errors": {"type": "array", "items": {"type": "object", "required": ["row", "message"], "properties": {
                "row": {"type": "integer"}, "column": {"type": "string"}, "found": {"type": "string"},
                "message": {"type": "string"},
            }}},
            "reasons": {"type": "array", "items": {"type": ["array", "null"], "items": {"type": "object", "properties": {
                "feature": {"type": "string"}, "contribution": {"type": "number"},
            }}}},
            "flags": {"type": "array", "items": {"type": "array", "items": {"type": "object", "properties": {
                "code": {"type": "string"}, "column": {"type": "string"}, "message": {"type": "string"},
            }}}},
            "keep": {"type": "array", "items": {"type": "object"}},
        }},
    });
    match all {
        Value::Object(all) => all,
        _ => Map::new(),
    }
}
