//! The native route: its forms, its options, and what is wrong with rows.

use serde_json::json;

use super::*;
use crate::options::Limits;

#[tokio::test]
async fn one_row_many_and_every_form_get_the_same_answers() {
    let bench = Bench::new();
    let all = rows(20);
    let many = bench.predict(&json!({"rows": all})).await.is(200).json();
    assert_eq!((&many["model"], &many["model_version"]), (&json!("churn"), &json!("1")));
    assert_eq!(many["classes"], json!(["no", "yes"]));
    for (index, row) in all.iter().enumerate() {
        for body in [row.clone(), json!([row]), json!({"instances": [row]}), json!({"rows": [row], "flags": false})] {
            let one = bench.predict(&body).await.is(200).json();
            assert_eq!(one["predictions"][0], many["predictions"][index]);
            assert_eq!(one["probabilities"][0], many["probabilities"][index]);
        }
    }
    let typed: Vec<Value> = all.iter().map(typed).collect();
    assert_eq!(bench.predict(&json!(typed)).await.is(200).json()["probabilities"], many["probabilities"]);
}

/// A row with numbers and booleans as such.
fn typed(row: &Value) -> Value {
    let value = |value: &Value| match value.as_str() {
        Some(text) => text.parse().unwrap_or_else(|_| value.clone()),
        None => value.clone(),
    };
    Value::Object(row.as_object().unwrap().iter().map(|(name, v)| (name.clone(), value(v))).collect())
}

