//! Files to blocks.

use proptest::prelude::*;
use tabwright_core::{Column, Kind};

use crate::fixture::{Files, shown};
use crate::{BadRow, BlockStream, Error, Position, ReadOptions, Result, StreamBlock, StreamRequest, open_stream};

fn request(expected: &[(&str, Kind)], keep: &[&str], batch_size: usize) -> StreamRequest {
    StreamRequest {
        passed_over: Vec::new(),
        expected: expected.iter().map(|(name, kind)| ((*name).to_owned(), *kind)).collect(),
        keep: keep.iter().map(|k| (*k).to_owned()).collect(),
        batch_size,
        batch_bytes: crate::BATCH_BYTES,
    }
}

fn open(name: &str, content: impl AsRef<[u8]>, request: &StreamRequest) -> Result<(Files, BlockStream)> {
    let files = Files::new();
    let inputs = files.add(name, content);
    let stream = open_stream(&inputs, request, &ReadOptions::default())?;
    Ok((files, stream))
}

fn blocks(name: &str, content: impl AsRef<[u8]>, request: &StreamRequest) -> Vec<StreamBlock> {
    let (_files, stream) = open(name, content, request).unwrap();
    stream.map(|b| b.unwrap()).collect()
}

const AGE_CITY: [(&str, Kind); 2] = [("age", Kind::Integer), ("city", Kind::Categorical)];

#[test]
fn columns_come_in_the_expected_order_whatever_the_file_has() {
    let text = "city,junk,age,id,more\nrome,x,39,007, z \nparis,y,NA,008,w\n";
    let (_files, stream) = open("t.csv", text, &request(&AGE_CITY, &["id", "city"], 10)).unwrap();
    assert_eq!(stream.header(), Some("city,junk,age,id,more"));
    let warning = &stream.warnings()[0];
    assert_eq!((stream.warnings().len(), warning.code.name()), (1, "extra_column"));
    assert!(warning.message.ends_with("junk, more"), "{}", warning.message);
    let blocks: Vec<StreamBlock> = stream.map(|b| b.unwrap()).collect();
    assert_eq!(shown(blocks[0].block.column(0)), ["39", "-"]);
    assert_eq!(shown(blocks[0].block.column(1)), ["rome", "paris"]);
    assert_eq!(shown(&blocks[0].keep[0]), ["007", "008"]);
    assert_eq!(shown(&blocks[0].keep[1]), ["rome", "paris"]);
    assert!(blocks[0].bad.is_empty());
}

#[test]
fn missing_columns_are_all_named() {
    let error = open("t.csv", "a,b\n1,2\n", &request(&AGE_CITY, &["id", "a"], 10)).unwrap_err();
    assert!(matches!(&error, Error::MissingColumns { names, .. } if *names == ["age", "city", "id"]), "{error}");
    let error = open("t.jsonl", "{\"a\": 1}\n", &request(&AGE_CITY, &[], 10)).unwrap_err();
    assert!(matches!(&error, Error::MissingColumns { names, .. } if *names == ["age", "city"]), "{error}");
}

#[test]
fn bad_cells_make_bad_rows_with_their_lines() {
    let text = "age,city,ok\n\nold,rome,true\n39,\"par\nis\",maybe\n1e400,x,0\n5,y,1,extra\n";
    let wanted = request(&[("age", Kind::Float), ("ok", Kind::Boolean)], &["city"], 10);
    let (_files, mut stream) = open("t.csv", text, &wanted).unwrap();
    let block = stream.next().unwrap().unwrap();
    let bad: Vec<(usize, Option<&str>, &str)> =
        block.bad.iter().map(|b| (b.row, b.column.as_deref(), b.found.as_str())).collect();
    assert_eq!(bad, [(0, Some("age"), "old"), (1, Some("ok"), "maybe"), (2, Some("age"), "1e400"), (3, None, "extra")]);
    assert_eq!(block.bad[0].message, "not a number");
    assert_eq!(shown(block.block.column(0)), ["-", "39", "-", "5"]);
    assert_eq!(shown(block.block.column(1)), ["true", "-", "false", "true"]);
    let lines: Vec<Position> = block.places.iter().map(|p| p.position).collect();
    assert_eq!(lines, [3, 4, 6, 7].map(Position::Line));
    assert_eq!(block.raw(1), "39,\"par\nis\",maybe");
    assert!(stream.place(block.places[0]).to_string().ends_with("t.csv, line 3"));
    assert!(stream.next().is_none());
}

