//! Windows are read whole, each entry once.

use super::*;

/// What is read of a sample of rows is what was logged, bit by bit.
fn assert_is(chunk: &Chunk, sample: &Sample) {
    assert_eq!(ids_of(chunk), sample.ids);
    assert_eq!(chunk.times(), sample.times);
    for (read, logged) in chunk.inputs().iter().zip(&sample.inputs) {
        assert_eq!(cells(read), cells(logged));
    }
    assert_eq!(cells(chunk.predictions()), cells(&sample.predictions));
    for (read, logged) in chunk.probabilities().iter().zip(&sample.probabilities) {
        assert_eq!(cells(read), cells(&Column::Float(logged.clone())));
    }
    let hashes = hash_rows(&sample.inputs.iter().collect::<Vec<_>>(), sample.ids.len());
    let hashes = hashes.iter().map(|h| h.iter().map(|b| format!("{b:02x}")).collect::<String>());
    let logged = Column::Category(Category::from_strings(hashes.map(Some)));
    assert_eq!(cells(chunk.table.column_named("input_hash").unwrap()), cells(&logged));
    assert_eq!(cells(chunk.table.column_named("latency_us").unwrap()), vec!["250"; sample.ids.len()]);
    assert_eq!(cells(chunk.table.column_named("alias").unwrap())[0], "Some(\"champion\")");
    assert_eq!(cells(chunk.table.column_named("flags").unwrap())[0], "missing");
    assert_eq!(cells(chunk.table.column_named("model").unwrap())[0], "Some(\"churn\")");
}

#[test]
fn segments_and_parts_have_the_bits_that_were_logged() {
    let place = Place::new();
    let sample = Sample::new(0..300, NOON);
    let writer = place.writer();
    sample.with(|entries| writer.append(entries)).unwrap();
    writer.close().unwrap();
    let read = || place.log.read(&ReadRequest::window(0, Micros::MAX)).unwrap().next().unwrap().unwrap();
    assert_is(&read(), &sample);
    let done = place.log.compact(NOON).unwrap();
    assert_eq!((done.segments, done.parts, done.rows, &done.damage[..]), (1, 1, 300, &[][..]));
    assert!(place.files()[0].starts_with("day=2026-11-27/") && place.files().len() == 1, "{:?}", place.files());
    assert_is(&read(), &sample);
    let names: Vec<String> = read().table.schema().names().map(str::to_owned).collect();
    assert_eq!(
        names[11..],
        [
            "prediction",
            "probability_no",
            "probability_yes",
            "input.area",
            "input.rooms",
            "input.town",
            "input.new",
            "input.built",
            "input.time"
        ]
    );
}

#[test]
fn numbers_are_kept_whether_they_come_as_integers_or_as_floats() {
    let place = Place::new();
    let inputs = vec![
        LogColumn { name: "float".into(), kind: Kind::Float },
        LogColumn { name: "whole".into(), kind: Kind::Integer },
    ];
    let schema = LogSchema { inputs, outputs: Outputs::Number };
    let writer = place.log.writer("1", schema, LogOptions::default()).unwrap();
    let large = (1_i64 << 53) + 1;
    let rows = [
        (Column::Integer(vec![3, MISSING_INTEGER]), Column::Float(vec![2.0, f64::NAN])),
        (Column::Float(vec![0.5, -0.0]), Column::Integer(vec![7, large])),
    ];
    let one = Column::Float(vec![1.0, 2.0]);
    for (i, (float, whole)) in rows.iter().enumerate() {
        let (a, b) = (format!("a{i}"), format!("b{i}"));
        let inputs = [float, whole];
        writer.append(&Entries::new(&[&a, &b], &[NOON], &inputs, &one)).unwrap();
    }
    writer.flush().wait().unwrap();
    let read = |of: &str| {
        let chunk = place.log.read(&ReadRequest::window(0, Micros::MAX)).unwrap().next().unwrap().unwrap();
        cells(chunk.table.column_named(of).unwrap())
    };
    let bits = |number: f64| format!("{:x}", number.to_bits());
    for _ in 0..2 {
        assert_eq!(read("input.float"), [bits(3.0), "missing".into(), bits(0.5), bits(-0.0)]);
        assert_eq!(read("input.whole"), ["2".into(), "missing".into(), "7".into(), large.to_string()]);
        place.log.compact(NOON).unwrap();
    }
    // A fraction makes floats of all whole numbers of its file.
    let half = Column::Float(vec![0.5, 1.0]);
    writer.append(&Entries::new(&["c", "d"], &[NOON], &[&half, &half], &one)).unwrap();
    writer.close().unwrap();
    assert_eq!(read("input.whole"), [bits(2.0), "missing".into(), bits(7.0), bits(large as f64), bits(0.5), bits(1.0)]);
    place.log.compact(NOON).unwrap();
    assert_eq!(read("input.whole")[4], bits(0.5));
}

