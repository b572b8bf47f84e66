//! CSV to tables: the rules for kinds, missing values and malformed files.

use proptest::prelude::*;
use tabwright_core::{Category, Column, Context, Kind, Role};

use crate::csv::open::CsvFile;
use crate::csv::table::CsvParser;
use crate::fixture::{Files, column, csv, csv_error, kinds, read_as, same, warned};
use crate::infer;
use crate::passes::{Reading, Request};
use crate::read::rules;
use crate::{Position, ReadOptions, Result, read_table};

#[test]
fn kinds_and_missing_values_follow_from_all_rows() {
    let outcome = csv("i,f,b,t,c,zip,all\n\
        1,1.5,true,2024-01-05,a,007,\n\
        NA,?,FALSE,2024-01-05T10:11:12.5Z,?,12, \n\
        -3,,-,None,b,7,\n");
    let expected = [
        ("i", "integer"),
        ("f", "float"),
        ("b", "boolean"),
        ("t", "timestamp"),
        ("c", "categorical"),
        ("zip", "categorical"),
        ("all", "float"),
    ];
    assert_eq!(kinds(&outcome), expected);
    assert_eq!(column(&outcome, "i"), ["1", "-", "-3"]);
    assert_eq!(column(&outcome, "f"), ["1.5", "-", "-"]);
    assert_eq!(column(&outcome, "b"), ["true", "false", "-"]);
    assert_eq!(column(&outcome, "t"), ["2024-01-05T00:00:00Z", "2024-01-05T10:11:12.5Z", "-"]);
    assert_eq!(column(&outcome, "c"), ["a", "?", "b"], "a token is a level among strings");
    assert_eq!(column(&outcome, "zip"), ["007", "12", "7"], "leading zeros keep their text");
    assert_eq!(warned(&outcome), [("all_missing", Some("all"))]);
}

#[test]
fn unquoted_cells_are_trimmed_and_quoted_ones_kept() {
    let outcome = csv("age, class\n39, <=50K\n50, \" >50K \"\n");
    assert_eq!(column(&outcome, "class"), ["<=50K", " >50K "]);
    let quoted = csv("\"n\",\"c\"\n\" 1 \",\"x\"\n\"2\",\"y\"\n");
    assert_eq!(kinds(&quoted), [("n", "integer"), ("c", "categorical")]);
}

#[test]
fn a_late_cell_changes_the_kind_of_the_whole_column() {
    // Much more than one piece, with the surprise in the last row.
    let mut text = String::from("id,n,m,u\n");
    for i in 0..400_000 {
        text.push_str(&format!(
            "{i},{}.10,{},{}\n",
            i % 7,
            if i == 5 { "NA" } else { "4" },
            if i % 2 == 0 { "NA" } else { "" }
        ));
    }
    text.push_str("400000,n/k,2.5,x\n");
    let outcome = csv(&text);
    assert_eq!(kinds(&outcome), [("id", "integer"), ("n", "categorical"), ("m", "float"), ("u", "categorical")]);
    let numbers = outcome.table.column_named("n").unwrap();
    let Column::Category(category) = numbers else { panic!("{numbers:?}") };
    assert_eq!(category.get(1), Some("1.10"), "the exact text is there");
    assert_eq!(category.levels.len(), 8);
    assert_eq!(category.get(400_000), Some("n/k"));
    let tokens = outcome.table.column_named("u").unwrap();
    assert!(!tokens.is_missing(0) && tokens.is_missing(1), "what looked like a missing value is a level");
    assert!(outcome.table.column_named("m").unwrap().is_missing(5));
    let nearly = outcome.warnings.iter().find(|w| w.code.name() == "nearly_numeric").unwrap();
    assert!(nearly.message.contains("line 400002") && nearly.message.contains("--na 'n/k'"), "{}", nearly.message);
}

#[test]
fn whole_numbers_keep_their_bits() {
    let outcome = csv("big,huge,mixed\n9007199254740993,12345678901234567890,12345678901234567890\n-1,2,0.5\n");
    assert_eq!(kinds(&outcome), [("big", "integer"), ("huge", "categorical"), ("mixed", "float")]);
    assert_eq!(column(&outcome, "big")[0], "9007199254740993");
    assert_eq!(column(&outcome, "huge")[0], "12345678901234567890");
}

