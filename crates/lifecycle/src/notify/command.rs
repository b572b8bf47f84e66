//! A program that gets the message as JSON on its standard input. No shell is involved. It ends within a bounded time, with whatever it
//! has started; the end of what it wrote to its standard error is told when it fails.

use std::io;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};

use super::{Undelivered, one_line};
use crate::alert::Message;

/// How long the program may take.
const LIMIT: Duration = Duration::from_secs(30);
/// How long its standard error is waited for once it has ended: others may hold it open.
const LINGER: Duration = Duration::from_millis(500);
/// How much of its standard error is kept.
const TAIL: usize = 2_000;

/// A program and its arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    words: Vec<String>,
    /// How long it may take.
    pub limit: Duration,
}

impl Program {
    /// A program and its arguments.
    ///
    /// # Errors
    /// If there is no program, or a word that no program can get.
    pub fn new(words: &[String]) -> Result<Self, String> {
        if words.first().is_none_or(|program| program.trim().is_empty()) {
            return Err("the program is missing; write [\"/path/program\", \"argument\"]".into());
        }
        match words.iter().find(|word| word.contains('\0')) {
            Some(word) => Err(format!("`{}` holds a zero byte", word.escape_debug())),
            None => Ok(Program { words: words.to_vec(), limit: LIMIT }),
        }
    }

    /// Runs the program with a message.
    ///
    /// # Errors
    /// If it cannot be started, does not end in time, or ends with another code than 0.
    pub async fn send(&self, message: &Message) -> Result<u32, Undelivered> {
        let failed =
            |why: String| Err(Undelivered { attempts: 1, why: format!("{}: {why}", one_line(&self.words[0])) });
        let body = match serde_json::to_vec(message) {
            Ok(body) => body,
            Err(e) => return failed(format!("the message cannot be written: {e}")),
        };
        let mut child = match self.start() {
            Ok(child) => child,
            Err(e) => return failed(format!("it cannot be started: {e}")),
        };
        let id = child.id();
        let input = child.stdin.take();
        let writing = tokio::spawn(async move {
            if let Some(mut input) = input {
                // A program that has no use for the message need not read it.
                let _ = input.write_all(&body).await;
                let _ = input.shutdown().await;
            }
        });
        let tail = Arc::new(Mutex::new(Vec::new()));
        let mut reading = tokio::spawn(keep_tail(child.stderr.take(), Arc::clone(&tail)));
        let ended = tokio::time::timeout(self.limit, child.wait()).await;
        if ended.is_err() {
            end(id, &mut child).await;
        }
        let _ = tokio::time::timeout(LINGER, &mut reading).await;
        writing.abort();
        reading.abort();
        let said = said(&tail.lock().unwrap_or_else(PoisonError::into_inner));
        match ended {
            Ok(Ok(status)) if status.success() => Ok(1),
            Ok(Ok(status)) => failed(format!("{}{said}", of(status))),
            Ok(Err(e)) => failed(format!("it cannot be waited for: {e}")),
            Err(_) => failed(format!("it took longer than {:?} and was killed{said}", self.limit)),
        }
    }

    fn start(&self) -> io::Result<Child> {
        let mut command = Command::new(&self.words[0]);
        command.args(&self.words[1..]).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
        // Whoever stops waiting for it ends it.
        command.kill_on_drop(true);
        #[cfg(unix)]
        // A group of its own, so that it can be ended with all that it starts.
        command.process_group(0);
        command.spawn()
    }
}

/// Ends a program, with what it has started where the system knows groups.
async fn end(id: Option<u32>, child: &mut Child) {
    #[cfg(unix)]
    if let Some(group) = id.and_then(|id| rustix::process::Pid::from_raw(i32::try_from(id).ok()?)) {
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
    }
    #[cfg(not(unix))]
    let _ = id;
    let _ = tokio::time::timeout(Duration::from_secs(1), child.kill()).await;
}

/// Reads to the end and keeps the last bytes, so that a program that writes without end fills no memory.
async fn keep_tail(from: Option<impl AsyncRead + Unpin>, tail: Arc<Mutex<Vec<u8>>>) {
    let Some(mut from) = from else { return };
    let mut buffer = [0; 8_192];
    while let Ok(n @ 1..) = from.read(&mut buffer).await {
        let mut tail = tail.lock().unwrap_or_else(PoisonError::into_inner);
        tail.extend_from_slice(&buffer[..n]);
        let excess = tail.len().saturating_sub(TAIL);
        tail.drain(..excess);
    }
}

fn said(tail: &[u8]) -> String {
    let text = one_line(String::from_utf8_lossy(tail).trim());
    if text.is_empty() { text } else { format!("; it said: {text}") }
}

fn of(status: ExitStatus) -> String {
    match status.code() {
        Some(code) => format!("it ended with code {code}"),
        None => "it was ended by a signal".into(),
    }
}
