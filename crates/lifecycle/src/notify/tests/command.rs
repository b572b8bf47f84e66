//! Programs that work, fail, hang, flood, and leave others behind.
#![cfg(unix)]

use std::time::{Duration, Instant};

use super::*;

fn shell(script: &str) -> Program {
    Program::new(&["sh".to_owned(), "-c".to_owned(), script.to_owned()]).unwrap()
}

#[tokio::test]
async fn a_program_gets_the_message_and_no_shell_reads_its_words() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("got");
    let words = ["tee", path.to_str().unwrap(), "$(touch /tmp/never)"].map(str::to_owned);
    let program = Program::new(&words[..2]).unwrap();
    let message = message();
    assert_eq!(program.send(&message).await, Ok(1));
    assert_eq!(serde_json::from_slice::<Message>(&std::fs::read(&path).unwrap()).unwrap(), message);
    let echo = Program::new(&["ls".to_owned(), words[2].clone()]).unwrap();
    let why = echo.send(&message).await.unwrap_err().why;
    assert!(why.contains("$(touch /tmp/never)"), "{why}");
}

#[tokio::test]
async fn one_that_fails_says_why() {
    let why = shell("echo bad news >&2; exit 3").send(&message()).await.unwrap_err().why;
    assert_eq!(why, "sh: it ended with code 3; it said: bad news");
    let missing = Program::new(&["/no/such/program".to_owned()]).unwrap();
    assert!(missing.send(&message()).await.unwrap_err().why.contains("it cannot be started"));
    let killed = shell("kill -9 $$").send(&message()).await.unwrap_err().why;
    assert!(killed.contains("ended by a signal"), "{killed}");
    assert_eq!(shell("exec 0<&-; exit 0").send(&message()).await, Ok(1), "it need not read the message");
}

#[tokio::test]
async fn one_that_hangs_is_killed_with_all_that_it_started() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("alive");
    let script = format!("(sleep 2; touch {}) & echo waiting >&2; wait", path.display());
    let mut program = shell(&script);
    program.limit = Duration::from_millis(300);
    let begun = Instant::now();
    let why = program.send(&message()).await.unwrap_err().why;
    assert!(why.contains("it took longer than 300ms and was killed; it said: waiting"), "{why}");
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    assert!(!path.exists(), "what it started was killed with it");
}

#[tokio::test]
async fn one_that_floods_fills_no_memory_and_one_that_leaves_others_is_not_waited_for() {
    let why =
        shell("yes x | head -c 5000000 >&2; yes y | head -c 5000000; echo end >&2; exit 1").send(&message()).await;
    let why = why.unwrap_err().why;
    assert!(why.len() < 3_000 && why.ends_with("end"), "{} bytes", why.len());
    let begun = Instant::now();
    assert_eq!(shell("sleep 20 & exit 0").send(&message()).await, Ok(1));
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
}
