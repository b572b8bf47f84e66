//! Models and files in a bucket, as a user meets them: the way of a model, and what is said when the bucket does not play along.

use std::time::{Duration, Instant};

use super::{Place, s3};

const TRAIN: &str = "train churn.csv --target churned --folds 2 --candidates logistic_regression --name churn";

impl Place {
    /// A folder whose configuration names a bucket, and an environment that says how it is reached.
    fn at_endpoint(endpoint: &str) -> Self {
        let place = Place { variables: s3::variables(endpoint).into(), ..Place::new() };
        place.write("tabwright.toml", "[store]\nfiles = \"s3://models/team\"\n");
        place.churn(300);
        place
    }

    fn in_bucket() -> (Self, s3::Bucket) {
        let bucket = s3::Bucket::make();
        let place = Place { variables: bucket.variables().into(), ..Place::new() };
        place.write("tabwright.toml", format!("[store]\nfiles = \"{}\"\n", bucket.address()));
        place.churn(300);
        (place, bucket)
    }

    /// The name of the only model file in a bucket.
    fn model_in(bucket: &s3::Bucket) -> String {
        let keys: Vec<String> = bucket.keys().into_iter().filter(|k| k.ends_with(".tw")).collect();
        let [key] = keys.as_slice() else { panic!("{keys:?}") };
        key.strip_prefix("team/files/").unwrap().to_owned()
    }

    /// That no word of the secrets is anywhere in the home.
    fn holds_no_secret(&self) {
        let mut folders = vec![self.path(".tabwright")];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                    continue;
                }
                let bytes = std::fs::read(&path).unwrap();
                for secret in ["geheim", "AKIATEST"] {
                    let found = bytes.windows(secret.len()).any(|w| w == secret.as_bytes());
                    assert!(!found, "{secret} stands in {}", path.display());
                }
            }
        }
    }
}

#[test]
#[ignore = "needs a server; `cargo xtask test` starts one"]
fn a_model_goes_its_way_in_a_bucket() {
    let (place, bucket) = Place::in_bucket();
    place.run(TRAIN).ok().prints("churn:1");
    let first = Place::model_in(&bucket);
    assert!(!place.path(".tabwright/artifacts/models").exists(), "nothing of it lies in the home");
    let trained = place.run(&format!("{TRAIN} --seed 2 --set candidates.logistic_regression.c=0.1 --json"));
    let second = trained.ok().json()["artifact"].as_str().unwrap().to_owned();
    assert!(second.starts_with(&bucket.address()), "{second}");
    let second = second[bucket.address().len() + 1..].to_owned();
    place.run("models show churn").ok().prints("churn: 2 versions");
    place.run("models list").ok().prints("churn");
    place.run("show churn@champion").ok();
    place.run("predict churn@champion churn.csv -o predictions.csv").ok();
    assert_eq!(super::lines(&place.path("predictions.csv")), 301);
    let words = ["models", "promote", "churn:2", "--force", "--why", "a test"];
    place.run_with(&words, b"").ok().prints("churn@champion is version 2 now");
    place.run("models rm churn:1").ok();
    place.run("predict churn:1 churn.csv").exit(2).says("models restore churn:1 brings it back");
    place.run("models restore churn:1").ok();
    place.run("predict churn:1 churn.csv -o predictions.csv").ok();
    place.run("models rm churn:1").ok();
    place.run("gc --older-than 0d --dry-run").ok().prints("1 version (churn:1), 0 files").prints("Kept: 1 file");
    for name in [&first, &second] {
        bucket.age(name);
    }
    let said = place.run("gc --older-than 0d --dry-run").ok().prints("1 version (churn:1), 1 file of").stdout;
    assert!(bucket.read(&first).is_some(), "a dry run frees nothing");
    let done = place.run("gc --older-than 0d").ok().stdout;
    assert_eq!(done.lines().next(), said.lines().next().map(|l| l.replace("Would be freed", "Freed")).as_deref());
    assert!(bucket.read(&first).is_none() && bucket.read(&second).is_some());
    place.run("models restore churn:1").exit(2).says("its number is not used again");
    place.run("models reproduce churn:2").ok().prints("to the last bit");
    place.run("evaluate churn churn.csv").ok();
    place.holds_no_secret();
}

#[test]
#[ignore = "needs a server; `cargo xtask test` starts one"]
fn a_version_is_retrained_promoted_and_reproduced_from_another_home() {
    let (place, bucket) = Place::in_bucket();
    place.run(TRAIN).ok();
    place.run("example churn --rows 600 -o grown.csv").ok();
    place.run("retrain churn grown.csv").ok().prints("churn:2 is the challenger");
    // What was fetched for it is gone, as after a cleaning: it is fetched again.
    std::fs::remove_dir_all(place.path(".tabwright/copies")).unwrap();
    place.run("models promote churn:2 --force --why test").ok();
    place.run("models reproduce churn:2").ok().prints("to the last bit");
    place.run("models rm churn:1").ok();
    place.run("gc").ok();
    bucket.delete(&Place::model_of(&place, "churn:2"));
    place.run("predict churn churn.csv").exit(3).says("churn:2 cannot be loaded").says("the file is missing");
}