#[test]
fn infinite_numbers_are_taken_with_a_warning_and_those_beyond_the_range_refused() {
    let outcome = csv("x\n1\ninf\n-Infinity\n");
    assert_eq!(column(&outcome, "x"), ["1", "inf", "-inf"]);
    assert_eq!(warned(&outcome), [("infinite", Some("x"))]);
    assert!(outcome.warnings[0].message.contains("line 3"), "{}", outcome.warnings[0].message);
    let error = csv_error("a,x\n1,2\n\n1,1e400\n");
    let place = error.place().unwrap();
    assert_eq!((place.position, place.column.as_deref()), (Some(Position::Line(4)), Some("x")));
    assert!(error.to_string().contains("`1e400` is beyond the range of numbers"), "{error}");
    assert_eq!(kinds(&csv("x\n1e400\nabc\n")), [("x", "categorical")], "among strings it is one");
}

#[test]
fn mixed_dates_stay_categories_with_a_warning() {
    let outcome = csv("d\n2024-01-05\n05/01/2024\n");
    assert_eq!((kinds(&outcome), warned(&outcome)), (vec![("d", "categorical")], vec![("mixed_dates", Some("d"))]));
}

#[test]
fn types_override_the_inference() {
    let with = |column: &str, kind, text: &str| {
        read_as("t.csv", text, &ReadOptions { types: [(column.to_owned(), kind)].into(), ..Default::default() })
    };
    let codes = with("z", Kind::Categorical, "z\n1.0\n1\n02\n").unwrap();
    assert_eq!(column(&codes, "z"), ["1.0", "1", "02"], "the text is kept");
    assert_eq!(kinds(&with("z", Kind::Float, "z\n1\n2\n").unwrap()), [("z", "float")]);
    assert_eq!(column(&with("z", Kind::Integer, "z\n007\n3.0\nNA\n").unwrap(), "z"), ["7", "3", "-"]);
    assert_eq!(column(&with("z", Kind::Boolean, "z\n0\n1\nTrue\n").unwrap(), "z"), ["false", "true", "true"]);
    assert_eq!(kinds(&with("z", Kind::Text, "z\na\na\n").unwrap()), [("z", "text")]);
    let error = with("z", Kind::Float, "y,z\n1,2\n\n1,abc\n").unwrap_err();
    assert!(!error.is_usage());
    let text = error.to_string();
    assert!(text.contains("line 4, column `z`: `abc` is not a number"), "{text}");
    let error = with("zz", Kind::Float, "z\n1\n").unwrap_err();
    assert!(error.is_usage() && error.to_string().contains("did you mean `z`?"), "{error}");
}

#[test]
fn columns_are_chosen_and_given_roles() {
    let options = ReadOptions {
        drop: vec!["b".into()],
        roles: [("a".to_owned(), Role::Id)].into(),
        na: vec!["-999".into(), "nil".into()],
        ..Default::default()
    };
    let outcome = read_as("t.csv", "a,b,c,d\n1,x,-999,nil\n2,y,4,z\n", &options).unwrap();
    assert_eq!(kinds(&outcome), [("a", "integer"), ("c", "integer"), ("d", "categorical")]);
    assert_eq!(outcome.table.schema().fields()[0].role, Role::Id);
    assert_eq!(
        (column(&outcome, "c"), column(&outcome, "d")),
        (vec!["-".into(), "4".into()], vec!["-".into(), "z".to_owned()])
    );
    let only = ReadOptions { columns: Some(vec!["d".into(), "a".into()]), ..Default::default() };
    assert_eq!(kinds(&read_as("t.csv", "a,b,d\n1,2,3\n", &only).unwrap()), [("a", "integer"), ("d", "integer")]);
    let unknown = ReadOptions { drop: vec!["q".into()], ..Default::default() };
    assert!(read_as("t.csv", "a\n1\n", &unknown).unwrap_err().is_usage());
}

#[test]
fn zones_and_encodings_are_heeded() {
    let berlin = ReadOptions { zone: "Europe/Berlin".into(), ..Default::default() };
    let outcome = read_as("t.csv", "t\n2024-07-01 12:00\n", &berlin).unwrap();
    assert_eq!(column(&outcome, "t"), ["2024-07-01T10:00:00Z"]);

    assert_eq!(kinds(&csv(b"\xef\xbb\xbfa,b\n1,2\n")), [("a", "integer"), ("b", "integer")]);
    let utf16: Vec<u8> =
        [0xfeff].into_iter().chain("größe,n\nä,1\n".encode_utf16()).flat_map(u16::to_le_bytes).collect();
    let outcome = csv(utf16);
    assert_eq!((column(&outcome, "größe"), outcome.details.encoding.as_deref()), (vec!["ä".into()], Some("UTF-16LE")));

    let outcome = csv(b"name,n\nJos\xe9,1\n");
    assert_eq!(column(&outcome, "name"), ["José"]);
    assert_eq!(warned(&outcome), [("encoding", None)]);
    let latin = ReadOptions { encoding: Some("latin1".into()), ..Default::default() };
    assert!(warned(&read_as("t.csv", b"name,n\nJos\xe9,1\n", &latin).unwrap()).is_empty());
    let utf8 = ReadOptions { encoding: Some("utf-8".into()), ..Default::default() };
    let error = read_as("t.csv", b"name,n\na,1\nJos\xe9,1\n", &utf8).unwrap_err();
    let text = error.to_string();
    assert!(text.contains("line 3") && text.contains("offset 14") && text.contains("UTF-8"), "{text}");
}

