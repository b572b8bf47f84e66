//! Rows in the formats of files: the bits of `predict`, wherever they come from.

use std::io::Write;

use tabwright_lifecycle::predict::{OnError, PredictOptions};

use super::*;

/// What `predict` writes for the table.
fn predicted(name: &str, keep: &[&str]) -> Vec<u8> {
    let output = fixture().folder.path().join(name);
    let options = PredictOptions {
        sources: vec![fixture().file.clone()],
        output: output.to_string_lossy().into_owned(),
        keep: keep.iter().map(|k| (*k).to_owned()).collect(),
        on_error: OnError::Fail,
        ..PredictOptions::default()
    };
    tabwright_lifecycle::predict::predict(&fixture().churn, &options, Context::silent()).unwrap();
    std::fs::read(output).unwrap()
}

const PATH: &str = "/v1/models/churn/predict";

#[tokio::test]
async fn a_file_gets_the_bytes_that_predict_writes() {
    let bench = Bench::new();
    let csv = bench.post(PATH, "text/csv", table()).await.is(200);
    assert_eq!(csv.text(), String::from_utf8(predicted("p.csv", &[])).unwrap());
    let headers =
        ["x-rows", "x-unusable-rows", "x-model", "x-model-version"].map(|name| csv.headers[name].to_str().unwrap());
    assert_eq!(headers, ["400", "0", "churn", "1"]);
    let kept = bench.post(&format!("{PATH}?keep=customer_id"), "text/csv", table()).await.is(200);
    assert_eq!(kept.bytes, predicted("k.csv", &["customer_id"]));
    let lines: String = rows(ROWS).iter().map(|row| format!("{row}\n")).collect();
    let jsonl = bench.post(PATH, "application/x-ndjson", lines.clone()).await.is(200);
    assert_eq!(jsonl.bytes, predicted("p.jsonl", &[]));
    let across =
        bench.post_with(PATH, &[("content-type", "application/x-ndjson"), ("accept", "text/csv")], lines).await;
    assert_eq!(across.is(200).bytes, csv.bytes);
    let document = serde_json::json!({"rows": rows(ROWS)}).to_string();
    let of_json =
        bench.post_with(PATH, &[("content-type", "application/json"), ("accept", "text/csv")], document.clone());
    assert_eq!(of_json.await.is(200).bytes, csv.bytes);
    let as_json = bench.post_with(PATH, &[("content-type", "text/csv"), ("accept", "application/json")], table()).await;
    let of_document = bench.post(PATH, "application/json", document).await.is(200).json();
    assert_eq!(as_json.is(200).json()["probabilities"], of_document["probabilities"]);
}

#[tokio::test]
async fn arrow_and_parquet_go_both_ways() {
    let bench = Bench::new();
    let read = |name: &str| {
        let inputs = tabwright_data::resolve_inputs(&[name.to_owned()]).unwrap();
        tabwright_data::read_table(&inputs, &tabwright_data::ReadOptions::default(), Context::silent()).unwrap().table
    };
    let of_csv = bench.post(PATH, "text/csv", table()).await.is(200).bytes;
    for (ending, content_type) in
        [("arrow", "application/vnd.apache.arrow.stream"), ("parquet", "application/vnd.apache.parquet")]
    {
        let file = fixture().folder.path().join(format!("rows.{ending}"));
        tabwright_data::write_table(&read(&fixture().file), &file.to_string_lossy(), None).unwrap();
        let bytes = std::fs::read(&file).unwrap();
        let csv = bench.post_with(PATH, &[("content-type", content_type), ("accept", "text/csv")], bytes.clone()).await;
        assert_eq!(csv.is(200).bytes, of_csv, "{ending}");
        let same = bench.post(PATH, content_type, bytes).await.is(200);
        assert_eq!(same.headers["content-type"], content_type);
        let answer = fixture().folder.path().join(format!("answer.{ending}"));
        std::fs::write(&answer, same.bytes).unwrap();
        let back = read(&answer.to_string_lossy());
        assert_eq!(
            (back.n_rows(), back.schema().names().collect::<Vec<_>>()),
            (ROWS, vec!["prediction", "probability_no", "probability_yes"])
        );
    }
}

