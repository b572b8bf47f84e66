//! MLflow scoring and the Open Inference Protocol answer as the native route does.

use serde_json::json;

use super::*;

async fn native(bench: &Bench, count: usize) -> Value {
    bench.predict(&json!({"rows": rows(count)})).await.is(200).json()
}

#[tokio::test]
async fn mlflow_takes_four_forms_of_json_and_csv() {
    let bench = Bench::new();
    let expected = native(&bench, 10).await["predictions"].clone();
    let all = rows(10);
    let names: Vec<&String> = all[0].as_object().unwrap().keys().collect();
    let data: Vec<Vec<&Value>> = all.iter().map(|row| names.iter().map(|name| &row[name.as_str()]).collect()).collect();
    let columns: serde_json::Map<String, Value> = names
        .iter()
        .map(|name| ((*name).clone(), all.iter().map(|row| row[name.as_str()].clone()).collect()))
        .collect();
    let ask = async |body: Value| bench.post("/invocations", "application/json", body.to_string()).await;
    for body in [
        json!({"dataframe_split": {"columns": names, "index": [0, 1], "data": data}}),
        json!({"dataframe_split": {"data": data, "columns": names}, "params": {"x": 1}}),
        json!({"dataframe_records": all}),
        json!({"instances": all}),
        json!({"inputs": all}),
        json!({"inputs": columns}),
    ] {
        let back = ask(body).await.is(200);
        assert_eq!((&back.json()["predictions"], &back.json()["model_version"]), (&expected, &json!("1")));
    }
    let text: String = table().lines().take(11).map(|line| format!("{line}\n")).collect();
    assert_eq!(bench.post("/invocations", "text/csv", text).await.is(200).json()["predictions"], expected);
    // Python writes NaN where a frame has no value.
    let mut missing = all[0].clone();
    missing["satisfaction"] = "MARK".into();
    let body = json!({"dataframe_records": [missing]}).to_string().replace("\"MARK\"", "NaN");
    bench.post("/invocations", "application/json", body).await.is(200);
    bench.get("/ping").await.is(200);
    assert!(bench.get("/version").await.is(200).text().starts_with(|c: char| c.is_ascii_digit()));
}

#[tokio::test]
async fn mlflow_refuses_all_with_400_and_unknown_types_with_415() {
    let bench = Bench::new();
    let mut all = rows(3);
    all[1]["tenure_months"] = "abc".into();
    for (body, part) in [
        (json!({"dataframe_records": all}).to_string(), "row 1, column `tenure_months`: `abc` is not a number"),
        (json!({"dataframe_records": [{"plan": 1}]}).to_string(), "no row has"),
        (json!({"records": all}).to_string(), "dataframe_split"),
        (json!({"dataframe_split": {"columns": ["a"]}}).to_string(), "needs `columns` and `data`"),
        (json!({"dataframe_split": {"columns": ["a"], "data": [[1, 2]]}}).to_string(), "no row has"),
        (json!({"inputs": {"plan": ["a", "b"], "country": ["c"]}}).to_string(), "values, those before it have"),
        (json!({"instances": []}).to_string(), "at least one"),
        ("[]".into(), "dataframe_split"),
        ("{".into(), "byte"),
        (String::new(), "empty"),
    ] {
        let back = bench.post("/invocations", "application/json", body).await.is(400).json();
        assert_eq!(back["error_code"], "BAD_REQUEST");
        assert!(back["message"].as_str().unwrap().contains(part), "{back}");
    }
    bench.post("/invocations", "application/xml", "<a/>").await.is(415);
    bench.post_with("/invocations", &[], "{}").await.is(415);
}

/// The tensors of a table, one for each column of the model.
fn tensors(count: usize) -> Vec<Value> {
    let all = rows(count);
    let served = Served::new("churn", "1", fixture().churn.clone(), None).unwrap();
    let tensor = |(name, kind): &(String, tabwright_core::Kind)| {
        let value = |row: &Value| match (kind.is_numeric(), row[name].as_str()) {
            (true, Some(text)) => text.parse::<Value>().unwrap(),
            (true, None) => Value::Null,
            (false, text) => text.unwrap_or_default().into(),
        };
        let data: Vec<Value> = all.iter().map(value).collect();
        let datatype = if kind.is_numeric() { "FP64" } else { "BYTES" };
        json!({"name": name, "shape": [count], "datatype": datatype, "data": data})
    };
    served.expected.iter().map(tensor).collect()
}

