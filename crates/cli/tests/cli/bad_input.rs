//! Everything that must be refused, with the exit code, the place, and a way to mend it.

use super::Place;

/// A small table that can be learned from.
fn good(rows: usize) -> String {
    let mut text = String::from("x,c,y\n");
    for i in 0..rows {
        text += &format!("{},{},{}\n", (i * 7) % 13, ["a", "b", "c"][i % 3], ["no", "yes"][(i * 5 % 7) % 2]);
    }
    text
}

#[test]
fn files_that_are_no_tables_are_refused_by_name() {
    let place = Place::new();
    place.write("empty.csv", "");
    place.write("header.csv", "x,y\n");
    place.write("junk.csv", [0u8, 159, 146, 150, 1, 2, 3, 0, 0, 255, 254, 7].repeat(40));
    place.write("twice.csv", "x,y,x\n1,2,3\n");
    place.write("one_row.csv", "x,y\n1,a\n");
    place.write("one_column.csv", "y\na\nb\na\nb\n");
    place.run("train none.csv --target y").exit(3).says("none.csv");
    place.run("train empty.csv --target y").exit(3).says("empty.csv").says("empty");
    place.run("train header.csv --target y").exit(3).says("header.csv");
    place.run("train junk.csv --target y").exit(3).says("junk.csv");
    place.run("train twice.csv --target y").exit(3).says("`x` appears twice");
    place.run("train one_row.csv --target y").exit(3).says("in every row");
    place.run("train one_column.csv --target y").exit(3).says("no column is left to learn from");
    assert!(!place.names().iter().any(|n| n.ends_with(".tw") || n.contains(".part")), "{:?}", place.names());
}

#[test]
fn targets_that_cannot_be_learned_are_refused() {
    let place = Place::new();
    place.write("good.csv", good(60));
    place.write("constant.csv", "x,y\n1,a\n2,a\n3,a\n");
    place.write("missing.csv", "x,y\n1,\n2,\n3,\n");
    place.run("train good.csv").exit(2).says("--target");
    place.run("train good.csv --target yy").exit(2).says("did you mean `y`?");
    place.run("train constant.csv --target y").exit(3).says("`a` in every row");
    place.run("train missing.csv --target y").exit(3).says("missing in every row");
    place.run("train good.csv --target y --positive yse").exit(3).says("did you mean `yes`?");
    place.run("train good.csv --target y --task regression").exit(3).says("needs numbers");
    place.run("train good.csv --target y --task ranking").exit(2);
    place.run("train good.csv --target c --task binary").exit(3).says("has 3 labels");
    place.run("train good.csv --target y --task multiclass").exit(3).says("three or more");
}

#[test]
fn configurations_that_cannot_be_are_refused() {
    let place = Place::new();
    place.write("good.csv", good(60));
    let train = |more: &str| place.run(&format!("train good.csv --target y {more}"));
    train("--metric rmse").exit(2).says("rmse");
    train("--metric roc_auk").exit(2).says("did you mean `roc_auc`?");
    train("--candidates random_forst").exit(2).says("did you mean `random_forest`?");
    train("--candidates ridge").exit(2).says("cannot learn a binary task");
    train("--set candidates.a.type=ridge").exit(2);
    train("--candidates a --set candidates.a.type=random_forest --set candidates.a.n_estimators=0")
        .exit(2)
        .says("n_estimators = 0 is not allowed; allowed: a whole number from 1");
    train("--candidates a --set candidates.a.type=random_forest --set candidates.a.n_jobs=2").exit(2).says("--threads");
    train("--set split.sede=1").exit(2).says("did you mean `split.seed`?");
    train("--set split.train=0.9 --set split.test=0.3").exit(2).says("add up to");
    train("--folds 1").exit(2).says("fold");
    train("--folds 0 --holdout none").exit(2).says("nothing to choose by");
    train("--holdout none --select-on validation").exit(2).says("there is none");
    train("--type x=number").exit(2).says("number");
    train("--role x=wait").exit(2);
    train("--drop zzz").exit(2).says("zzz");
    train("--group c --time x").exit(2).says("a group column and a time column");
    train("--format xml").exit(2).says("xml");
    train("--set features.columns.xx.encode=ordinal").exit(2).says("xx");
    train("--split-like none.tw").exit(3).says("none.tw");
    place.write("test.csv", good(20));
    train("--split-column c --test test.csv").exit(2).says("test files and a split column");
    train("--no-such-flag").exit(2);
    place.run("").exit(2);
    place.run("trian good.csv").exit(2);
    place.write("tabwright.toml", "[split]\nseed = \"x\"\n");
    train("").exit(2).says("`split.seed`: a whole number");
    place.write("tabwright.toml", "[split\n");
    train("").exit(2).says("tabwright.toml");
}

