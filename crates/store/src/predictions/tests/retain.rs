//! What is old or too much goes, and nothing else.

use std::time::Duration;

use super::*;

fn days(freed: &FreedPredictions) -> Vec<&str> {
    freed.days.iter().map(|(_, day)| day.as_str()).collect()
}

fn ten_days() -> Place {
    let place = Place::new();
    for day in 0..10 {
        place.write(10 * day..10 * day + 10, NOON - DAY * (9 - day) as Micros);
    }
    place.log.compact(NOON).unwrap();
    place
}

#[test]
fn days_that_are_too_old_are_freed() {
    let place = ten_days();
    let age = Some(Duration::from_secs(3 * 86_400));
    let retention = Retention { age, dry_run: true, ..Retention::by_default(NOON) };
    let would = place.log.retain(&retention).unwrap();
    assert_eq!(place.ids().len(), 100);
    let freed = place.log.retain(&Retention { dry_run: false, ..retention }).unwrap();
    assert_eq!(freed, would);
    // The day three days ago is not over for three days.
    assert_eq!(days(&freed), ["2026-11-18", "2026-11-19", "2026-11-20", "2026-11-21", "2026-11-22", "2026-11-23"]);
    assert_eq!((freed.parts, place.ids()), (6, ids(60..100)));
    assert_eq!(freed.kept_bytes, place.log.bytes().unwrap());
    assert!(!place.version().join("day=2026-11-18").exists());
    assert_eq!(place.log.retain(&Retention::by_default(NOON)).unwrap().parts, 0);
}

#[test]
fn the_oldest_days_make_room() {
    let place = ten_days();
    let total = place.log.bytes().unwrap();
    let retention = Retention { now: NOON, age: None, bytes: Some(total * 55 / 100), dry_run: false };
    let freed = place.log.retain(&retention).unwrap();
    assert_eq!((freed.parts, place.ids()), (5, ids(50..100)));
    assert!(place.log.bytes().unwrap() <= total * 55 / 100);
    assert_eq!(freed.bytes, total - place.log.bytes().unwrap());
}

#[cfg(unix)]
#[test]
fn links_and_files_of_others_are_left() {
    use std::os::unix::fs::symlink;
    let place = ten_days();
    let outside = place.folder.path().join("outside");
    std::fs::create_dir_all(outside.join("day=2026-11-01")).unwrap();
    for theirs in ["a.parquet", "day=2026-11-01/b.parquet", "0000000000000000-0000000000000000.segment"] {
        std::fs::write(outside.join(theirs), b"theirs").unwrap();
    }
    let version = place.version();
    symlink(&outside, version.join("day=2026-11-02")).unwrap();
    symlink(outside.join("a.parquet"), version.join("day=2026-11-18/c.parquet")).unwrap();
    symlink(&outside, place.log.folder().join("7")).unwrap();
    let segment = "0000000000000000-0000000000000000.segment";
    symlink(outside.join(segment), version.join(segment)).unwrap();
    std::fs::write(version.join("day=2026-11-18/notes.txt"), b"theirs").unwrap();
    assert_eq!(place.ids(), ids(0..100));
    place.log.compact(NOON + DAY).unwrap();
    let nothing = Retention { now: NOON, age: Some(Duration::ZERO), bytes: Some(0), dry_run: false };
    place.log.retain(&nothing).unwrap();
    assert_eq!(place.ids(), ids(0..0));
    let mut left = Vec::new();
    list_files(&outside, &mut left);
    assert_eq!(left.len(), 3);
    assert!(version.join("day=2026-11-18/notes.txt").exists() && version.join("day=2026-11-18/c.parquet").is_symlink());
    // Nothing is written through a link either.
    let writer = place.log.writer("7", schema(), LogOptions::default()).unwrap();
    let refused = Sample::new(0..1, NOON).with(|e| writer.append_durable(e)).unwrap().wait().unwrap_err().to_string();
    assert!(refused.contains("a link stands where the log keeps a folder of its own"), "{refused}");
}
