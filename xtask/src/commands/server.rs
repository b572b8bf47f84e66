//! A server that a block of a page starts and that later blocks ask: `tabwright serve … &` as the last command of a block.
//!
//! It is a process of the runner's own, not of the block's shell, so that it outlives the block, can be waited for, and never
//! outlives the page. Pages write the port 8080; a free one takes its place, so that pages and machines do not collide.

use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use crate::process::Result;

/// How pages write the port.
const WRITTEN: &str = ":8080";
/// How long a server may take until it listens: a debug build reads models slowly.
const START: Duration = Duration::from_secs(60);
/// Between two looks at what it has printed.
const PAUSE: Duration = Duration::from_millis(20);
/// What it prints when it listens.
const LISTENS: &str = "listening on ";

/// A port that nobody listens on.
///
/// # Errors
/// If there is none.
pub(super) fn free_port() -> Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|listener| listener.local_addr());
    listener.map(|address| address.port()).map_err(|e| format!("there is no free port: {e}"))
}

/// A text of a page with the port of the page.
pub(super) fn with_port(text: &str, port: u16) -> String {
    text.replace(WRITTEN, &format!(":{port}"))
}

/// The script of a block that leaves a server behind, so that the shell becomes the server.
pub(super) fn started_by(script: &str) -> Option<String> {
    let script = script.trim_end().strip_suffix(" &")?;
    let start =
        script.rfind("\ntabwright serve ").map(|at| at + 1).or(script.starts_with("tabwright serve ").then_some(0))?;
    let (before, command) = script.split_at(start);
    // Lines after it must continue it, else something else is left behind.
    let mut lines = command.lines().rev().skip(1);
    lines.all(|line| line.ends_with('\\')).then(|| format!("{before}exec {command}\n"))
}

/// A server that runs.
#[derive(Debug)]
pub(super) struct Server {
    /// The block that has started it.
    place: String,
    child: Child,
}

impl Server {
    /// Starts it and waits until it listens. What it prints goes to the file `log`.
    ///
    /// # Errors
    /// If it ends or does not say that it listens.
    pub(super) fn start(mut command: Command, place: &str, log: &Path) -> Result<Self> {
        let told = |e: std::io::Error| format!("{}: {e}", log.display());
        let file = std::fs::File::create(log).map_err(told)?;
        command.stderr(file.try_clone().map_err(told)?).stdout(file);
        let child = command.spawn().map_err(|e| format!("bash cannot be started: {e}"))?;
        let mut server = Server { place: place.to_owned(), child };
        let begun = Instant::now();
        loop {
            let ended = server.child.try_wait().map_err(|e| format!("the server cannot be waited for: {e}"))?;
            let printed = std::fs::read(log).map_err(told)?;
            let printed = String::from_utf8_lossy(&printed);
            if ended.is_none() && printed.contains(LISTENS) {
                return Ok(server);
            }
            if let Some(status) = ended {
                return Err(format!("the server ended before it listened ({status}): {printed}"));
            }
            if begun.elapsed() > START {
                return Err(format!("the server has not said on its terminal that it listens: {printed}"));
            }
            std::thread::sleep(PAUSE);
        }
    }

    /// Asks it to end, and waits until it has.
    ///
    /// # Errors
    /// If it ended before, or ends with another exit code than 0.
    pub(super) fn stop(mut self) -> Result<()> {
        let place = &self.place;
        if let Ok(Some(status)) = self.child.try_wait() {
            return Err(format!("{place}: the server ended before the page ({status})"));
        }
        let asked = Command::new("bash").args(["-c", &format!("kill -TERM {}", self.child.id())]).status();
        asked.map_err(|e| format!("bash cannot be started: {e}"))?;
        let status = self.child.wait().map_err(|e| format!("{place}: the server cannot be waited for: {e}"))?;
        if status.success() {
            Ok(())
        } else {
            Err(format!("{place}: the server ended with {status}, expected exit code 0"))
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // One that has ended already cannot be killed, which is as well.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_leaves_a_server_behind_becomes_one() {
        assert_eq!(started_by("tabwright serve churn &\n").as_deref(), Some("exec tabwright serve churn\n"));
        let long = "touch a\ntabwright serve churn \\\n  --shadow churn@challenger &\n";
        let expected = "touch a\nexec tabwright serve churn \\\n  --shadow churn@challenger\n";
        assert_eq!(started_by(long).as_deref(), Some(expected));
        for other in [
            "tabwright serve churn\n",
            "sleep 1 &\n",
            "tabwright serve churn &\ncurl x\n",
            "tabwright serve a\ncurl x &\n",
        ] {
            assert_eq!(started_by(other), None, "{other}");
        }
    }

    #[test]
    fn pages_write_one_port_and_get_another() {
        assert_eq!(with_port("curl http://127.0.0.1:8080/docs", 4711), "curl http://127.0.0.1:4711/docs");
        assert_ne!(free_port().unwrap(), 0);
    }
}