#[test]
fn cells_that_cannot_be_are_refused_with_their_place() {
    let place = Place::new();
    place.write("huge.csv", "x,y\n1,a\n1e400,b\n3,a\n4,b\n");
    place.run("train huge.csv --target y").exit(3).says("huge.csv").says("1e400").says("3");
    place.write("typed.csv", "x,y\n1,a\nten,b\n3,a\n");
    place.run("train typed.csv --target y --type x=integer").exit(3).says("ten").says("typed.csv");
    place.write("ragged.csv", "x,y\n1,a\n2,b,c,d\n3,a\n");
    place.run("train ragged.csv --target y").exit(3).says("ragged.csv");
    place.write("open.csv", "x,y\n1,\"a\n2,b\n3,a\n");
    place.run("train open.csv --target y").exit(3).says("open.csv");
    place.write("latin.csv", b"x,y\n1,caf\xe9\n2,th\xe9\n3,caf\xe9\n");
    place.run("profile latin.csv --encoding utf-8").exit(3).says("latin.csv");
    place.write("weights.csv", "x,w,y\n1,1,a\n2,-1,b\n3,1,a\n4,1,b\n");
    place.run("train weights.csv --target y --role w=weight").exit(3).says("row 2");
}

#[test]
fn a_place_that_cannot_be_written_is_found_before_the_work() {
    let place = Place::new();
    place.write("good.csv", good(60));
    place.run("train good.csv --target y -o no/such/folder/m.tw").exit(1).says("no/such/folder");
    std::fs::create_dir(place.path("folder.tw")).unwrap();
    place.run("train good.csv --target y -o folder.tw").exit(1).says("it is a folder");
}

/// `/dev/full` answers every write with "no space left on device".
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_an_error_and_no_panic() {
    let place = Place::new();
    place.model();
    let shell = |command: &str| {
        let status = std::process::Command::new("sh")
            .args(["-c", &format!("{} {command} > /dev/full", env!("CARGO_BIN_EXE_tabwright"))])
            .env_clear()
            .current_dir(place.folder.path())
            .output()
            .unwrap();
        assert_eq!(status.status.code(), Some(1), "{}", String::from_utf8_lossy(&status.stderr));
        assert!(!String::from_utf8_lossy(&status.stderr).contains("panicked"));
    };
    shell("show churn.tw");
    shell("predict churn.tw churn.csv");
}

/// A file system of 64 kB: the model does not fit, the old one stays whole.
#[cfg(target_os = "linux")]
#[test]
fn the_old_model_stays_whole_when_the_disk_is_full() {
    let place = Place::new();
    place.model();
    let small = place.path("small");
    std::fs::create_dir(&small).unwrap();
    let mount =
        std::process::Command::new("mount").args(["-t", "tmpfs", "-o", "size=64k", "tmpfs"]).arg(&small).output();
    if !mount.is_ok_and(|m| m.status.success()) {
        // Only root may mount; `/dev/full` above covers the error itself everywhere.
        return;
    }
    std::fs::write(small.join("old.tw"), "the old model").unwrap();
    std::fs::write(small.join("ballast"), vec![1; 44_000]).unwrap();
    let answer = place.run("train churn.csv --target churned --candidates random_forest --folds 0 -o small/old.tw");
    let old = std::fs::read_to_string(small.join("old.tw"));
    let names = std::fs::read_dir(&small).unwrap().count();
    let unmounted = std::process::Command::new("umount").arg(&small).output().unwrap();
    assert!(unmounted.status.success());
    answer.exit(1).says("old.tw");
    assert_eq!((old.unwrap().as_str(), names), ("the old model", 2));
}

#[test]
fn models_that_are_none_are_refused() {
    let place = Place::new();
    place.model();
    let mut bytes = std::fs::read(place.path("churn.tw")).unwrap();
    place.write("cut.tw", &bytes[..bytes.len() / 2]);
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    place.write("flipped.tw", &bytes);
    place.write("text.tw", "x,y\n1,2\n");
    place.write("empty.tw", "");
    place.run("show none.tw").exit(3).says("none.tw");
    for name in ["cut.tw", "flipped.tw", "text.tw", "empty.tw"] {
        place.run(&format!("show {name}")).exit(3).says(name);
        place.run(&format!("predict {name} churn.csv")).exit(3).says(name);
    }
    place.run("show churn").exit(2).says("no model file");
}

