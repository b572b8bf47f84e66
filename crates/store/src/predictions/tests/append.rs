//! What is appended is there, however the writer ends.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::time::Duration;

use super::*;
use crate::predictions::segment::{Disk, FileSystem, SegmentFile};
use crate::predictions::writer::FrameWriter;

/// A disk that has room for some bytes only, and takes its time to sync.
#[derive(Debug, Default)]
struct BadDisk {
    room: Arc<AtomicUsize>,
    is_read_only: AtomicBool,
    sync_time: Duration,
}

struct BadFile {
    file: Box<dyn SegmentFile>,
    room: Arc<AtomicUsize>,
    sync_time: Duration,
}

impl Disk for BadDisk {
    fn create(&self, folder: &Path, name: &str) -> io::Result<Box<dyn SegmentFile>> {
        if self.is_read_only.load(Ordering::SeqCst) {
            return Err(io::Error::from(io::ErrorKind::ReadOnlyFilesystem));
        }
        let file = FileSystem.create(folder, name)?;
        Ok(Box::new(BadFile { file, room: Arc::clone(&self.room), sync_time: self.sync_time }))
    }
}

impl SegmentFile for BadFile {
    /// Writes what there is room for, as a file system does.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let room = self.room.load(Ordering::SeqCst);
        self.file.append(&bytes[..bytes.len().min(room)])?;
        self.room.store(room.saturating_sub(bytes.len()), Ordering::SeqCst);
        if bytes.len() > room { Err(io::Error::from(io::ErrorKind::StorageFull)) } else { Ok(()) }
    }

    fn sync(&mut self) -> io::Result<()> {
        std::thread::sleep(self.sync_time);
        self.file.sync()
    }

    fn cut(&mut self, length: u64) -> io::Result<()> {
        self.file.cut(length)
    }

    fn remove(&mut self) -> io::Result<()> {
        self.file.remove()
    }
}

/// A log on such a disk.
fn log_on(place: &Place, disk: Arc<BadDisk>, options: LogOptions) -> PredictionLog {
    let mut log = place.writer();
    let head = super::super::log::Head {
        format: segment::FORMAT,
        model: "churn".into(),
        version: "1".into(),
        schema: schema(),
    };
    log.writer = FrameWriter::on_disk(place.version(), head.to_json().unwrap().into_bytes(), options, disk).unwrap();
    log
}

fn options() -> LogOptions {
    LogOptions { retry: Duration::from_millis(2), queue_bytes: 4_000, ..LogOptions::default() }
}

