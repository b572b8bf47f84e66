//! Labels come late, early, twice and corrected.

use std::time::Duration;

use super::*;

fn text(id: &str, value: &str) -> (String, LabelValue) {
    (id.to_owned(), LabelValue::Text(value.into()))
}

fn send(place: &Place, labels: &[(String, LabelValue)], received: Micros) {
    let writer = place.log.label_writer(LogOptions::default()).unwrap();
    let labels: Vec<Label<'_>> =
        labels.iter().map(|(id, value)| Label { id, value: value.clone(), time: Some(received - 7) }).collect();
    writer.append(&labels, received).unwrap().wait().unwrap();
    writer.close().unwrap();
}

fn join(place: &Place, labels: &Labels) -> (Vec<String>, JoinCounts) {
    let mut join = place.log.join(&ReadRequest::window(0, Micros::MAX), labels).unwrap();
    let found = join.by_ref().flat_map(|chunk| cells(&chunk.unwrap().labels)).collect();
    (found, join.counts())
}

#[test]
fn labels_come_early_late_again_corrected_and_for_nobody() {
    let place = Place::new();
    send(&place, &[text("id-0", "yes"), text("id-9", "no")], NOON);
    place.write(0..4, NOON);
    place.log.compact(NOON).unwrap();
    send(&place, &[text("id-1", "no"), text("id-0", "yes")], NOON + 10);
    send(&place, &[text("id-1", "yes"), ("id-2".into(), LabelValue::Number(1.0))], NOON + 20);
    let labels = place.log.labels(Micros::MAX).unwrap();
    assert_eq!((labels.len(), labels.received(), labels.repeated(), labels.corrected()), (4, 6, 1, 1));
    let (found, counts) = join(&place, &labels);
    assert_eq!(found, ["Some(\"yes\")", "Some(\"yes\")", "Some(\"1\")", "missing"]);
    assert_eq!((counts.entries, counts.labelled, counts.corrected, counts.maturity()), (4, 3, 1, Some(0.75)));
    let unknown = place.log.unknown_labels(&labels).unwrap();
    assert_eq!((unknown.ids, unknown.examples), (1, vec!["id-9".to_owned()]));
    let history = place.log.label_history("id-1").unwrap();
    assert_eq!(history.iter().map(|r| r.received).collect::<Vec<_>>(), [NOON + 10, NOON + 20]);
    assert_eq!(history[0].time, Some(NOON + 3));
    // As it was known before the correction came.
    let before = place.log.labels(NOON + 20).unwrap();
    assert_eq!(join(&place, &before).0, ["Some(\"yes\")", "Some(\"no\")", "missing", "missing"]);
    let none = place.log.labels(NOON).unwrap();
    assert!(none.is_empty());
    assert_eq!(join(&place, &none).1.maturity(), Some(0.0));
    // The prediction that a label was too early for comes.
    place.write(9..10, NOON);
    assert_eq!(place.log.unknown_labels(&labels).unwrap().ids, 0);
}

#[test]
fn numbers_label_numbers() {
    let place = Place::new();
    let schema = LogSchema { inputs: Vec::new(), outputs: Outputs::Number };
    let writer = place.log.writer("1", schema, LogOptions::default()).unwrap();
    let predictions = Column::Float(vec![1.0, 2.0, 3.0]);
    writer.append(&Entries::new(&["a", "b", "c"], &[NOON], &[], &predictions)).unwrap();
    writer.close().unwrap();
    send(&place, &[("a".into(), LabelValue::Number(1.5)), text("b", "2.5"), text("c", "much")], NOON);
    let chunk = place.log.read(&ReadRequest::window(0, Micros::MAX)).unwrap().next().unwrap().unwrap();
    assert_eq!(
        cells(chunk.table.column_named("input_hash").unwrap()),
        ["missing"; 3],
        "nothing is known of the inputs"
    );
    let (found, counts) = join(&place, &place.log.labels(Micros::MAX).unwrap());
    let bits = |number: f64| format!("{:x}", number.to_bits());
    assert_eq!(found, [bits(1.5), bits(2.5), "missing".to_owned()]);
    assert_eq!((counts.labelled, counts.wrong_kind), (2, 1));
}

#[test]
fn what_can_be_no_label_is_refused_with_all_that_came_with_it() {
    let place = Place::new();
    let writer = place.log.label_writer(LogOptions::default()).unwrap();
    let good = Label { id: "a", value: LabelValue::Number(1.0), time: None };
    let says = |bad: Label<'_>| writer.append(&[good.clone(), bad], NOON).unwrap_err().to_string();
    assert!(says(Label { value: LabelValue::Number(f64::NAN), ..good.clone() }).contains("`a`"));
    assert!(says(Label { value: LabelValue::Text("".into()), ..good.clone() }).contains("it is empty"));
    assert!(says(Label { id: "", ..good.clone() }).contains("it is empty"));
    assert!(says(Label { time: Some(-1), ..good.clone() }).contains("between the years"));
    assert!(place.log.labels(Micros::MAX).unwrap().is_empty());
}

#[test]
fn a_segment_of_labels_that_is_cut_anywhere_has_every_whole_frame() {
    let place = Place::new();
    let writer = place.log.label_writer(LogOptions::default()).unwrap();
    let label = |id| Label { id, value: LabelValue::Text("yes".into()), time: None };
    writer.append(&[label("a"), label("b")], NOON).unwrap().wait().unwrap();
    writer.append(&[label("c")], NOON + 1).unwrap().wait().unwrap();
    writer.close().unwrap();
    let mut files = Vec::new();
    list_files(&place.log.folder().join(LABELS), &mut files);
    let bytes = std::fs::read(&files[0]).unwrap();
    let mut most = 0;
    for cut in 0..=bytes.len() {
        std::fs::write(&files[0], &bytes[..cut]).unwrap();
        let found = place.log.labels(Micros::MAX).unwrap().len();
        assert!([0, 2, 3].contains(&found) && found >= most);
        most = found;
    }
    assert_eq!(most, 3);
}

#[test]
fn labels_that_are_too_old_are_freed_with_their_segment() {
    let place = Place::new();
    send(&place, &[text("a", "yes")], NOON - 40 * DAY);
    send(&place, &[text("b", "yes")], NOON);
    let writer = place.log.label_writer(LogOptions::default()).unwrap();
    let old = Label { id: "c", value: LabelValue::Text("yes".into()), time: None };
    writer.append(&[old], NOON - 40 * DAY).unwrap().wait().unwrap();
    let retention = Retention { age: Some(Duration::from_secs(30 * 86_400)), ..Retention::by_default(NOON) };
    let would = place.log.retain(&Retention { dry_run: true, ..retention }).unwrap();
    let freed = place.log.retain(&retention).unwrap();
    assert_eq!((freed.label_segments, would.label_segments), (1, 1));
    let labels = place.log.labels(Micros::MAX).unwrap();
    let mut left: Vec<&str> = labels.ids().collect();
    left.sort_unstable();
    assert_eq!(left, ["b", "c"], "one is too young, the other still written");
}