const INFER: &str = "/v2/models/churn/infer";

#[tokio::test]
async fn tensors_in_json_get_the_answers_of_rows() {
    let bench = Bench::new();
    let expected = native(&bench, 8).await;
    let back = bench
        .post(INFER, "application/json", json!({"id": "q", "inputs": tensors(8)}).to_string())
        .await
        .is(200)
        .json();
    assert_eq!((&back["model_name"], &back["model_version"], &back["id"]), (&json!("churn"), &json!("1"), &json!("q")));
    assert_eq!(
        back["outputs"][0],
        json!({"name": "prediction", "datatype": "BYTES", "shape": [8], "data": expected["predictions"]})
    );
    let flat: Vec<&Value> =
        expected["probabilities"].as_array().unwrap().iter().flat_map(|p| p.as_array().unwrap()).collect();
    assert_eq!(back["outputs"][1], json!({"name": "probabilities", "datatype": "FP64", "shape": [8, 2], "data": flat}));
    let mut nested = tensors(8);
    for tensor in &mut nested {
        tensor["shape"] = json!([8, 1]);
        tensor["data"] = tensor["data"].as_array().unwrap().iter().map(|value| json!([value])).collect();
    }
    let only = json!({"inputs": nested, "outputs": [{"name": "probabilities"}]});
    let back =
        bench.post("/v2/models/churn/versions/1/infer", "application/json", only.to_string()).await.is(200).json();
    assert_eq!((back["outputs"].as_array().unwrap().len(), &back["outputs"][0]["data"]), (1, &json!(flat)));
}

#[tokio::test]
async fn one_matrix_has_the_columns_of_the_model_in_their_order() {
    let bench = Bench::new();
    let expected = native(&bench, 8).await["predictions"].clone();
    let columns = tensors(8);
    let text = |tensor: &Value, row: usize| match &tensor["data"][row] {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        number => number.to_string(),
    };
    let flat: Vec<String> = (0..8).flat_map(|row| columns.iter().map(move |tensor| text(tensor, row))).collect();
    let matrix = |width: usize| {
        json!({"inputs": [{"name": "x", "shape": [8, width], "datatype": "BYTES", "data": &flat[..8 * width]}]})
            .to_string()
    };
    let back = bench.post(INFER, "application/json", matrix(columns.len())).await.is(200).json();
    assert_eq!(back["outputs"][0]["data"], expected);
    let back = bench.post(INFER, "application/json", matrix(columns.len() - 1)).await.is(400).json();
    assert!(back["error"].as_str().unwrap().contains("as a matrix it has"), "{back}");
}

/// A request in the binary extension.
fn binary(count: usize) -> (usize, Vec<u8>) {
    let mut header = json!({"inputs": tensors(count), "parameters": {"binary_data_output": true}});
    let mut bytes = Vec::new();
    for tensor in header["inputs"].as_array_mut().unwrap() {
        let before = bytes.len();
        for value in tensor["data"].as_array().unwrap() {
            match tensor["datatype"].as_str() {
                Some("FP64") => bytes.extend(value.as_f64().unwrap_or(f64::NAN).to_le_bytes()),
                _ => {
                    let text = value.as_str().unwrap();
                    bytes.extend((text.len() as u32).to_le_bytes());
                    bytes.extend(text.as_bytes());
                }
            }
        }
        tensor.as_object_mut().unwrap().remove("data");
        tensor["parameters"] = json!({"binary_data_size": bytes.len() - before});
    }
    let header = header.to_string();
    (header.len(), [header.into_bytes(), bytes].concat())
}

