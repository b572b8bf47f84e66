//! Segments become parts, at once or not at all.

use super::*;

#[test]
fn entries_of_many_days_become_a_part_of_each() {
    let place = Place::new();
    // As an import has them: in no order, and with times of their own.
    let mut sample = Sample::new(0..90, NOON);
    for (i, at) in sample.times.iter_mut().enumerate() {
        *at = NOON - DAY * ((i * 7) % 3) as Micros - i as Micros;
    }
    let writer = place.writer();
    sample.with(|entries| writer.import(entries)).unwrap();
    writer.flush().wait().unwrap();
    writer.close().unwrap();
    let done = place.log.compact(NOON).unwrap();
    assert_eq!((done.parts, done.rows), (3, 90));
    let days: Vec<String> = place.files().iter().map(|f| f[..14].to_owned()).collect();
    assert_eq!(days, ["day=2026-11-25", "day=2026-11-26", "day=2026-11-27"]);
    let chunks = place.log.read(&ReadRequest::window(0, Micros::MAX)).unwrap();
    let times: Vec<Micros> = chunks.flat_map(|c| c.unwrap().times().to_vec()).collect();
    assert!(times.len() == 90 && times.is_sorted());
    assert_eq!(place.ids_in(NOON - DAY / 2, Micros::MAX).len(), 30);
}

#[test]
fn the_segment_of_a_writer_is_left_to_it() {
    let place = Place::new();
    let writer = place.writer();
    append(&writer, 0..5, NOON);
    assert_eq!(place.log.compact(NOON).unwrap(), Compacted::default());
    append(&writer, 5..10, NOON);
    assert_eq!(place.ids(), ids(0..10));
    drop(writer);
    assert_eq!(place.log.compact(NOON).unwrap().rows, 10);
}

#[test]
fn parts_of_other_columns_are_not_merged_and_hashes_are_enough() {
    let place = Place::new();
    place.write(0..10, NOON);
    let hashes_only = LogSchema { inputs: Vec::new(), ..schema() };
    let writer = place.log.writer("1", hashes_only, LogOptions::default()).unwrap();
    let sample = Sample::new(10..20, NOON);
    let hashes = hash_rows(&sample.inputs.iter().collect::<Vec<_>>(), 10);
    sample.with(|entries| writer.append(&Entries { inputs: &[], hashes: &hashes, ..*entries })).unwrap();
    writer.close().unwrap();
    place.log.compact(NOON + DAY).unwrap();
    assert_eq!((place.files().len(), place.ids()), (2, ids(0..20)));
    let chunks = place.log.read(&ReadRequest::window(0, Micros::MAX)).unwrap();
    let inputs: Vec<usize> = chunks.map(|c| c.unwrap().inputs().len()).collect();
    assert_eq!(inputs, [6, 0]);
}

#[test]
fn a_boolean_of_another_text_is_kept_as_text() {
    let place = Place::new();
    let schema =
        LogSchema { inputs: vec![LogColumn { name: "b".into(), kind: Kind::Boolean }], outputs: Outputs::Number };
    let writer = place.log.writer("1", schema, LogOptions::default()).unwrap();
    let odd = Column::Category(Category::from_strings([Some("TRUE"), Some("maybe")]));
    writer.append(&Entries::new(&["a", "b"], &[NOON], &[&odd], &Column::Float(vec![0.0, 1.0]))).unwrap();
    writer.close().unwrap();
    place.log.compact(NOON).unwrap();
    let chunk = place.log.read(&ReadRequest::window(0, Micros::MAX)).unwrap().next().unwrap().unwrap();
    assert_eq!(cells(&chunk.inputs()[0]), cells(&odd));
}