#[test]
fn rows_that_do_not_fit_the_model_are_refused_or_set_apart() {
    let place = Place::new();
    place.model();
    place.write("lacks.csv", "plan,nothing\nbasic,1\n");
    place.run("predict churn.tw lacks.csv -o p.csv").exit(3).says("support_calls").says("tenure_months");
    let text = place.read("churn.csv");
    let header = text.lines().next().unwrap();
    let at = header.split(',').position(|c| c == "support_calls").unwrap();
    let mut rows: Vec<Vec<String>> = text.lines().take(6).map(|l| l.split(',').map(str::to_owned).collect()).collect();
    rows[3][at] = "many".into();
    let broken: Vec<String> = rows.iter().map(|r| r.join(",")).collect();
    place.write("broken.csv", broken.join("\n"));
    place.run("predict churn.tw broken.csv -o p.csv").exit(3).says("broken.csv").says("4").says("many");
    assert!(!place.names().contains(&"p.csv".to_owned()), "nothing half-written");
    place.run("predict churn.tw broken.csv -o p.csv --on-error null").ok();
    let predictions = place.read("p.csv");
    assert_eq!(predictions.lines().count(), 6);
    assert!(predictions.lines().nth(3).unwrap().starts_with(','), "{predictions}");
    place.run("predict churn.tw broken.csv -o p.csv --on-error reject=bad.csv").ok();
    assert_eq!(place.read("p.csv").lines().count(), 5);
    assert!(place.read("bad.csv").contains("many"));
    place.run("predict churn.tw broken.csv -o p.csv --on-error sometimes").exit(2).says("reject=FILE");
    place.run("predict churn.tw churn.csv --keep nothing -o p.csv").exit(2).says("nothing");
}

#[test]
fn outputs_that_would_replace_inputs_are_refused() {
    let place = Place::new();
    place.model();
    let before = place.read("churn.csv");
    place.run("train churn.csv --target churned -o churn.csv").exit(2).says("which is read");
    place.run("predict churn.tw churn.csv -o churn.csv").exit(2).says("which is read");
    place.run("predict churn.tw churn.csv -o ./churn.tw").exit(2).says("replace the model");
    place.run("predict churn.tw churn.csv -o p.csv --on-error reject=churn.csv").exit(2).says("which is read");
    place.run("predict churn.tw churn.csv -o p.csv --on-error reject=./p.csv").exit(2).says("would both be");
    assert_eq!(place.read("churn.csv"), before);
    place.run("show churn.tw").ok();
}

#[test]
fn settings_that_contradict_each_other_are_refused() {
    let place = Place::new();
    place.model();
    place.run("train churn.csv --target churned --holdout none --test churn.csv").exit(2).says("keeps nothing back");
    place.run("train churn.csv --target churned --split-like churn.tw --holdout none").exit(2).says("otherwise");
    place.run("train churn.csv --target churned --role churned=id").exit(2).says("cannot have the role id");
    place.run("train churn.csv --target churned --drop churned").exit(2).says("dropped too");
    place.run("train churn.csv --target churned --threads 100000").exit(2).says("at most 512");
    place.run("predict churn.tw churn.csv --keep plan,plan -o p.csv").exit(2).says("kept twice");
}

#[test]
fn misspelt_settings_of_columns_candidates_and_the_environment_name_the_nearest() {
    let place = Place::new();
    place.write("good.csv", good(60));
    let train = |more: &str| place.run(&format!("train good.csv --target y {more}"));
    train("--set features.columns.x.imput=mean").exit(2).says("`features.columns.x.imput` (did you mean `impute`?)");
    train("--set features.columns.x.impute=meen").exit(2).says("did you mean `mean`?");
    train("--role c=idd").exit(2).says("did you mean `id`?");
    train("--set candidates.a.n_estimators=3 --candidates a").exit(2).says("candidates.a has no `type`");
    train("--set candidates.a.type=xgbost --candidates a").exit(2).says("candidates.a.type").says("did you mean");
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_tabwright"))
        .args(["train", "good.csv", "--target", "y"])
        .current_dir(place.folder.path())
        .env("TABWRIGHT_SELECTION_FOLD", "2")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("did you mean `TABWRIGHT_SELECTION_FOLDS`?"));
}

#[test]
fn tables_without_anything_to_learn_from_are_refused() {
    let place = Place::new();
    let rows: String = (0..60).map(|i| format!("key{i:03},,{}\n", ["no", "yes"][i % 2])).collect();
    place.write("ids.csv", format!("id,void,y\n{rows}"));
    place.run("train ids.csv --target y").exit(3).says("no column is left to learn from").says("void");
    place.write("array.json", "[{\"x\": 1}]");
    place.run("profile array.json").exit(3).says("JSON array");
}