#[test]
fn equal_rows_have_equal_hashes_in_every_form() {
    let columns = [Column::Integer(vec![1, 2]), Column::Category(Category::from_strings([Some("a"), Some("b")]))];
    let other = [Column::Float(vec![2.0]), Column::Category(Category::from_strings([Some("b")]))];
    let hashes = hash_rows(&columns.iter().collect::<Vec<_>>(), 2);
    assert_eq!(hashes[1], hash_rows(&other.iter().collect::<Vec<_>>(), 1)[0]);
    assert_ne!(hashes[0], hashes[1]);
    let (split, joined) = ([Some("a"), Some("b")], [Some("ab"), Some("")]);
    let of = |texts: [Option<&str>; 2]| {
        let columns = texts.map(|t| Column::Category(Category::from_strings([t])));
        hash_rows(&columns.iter().collect::<Vec<_>>(), 1)
    };
    assert_ne!(of(split), of(joined));
}

#[test]
fn a_window_has_its_first_moment_and_not_its_last() {
    let place = Place::new();
    place.write(0..10, NOON);
    place.write(10..20, NOON);
    for _ in 0..2 {
        assert_eq!(place.ids_in(NOON + 3, NOON + 12), ids(3..12));
        assert_eq!(place.ids_in(NOON + 20, Micros::MAX), ids(0..0));
        assert_eq!(place.ids_in(5, 5), ids(0..0));
        place.log.compact(NOON).unwrap();
    }
    let request = ReadRequest { versions: vec!["2".into()], ..ReadRequest::window(0, Micros::MAX) };
    assert_eq!(place.log.read(&request).unwrap().count(), 0);
    let small = ReadRequest { chunk_rows: 4, ..ReadRequest::window(0, Micros::MAX) };
    let chunks: Vec<Chunk> = place.log.read(&small).unwrap().map(Result::unwrap).collect();
    assert!(chunks.iter().all(|c| c.table.n_rows() <= 4));
    assert_eq!(chunks.iter().flat_map(ids_of).collect::<Vec<_>>(), ids(0..20));
}

#[test]
fn an_id_that_is_there_twice_is_the_entry_of_the_earlier_time() {
    let place = Place::new();
    place.write(0..10, NOON + 1_000);
    place.log.compact(NOON).unwrap();
    // The same rows again, earlier and later, in segments and a part.
    place.write(5..8, NOON);
    place.write(0..3, NOON + 2_000);
    let check = || {
        let mut chunks = place.log.read(&ReadRequest::window(0, Micros::MAX)).unwrap();
        let mut found: Vec<(String, Micros)> = Vec::new();
        for chunk in chunks.by_ref() {
            let chunk = chunk.unwrap();
            found.extend(ids_of(&chunk).into_iter().zip(chunk.times().iter().copied()));
        }
        found.sort();
        let at = |i: usize| NOON + i as Micros + if (5..8).contains(&i) { 0 } else { 1_000 };
        let expected: Vec<(String, Micros)> = (0..10).map(|i| (format!("id-{i}"), at(i))).collect();
        assert_eq!((found, chunks.duplicates()), (expected, 6));
    };
    check();
    place.log.compact(NOON).unwrap();
    check();
    place.log.compact(NOON + 2 * DAY).unwrap();
    check();
    assert_eq!(place.files().len(), 1);
    // A window that begins between the two has none of them: its twin lies before it.
    assert_eq!(place.ids_in(NOON + 500, NOON + 1_100), ["id-0", "id-1", "id-2", "id-3", "id-4", "id-8", "id-9"]);
}

#[test]
fn versions_are_read_one_after_another_and_the_same_id_is_an_entry_of_each() {
    let place = Place::new();
    for version in ["10", "2", "0123456789abcdef"] {
        let writer = place.log.writer(version, schema(), LogOptions::default()).unwrap();
        append(&writer, 0..2, NOON);
    }
    let chunks = place.log.read(&ReadRequest::window(0, Micros::MAX)).unwrap();
    let versions: Vec<String> = chunks.map(|c| c.unwrap().version).collect();
    assert_eq!(versions, ["2", "10", "0123456789abcdef"]);
    let home = Home::at(place.folder.path().join("home"));
    assert_eq!(Predictions::models(&home).unwrap(), ["churn"]);
    let error = place.log.writer("labels", schema(), LogOptions::default()).unwrap_err().to_string();
    assert!(error.contains("labels are kept under this name"), "{error}");
    assert!(Predictions::of(&home, "../x").is_err());
}

#[test]
fn a_segment_is_read_while_it_grows() {
    let place = Place::new();
    let writer = place.writer();
    for i in 0..20 {
        append(&writer, i..i + 1, NOON);
        assert_eq!(place.ids(), ids(0..i + 1));
    }
    // What was found is read up to where it was then.
    let mut chunks = place.log.read(&ReadRequest { chunk_rows: 7, ..ReadRequest::window(0, Micros::MAX) }).unwrap();
    let first = chunks.next().unwrap().unwrap();
    append(&writer, 20..30, NOON);
    writer.close().unwrap();
    place.log.compact(NOON).unwrap();
    let rest = chunks.flat_map(|c| ids_of(&c.unwrap()));
    assert_eq!(ids_of(&first).into_iter().chain(rest).collect::<Vec<_>>(), ids(0..20));
    assert_eq!(place.ids(), ids(0..30));
}