#[test]
fn bytes_that_are_not_utf8_far_into_the_file_change_the_encoding_of_all_of_it() {
    let mut bytes = b"n,c\n".to_vec();
    for i in 0..300_000 {
        bytes.extend_from_slice(format!("{i},caf\u{e9}\n").as_bytes());
    }
    bytes.extend_from_slice(b"1,caf\xe9\n");
    let outcome = csv(&bytes);
    let cells = column(&outcome, "c");
    assert_eq!((cells[0].as_str(), cells[300_000].as_str()), ("cafÃ©", "café"));
    assert_eq!(warned(&outcome), [("encoding", None)]);
}

#[test]
fn delimiters_quotes_and_headers_are_detected_and_overridden() {
    assert_eq!(kinds(&csv("a;b\n1,5;x\n2,5;y\n")), [("a", "categorical"), ("b", "categorical")]);
    assert_eq!(kinds(&csv("a|b\n1|x\n")), [("a", "integer"), ("b", "categorical")]);
    assert_eq!(
        kinds(&csv("5.1,3.5,setosa\n4.9,3,setosa\n")),
        [("column_1", "float"), ("column_2", "float"), ("column_3", "categorical")]
    );
    let no_header = ReadOptions { header: Some(false), ..Default::default() };
    assert_eq!(column(&read_as("t.csv", "a,b\nc,d\n", &no_header).unwrap(), "column_1"), ["a", "c"]);
    let semicolon = ReadOptions { delimiter: Some(b';'), ..Default::default() };
    assert_eq!(kinds(&read_as("t.csv", "a,b;c\n1,2;3\n", &semicolon).unwrap())[0].0, "a,b");
    let stars = ReadOptions { quote: Some(b'*'), ..Default::default() };
    assert_eq!(column(&read_as("t.csv", "a,b\n*x,y*,1\n", &stars).unwrap(), "a"), ["x,y"]);
    let same = ReadOptions { quote: Some(b','), delimiter: Some(b','), ..Default::default() };
    assert!(read_as("t.csv", "a,b\n", &same).unwrap_err().is_usage());
    assert_eq!(kinds(&csv(",b\n0,x\n1,y\n"))[0].0, "column_1", "a name that is blank");
}

#[test]
fn lines_of_every_sort_are_understood() {
    let outcome = csv("a,b\r\n\r\n1,\"two\r\nlines\"\r\n  \n2,x\r\n\r\n\r\n");
    assert_eq!(column(&outcome, "b"), ["two\r\nlines", "x"]);
    assert_eq!(column(&csv("a,b\r1,x\r2,y\r"), "a"), ["1", "2"]);
    assert_eq!(column(&csv("a,b\n1,x\n2,y"), "b"), ["x", "y"], "no line end at the end");
    assert_eq!(column(&csv("a\n1\n\"\"\n2\n"), "a"), ["1", "-", "2"], "a quoted empty cell is a row");
}

#[test]
fn ragged_rows_are_filled_up_or_refused() {
    let outcome = csv("a,b,c\n1,2,3\n4,5\n6\n7,8,9,,\n");
    assert_eq!(
        (column(&outcome, "b"), column(&outcome, "c")),
        (["2", "5", "-", "8"].map(str::to_owned).to_vec(), ["3", "-", "-", "9"].map(str::to_owned).to_vec())
    );
    assert_eq!(warned(&outcome), [("ragged_rows", None)]);
    let message = &outcome.warnings[0].message;
    assert!(message.contains("2 rows") && message.contains("line 3"), "{message}");
    let error = csv_error("a,b\n1,2\n\n3,4,5\n").to_string();
    assert!(error.contains("line 4: 3 cells where the header has 2 columns"), "{error}");
    assert_eq!(kinds(&csv("a,b,\n1,2,\n")).len(), 2, "a delimiter at the end of each line");
}

