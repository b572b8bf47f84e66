//! Whatever a process leaves when it dies.

use super::*;
use crate::predictions::frame::Frames;

/// A place with one segment of three frames and their bytes, and where each frame ends.
fn three_frames() -> (Place, PathBuf, Vec<u8>, Vec<usize>) {
    let place = Place::new();
    let writer = place.writer();
    for i in 0..3 {
        append(&writer, 2 * i..2 * i + 2, NOON);
    }
    writer.close().unwrap();
    let path = place.version().join(&place.files()[0]);
    let bytes = std::fs::read(&path).unwrap();
    let mut frames = Frames::of(&bytes);
    let mut ends = Vec::new();
    while frames.next().is_some() {
        ends.push(frames.end());
    }
    assert_eq!(ends.len(), 4, "the head and three frames");
    (place, path, bytes, ends)
}

#[test]
fn a_segment_that_is_cut_at_any_byte_has_every_whole_frame() {
    let (place, path, bytes, ends) = three_frames();
    for cut in 0..=bytes.len() {
        std::fs::write(&path, &bytes[..cut]).unwrap();
        let whole = ends.iter().skip(1).filter(|end| **end <= cut).count();
        assert_eq!(place.ids(), ids(0..2 * whole), "cut at {cut}");
        // A part takes its time: some cuts are enough.
        if cut % 13 == 0 || ends.contains(&cut) {
            let done = place.log.compact(NOON).unwrap();
            let end = ends.iter().filter(|end| **end <= cut).max().copied().unwrap_or(0);
            assert_eq!((done.segments, done.torn_bytes as usize, done.damage.len()), (1, cut - end, 0));
            assert_eq!(place.ids(), ids(0..2 * whole), "cut at {cut}");
            assert!(!path.exists());
            for file in place.files() {
                std::fs::remove_file(place.version().join(file)).unwrap();
            }
        }
    }
}

#[test]
fn damage_takes_one_frame_and_is_told() {
    let (place, path, bytes, ends) = three_frames();
    for byte in 0..bytes.len() {
        let mut flipped = bytes.clone();
        flipped[byte] ^= 1 << (byte % 8);
        std::fs::write(&path, &flipped).unwrap();
        let mut chunks = place.log.read(&ReadRequest::window(0, Micros::MAX)).unwrap();
        let found: Vec<String> = chunks.by_ref().flat_map(|c| ids_of(&c.unwrap())).collect();
        let hit = ends.iter().filter(|end| **end <= byte).count();
        let expected = match hit {
            0 => Vec::new(),
            hit => ids(0..6).into_iter().filter(|id| !ids(2 * hit - 2..2 * hit).contains(id)).collect(),
        };
        assert_eq!(found, expected, "byte {byte}");
        // Nothing tells a last frame that was damaged from one that was not written to its end.
        assert_eq!(chunks.damage().len(), usize::from(hit < 3), "byte {byte}");
    }
    // The second frame is damaged: what is whole becomes a part, and the segment stays for those who want to look.
    let mut flipped = bytes;
    flipped[ends[1] + 20] ^= 1;
    std::fs::write(&path, &flipped).unwrap();
    let done = place.log.compact(NOON).unwrap();
    assert_eq!((done.rows, done.damage.len()), (4, 1));
    assert!(place.files().iter().any(|name| name.ends_with(".damaged")), "{:?}", place.files());
    assert_eq!(place.ids().len(), 4);
    assert_eq!(place.log.compact(NOON).unwrap(), Compacted::default());
}

#[test]
fn a_segment_without_its_head_is_left_and_told() {
    let (place, path, mut bytes, _) = three_frames();
    bytes[20] ^= 1;
    std::fs::write(&path, &bytes).unwrap();
    let done = place.log.compact(NOON).unwrap();
    assert!(done.damage[0].why.contains("the head of the segment is damaged"), "{done:?}");
    assert_eq!(std::fs::read(&path).unwrap(), bytes);
}