#[test]
fn any_number_fits_where_numbers_are_expected() {
    let blocks = blocks("t.csv", "age,city\n39,a\n40.5,b\n007,c\n", &request(&AGE_CITY, &[], 10));
    assert_eq!(shown(blocks[0].block.column(0)), ["39", "40.5", "7"]);
    assert!(matches!(blocks[0].block.column(0), Column::Float(_)) && blocks[0].bad.is_empty());
}

#[test]
fn batches_have_the_size_asked_for_and_lines_go_on() {
    let mut text = String::from("age,city\n");
    (0..25).for_each(|i| text.push_str(&format!("{i},c\n\n")));
    let blocks = blocks("t.csv", text, &request(&AGE_CITY, &[], 10));
    assert_eq!(blocks.iter().map(|b| b.block.n_rows()).collect::<Vec<_>>(), [10, 10, 5]);
    assert_eq!(blocks[2].places[4].position, Position::Line(2 * 24 + 2));
}

#[test]
fn files_without_a_header_are_told_by_the_expected_names() {
    // All text: by itself, the first line looks like data that comes again.
    let text = "a,b\na,b\na,b\n";
    let by_name = request(&[("a", Kind::Categorical), ("b", Kind::Categorical)], &[], 10);
    assert_eq!(blocks("t.csv", text, &by_name)[0].block.n_rows(), 2);
    let numbered = request(&[("column_1", Kind::Categorical), ("column_2", Kind::Categorical)], &[], 10);
    assert_eq!(blocks("t.csv", "x,y\nz,w\n", &numbered)[0].block.n_rows(), 2);
}

#[test]
fn encodings_are_told_from_the_whole_file() {
    let mut bytes = "age,city\n1,caf\u{e9}\n".as_bytes().to_vec();
    (0..1000).for_each(|_| bytes.extend_from_slice(b"1,x\n"));
    bytes.extend_from_slice(b"2,caf\xe9\n");
    let (_files, stream) = open("t.csv", bytes, &request(&AGE_CITY, &[], 100)).unwrap();
    assert_eq!(stream.warnings()[0].code.name(), "encoding");
    let blocks: Vec<StreamBlock> = stream.map(|b| b.unwrap()).collect();
    assert_eq!(shown(blocks[0].block.column(1))[0], "cafÃ©");
    assert_eq!(shown(blocks[10].block.column(1))[1], "café");
}

#[test]
fn a_stream_without_rows_or_with_an_open_quote_ends_with_an_error() {
    let (_files, mut stream) = open("t.csv", "age,city\n", &request(&AGE_CITY, &[], 10)).unwrap();
    assert!(stream.next().unwrap().unwrap_err().to_string().contains("no row"));
    assert!(stream.next().is_none());
    let (_files, stream) = open("t.csv", "age,city\n1,a\n2,\"b\n3,c\n", &request(&AGE_CITY, &[], 1)).unwrap();
    let outcomes: Vec<Result<StreamBlock>> = stream.collect();
    assert!(outcomes[0].is_ok() && outcomes.len() == 2);
    assert!(outcomes[1].as_ref().unwrap_err().to_string().contains("line 3"));
    assert!(open("t.csv", "age,city\n1,a\n", &request(&AGE_CITY, &[], 0)).unwrap_err().is_usage());
}

