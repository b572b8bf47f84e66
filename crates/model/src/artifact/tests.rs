//! A model file believes nothing: every flipped bit, every truncation and every hostile manifest is refused.

use serde_json::{Value, json};
use tabwright_core::{Category, Column, Field, Kind, Schema, Table, Task};

use super::*;
use crate::Linear;
use crate::levels::{FrozenLevels, Spelling};
use crate::model::{Link, Predictor, Signature};
use crate::pipeline::{Input, Operator, Output, Pipeline, Step};

fn small_model() -> Model {
    let inputs =
        vec![Input { name: "x".into(), kind: Kind::Float }, Input { name: "c".into(), kind: Kind::Categorical }];
    let levels = FrozenLevels::new(Spelling::Text, ["a", "b"]);
    let steps = [
        Operator::Number { input: 0 },
        Operator::Finite { slot: 0 },
        Operator::ImputeNumber { slot: 1, value: 0.1 },
        Operator::Scale { slot: 2, offset: 0.3, scale: 1.7 },
        Operator::Encode { input: 1, levels },
        Operator::OneHot { slot: 4, columns: vec![u32::MAX, u32::MAX, 0, 1], width: 2 },
    ];
    let outputs = vec![Output { slot: 3, name: "x".into() }, Output { slot: 5, name: "c".into() }];
    let pipeline = Pipeline::new(inputs, steps.map(Step::from).to_vec(), outputs).unwrap();
    let linear = Linear::new(1, vec![0.5], vec![1.0, -0.25, 1e-300]).unwrap();
    let signature = Signature {
        task: Task::Binary { labels: ["no".into(), "yes".into()] },
        target: "y".into(),
        zone: "UTC".into(),
        na: vec![],
    };
    Model::new(signature, "logistic_regression", pipeline, Predictor::Linear(linear), Link::Logistic).unwrap()
}

fn small_bytes() -> Vec<u8> {
    Artifact::new(small_model(), Evidence::default(), Record::default()).to_bytes().unwrap()
}

/// The file with a changed manifest and a checksum that is right again: what an attacker would write.
fn forged(change: impl FnOnce(&mut Value)) -> Vec<u8> {
    let bytes = small_bytes();
    let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let mut header: Value = serde_json::from_slice(&bytes[8..8 + length]).unwrap();
    let mut manifest: Value = serde_json::from_str(header["__metadata__"][MANIFEST].as_str().unwrap()).unwrap();
    change(&mut manifest);
    header["__metadata__"][MANIFEST] = manifest.to_string().into();
    let mut header = header.to_string().into_bytes();
    while !header.len().is_multiple_of(8) {
        header.push(b' ');
    }
    let mut forged = (header.len() as u64).to_le_bytes().to_vec();
    forged.extend(header);
    forged.extend(&bytes[8 + length..bytes.len() - CHECKSUM_BYTES]);
    forged.extend(blake3::hash(&forged).as_bytes());
    forged
}

#[test]
fn a_model_comes_back_as_it_was() {
    let bytes = small_bytes();
    let artifact = Artifact::from_bytes(&bytes).unwrap();
    assert_eq!(artifact.to_bytes().unwrap(), bytes);
    assert_eq!(artifact.content_id(), content_id(&small_model()));
    assert!(Artifact::from_bytes(&forged(|_| ())).is_ok(), "the forger's tools work");
}

#[test]
fn the_checksum_is_the_last_thing_in_the_file() {
    let bytes = small_bytes();
    let body = bytes.len() - CHECKSUM_BYTES;
    assert_eq!(blake3::hash(&bytes[..body]).as_bytes(), &bytes[body..]);
}

#[test]
fn every_flipped_bit_is_refused() {
    let mut bytes = small_bytes();
    for i in 0..bytes.len() {
        for bit in 0..8 {
            bytes[i] ^= 1 << bit;
            assert!(Artifact::from_bytes(&bytes).is_err(), "bit {bit} of byte {i}");
            bytes[i] ^= 1 << bit;
        }
    }
    assert!(Artifact::from_bytes(&bytes).is_ok());
}

#[test]
fn every_truncation_is_refused() {
    let bytes = small_bytes();
    for length in 0..bytes.len() {
        assert!(Artifact::from_bytes(&bytes[..length]).is_err(), "{length} bytes");
    }
}

#[test]
fn other_files_are_named_for_what_they_are() {
    let message = |bytes: &[u8]| Artifact::from_bytes(bytes).unwrap_err().to_string();
    assert!(message(b"").contains("no Tabwright model"));
    assert!(message(b"a,b\n1,2\n").contains("no Tabwright model"));
    let zeros = [0; 64];
    let foreign = [("weights", safetensors::tensor::TensorView::new(Dtype::U8, vec![64], &zeros).unwrap())];
    assert!(message(&safetensors::serialize(foreign, None).unwrap()).contains("another program"));
    assert!(message(&small_bytes()[..900]).contains("damaged"));
}