#[tokio::test]
async fn binary_tensors_go_both_ways_and_broken_ones_are_refused() {
    let bench = Bench::new();
    let expected = native(&bench, 8).await;
    let (length, body) = binary(8);
    let ask = async |length: usize, body: Vec<u8>| {
        let length = length.to_string();
        let headers = [("content-type", "application/octet-stream"), (crate::infer::HEADER_LENGTH, length.as_str())];
        bench.post_with(INFER, &headers, body).await
    };
    let back = ask(length, body.clone()).await.is(200);
    let split: usize = back.headers[crate::infer::HEADER_LENGTH].to_str().unwrap().parse().unwrap();
    let header: Value = serde_json::from_slice(&back.bytes[..split]).unwrap();
    let size = header["outputs"][0]["parameters"]["binary_data_size"].as_u64().unwrap() as usize;
    let numbers: Vec<f64> =
        back.bytes[split + size..].chunks_exact(8).map(|b| f64::from_le_bytes(b.try_into().unwrap())).collect();
    let wanted: Vec<f64> = expected["probabilities"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|p| p.as_array().unwrap().iter().map(|x| x.as_f64().unwrap()))
        .collect();
    assert_eq!(numbers, wanted);
    for (length, body) in [
        (length, body[..body.len() - 1].to_vec()),
        (length, [body.clone(), vec![0]].concat()),
        (length - 1, body.clone()),
        (length + 1, body.clone()),
        (usize::MAX, body.clone()),
    ] {
        let back = ask(length, body).await.is(400);
        assert!(back.json()["error"].is_string(), "{}", back.text());
    }
}

#[tokio::test]
async fn tensors_of_wrong_shapes_types_and_names_are_refused_in_the_form_of_the_protocol() {
    let bench = Bench::new();
    let changed = |at: usize, change: &dyn Fn(&mut Value)| {
        let mut all = tensors(2);
        change(&mut all[at]);
        json!({"inputs": all})
    };
    let number = tensors(1).iter().position(|t| t["name"] == "tenure_months").unwrap();
    for (body, part) in [
        (changed(number, &|t| t["data"] = json!([1])), "1 values, its shape says 2"),
        (changed(number, &|t| t["shape"] = json!([3])), "[2] or [2, 1] is needed"),
        (changed(number, &|t| t["shape"] = json!([])), "is needed"),
        (changed(number, &|t| t["shape"] = json!([2, u64::MAX])), "larger than any memory"),
        (changed(number, &|t| t["shape"] = json!([-1])), "whole number"),
        (changed(number, &|t| t["datatype"] = "FP65".into()), "no datatype `FP65`"),
        (changed(number, &|t| t["data"] = json!(["x", "y"])), "not of the datatype"),
        (changed(number, &|t| drop(t.as_object_mut().unwrap().remove("data"))), "has no data"),
        (changed(number, &|t| t["name"] = "tenure_month".into()), "did you mean `tenure_month`"),
        (changed(number, &|t| t["data"] = json!([[[[[[1]]]]], 2])), "deeper"),
        (json!({"inputs": []}), "no `inputs`"),
        (json!({"inputs": [tensors(1)[0], tensors(1)[0]]}), "twice"),
        (json!({"inputs": tensors(1), "outputs": [{"name": "weather"}]}), "no output `weather`"),
        (json!([]), "not a JSON object"),
    ] {
        let back = bench.post(INFER, "application/json", body.to_string()).await.is(400).json();
        assert!(back["error"].as_str().unwrap().contains(part), "{part}: {back}");
    }
    let back = bench.get("/v2/models/nobody").await.is(404).json();
    assert!(back["error"].as_str().unwrap().contains("no model `nobody`"));
    bench.get("/v2/models/nobody/ready").await.is(404);
}

#[tokio::test]
async fn the_server_and_its_models_are_described() {
    let bench = Bench::new();
    assert_eq!(bench.get("/v2").await.is(200).json()["extensions"], json!(["binary_tensor_data"]));
    assert_eq!(bench.get("/v2/health/live").await.is(200).json()["live"], true);
    assert_eq!(bench.get("/v2/models/churn/ready").await.is(200).json()["ready"], true);
    let about = bench.get("/v2/models/houses/versions/1").await.is(200).json();
    assert_eq!(about["outputs"], json!([{"name": "prediction", "datatype": "FP64", "shape": [-1]}]));
    let own = bench.get("/v1/models/churn").await.is(200).json();
    assert_eq!(own["classes"], bench.predict(&json!(rows(1))).await.json()["classes"]);
    let page = async |host: &str, forwarded: &str| {
        let request = Request::get("/docs").header("host", host).header("x-forwarded-proto", forwarded);
        bench.send(request.body(Body::empty()).unwrap()).await.text()
    };
    let shown = page("localhost:8080", "http").await;
    assert!(shown.contains("curl 'http://localhost:8080/v1/models/churn/predict'"), "{shown}");
    assert!(shown.contains("one of: ") && !shown.contains("never missing") && shown.contains("<code>explain</code>"));
    assert!(page("localhost", "https").await.contains("https://localhost/v1/models/churn/predict"));
}
