//! Facts of the surroundings that a run is recorded with: command line, user, machine, git commit and changes, memory.

use std::process::{Command, Stdio};

use serde_json::{Map, Value, json};
use tabwright_lifecycle::redact;

use crate::home;

/// Changes against the commit are kept up to this size, in bytes.
const LARGEST_DIFF: usize = 256 * 1024;

/// All facts that are known at the beginning. Secrets are taken out.
pub(crate) fn gather() -> Map<String, Value> {
    let mut facts = Map::new();
    let words: Vec<String> = std::env::args().collect();
    facts.insert("command_line".into(), json!(redact::words(words.iter().map(String::as_str))));
    facts.insert("user".into(), json!(home::user()));
    facts.insert("machine".into(), json!(machine()));
    facts.insert("host".into(), json!(host()));
    facts.insert("version".into(), json!(env!("CARGO_PKG_VERSION")));
    if let Ok(here) = std::env::current_dir() {
        facts.insert("folder".into(), json!(here));
    }
    if let Some(git) = git() {
        facts.insert("git".into(), git);
    }
    facts
}

/// Operating system, architecture and number of threads.
pub(crate) fn machine() -> String {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    format!("{} {}, {threads} threads", std::env::consts::OS, std::env::consts::ARCH)
}

fn host() -> Option<String> {
    let kernel = std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
    kernel.map(|name| name.trim().to_owned()).or_else(|| std::env::var("COMPUTERNAME").ok())
}

/// The most memory that the process had so far, in bytes, where the system says it.
pub(crate) fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

/// Commit, branch and changes against the commit; nothing where there is no git, or no checkout.
fn git() -> Option<Value> {
    let commit = answer(&["rev-parse", "HEAD"])?;
    let branch = answer(&["rev-parse", "--abbrev-ref", "HEAD"]).unwrap_or_default();
    let mut diff = redact::text(&answer(&["diff", "--no-ext-diff", "--no-textconv", "HEAD"]).unwrap_or_default());
    let is_cut = diff.len() > LARGEST_DIFF;
    if is_cut {
        let end = (0..=LARGEST_DIFF).rev().find(|at| diff.is_char_boundary(*at)).unwrap_or(0);
        diff.truncate(end);
    }
    Some(json!({ "commit": commit.trim(), "branch": branch.trim(), "diff": diff, "diff_cut": is_cut }))
}

fn answer(words: &[&str]) -> Option<String> {
    let mut command = Command::new("git");
    command.args(words).stdin(Stdio::null()).stderr(Stdio::null()).env("GIT_OPTIONAL_LOCKS", "0");
    let output = command.output().ok().filter(|o| o.status.success())?;
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}
