//! Programs that tests need beside the toolchain: found, or installed where the system lets us.

use std::process::{Command, Stdio};

use crate::process;

/// Whether a program starts, after an attempt to install the package that has it.
pub(crate) fn has(program: &str, package: &str) -> bool {
    starts(program) || (install(package) && starts(program))
}

fn starts(program: &str) -> bool {
    let quiet = Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    quiet.is_ok_and(|status| status.success())
}

/// Asks the package manager, as root or with `sudo` where that asks nothing back.
fn install(package: &str) -> bool {
    if !starts("apt-get") {
        return false;
    }
    let apt = |words: &[&str]| {
        let mut command = Command::new("sudo");
        command.args(["-n", "apt-get", "-qq", "-y"]).args(words);
        let mut direct = Command::new("apt-get");
        direct.args(["-qq", "-y"]).args(words).env("DEBIAN_FRONTEND", "noninteractive");
        process::run(direct).is_ok() || process::run(command).is_ok()
    };
    apt(&["install", package]) || (apt(&["update"]) && apt(&["install", package]))
}
