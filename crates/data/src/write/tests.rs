//! Tables to files and back.

use proptest::prelude::*;
use tabwright_core::{Category, Column, Context, Kind};

use crate::fixture::{Files, same, tables};
use crate::{Error, ReadOptions, WriteColumn, create_writer, read_table, write_table};

fn column(name: &str, kind: Kind) -> WriteColumn {
    WriteColumn { name: name.into(), kind }
}

fn written(name: &str, columns: &[WriteColumn], values: &[Column]) -> String {
    let files = Files::new();
    let mut writer = create_writer(&files.path(name), None, columns).unwrap();
    writer.write(&values.iter().collect::<Vec<_>>()).unwrap();
    writer.finish().unwrap();
    std::fs::read_to_string(files.path(name)).unwrap()
}

fn sample() -> (Vec<WriteColumn>, Vec<Column>) {
    let columns = vec![
        column("id", Kind::Integer),
        column("p, \"yes\"", Kind::Float),
        column("when", Kind::Timestamp),
        column("flag", Kind::Boolean),
        column("label", Kind::Categorical),
    ];
    let values = vec![
        Column::Integer(vec![7, i64::MIN]),
        Column::Float(vec![0.1, f64::NAN]),
        Column::Timestamp(vec![1_500_000, i64::MIN]),
        Column::Category(Category::from_strings([Some("true"), None])),
        Column::Category(Category::from_strings([Some("a,\"b\"\n"), Some(" c")])),
    ];
    (columns, values)
}

#[test]
fn csv_is_quoted_where_it_must_be() {
    let (columns, values) = sample();
    let expected =
        "id,\"p, \"\"yes\"\"\",when,flag,label\n7,0.1,1970-01-01T00:00:01.5Z,true,\"a,\"\"b\"\"\n\"\n,,,,\" c\"\n";
    assert_eq!(written("t.csv", &columns, &values), expected);
    let tabs = written(
        "t.tsv",
        &[column("a", Kind::Float), column("b", Kind::Text)],
        &[
            Column::Float(vec![2.0, f64::INFINITY]),
            Column::Category(Category::from_strings([Some("x,y"), Some("t\tt")])),
        ],
    );
    assert_eq!(tabs, "a\tb\n2.0\tx,y\ninf\t\"t\tt\"\n");
    let single = written("t.csv", &[column("a", Kind::Float)], &[Column::Float(vec![f64::NAN, 1.0])]);
    assert_eq!(single, "a\n\"\"\n1.0\n", "a row of one missing cell is no blank line");
}

#[test]
fn json_lines_have_an_object_for_each_row() {
    let (columns, values) = sample();
    let expected = "{\"id\": 7, \"p, \\\"yes\\\"\": 0.1, \"when\": \"1970-01-01T00:00:01.5Z\", \"flag\": true, \"label\": \"a,\\\"b\\\"\\n\"}\n\
        {\"id\": null, \"p, \\\"yes\\\"\": null, \"when\": null, \"flag\": null, \"label\": \" c\"}\n";
    let text = written("t.jsonl", &columns, &values);
    assert_eq!(text, expected);
    for line in text.lines() {
        serde_json::from_str::<serde_json::Value>(line).unwrap();
    }
}

#[test]
fn an_unfinished_file_is_not_there_and_the_old_one_stays() {
    for name in ["t.csv", "t.jsonl", "t.parquet", "t.arrow", "t.csv.gz"] {
        let files = Files::new();
        std::fs::write(files.path(name), "old").unwrap();
        let (columns, values) = sample();
        let mut writer = create_writer(&files.path(name), None, &columns).unwrap();
        writer.write(&values.iter().collect::<Vec<_>>()).unwrap();
        drop(writer);
        assert_eq!(std::fs::read_to_string(files.path(name)).unwrap(), "old");
        assert_eq!(files.names(), [name], "nothing is left behind");
        let mut writer = create_writer(&files.path(name), None, &columns).unwrap();
        writer.write(&values.iter().collect::<Vec<_>>()).unwrap();
        writer.finish().unwrap();
        assert_eq!(files.names(), [name]);
        let table = read_table(&files.input(name), &ReadOptions::default(), Context::silent()).unwrap().table;
        assert_eq!(table.n_rows(), 2, "{name}");
    }
}

#[test]
fn what_cannot_be_written_is_refused() {
    let files = Files::new();
    let one = [column("a", Kind::Float)];
    let error = |path: &str| create_writer(path, None, &one).err().unwrap();
    assert!(error(&files.path("none/t.csv")).to_string().contains("cannot be written"));
    assert!(error(&files.path("t.xyz")).is_usage());
    assert!(error(&files.path("t.parquet.gz")).is_usage());
    std::fs::create_dir(files.path("d.csv")).unwrap();
    assert!(error(&files.path("d.csv")).to_string().contains("folder"));
    let twice = [column("a", Kind::Float), column("a", Kind::Text)];
    assert!(create_writer(&files.path("t.csv"), None, &twice).err().unwrap().is_usage());
    let mut writer = create_writer(&files.path("t.csv"), None, &one).unwrap();
    assert!(writer.write(&[]).is_err());
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_an_error() {
    for format in [crate::Format::Csv, crate::Format::Jsonl, crate::Format::Parquet, crate::Format::Arrow] {
        let columns = [column("a", Kind::Float)];
        let values = Column::Float((0..100_000).map(|i| f64::from(i) * 0.37).collect());
        let outcome = create_writer("/dev/full", Some(format), &columns).and_then(|mut writer| {
            writer.write(&[&values])?;
            writer.finish()
        });
        let error = outcome.unwrap_err();
        assert!(matches!(&error, Error::Write { file, .. } if file == "/dev/full"), "{format}: {error}");
        assert!(error.to_string().contains("space"), "{format}: {error}");
    }
}

#[cfg(unix)]
#[test]
fn links_stay_links_and_files_are_as_readable_as_others() {
    use std::os::unix::fs::PermissionsExt;
    let files = Files::new();
    std::fs::write(files.path("real.csv"), "old").unwrap();
    std::os::unix::fs::symlink(files.path("real.csv"), files.path("link.csv")).unwrap();
    let writer = create_writer(&files.path("link.csv"), None, &[column("a", Kind::Float)]).unwrap();
    writer.finish().unwrap();
    assert!(std::fs::symlink_metadata(files.path("link.csv")).unwrap().is_symlink());
    assert_eq!(std::fs::read_to_string(files.path("real.csv")).unwrap(), "a\n");
    let mode = |name: &str| std::fs::metadata(files.path(name)).unwrap().permissions().mode();
    std::fs::write(files.path("plain"), "").unwrap();
    assert_eq!(mode("real.csv"), mode("plain"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn tables_come_back_from_every_format(table in tables()) {
        let files = Files::new();
        let mut fingerprints = Vec::new();
        for name in ["t.csv", "t.tsv", "t.jsonl", "t.parquet", "t.arrow", "t.csv.gz", "t.jsonl.zst"] {
            write_table(&table, &files.path(name), None).unwrap();
            let outcome = read_table(&files.input(name), &ReadOptions::default(), Context::silent()).unwrap();
            prop_assert!(same(&table, &outcome.table), "{}\n{:?}\n{:?}", name, table, outcome.table);
            fingerprints.push(outcome.fingerprint);
        }
        prop_assert!(fingerprints.windows(2).all(|w| w[0] == w[1]), "{:?}", fingerprints);
    }
}