#[test]
fn what_a_later_version_wrote_is_left_and_told() {
    let (place, path, bytes, _) = three_frames();
    let head = String::from_utf8(Frames::of(&bytes).next().unwrap().to_vec()).unwrap();
    let later = crate::predictions::frame::frame(head.replace("\"format\":1", "\"format\":2").as_bytes());
    std::fs::write(&path, &later).unwrap();
    let done = place.log.compact(NOON).unwrap();
    assert!(done.damage[0].why.contains("written by a later version of Tabwright"), "{done:?}");
    assert_eq!((std::fs::read(&path).unwrap(), place.ids()), (later, ids(0..0)));
}

#[test]
fn a_compaction_that_is_interrupted_anywhere_is_done_again() {
    let place = Place::new();
    place.write(0..50, NOON);
    let segment = place.version().join(&place.files()[0]);
    let bytes = std::fs::read(&segment).unwrap();
    place.log.compact(NOON).unwrap();
    let part = place.version().join(&place.files()[0]);
    // The part is whole, and the segment still there.
    std::fs::write(&segment, &bytes).unwrap();
    assert_eq!(place.ids(), ids(0..50));
    // The part is not whole, which cannot be since it is moved to its name: the segment is what is read.
    std::fs::write(&part, b"half").unwrap();
    assert_eq!(place.ids(), ids(0..50));
    // A part that was not moved to its name.
    let temporary = part.with_file_name(".tabwright-a1b2c3.part");
    std::fs::write(&temporary, b"half").unwrap();
    assert_eq!(place.ids(), ids(0..50));
    let done = place.log.compact(NOON).unwrap();
    assert_eq!((done.segments, done.parts, done.rows), (1, 1, 50));
    assert!(!temporary.exists() && !segment.exists());
    assert_eq!(place.ids(), ids(0..50));
}

#[test]
fn a_merge_that_is_interrupted_anywhere_is_read_once() {
    let place = Place::new();
    for i in 0..4 {
        place.write(10 * i..10 * i + 10, NOON);
    }
    place.log.compact(NOON).unwrap();
    let small = place.files();
    let kept: Vec<Vec<u8>> = small.iter().map(|f| std::fs::read(place.version().join(f)).unwrap()).collect();
    assert_eq!(small.len(), 4, "the day is not over");
    let later = NOON + DAY;
    assert_eq!(place.log.compact(later).unwrap().merged, 4);
    assert_eq!((place.files().len(), place.ids()), (1, ids(0..40)));
    // Some of the small ones are still there.
    for (name, bytes) in small.iter().zip(&kept).skip(1) {
        std::fs::write(place.version().join(name), bytes).unwrap();
    }
    let mut chunks = place.log.read(&ReadRequest::window(0, Micros::MAX)).unwrap();
    assert_eq!(chunks.by_ref().flat_map(|c| ids_of(&c.unwrap())).collect::<Vec<_>>(), ids(0..40));
    assert_eq!(chunks.duplicates(), 0, "they are not even looked at");
    drop(chunks);
    place.log.compact(later).unwrap();
    assert_eq!((place.files().len(), place.ids()), (1, ids(0..40)));
    // What comes late for that day is merged with it.
    place.write(40..50, NOON);
    place.log.compact(later).unwrap();
    assert_eq!((place.files().len(), place.ids()), (1, ids(0..50)));
}

#[test]
fn a_merge_waits_for_readers() {
    let place = Place::new();
    place.write(0..10, NOON);
    place.write(10..20, NOON);
    place.log.compact(NOON).unwrap();
    let small = ReadRequest { chunk_rows: 5, ..ReadRequest::window(0, Micros::MAX) };
    let mut chunks = place.log.read(&small).unwrap();
    let first = ids_of(&chunks.next().unwrap().unwrap());
    assert_eq!(place.log.compact(NOON + DAY).unwrap().merged, 0);
    let rest: Vec<String> = chunks.flat_map(|c| ids_of(&c.unwrap())).collect();
    assert_eq!([first, rest].concat(), ids(0..20));
    assert_eq!(place.log.compact(NOON + DAY).unwrap().merged, 2);
}