#[test]
fn json_lines_are_streamed() {
    let text = "{\"city\": \"rome\", \"id\": 7, \"x\": 1}\n\n{\"age\": \"NA\", \"city\": null}\nbroken\n{\"age\": \"old\", \"city\": 5}\n";
    let (_files, mut stream) = open("t.jsonl", text, &request(&AGE_CITY, &["id"], 10)).unwrap();
    let block = stream.next().unwrap().unwrap();
    assert_eq!(shown(block.block.column(0)), ["-", "-", "-", "-"]);
    assert_eq!(shown(block.block.column(1)), ["rome", "-", "-", "5"]);
    assert_eq!(shown(&block.keep[0]), ["7", "-", "-", "-"]);
    assert_eq!(block.bad.iter().map(|b| b.row).collect::<Vec<_>>(), [2, 3]);
    assert_eq!(block.places[2].position, Position::Line(4));
    assert_eq!(block.raw(2), "broken");
    assert!(stream.warnings()[0].message.ends_with('x'));
}

#[test]
fn keys_that_are_rare_are_looked_for_in_the_whole_file() {
    let mut text = "{\"age\": 1}\n".repeat(2000);
    text.push_str("{\"age\": 2, \"city\": \"rome\"}\n");
    let blocks = blocks("t.jsonl", text, &request(&AGE_CITY, &[], 1000));
    assert_eq!(shown(blocks[2].block.column(1)), ["rome"]);
}

#[test]
fn binary_formats_are_streamed() {
    let table = crate::fixture::csv("id,age,city,when,flag\n7,39,rome,2024-01-05,true\n8,,007,,false\n9,4,x,,\n").table;
    for name in ["t.parquet", "t.arrow"] {
        let files = Files::new();
        crate::write_table(&table, &files.path(name), None).unwrap();
        let wanted = request(
            &[("age", Kind::Float), ("city", Kind::Categorical), ("when", Kind::Timestamp), ("flag", Kind::Boolean)],
            &["id", "age"],
            2,
        );
        let stream = open_stream(&files.input(name), &wanted, &ReadOptions::default()).unwrap();
        assert_eq!(stream.keep(), [("id".to_owned(), Kind::Integer), ("age".to_owned(), Kind::Integer)]);
        let blocks: Vec<StreamBlock> = stream.map(|b| b.unwrap()).collect();
        assert_eq!(blocks.iter().map(|b| b.block.n_rows()).collect::<Vec<_>>(), [2, 1]);
        assert_eq!(shown(blocks[0].block.column(0)), ["39", "-"]);
        assert_eq!(shown(blocks[0].block.column(1)), ["rome", "007"]);
        assert_eq!(shown(blocks[0].block.column(2)), ["2024-01-05T00:00:00Z", "-"]);
        assert_eq!(shown(blocks[0].block.column(3)), ["true", "false"]);
        assert_eq!(shown(&blocks[1].keep[0]), ["9"]);
        assert_eq!(blocks[1].places[0].position, Position::Row(3));
        assert_eq!(
            blocks[0].raw(0),
            "{\"id\": 7, \"age\": 39, \"city\": \"rome\", \"when\": \"2024-01-05T00:00:00Z\", \"flag\": true}"
        );
        let wrong = request(&[("city", Kind::Float)], &[], 10);
        let block = open_stream(&files.input(name), &wrong, &ReadOptions::default()).unwrap().next().unwrap().unwrap();
        let expected =
            BadRow { row: 0, column: Some("city".into()), found: "rome".into(), message: "not a number".into() };
        assert_eq!(block.bad[0], expected);
        assert_eq!(shown(block.block.column(0)), ["-", "7", "-"]);
    }
}

#[test]
fn several_files_are_one_stream() {
    let files = Files::new();
    let mut inputs = files.add("a.csv", "age,city\n1,a\n");
    inputs.extend(files.add("b.csv", "city,age\nb,2\n"));
    let stream = open_stream(&inputs, &request(&AGE_CITY, &[], 10), &ReadOptions::default()).unwrap();
    let blocks: Vec<StreamBlock> = stream.map(|b| b.unwrap()).collect();
    assert_eq!(blocks.len(), 2);
    assert_eq!((blocks[1].places[0].file, blocks[1].places[0].position), (1, Position::Line(2)));
    assert_eq!(shown(blocks[1].block.column(0)), ["2"]);
}

