//! Runs a program and watches its time and peak memory (Linux: the kernel's own high-water mark).

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::process::{self, Result};

/// How often the high-water mark is read: it never falls, so only the growth since the last look can be missed.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// A program that ran.
#[derive(Debug)]
pub(super) struct Run {
    command: String,
    seconds: f64,
    pub(super) exit_code: Option<i32>,
    pub(super) peak_bytes: Option<u64>,
}

impl Run {
    fn peak_mb(&self) -> Option<f64> {
        self.peak_bytes.map(|b| b as f64 / 1e6)
    }

    pub(super) fn line(&self) -> String {
        let memory = self.peak_mb().map_or("memory not measured".into(), |mb| format!("{mb:.0} MB at most"));
        format!("{}: {:.1} s, {memory}, exit code {:?}", self.command, self.seconds, self.exit_code)
    }

    pub(super) fn record(&self) -> serde_json::Value {
        json!({
            "command": self.command, "seconds": (self.seconds * 100.0).round() / 100.0,
            "peak_mb": self.peak_mb().map(f64::round), "exit_code": self.exit_code,
        })
    }
}

/// Runs a program to its end, its output thrown away, its errors shown.
///
/// # Errors
/// If it cannot be started.
pub(super) fn run(mut command: Command) -> Result<Run> {
    let words = process::shown(&command);
    let start = Instant::now();
    let told = |e: std::io::Error| format!("`{words}`: {e}");
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().map_err(told)?;
    let mut peak_bytes = None;
    let status = loop {
        peak_bytes = high_water(child.id()).max(peak_bytes);
        match child.try_wait().map_err(told)? {
            Some(status) => break status,
            None => std::thread::sleep(LOOK_EVERY),
        }
    };
    Ok(Run { seconds: start.elapsed().as_secs_f64(), exit_code: status.code(), peak_bytes, command: words })
}

/// The most memory that a process has had resident.
fn high_water(process: u32) -> Option<u64> {
    let text = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = text.lines().find_map(|l| l.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok().map(|kb| kb * 1024)
}

/// How many lines a file has.
///
/// # Errors
/// If it cannot be read.
pub(super) fn lines(path: &Path) -> Result<usize> {
    let told = |e: std::io::Error| format!("{}: {e}", path.display());
    let mut reader = BufReader::with_capacity(1 << 20, std::fs::File::open(path).map_err(told)?);
    let mut count = 0;
    loop {
        let buffer = reader.fill_buf().map_err(told)?;
        if buffer.is_empty() {
            return Ok(count);
        }
        let length = buffer.len();
        count += buffer.iter().filter(|b| **b == b'\n').count();
        reader.consume(length);
    }
}

/// The processor and the number of cores.
pub(super) fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = text.lines().find_map(|l| l.strip_prefix("model name")).and_then(|l| l.split_once(':'));
    format!("{cores} cores, {}", model.map_or("unknown processor", |(_, name)| name.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_memory_and_exit_code_are_measured() {
        let mut command = Command::new("bash");
        command.args(["-c", "x=$(head -c 30000000 /dev/zero | tr '\\0' a); sleep 0.1; exit 3"]);
        let run = run(command).unwrap();
        assert_eq!(run.exit_code, Some(3));
        assert!(run.seconds >= 0.1);
        if cfg!(target_os = "linux") {
            assert!(run.peak_bytes.unwrap() > 20_000_000, "{run:?}");
        }
    }
}