#[test]
fn bad_files_are_refused_with_what_was_found() {
    let cases: [(&[u8], &str); 11] = [
        (b"", "empty"),
        (b"\n\n \n", "blank lines"),
        (b"a,b\n", "no row"),
        (b"a,b,a\n1,2,3\n", "`a` appears twice (columns 1 and 3)"),
        (b"a,b\n1,\"open\n2,3\n", "line 2: the quote `\"` that opens here is never closed"),
        (b"a,b\n1,x\0y\n", "line 2: a NUL byte"),
        (b"PK\x03\x04abcdef", "Excel"),
        (b"\x00\x01\x02\x03\x04\x05\x06\x07\x08\x01\x02\x03\x04", "binary"),
        (b"\x7fELF\x02\x01\x01", "a program"),
        (b"SQLite format 3\0abc", "SQLite"),
        (b"\x1f\x8b\x08\x00broken", "cut off or damaged"),
    ];
    for (content, expected) in cases {
        let error = csv_error(content);
        assert!(error.to_string().contains(expected) && error.to_string().contains("t.csv"), "{expected}: {error}");
        assert!(!error.is_usage(), "{error}");
    }
}

#[test]
fn very_large_shapes_work() {
    let cell = "word ".repeat(2 << 20);
    let outcome = csv(format!("a,b\n1,\"{cell}\"\n2,\"x\n{cell}\"\n"));
    assert_eq!(column(&outcome, "b")[0].len(), 10 << 20);
    assert_eq!(warned(&outcome), [("large_cell", Some("b"))]);

    let header: Vec<String> = (0..20_000).map(|i| format!("c{i}")).collect();
    let row = vec!["1.5"; 20_000].join(",");
    let wide = csv(format!("{}\n{}", header.join(","), format!("{row}\n").repeat(50)));
    assert_eq!((wide.table.schema().len(), wide.table.n_rows()), (20_000, 50));

    let mut levels = String::from("n,level\n");
    (0..200_000).for_each(|i| levels.push_str(&format!("{i},level-{}\n", i % 100_000)));
    let outcome = csv(levels);
    let Column::Category(category) = outcome.table.column(1) else { panic!("not a category") };
    assert_eq!(category.levels.len(), 100_000);
}

#[test]
fn files_are_read_together_by_the_names_of_their_columns() {
    let files = Files::new();
    let mut inputs = files.add("a.csv", "x,y\n1,a\n");
    inputs.extend(files.add("b.csv", "y,x\nb,2\nc,2.5\n"));
    let outcome = read_table(&inputs, &ReadOptions::default(), Context::silent()).unwrap();
    assert_eq!(
        (column(&outcome, "x"), column(&outcome, "y")),
        (["1", "2", "2.5"].map(str::to_owned).to_vec(), ["a", "b", "c"].map(str::to_owned).to_vec())
    );
    let mut lacking = files.input("a.csv");
    lacking.extend(files.add("c.csv", "x\n1\n2\n"));
    let error = read_table(&lacking, &ReadOptions::default(), Context::silent()).unwrap_err().to_string();
    assert!(error.contains("c.csv") && error.contains("missing: y"), "{error}");
    let mut more = files.input("a.csv");
    more.extend(files.add("d.csv", "x,y,z\n1,a,3\n"));
    let error = read_table(&more, &ReadOptions::default(), Context::silent()).unwrap_err().to_string();
    assert!(error.contains("d.csv, column `z`"), "{error}");
    let mut wrong = files.input("a.csv");
    wrong.extend(files.add("e.csv", "x,y\n\n1,a\n2,b,c\n"));
    let error = read_table(&wrong, &ReadOptions::default(), Context::silent()).unwrap_err().to_string();
    assert!(error.contains("e.csv, line 4"), "lines are counted for each file: {error}");
}

#[test]
fn packed_files_are_unpacked_whatever_their_name() {
    use std::io::Write;
    let plain = csv("a,b\n1,x\n");
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gz.write_all(b"a,b\n1,x\n").unwrap();
    let gz = gz.finish().unwrap();
    let zst = zstd::encode_all(&b"a,b\n1,x\n"[..], 1).unwrap();
    for (name, bytes) in [("t.csv.gz", &gz), ("t.csv", &gz), ("t.csv.zst", &zst), ("t", &zst)] {
        let outcome = read_as(name, bytes, &ReadOptions::default()).unwrap();
        assert_eq!(outcome.fingerprint, plain.fingerprint, "{name}");
    }
    let error = read_as("t.csv.gz", &gz[..gz.len() - 6], &ReadOptions::default()).unwrap_err().to_string();
    assert!(error.contains("cut off or damaged"), "{error}");
}