fn wait_until(what: impl Fn() -> bool) {
    for _ in 0..5_000 {
        if what() {
            return;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    panic!("it did not come to pass");
}

fn append_async(log: &PredictionLog, number: usize) {
    Sample::new(number..number + 1, NOON).with(|entries| log.append(entries)).unwrap();
}

fn try_durable(log: &PredictionLog, number: usize) -> crate::Result<()> {
    Sample::new(number..number + 1, NOON).with(|entries| log.append_durable(entries)).unwrap().wait()
}

#[test]
fn a_disk_that_is_full_stops_nobody_and_logging_goes_on_when_it_has_room() {
    let place = Place::new();
    let room = Arc::new(AtomicUsize::new(2_000));
    let log = log_on(&place, Arc::new(BadDisk { room: Arc::clone(&room), ..BadDisk::default() }), options());
    let mut written = 0;
    while try_durable(&log, written).is_ok() {
        written += 1;
    }
    assert!(written > 0);
    let error = try_durable(&log, written).unwrap_err().to_string();
    assert!(error.contains("no storage space") && error.contains("churn"), "{error}");
    // What nobody waits for stays in the queue, and what has no room there is counted.
    let lost = log.state().dropped;
    for number in 100..200 {
        append_async(&log, number);
    }
    let state = log.state();
    let kept = 100 - (state.dropped - lost);
    assert!(state.failing.is_some() && kept > 0 && state.dropped > lost, "{state:?}");
    assert_eq!(state.waiting, kept);
    room.store(usize::MAX, Ordering::SeqCst);
    wait_until(|| log.state().failing.is_none() && log.state().waiting == 0);
    try_durable(&log, 500).unwrap();
    let state = log.state();
    assert!(state.last_error.is_some() && state.failing.is_none());
    log.close().unwrap();
    let mut found = place.ids();
    assert_eq!(found.len() as u64, written as u64 + kept + 1);
    assert_eq!(found.pop().unwrap(), "id-500");
    assert_eq!(found[..written], ids(0..written));
    assert_eq!(place.log.compact(NOON).unwrap().torn_bytes, 0, "what was half written was cut");
}

#[test]
fn a_folder_that_cannot_be_written_is_written_when_it_can() {
    let place = Place::new();
    let disk = Arc::new(BadDisk { room: Arc::new(AtomicUsize::new(usize::MAX)), ..BadDisk::default() });
    disk.is_read_only.store(true, Ordering::SeqCst);
    let log = log_on(&place, Arc::clone(&disk), options());
    append_async(&log, 0);
    wait_until(|| log.state().failing.is_some());
    assert!(try_durable(&log, 1).is_err());
    assert!(log.state().failing.unwrap().contains("read-only"), "{:?}", log.state());
    disk.is_read_only.store(false, Ordering::SeqCst);
    wait_until(|| log.state().waiting == 0);
    try_durable(&log, 2).unwrap();
    assert_eq!((log.state().written, log.state().dropped), (2, 1));
    log.close().unwrap();
    assert_eq!(place.ids(), ["id-0", "id-2"]);
    assert_eq!(place.files().len(), 1, "attempts that failed left nothing");
}

#[test]
fn closing_a_log_does_not_wait_for_a_disk_to_recover() {
    let place = Place::new();
    let log =
        log_on(&place, Arc::new(BadDisk::default()), LogOptions { retry: Duration::from_secs(3_600), ..options() });
    append_async(&log, 0);
    wait_until(|| log.state().failing.is_some());
    assert!(log.close().is_err());
}

#[test]
fn those_who_wait_share_a_sync() {
    const THREADS: usize = 16;
    let place = Place::new();
    let room = Arc::new(AtomicUsize::new(usize::MAX));
    let disk = BadDisk { room, sync_time: Duration::from_millis(20), ..BadDisk::default() };
    let log = log_on(&place, Arc::new(disk), LogOptions::default());
    let barrier = Barrier::new(THREADS);
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let (log, barrier) = (&log, &barrier);
            scope.spawn(move || {
                barrier.wait();
                try_durable(log, thread).unwrap();
            });
        }
    });
    let state = log.state();
    assert_eq!(state.written, THREADS as u64);
    assert!(state.syncs < THREADS as u64 / 2, "{} syncs", state.syncs);
}

#[tokio::test]
async fn tasks_wait_for_the_disk_without_holding_a_thread() {
    let place = Place::new();
    let log = place.writer();
    let durable: Vec<Durable> =
        (0..10).map(|i| Sample::new(i..i + 1, NOON).with(|entries| log.append_durable(entries)).unwrap()).collect();
    for one in durable {
        one.done().await.unwrap();
    }
    assert_eq!(place.ids(), ids(0..10));
    log.flush().done().await.unwrap();
}

#[test]
fn several_writers_at_once_lose_nothing() {
    let place = Place::new();
    std::thread::scope(|scope| {
        for writer in 0..4 {
            let place = &place;
            scope.spawn(move || {
                let small = LogOptions { segment_bytes: 3_000, ..LogOptions::default() };
                let log = place.log.writer("1", schema(), small).unwrap();
                for i in 0..50 {
                    append(&log, 100 * writer + i..100 * writer + i + 1, NOON);
                }
            });
        }
        // Somebody compacts and somebody reads all the while.
        for _ in 0..10 {
            place.log.compact(NOON).unwrap();
            let mut found = place.ids();
            found.sort();
            assert!(found.windows(2).all(|w| w[0] != w[1]));
        }
    });
    place.log.compact(NOON + DAY).unwrap();
    let mut found = place.ids();
    found.sort();
    let mut expected: Vec<String> = (0..4).flat_map(|w| ids(100 * w..100 * w + 50)).collect();
    expected.sort();
    assert_eq!(found, expected);
    assert_eq!(place.files().len(), 1);
}