impl Place {
    /// The name of the file of a version.
    fn model_of(place: &Place, version: &str) -> String {
        let name = place.run(&format!("models show {version} --json")).ok().json();
        let id = name["content_id"].as_str().unwrap().strip_prefix("blake3:").unwrap().to_owned();
        format!("models/{}/{id}.tw", &id[..2])
    }
}

#[test]
#[ignore = "needs a server; `cargo xtask test` starts one"]
fn an_object_that_others_altered_or_deleted_is_named() {
    let (place, bucket) = Place::in_bucket();
    place.run(TRAIN).ok();
    let name = Place::model_in(&bucket);
    let address = format!("{}/{name}", bucket.address());
    let mut bytes = bucket.read(&name).unwrap();
    let at = bytes.len() / 2;
    bytes[at] ^= 1;
    bucket.alter(&name, &bytes);
    place.run("predict churn churn.csv").exit(3).says(&address);
    bucket.alter(&name, b"not a model");
    place.run("predict churn churn.csv").exit(3).says(&address);
    // The same model, trained once more, puts it in order.
    place.run(TRAIN).ok();
    place.run("predict churn:1 churn.csv -o predictions.csv").ok();
    bucket.delete(&name);
    let missing = "churn:1 cannot be loaded";
    place.run("predict churn:1 churn.csv").exit(3).says(missing).says(&format!("{address}: the file is missing"));
    place.run("runs list").ok();
}

#[test]
#[ignore = "needs a server; `cargo xtask test` starts one"]
fn a_bucket_that_is_not_there_is_said_and_stops_no_training() {
    let (place, _) = Place::in_bucket();
    place.write("tabwright.toml", "[store]\nfiles = \"s3://nobody-made-this\"\n");
    place.run(TRAIN).exit(1).says("there is no bucket `nobody-made-this`").says("make it first");
    let record = place.names().into_iter().find(|n| n.ends_with(".run.json")).unwrap();
    place.run(&format!("runs import {record}")).exit(1).says("there is no bucket");
    let bucket = s3::Bucket::make();
    place.write("tabwright.toml", format!("[store]\nfiles = \"{}\"\n", bucket.address()));
    place.run(&format!("runs import {record}")).ok();
    place.run("predict churn churn.csv -o predictions.csv").ok();
    place.holds_no_secret();
}

#[test]
fn an_endpoint_that_fails_stops_no_training() {
    for (endpoint, says) in [
        (s3::endpoint(None), "did not answer within "),
        (s3::closed(), "cannot be reached"),
        (s3::endpoint(Some(s3::DENIED)), "denies access (InvalidAccessKeyId: "),
    ] {
        let place = Place::at_endpoint(&endpoint);
        let begun = Instant::now();
        let answer = place.run(TRAIN).exit(1).says(says).says("`churn` is trained but not registered");
        assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
        assert!(!answer.stderr.contains("geheim") && !answer.stderr.contains("AKIATEST"), "{}", answer.stderr);
        let names = place.names();
        let model = names.iter().find(|n| n.starts_with("churn-") && n.ends_with(".tw")).unwrap();
        place.run(&format!("predict {model} churn.csv -o predictions.csv")).ok();
        // The run itself is recorded, and whatever asks for no file goes on.
        assert!(place.run("runs list").ok().stdout.contains("completed"));
        place.run("models list").ok();
        place.run("gc").exit(1).says("s3://models/team: the bucket cannot be").says(says);
        // Without a name, no file is asked for.
        place.run(&TRAIN.replace("--name churn", "-o alone.tw")).ok();
        assert!(!place.path("alone.tw.run.json").exists());
        place.holds_no_secret();
    }
}

#[test]
fn what_is_missing_is_said_before_hours_are_spent() {
    let place = Place::at_endpoint("http://127.0.0.1:1");
    let named = "store.files: s3://models/team cannot be reached: the environment has no ";
    for (missing, says) in [
        ("AWS_SECRET_ACCESS_KEY", "AWS_SECRET_ACCESS_KEY"),
        ("AWS_ACCESS_KEY_ID", "AWS_ACCESS_KEY_ID"),
        ("AWS_ENDPOINT_URL", "AWS_REGION"),
    ] {
        let variables = place.variables.iter().filter(|(name, _)| name != missing).cloned().collect();
        let lacking = Place { variables, ..Place::at_endpoint("http://127.0.0.1:1") };
        lacking.run(TRAIN).exit(2).says(&format!("{named}{says}"));
        assert!(!lacking.path(".tabwright").exists());
        lacking.run(&TRAIN.replace("--name churn", "")).ok();
        lacking.run("runs list").ok();
    }
    place.run(&TRAIN.replace("--name churn", "")).ok();
    for (text, says) in [
        ("gs://models", "files of the kind `gs` are not known; write s3://bucket/prefix"),
        ("s3://KEY:geheim@models", "store.files: the address of the bucket is none"),
        ("/data/models", "the place of the files is no URL"),
        ("env:NOWHERE", "the environment has no variable NOWHERE"),
    ] {
        let words = ["runs", "list", "--set", &format!("store.files={text}")].map(str::to_owned);
        let answer = place.run_with(&words.iter().map(String::as_str).collect::<Vec<_>>(), b"").exit(2).says(says);
        assert!(!answer.stderr.contains("geheim"), "{}", answer.stderr);
    }
}