#[tokio::test]
async fn rows_that_cannot_be_used_are_told_in_a_column() {
    let bench = Bench::new();
    let mut lines: Vec<String> = table().lines().map(str::to_owned).collect();
    let column = lines[0].split(',').position(|name| name == "tenure_months").unwrap();
    let mut cells: Vec<&str> = lines[3].split(',').collect();
    cells[column] = "abc";
    lines[3] = cells.join(",");
    let back = bench.post(PATH, "text/csv", lines.join("\n")).await.is(200);
    assert_eq!(
        (back.headers["x-rows"].to_str().unwrap(), back.headers["x-unusable-rows"].to_str().unwrap()),
        ("400", "1")
    );
    let text = back.text();
    let answered: Vec<&str> = text.lines().collect();
    assert_eq!(answered[0], "prediction,probability_no,probability_yes,error");
    assert_eq!(answered[3], ",,,\"row 2, column `tenure_months`: `abc` is not a number\"");
    assert!(answered[4].ends_with(',') && !answered[4].starts_with(','));
    let only = format!("{}\n{}\n", lines[0], lines[3]);
    bench.post(PATH, "text/csv", only).await.is(422).says("unusable_rows", "tenure_months");
}

#[tokio::test]
async fn bodies_are_unpacked_and_those_that_are_none_refused() {
    let bench = Bench::new();
    let plain = bench.post(PATH, "text/csv", table()).await.is(200).bytes;
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(table().as_bytes()).unwrap();
    let gzip = gzip.finish().unwrap();
    let zstd = zstd::encode_all(table().as_bytes(), 3).unwrap();
    for (packing, bytes) in [("gzip", gzip.clone()), ("zstd", zstd.clone())] {
        let headers = [("content-type", "text/csv"), ("content-encoding", packing)];
        assert_eq!(bench.post_with(PATH, &headers, bytes.clone()).await.is(200).bytes, plain, "{packing}");
        let cut = bytes[..bytes.len() / 2].to_vec();
        let back = bench.post_with(PATH, &headers, cut).await;
        assert!(back.status == 400, "{packing}: {} {}", back.status, back.text());
        bench.post_with(PATH, &headers, "no such thing").await.is(400).says("damaged_body", "damaged");
    }
    for (content_type, body, part) in [
        ("text/csv", "", "empty"),
        ("text/csv", "a,b\n1,2\n", "lack"),
        ("text/csv", "a,a\n1,2\n", "a"),
        ("application/x-ndjson", "[1]\n", ""),
        ("application/vnd.apache.arrow.stream", "no arrow at all", "arrow"),
        ("application/vnd.apache.parquet", "PAR1 and no more", "parquet"),
    ] {
        let back = bench.post(PATH, content_type, body).await;
        assert!(back.status.is_client_error(), "{content_type} {body}: {}", back.text());
        assert!(back.text().contains(part), "{content_type} {body}: {}", back.text());
    }
    let mut bytes = table().into_bytes();
    bytes[300] = 0xff;
    bench.post(PATH, "text/csv", bytes).await.is(400).says("bad_rows", "UTF-8");
}

#[tokio::test]
async fn large_bodies_and_answers_lie_in_files_and_are_answered_whole() {
    let bench = Bench::new();
    let table = table();
    let (header, body) = table.split_once('\n').unwrap();
    let copies = 9 * (1 << 20) / body.len() + 1;
    let large = format!("{header}\n{}", body.repeat(copies));
    let back = bench
        .post(&format!("{PATH}?keep=last_note,customer_id,signup_date,plan,contract,country"), "text/csv", large)
        .await;
    let back = back.is(200);
    assert_eq!(back.headers["x-rows"].to_str().unwrap(), (ROWS * copies).to_string());
    assert_eq!(back.text().lines().count(), 1 + ROWS * copies);
    assert!(back.bytes.len() > 8 << 20, "beyond what is held in memory: {}", back.bytes.len());
}