/// Reads with pieces of another size, on so many threads.
fn read_in_pieces(text: &str, piece: usize, threads: usize) -> Result<tabwright_core::Table> {
    let files = Files::new();
    let inputs = files.add("t.csv", text);
    let options = ReadOptions { header: Some(true), delimiter: Some(b','), ..Default::default() };
    let rules = rules(&options).unwrap();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    pool.install(|| {
        let file = CsvFile::open(&inputs[0], &options, None)?;
        let names = file.names.clone();
        let parser = CsvParser::new(vec![file], &rules)?.with_piece(piece);
        Ok({
            let request = Request { options: &options, rules: &rules, keeps: true, context: Context::silent() };
            Reading::new(&parser, Some(&names), &request).read()?.table
        })
    })
}

fn cell() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => prop_oneof![Just(""), Just("1"), Just("2.50"), Just("NA"), Just("true"), Just("2024-01-05"), Just("?")]
            .prop_map(str::to_owned),
        3 => "[0-9]{1,4}",
        2 => "\"[a-z0-9 ,\n]{0,6}(\"\")?[a-z]{0,2}\"",
        1 => "[a-z\" ]{0,4}",
        1 => prop_oneof![Just("007"), Just("99999999999999999999"), Just("inf"), Just("-"), Just("FALSE")]
            .prop_map(str::to_owned),
    ]
}

/// Columns that mostly hold one sort of cell, so that kinds hold for a while and then break.
fn columns() -> impl Strategy<Value = Vec<Vec<String>>> {
    let sort = prop_oneof![
        Just("[0-9]{1,3}"),
        Just("[0-9]{1,2}\\.[0-9]{1,2}"),
        Just("(true|false)"),
        Just("2024-0[1-9]-1[0-9]"),
        Just("(NA|\\?||-)"),
        Just("[a-c]"),
    ];
    let column = (sort, prop::collection::vec((0..20_u8, cell()), 40)).prop_flat_map(|(sort, others)| {
        prop::collection::vec(sort, others.len()).prop_map(move |usual| {
            let pick = |(usual, (odds, other)): (String, &(u8, String))| if *odds == 0 { other.clone() } else { usual };
            usual.into_iter().zip(&others).map(pick).collect::<Vec<String>>()
        })
    });
    prop::collection::vec(column, 1..4)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn the_table_depends_neither_on_the_size_of_the_pieces_nor_on_the_threads(
        cells in prop::collection::vec(prop::collection::vec(cell(), 3), 1..40),
        piece in 1..200_usize,
    ) {
        let mut text = String::from("a,b,c\n");
        cells.iter().for_each(|row| text.push_str(&format!("{}\n", row.join(","))));
        let whole = read_in_pieces(&text, 1 << 20, 1);
        for threads in [1, 3] {
            match (&whole, read_in_pieces(&text, piece, threads)) {
                (Ok(whole), Ok(cut)) => prop_assert!(same(whole, &cut), "{text}\n{whole:?}\n{cut:?}"),
                (Err(whole), Err(cut)) => {
                    prop_assert_eq!(whole.place().and_then(|p| p.position), cut.place().and_then(|p| p.position));
                }
                (whole, cut) => prop_assert!(false, "{text}\n{whole:?}\n{cut:?}"),
            }
        }
    }

    #[test]
    fn typed_pieces_come_out_as_the_rules_for_strings_say(columns in columns(), piece in 1..120_usize) {
        let mut text: String = (0..columns.len()).map(|i| format!("c{i},")).collect();
        text.push_str("end\n");
        for row in 0..columns[0].len() {
            columns.iter().for_each(|c| text.push_str(&format!("{},", c[row].replace(['"', ',', '\n'], ""))));
            text.push_str("x\n");
        }
        let table = read_in_pieces(&text, piece, 2).unwrap();
        let rules = rules(&ReadOptions::default()).unwrap();
        for (index, cells) in columns.iter().enumerate() {
            let cells = cells.iter().map(|c| c.replace(['"', ',', '\n'], "").trim().to_owned());
            let category = Category::from_strings(cells.map(|c| Some(c).filter(|c| !c.is_empty())));
            let (kind, expected, _) = infer::infer(category, &rules);
            prop_assert_eq!(table.schema().fields()[index].kind, kind, "{}", text);
            prop_assert_eq!(crate::fixture::shown(table.column(index)), crate::fixture::shown(&expected), "{}", text);
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = read_as("t.csv", &bytes, &ReadOptions::default());
    }

    #[test]
    fn any_text_is_read_or_refused(text in "[a-c0-9,;\"'\n\r\t |.-]{0,200}") {
        let _ = read_as("t.csv", &text, &ReadOptions::default());
    }
}