proptest! {
    #[test]
    fn a_row_is_the_same_in_any_batch(
        table in crate::fixture::tables(),
        batch_size in 1..20_usize,
        batch_bytes in 1..2000_usize,
    ) {
        let files = Files::new();
        crate::write_table(&table, &files.path("t.csv"), None).unwrap();
        let expected: Vec<(String, Kind)> = table.schema().fields().iter().map(|f| (f.name.clone(), f.kind)).collect();
        let wanted = StreamRequest { passed_over: Vec::new(), expected, keep: Vec::new(), batch_size, batch_bytes };
        let stream = open_stream(&files.input("t.csv"), &wanted, &ReadOptions::default()).unwrap();
        let mut rows: Vec<Vec<String>> = vec![Vec::new(); table.schema().len()];
        for block in stream {
            let block = block.unwrap();
            prop_assert!(block.bad.is_empty(), "{:?}", block.bad);
            rows.iter_mut().zip(block.block.columns()).for_each(|(rows, column)| rows.extend(shown(column)));
        }
        for (rows, column) in rows.iter().zip(table.block().columns()) {
            prop_assert_eq!(rows, &shown(column));
        }
    }
}

/// A line of commas, a few KB when it is packed, once took a name for each.
#[test]
fn a_line_of_commas_is_refused_before_it_is_held() {
    let commas = ",".repeat(3 << 20);
    let error = open("t.csv", &commas, &request(&AGE_CITY, &[], 10)).unwrap_err();
    assert!(error.to_string().contains("more than 100000 columns"), "{error}");
    let narrow = ReadOptions { most_columns: 2, ..ReadOptions::default() };
    let read = |content: &str| {
        let files = Files::new();
        open_stream(&files.add("t.csv", content), &request(&AGE_CITY, &[], 10), &narrow).map(drop)
    };
    assert!(read("age,city,x\n1,a,b\n").unwrap_err().to_string().contains("more than 2 columns"));
    // A delimiter at the end of each line makes no column.
    assert!(read("age,city,\n1,a,\n").is_ok());
    let lines = "{\"age\": 1, \"city\": \"a\", \"x\": 2}\n";
    let files = Files::new();
    let error = open_stream(&files.add("t.jsonl", lines), &request(&AGE_CITY, &[], 10), &narrow).unwrap_err();
    assert!(error.to_string().contains("more than 2 columns"), "{error}");
}

/// Looking for what may have been meant once took each missing column times each name times each expected column.
#[test]
fn thousands_of_missing_columns_are_named_at_once() {
    let header: Vec<String> = (0..20_000).map(|i| format!("name_{i}")).collect();
    let expected: Vec<(String, Kind)> = (0..20_000).map(|i| (format!("other_{i}"), Kind::Float)).collect();
    let wanted = StreamRequest { expected, ..request(&[], &[], 10) };
    let text = format!("{}\n", header.join(","));
    let started = std::time::Instant::now();
    let error = open("t.csv", text, &wanted).unwrap_err();
    assert!(matches!(&error, Error::MissingColumns { names, .. } if names.len() == 20_000));
    assert!(started.elapsed().as_secs() < 20, "{:?}", started.elapsed());
}

#[test]
fn batches_end_where_their_text_is_long() {
    for (name, header, row) in
        [("t.csv", "age,city\n", "7,rome\n"), ("t.jsonl", "", "{\"age\": 7, \"city\": \"rome\"}\n")]
    {
        let text = format!("{header}{}", row.repeat(1000));
        let mut wanted = request(&AGE_CITY, &[], 1000);
        wanted.batch_bytes = 10 * row.len();
        let short = blocks(name, &text, &wanted);
        assert!(short.len() >= 100 && short.iter().all(|b| b.block.n_rows() <= 10), "{name}: {}", short.len());
        assert_eq!(short.iter().map(|b| b.block.n_rows()).sum::<usize>(), 1000);
        wanted.batch_bytes = 1;
        assert_eq!(blocks(name, &text, &wanted).iter().map(|b| b.block.n_rows()).sum::<usize>(), 1000);
    }
}
