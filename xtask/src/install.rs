//! Programs that tests need beside the toolchain: found, or installed where the system lets us.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::process::{self, Result};

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

/// A Python in a virtual environment below the target folder, with the packages of a file of pinned versions.
///
/// # Errors
/// If there is no Python, or a package cannot be installed.
pub(crate) fn python(environment: &str, requirements: &str) -> Result<PathBuf> {
    let folder = process::target_folder()?.join(environment);
    let python = folder.join("bin/python");
    let path = process::root().join(requirements);
    let wanted = std::fs::read_to_string(&path).map_err(|e| format!("{requirements}: {e}"))?;
    let stamp = folder.join("installed.txt");
    if std::fs::read_to_string(&stamp).ok().as_deref() == Some(&wanted) {
        return Ok(python);
    }
    let make = || {
        let mut make = Command::new("python3");
        make.args(["-m", "venv"]).arg(&folder);
        process::run(make)
    };
    // Debian keeps what makes environments in a package of its own.
    make().or_else(|why| if install("python3-venv") { make() } else { Err(why) })?;
    let mut fetch = Command::new(&python);
    // What is imported is compiled then; all of it takes as long as the download.
    fetch.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile", "-r"]).arg(&path);
    process::run(fetch)?;
    std::fs::write(&stamp, wanted).map_err(|e| format!("{}: {e}", stamp.display()))?;
    Ok(python)
}
