//! Where the checkout is, and running other programs in it: cargo, git, Python, the built binary.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What a chore returns; the message is for the person who started it.
pub(crate) type Result<T, E = String> = std::result::Result<T, E>;

/// The root of the checkout.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_path_buf()
}

/// A cargo command that runs in the checkout.
pub(crate) fn cargo<S: AsRef<std::ffi::OsStr>>(arguments: impl IntoIterator<Item = S>) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root()).args(arguments);
    command
}

/// The words of a command, for a person.
pub(crate) fn shown(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_name().unwrap_or_default().to_string_lossy().into_owned();
    let words = command.get_args().map(|a| a.to_string_lossy().into_owned());
    std::iter::once(program).chain(words).collect::<Vec<_>>().join(" ")
}

/// Runs a command with this terminal, after saying which.
///
/// # Errors
/// If it cannot be started or exits with another code than 0.
pub(crate) fn run(mut command: Command) -> Result<()> {
    let words = shown(&command);
    println!("$ {words}");
    let status = command.status().map_err(|e| format!("`{words}` cannot be started: {e}"))?;
    if status.success() { Ok(()) } else { Err(format!("`{words}` failed ({status})")) }
}

/// Runs a command and takes its output; its errors go to this terminal.
///
/// # Errors
/// If it cannot be started, exits with another code than 0, or prints something other than UTF-8.
pub(crate) fn output(mut command: Command) -> Result<String> {
    let words = shown(&command);
    let output = command.stderr(Stdio::inherit()).output().map_err(|e| format!("`{words}` cannot be started: {e}"))?;
    if !output.status.success() {
        return Err(format!("`{words}` failed ({})", output.status));
    }
    String::from_utf8(output.stdout).map_err(|_| format!("`{words}` printed something other than UTF-8"))
}

/// Runs a command, passes its output on line by line, and lets `line` see each. Returns whether it exited with 0.
///
/// # Errors
/// If it cannot be started.
pub(crate) fn watched(mut command: Command, mut line: impl FnMut(&str)) -> Result<bool> {
    let words = shown(&command);
    println!("$ {words}");
    let mut child = command.stdout(Stdio::piped()).spawn().map_err(|e| format!("`{words}` cannot be started: {e}"))?;
    if let Some(out) = child.stdout.take() {
        for text in BufReader::new(out).split(b'\n') {
            let text = text.map_err(|e| format!("the output of `{words}` cannot be read: {e}"))?;
            let text = String::from_utf8_lossy(&text);
            println!("{text}");
            line(&text);
        }
    }
    let status = child.wait().map_err(|e| format!("`{words}` cannot be waited for: {e}"))?;
    Ok(status.success())
}

/// The folder that cargo builds into.
///
/// # Errors
/// If `cargo metadata` does not say.
pub(crate) fn target_folder() -> Result<PathBuf> {
    let text = output(cargo(["metadata", "--format-version", "1", "--no-deps"]))?;
    let metadata: serde_json::Value = serde_json::from_str(&text).map_err(|e| format!("cargo metadata: {e}"))?;
    let folder = metadata["target_directory"].as_str().ok_or("cargo metadata names no target folder")?;
    Ok(PathBuf::from(folder))
}

/// The file name of the binary.
#[cfg(windows)]
pub(crate) const BINARY: &str = "tabwright.exe";
/// The file name of the binary.
#[cfg(not(windows))]
pub(crate) const BINARY: &str = "tabwright";

/// Builds the release binary and says where it is.
///
/// # Errors
/// If it does not build.
pub(crate) fn binary() -> Result<PathBuf> {
    run(cargo(["build", "--release", "--locked", "--package", "tabwright-cli"]))?;
    Ok(target_folder()?.join("release").join(BINARY))
}

/// The binary that `--binary FILE` names at the start of the arguments, else the release binary, built first; and the
/// other arguments.
///
/// # Errors
/// If there is no such file, or the binary does not build.
pub(crate) fn chosen_binary(arguments: &[String]) -> Result<(PathBuf, &[String])> {
    match arguments {
        [flag, path, rest @ ..] if flag == "--binary" => {
            Ok((std::fs::canonicalize(path).map_err(|e| format!("{path}: {e}"))?, rest))
        }
        rest => Ok((binary()?, rest)),
    }
}

/// An empty folder of its own, removed when it is dropped.
#[derive(Debug)]
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    /// Makes the folder, below the system's folder for temporary files.
    ///
    /// # Errors
    /// If it cannot be made.
    pub(crate) fn new(name: &str) -> Result<Self> {
        use std::sync::atomic::{AtomicU32, Ordering};
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("tabwright-{name}-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path).map_err(|e| format!("{} cannot be made: {e}", path.display()))?;
        Ok(Scratch(path))
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // A folder that cannot be removed is a nuisance, not a failure of the chore.
        drop(std::fs::remove_dir_all(&self.0));
    }
}

/// Copies the files of a folder, with its folders.
///
/// # Errors
/// If something cannot be read or written.
pub(crate) fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    let told = |e: std::io::Error| format!("{} cannot be copied: {e}", from.display());
    std::fs::create_dir_all(to).map_err(told)?;
    for entry in std::fs::read_dir(from).map_err(told)? {
        let entry = entry.map_err(told)?;
        let target = to.join(entry.file_name());
        if entry.file_type().map_err(told)?.is_dir() {
            copy_folder(&entry.path(), &target)?;
        } else {
            std::fs::copy(entry.path(), target).map_err(told)?;
        }
    }
    Ok(())
}