#[test]
fn what_does_not_fit_the_schema_is_refused_and_named() {
    let place = Place::new();
    let log = place.writer();
    let sample = Sample::new(0..2, NOON);
    let says = |change: &dyn Fn(&mut Entries<'_>)| {
        sample.with(|entries| {
            let mut entries = *entries;
            change(&mut entries);
            log.append(&entries).unwrap_err().to_string()
        })
    };
    assert!(says(&|e| e.ids = &["a"]).contains("1 are needed"));
    assert!(says(&|e| e.ids = &["a", ""]).contains("it is empty"));
    assert!(says(&|e| e.ids = &["a", "b\n"]).contains("control character"));
    assert!(says(&|e| e.inputs = &e.inputs[1..]).contains("6 are needed"));
    assert!(says(&|e| e.times = &[-1]).contains("between the years 1970 and 9999"));
    assert!(says(&|e| e.probabilities = &e.probabilities[1..]).contains("2 are needed"));
    let text = Column::Category(Category::from_strings([Some("a"), Some("b")]));
    sample.with(|entries| {
        let mut inputs = entries.inputs.to_vec();
        inputs[0] = &text;
        let error = log.append(&Entries { inputs: &inputs, ..*entries }).unwrap_err().to_string();
        assert!(error.contains("`area`") && error.contains("float"), "{error}");
    });
    let long = "x".repeat(LONGEST_ID + 1);
    assert!(check_id(&long).unwrap_err().to_string().contains("129 bytes"));
    check_id(&long[1..]).unwrap();
    let twice = LogSchema { outputs: Outputs::Classes(vec!["a".into(), "a".into()]), ..schema() };
    assert!(place.log.writer("1", twice, LogOptions::default()).unwrap_err().to_string().contains("`a`"));
    drop(log);
    assert!(!place.version().exists(), "nothing was logged");
}

#[test]
fn a_segment_is_closed_by_size_and_by_age() {
    let place = Place::new();
    let log = place.log.writer("1", schema(), LogOptions { segment_bytes: 1_000, ..LogOptions::default() }).unwrap();
    (0..3).for_each(|i| append(&log, 10 * i..10 * i + 10, NOON));
    wait_until(|| place.log.compact(NOON).unwrap().segments > 0 || place.files().iter().all(|f| f.starts_with("day=")));
    let aged = LogOptions { segment_age: Duration::from_millis(5), ..LogOptions::default() };
    let log = place.log.writer("1", schema(), aged).unwrap();
    append(&log, 30..40, NOON);
    // Nothing more comes, and it is closed all the same.
    wait_until(|| {
        place.log.compact(NOON).unwrap();
        place.files().iter().all(|f| f.starts_with("day="))
    });
    assert_eq!(place.ids().len(), 40);
}

#[test]
fn rows_of_large_texts_become_frames_that_can_be_held_and_one_that_is_too_large_is_refused() {
    let place = Place::new();
    let inputs = vec![LogColumn { name: "text".into(), kind: Kind::Text }];
    let log = place.log.writer("1", LogSchema { inputs, outputs: Outputs::Number }, LogOptions::default()).unwrap();
    let text = |c: char, bytes: usize| Some(c.to_string().repeat(bytes));
    let texts = Column::Category(Category::from_strings(['a', 'b', 'c'].map(|c| text(c, 7 << 20))));
    let numbers = Column::Float(vec![1.0; 3]);
    log.append_durable(&Entries::new(&["a", "b", "c"], &[NOON], &[&texts], &numbers)).unwrap().wait().unwrap();
    let too_large = Column::Category(Category::from_strings([text('d', 17 << 20)]));
    let numbers = Column::Float(vec![1.0]);
    let error = log.append(&Entries::new(&["d"], &[NOON], &[&too_large], &numbers)).unwrap_err().to_string();
    assert!(error.contains("`d`") && error.contains("bytes"), "{error}");
    assert_eq!(place.ids(), ["a", "b", "c"]);
}
