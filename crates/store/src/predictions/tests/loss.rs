//! Losses are noted, found by window, and forgotten when they are old.

use crate::Home;
use crate::predictions::{Loss, Predictions, Retention};

fn loss(from: i64, to: i64) -> Loss {
    Loss { version: "1".into(), from, to, rows: 3, why: "the disk is full".into() }
}

#[test]
fn losses_are_found_by_window_and_forgotten_when_old() {
    let folder = tempfile::tempdir().unwrap();
    let log = Predictions::of(&Home::at(folder.path()), "m").unwrap();
    assert_eq!(log.losses(0, i64::MAX).unwrap(), []);
    let day = 86_400_000_000;
    for at in [1, 40, 41] {
        log.note_loss(&loss(at * day, at * day + 5)).unwrap();
    }
    let file = log.folder().join("losses.jsonl");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, format!("{text}{{\"torn")).unwrap();
    assert_eq!(log.losses(40 * day + 5, 41 * day).unwrap(), [loss(40 * day, 40 * day + 5)]);
    assert_eq!(log.losses(0, i64::MAX).unwrap().len(), 3);
    log.retain(&Retention::by_default(45 * day)).unwrap();
    assert_eq!(log.losses(0, i64::MAX).unwrap(), [loss(40 * day, 40 * day + 5), loss(41 * day, 41 * day + 5)]);
    log.note_loss(&loss(44 * day, 44 * day)).unwrap();
    assert_eq!(log.losses(0, i64::MAX).unwrap().len(), 3);
}