#[tokio::test]
async fn a_row_that_cannot_be_used_gets_its_own_error_and_the_others_are_answered() {
    let bench = Bench::new();
    let mut all = rows(4);
    all[1]["tenure_months"] = "abc".into();
    all[2]["monthly_charge"] = json!([1]);
    all[3] = json!(7);
    let back = bench.predict(&json!({"rows": all})).await.is(200).json();
    assert!(back["predictions"][0].is_string() && back["probabilities"][0].is_array());
    assert!((1..4).all(|row| back["predictions"][row].is_null() && back["probabilities"][row].is_null()));
    let errors = back["errors"].as_array().unwrap();
    assert_eq!(errors[0], json!({"row": 1, "column": "tenure_months", "found": "abc", "message": "not a number"}));
    assert_eq!((&errors[1]["row"], &errors[1]["column"]), (&json!(2), &json!("monthly_charge")));
    assert_eq!(errors[2]["row"], 3);
    let none = bench.predict(&json!({"rows": all[1..]})).await.is(422);
    assert_eq!(none.json()["model_version"], "1");
    let none = none.says("unusable_rows", "row 0, column `tenure_months`: `abc` is not a number");
    assert_eq!(none.json()["errors"].as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn ids_reasons_flags_and_kept_columns_are_given() {
    let bench = Bench::new();
    let mut all = rows(2);
    all[1]["plan"] = "unheard of".into();
    all[1]["tenure_months"] = 9_999.into();
    let asked = json!({"rows": all, "ids": ["a", "b"], "explain": 2, "flags": true, "keep": ["customer_id", "plan"]});
    let back = bench.predict(&asked).await.is(200).json();
    assert_eq!(back["ids"], json!(["a", "b"]));
    assert_eq!(back["keep"][1], json!({"customer_id": all[1]["customer_id"], "plan": "unheard of"}));
    assert_eq!(back["flags"][0], json!([]));
    let codes: Vec<&str> = back["flags"][1].as_array().unwrap().iter().map(|f| f["code"].as_str().unwrap()).collect();
    assert!(codes.contains(&"unseen_levels") && codes.contains(&"out_of_range"), "{codes:?}");
    let reasons = back["reasons"][0].as_array().unwrap();
    assert!(reasons.len() == 2 && reasons[0]["feature"].is_string() && reasons[0]["contribution"].is_number());
    let by_column = bench.predict(&json!({"rows": all, "ids": "customer_id"})).await.is(200).json();
    assert_eq!(by_column["ids"], json!([all[0]["customer_id"], all[1]["customer_id"]]));
    let drawn = bench.predict(&json!(all)).await.is(200);
    let id = drawn.headers["x-request-id"].to_str().unwrap().to_owned();
    assert_eq!(drawn.json()["ids"], json!([format!("{id}-0"), format!("{id}-1")]));
    let path = "/v1/models/churn/predict?explain=1&ids=customer_id&keep=plan,country";
    let by_query = bench.post(path, "application/json", json!(all).to_string()).await.is(200).json();
    assert_eq!(by_query["keep"][0].as_object().unwrap().len(), 2);
    assert_eq!(by_query["reasons"][0].as_array().unwrap().len(), 1);
    // A weighted sum is explained against a typical row, so that one row alone has reasons.
    let linear =
        bench.post("/v1/models/churn/versions/2/predict?explain=3", "application/json", all[0].to_string()).await;
    assert_eq!(linear.is(200).json()["reasons"][0].as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn a_threshold_moves_the_label_and_not_the_probability() {
    let bench = Bench::new();
    let all = rows(50);
    let low = bench.predict(&json!({"rows": all, "threshold": 0.0})).await.is(200).json();
    let high = bench.predict(&json!({"threshold": 1, "rows": all})).await.is(200).json();
    assert!(low["predictions"].as_array().unwrap().iter().all(|p| p == "yes"));
    assert!(high["predictions"].as_array().unwrap().iter().all(|p| p == "no"));
    assert_eq!(low["probabilities"], high["probabilities"]);
}

#[tokio::test]
async fn what_cannot_be_asked_is_refused_with_the_reason() {
    let bench = Bench::new();
    let row = &rows(1)[0];
    for (asked, code, part) in [
        (json!({"rows": [row], "interval": 0.9}), "not_carried", "carries no intervals"),
        (json!({"rows": [row], "set": true}), "not_carried", "carries no sets"),
        (json!({"rows": [row], "threshhold": 0.4}), "unknown_option", "did you mean `threshold`"),
        (json!({"rows": [row], "threshold": 7}), "bad_option", "between 0 and 1"),
        (json!({"rows": [row], "ids": ["a", "b"]}), "bad_option", "2 ids for 1 row"),
        (json!({"rows": [row], "ids": [""]}), "bad_option", "cannot be one"),
        (json!({"rows": [row], "keep": ["nobody"]}), "bad_option", "no row has it"),
        (json!({"rows": [row], "keep": ["customer_ids"]}), "bad_option", "did you mean `customer_id`"),
        (json!({"rows": [row], "ids": "customer"}), "bad_option", "the ids are to come from the column `customer`"),
        (json!({"rows": [row], "keep": ["plan", "country", "plan"]}), "bad_option", "`plan` is to be kept twice"),
        (json!({"rows": [row], "keep": (0..1001).collect::<Vec<_>>()}), "bad_option", "at most 1000"),
        (json!({"rows": [row], "explain": "much"}), "bad_option", "explain"),
        (json!({"rows": []}), "no_rows", "at least one"),
        (json!(7), "bad_json", "a number"),
    ] {
        bench.predict(&asked).await.is(400).says(code, part);
    }
    bench.predict(&json!({"tenure": 3})).await.is(422).says("missing_column", "`tenure_months`");
    let mut renamed = row.as_object().unwrap().clone();
    let plan = renamed.remove("plan").unwrap();
    renamed.insert("Plan".into(), plan);
    let back = bench.predict(&json!(renamed)).await.is(422).says("missing_column", "did you mean `Plan`");
    assert_eq!((&back.json()["error"]["column"], &back.json()["model_version"]), (&json!("plan"), &json!("1")));
    let houses = bench.post("/v1/models/houses/predict?threshold=0.4", "application/json", "[{}]").await;
    houses.is(400).says("not_carried", "regression");
    bench.post("/v1/models/chrun/predict", "application/json", "[]").await.is(404).says("unknown_model", "`churn`");
    bench
        .post("/v1/models/churn/versions/9/predict", "application/json", "[]")
        .await
        .is(404)
        .says("unknown_version", "1, 2");
    bench
        .post("/v1/models/churn/aliases/nxt/predict", "application/json", "[]")
        .await
        .is(404)
        .says("unknown_alias", "`next`");
    bench.get("/v1/models/churn/predict").await.is(405);
    bench.post("/v1/models/churn/predict", "text/weird", "x").await.is(415).says("unknown_type", "text/weird");
    bench.post("/v1/models/churn/predict", "application/json; charset=latin1", "x").await.is(415);
    let header = [("content-type", "application/json"), ("accept", "image/png")];
    bench.post_with("/v1/models/churn/predict", &header, row.to_string()).await.is(406);
}

#[tokio::test]
async fn rows_in_another_form_are_told_the_form_and_not_the_columns() {
    let bench = Bench::new();
    let row = &rows(1)[0];
    for (asked, part) in [
        (json!({"rows": row}), "`rows` must be a list of objects, it is an object"),
        (json!({"rows": null}), "it is null"),
        (json!({"instances": "x"}), "`instances` must be a list of objects, it is a string"),
        (json!([1]), "row 0 is a number"),
        (json!({"rows": [[1, 2]]}), "row 0 is a list; name the columns"),
        (json!({"rows": [null], "flags": true}), "row 0 is null"),
        (json!({"dataframe_split": {"columns": [], "data": []}}), "POST /invocations"),
        (json!({"inputs": [row]}), "POST /invocations"),
        (json!({"Rows": [row]}), "did you mean it by `Rows`"),
        (json!({"data": [row]}), "must have this name, not `data`"),
    ] {
        bench.predict(&asked).await.is(400).says("bad_json", part);
    }
    let lacking = bench.predict(&json!({"plan": "basic", "history": [{"a": 1}]})).await.is(422);
    lacking.says("missing_column", "no row has");
    let mut flat = row.clone();
    flat["explain"] = 2.into();
    bench.predict(&flat).await.is(400).says("bad_option", "an option stands beside `rows`");
    bench.predict(&json!({"rows": [flat]})).await.is(200);
    flat.as_object_mut().unwrap().remove("explain");
    flat["key"] = "c7".into();
    bench.predict(&flat).await.is(200);
}

#[tokio::test]
async fn numbers_are_read_as_in_a_file_however_they_are_spelled() {
    let bench = Bench::new();
    let with = |value: &str| {
        let mut row = rows(1)[0].clone();
        row["monthly_charge"] = "MARK".into();
        row.to_string().replace("\"MARK\"", value)
    };
    let ask = async |value: &str| bench.post("/v1/models/churn/predict", "application/json", with(value)).await;
    let missing = ask("null").await.is(200).json();
    for spelled in ["\"\"", "\"NaN\"", "\"nan\"", "\" NA \"", "\"null\""] {
        assert_eq!(ask(spelled).await.is(200).json()["probabilities"], missing["probabilities"], "{spelled}");
    }
    let plain = ask("74.25").await.is(200).json();
    for spelled in ["\"74.25\"", "7.425e1", "\" 74.250 \"", "74.2500"] {
        assert_eq!(ask(spelled).await.is(200).json()["probabilities"], plain["probabilities"], "{spelled}");
    }
    for spelled in ["NaN", "Infinity", "-Infinity", "+1", "01", "1.", ".5", "0x10", "1e", "--1", "tru", "'1'"] {
        ask(spelled).await.is(400).says("bad_json", "byte");
    }
    for spelled in ["\"12a\"", "\"1e999\"", "1e999", "\"--\"", "true", "{\"a\": 1}", "[]"] {
        ask(spelled).await.is(422).says("unusable_rows", "monthly_charge");
    }
    ask("\"inf\"").await.is(200);
    let twice = rows(1)[0].to_string().replacen('{', "{\"plan\": \"basic\", ", 1);
    bench.post("/v1/models/churn/predict", "application/json", twice).await.is(422).says("unusable_rows", "twice");
}

#[tokio::test]
async fn limits_are_kept() {
    let limits = Limits { body: 20_000, rows: 5, columns: 30, ..Limits::default() };
    let settings = Changing { limits, ..Changing::default() };
    let churn = entry("churn", &[("1", &fixture().churn)], &[]);
    let catalog = Catalog { models: [("churn".to_owned(), churn)].into(), default: None };
    let bench = Bench::serving(catalog, settings, Tokens::default());
    bench.predict(&json!(rows(5))).await.is(200);
    bench.predict(&json!(rows(6))).await.is(413).says("too_large", "at most 5 rows");
    let csv = |count: usize| table().lines().take(1 + count).map(|line| format!("{line}\n")).collect::<String>();
    bench.post("/invocations", "text/csv", csv(5)).await.is(200);
    bench.post("/invocations", "text/csv", csv(6)).await.is(413);
    let wide: String = (0..40).map(|i| format!("\"c{i}\": 1, ")).collect();
    let wide = rows(1)[0].to_string().replacen('{', &format!("{{{wide}"), 1);
    bench.post("/v1/models/churn/predict", "application/json", wide).await.is(413).says("too_large", "30 columns");
    let padded = format!("{}{}", rows(1)[0], " ".repeat(20_000));
    let back = bench.post("/v1/models/churn/predict", "application/json", padded.clone()).await.is(413);
    assert_eq!(back.headers["connection"], "close", "the rest of it is not worth reading");
    let packed = zstd::encode_all(padded.as_bytes(), 3).unwrap();
    assert!(packed.len() < 2_000);
    let header = [("content-type", "application/json"), ("content-encoding", "zstd")];
    bench.post_with("/v1/models/churn/predict", &header, packed).await.is(413);
    let small = zstd::encode_all(rows(1)[0].to_string().as_bytes(), 3).unwrap();
    bench.post_with("/v1/models/churn/predict", &header, small).await.is(200);
    let header = [("content-type", "application/json"), ("content-encoding", "br")];
    bench.post_with("/v1/models/churn/predict", &header, "x").await.is(415);
    let deep = format!("[{}1{}]", "[".repeat(200), "]".repeat(200));
    bench.post("/v1/models/churn/predict", "application/json", deep).await.is(400).says("bad_json", "too deep");
}

#[tokio::test]
async fn a_body_that_never_comes_ends_with_408() {
    let limits = Limits { request_time: std::time::Duration::from_millis(20), ..Limits::default() };
    let settings = Changing { limits, ..Changing::default() };
    let churn = entry("churn", &[("1", &fixture().churn)], &[]);
    let catalog = Catalog { models: [("churn".to_owned(), churn)].into(), default: None };
    let bench = Bench::serving(catalog, settings, Tokens::default());
    let never = || Body::from_stream(futures_util::stream::pending::<Result<bytes::Bytes, std::io::Error>>());
    for content_type in ["application/json", "text/csv"] {
        bench.post("/v1/models/churn/predict", content_type, never()).await.is(408).says("too_slow", "0.02 s");
    }
}