/// A change of the manifest, and what the refusal says.
type Case = (fn(&mut Value), &'static str);

#[test]
fn hostile_manifests_are_refused() {
    let refused = |change: fn(&mut Value)| Artifact::from_bytes(&forged(change)).unwrap_err().to_string();
    let cases: [Case; 14] = [
        (|m| m["reader"] = json!(2), "newer Tabwright"),
        (|m| m["format"] = json!("x"), "no `format` number"),
        (|m| m["model"]["pipeline"]["steps"][3]["slot"] = json!(9), "slot 9 is not filled"),
        (|m| m["model"]["pipeline"]["steps"][3]["slot"] = json!(3), "slot 3 is not filled"),
        (|m| m["model"]["pipeline"]["steps"][3]["slot"] = json!(-1), "slot"),
        (|m| m["model"]["pipeline"]["steps"][3]["scale"] = json!(0), "scale not 0"),
        (|m| m["model"]["pipeline"]["steps"][5]["width"] = json!(1), "not below 1"),
        (|m| m["model"]["pipeline"]["steps"][0]["input"] = json!(7), "input 7 is not there"),
        (|m| m["model"]["pipeline"]["steps"][0]["operator"] = json!("run_code"), "`run_code`"),
        (|m| m["model"]["pipeline"]["steps"][0]["version"] = json!(2), "version 2 of the operator `number`"),
        (|m| m["model"]["pipeline"]["outputs"][0]["slot"] = json!(u64::MAX), "slot"),
        (|m| m["model"]["signature"]["task"]["labels"][1] = json!("no"), "labels"),
        (|m| m["model"]["link"] = json!("softmax"), "cannot have the link"),
        (|m| m["content_id"] = json!("blake3:00"), "content id"),
    ];
    for (change, expected) in cases {
        let message = refused(change);
        assert!(message.contains(expected), "{expected}: {message}");
    }
}

#[test]
fn what_is_said_about_a_model_is_no_part_of_its_content() {
    let record = Record { created_at: "2026-01-01T00:00:00Z".into(), ..Record::default() };
    let evidence = Evidence { metric: "roc_auc".into(), ..Evidence::default() };
    let one = Artifact::new(small_model(), Evidence::default(), Record::default());
    let other = Artifact::new(small_model(), evidence, record);
    assert_eq!(one.content_id(), other.content_id());
    assert_ne!(one.to_bytes().unwrap(), other.to_bytes().unwrap());
}

fn with_reference() -> Artifact {
    let fields = vec![Field::feature("x", Kind::Float), Field::feature("c", Kind::Categorical)];
    let words = Category::from_strings([Some("b"), None, Some("a"), Some("b")]);
    let columns = vec![Column::Float(vec![0.5, f64::NAN, -1.0, 3.0]), Column::Category(words)];
    let rows = Table::new(Schema::new(fields).unwrap(), columns).unwrap();
    Artifact::new(small_model(), Evidence::default(), Record::default()).with_reference(rows)
}

#[test]
fn reference_rows_come_back_and_are_no_part_of_the_content() {
    let artifact = with_reference();
    assert_eq!(artifact.content_id(), content_id(&small_model()));
    let bytes = artifact.to_bytes().unwrap();
    let read = Artifact::from_bytes(&bytes).unwrap();
    assert_eq!(read.to_bytes().unwrap(), bytes);
    let rows = read.reference().unwrap();
    let Column::Category(words) = rows.column(1) else { panic!("levels") };
    assert_eq!((rows.n_rows(), words.get(0), words.get(1), words.get(2)), (4, Some("b"), None, Some("a")));
    assert!(rows.column(0).is_missing(1) && rows.column(0).number(3) == 3.0);
    assert!(Artifact::from_bytes(&small_bytes()).unwrap().reference().is_none());
    for position in (0..bytes.len()).step_by(7) {
        let mut flipped = bytes.clone();
        flipped[position] ^= 1;
        assert!(Artifact::from_bytes(&flipped).is_err(), "byte {position}");
    }
}

#[test]
fn reference_rows_of_another_model_are_refused() {
    for (stored, says) in [
        (json!({"rows": 0, "columns": []}), "not the inputs of the model"),
        (json!({"rows": 0, "columns": [{"name": "x", "kind": "float", "values": "run"}]}), "reference rows"),
        (
            json!({"columns": [{"name": "x", "kind": "float", "values": "float"}, {"name": "c", "kind": "categorical", "values": "category"}]}),
            "number",
        ),
    ] {
        let error = Artifact::from_bytes(&forged(|m| m["reference"] = stored)).unwrap_err().to_string();
        assert!(error.contains(says), "{says}: {error}");
    }
}
