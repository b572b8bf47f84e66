//! `cargo xtask commands`: runs the command blocks of README.md and of the guide, so that none of them can go stale.
//!
//! The blocks of a file run in order in one fresh folder that holds a copy of `examples/`; `tabwright` and
//! `cargo run --release --` mean the binary that was built here. A server that a block starts with `&` runs on for the blocks below
//! it. What may not run here is listed, never passed over.

mod blocks;
mod server;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use self::blocks::{Action, Block};
use self::server::Server;
use crate::install;
use crate::process::{self, Result, Scratch};

/// What became of the blocks.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// Blocks that ran and exited as they say.
    pub(crate) passed: usize,
    /// Blocks that did not: place and reason.
    pub(crate) failed: Vec<String>,
    /// Blocks that were left out: place and reason.
    pub(crate) left_out: Vec<String>,
}

/// Runs the blocks of the files named, or of all, against `--binary FILE` or the release binary, built first.
///
/// # Errors
/// If a block fails, or a file cannot be read.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let (binary, files) = process::chosen_binary(arguments)?;
    let files = if files.is_empty() { pages()? } else { files.iter().map(PathBuf::from).collect() };
    let outcome = run_files(&binary, &files)?;
    for text in &outcome.left_out {
        println!("left out: {text}");
    }
    for text in &outcome.failed {
        println!("failed: {text}");
    }
    println!(
        "commands: {} passed, {} failed, {} skipped",
        outcome.passed,
        outcome.failed.len(),
        outcome.left_out.len()
    );
    if outcome.failed.is_empty() { Ok(()) } else { Err("command blocks failed".into()) }
}

/// README.md and every page of the guide, in byte order.
///
/// # Errors
/// If the guide's folder cannot be read.
pub(crate) fn pages() -> Result<Vec<PathBuf>> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) -> std::io::Result<()> {
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() {
                walk(&path, found)?;
            } else if path.extension().is_some_and(|e| e == "md") {
                found.push(path);
            }
        }
        Ok(())
    }
    let guide = process::root().join("docs/src");
    let mut found = Vec::new();
    walk(&guide, &mut found).map_err(|e| format!("docs/src cannot be read: {e}"))?;
    found.sort();
    found.insert(0, process::root().join("README.md"));
    Ok(found)
}

/// Runs the blocks of files against a binary.
///
/// # Errors
/// If a file cannot be read, a block is malformed, or a folder cannot be prepared.
pub(crate) fn run_files(binary: &Path, files: &[PathBuf]) -> Result<Outcome> {
    let shims = Scratch::new("shims")?;
    write_shims(shims.path(), binary)?;
    let mut outcome = Outcome::default();
    for file in files {
        let text = std::fs::read_to_string(file).map_err(|e| format!("{} cannot be read: {e}", file.display()))?;
        let name = file.strip_prefix(process::root()).unwrap_or(file).display().to_string();
        let found = blocks::parse(&text).map_err(|e| format!("{name}:{e}"))?;
        if found.is_empty() {
            continue;
        }
        let folder = Scratch::new("blocks")?;
        process::copy_folder(&process::root().join("examples"), &folder.path().join("examples"))?;
        let lacks_curl = found.iter().any(needs_curl) && !install::has(CURL, CURL);
        let (folder, shims, port) = (folder.path(), shims.path(), server::free_port()?);
        let mut page = Page { name: &name, folder, shims, port, lacks_curl, server: None };
        for block in &found {
            page.run(block, &mut outcome)?;
        }
        page.stop_server(&mut outcome);
    }
    Ok(outcome)
}

/// The program that asks servers.
const CURL: &str = "curl";

fn needs_curl(block: &Block) -> bool {
    block.text.contains("curl ") && matches!(block.action, Action::Run { .. })
}

/// A page whose blocks run.
struct Page<'a> {
    name: &'a str,
    folder: &'a Path,
    shims: &'a Path,
    port: u16,
    lacks_curl: bool,
    /// The server that one of its blocks has started.
    server: Option<Server>,
}

impl Page<'_> {
    fn run(&mut self, block: &Block, outcome: &mut Outcome) -> Result<()> {
        let place = format!("{}:{}", self.name, block.line);
        let text = server::with_port(&block.text, self.port);
        let expected = match &block.action {
            Action::LeaveOut { reason } => {
                outcome.left_out.push(format!("{place} ({reason})"));
                return Ok(());
            }
            Action::Write { path } => {
                let target = self.folder.join(path);
                return std::fs::write(&target, &text).map_err(|e| format!("{place}: {path} cannot be written: {e}"));
            }
            Action::Run { exit } => *exit,
        };
        if self.lacks_curl && needs_curl(block) {
            outcome.left_out.push(format!("{place} (curl is not installed)"));
            return Ok(());
        }
        println!("-- {place}");
        if let Some(script) = server::started_by(&text) {
            self.stop_server(outcome);
            match Server::start(self.bash(&script)?, &place, &self.shims.join("server.log")) {
                Ok(server) => {
                    outcome.passed += 1;
                    self.server = Some(server);
                }
                Err(why) => outcome.failed.push(format!("{place}: {why}")),
            }
            return Ok(());
        }
        let output = self.bash(&text)?.output().map_err(|e| format!("bash cannot be started: {e}"))?;
        let code = output.status.code();
        if code == Some(expected) {
            outcome.passed += 1;
            return Ok(());
        }
        print!("{}", String::from_utf8_lossy(&output.stdout));
        eprint!("{}", String::from_utf8_lossy(&output.stderr));
        let found = code.map_or_else(|| "a signal".to_owned(), |c| format!("exit code {c}"));
        let first = text.lines().next().unwrap_or_default();
        outcome.failed.push(format!("{place}: `{first}` ended with {found}, expected {expected}"));
        Ok(())
    }

    /// Ends the server that runs, before another one starts or the page ends.
    fn stop_server(&mut self, outcome: &mut Outcome) {
        if let Some(Err(why)) = self.server.take().map(Server::stop) {
            outcome.failed.push(why);
        }
    }

    /// A shell in the folder of the page, in which `tabwright` is the binary that was built here.
    fn bash(&self, script: &str) -> Result<Command> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let path = std::env::join_paths(std::iter::once(self.shims.to_path_buf()).chain(std::env::split_paths(&path)))
            .map_err(|e| format!("PATH: {e}"))?;
        let mut command = Command::new("bash");
        command
            .args(["-euo", "pipefail", "-c", script])
            .current_dir(self.folder)
            .env("PATH", path)
            .stdin(Stdio::null());
        for (key, _) in std::env::vars_os().filter(|(k, _)| k.to_string_lossy().starts_with("TABWRIGHT_")) {
            command.env_remove(key);
        }
        command.env("TABWRIGHT_SERVE_PORT", self.port.to_string());
        Ok(command)
    }
}

/// Puts `tabwright` and a `cargo` that only knows `cargo run --release -- …` into a folder.
fn write_shims(folder: &Path, binary: &Path) -> Result<()> {
    let binary = binary.display();
    write_script(&folder.join("tabwright"), &format!("#!/bin/sh\nexec '{binary}' \"$@\"\n"))?;
    let cargo = format!(
        "#!/bin/sh\nif [ \"$1 $2 $3\" = 'run --release --' ]; then shift 3; exec '{binary}' \"$@\"; fi\n\
         echo \"a command block may not run: cargo $*\" >&2\nexit 97\n"
    );
    write_script(&folder.join("cargo"), &cargo)
}

fn write_script(path: &Path, text: &str) -> Result<()> {
    let told = |e: std::io::Error| format!("{} cannot be written: {e}", path.display());
    std::fs::write(path, text).map_err(told)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).map_err(told)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(page: &str) -> Outcome {
        let folder = Scratch::new("page").unwrap();
        let (binary, file) = (folder.path().join("fake"), folder.path().join("page.md"));
        write_script(&binary, "#!/bin/sh\necho \"ran $*\"\nif [ \"$1\" = bad ]; then exit 4; fi\n").unwrap();
        std::fs::write(&file, page).unwrap();
        run_files(&binary, &[file]).unwrap()
    }

    #[test]
    fn blocks_of_a_page_share_a_folder_and_mean_the_built_binary() {
        let page = "```toml file=a.toml\nx = 1\n```\n\n```sh\ntabwright train | grep -q 'ran train' && touch made\n\
                    test -f a.toml\n```\n\n```console\n$ test -f made\n$ cargo run --release -- x y\nran something else\n```\n\
                    \n```sh exit=4\ntabwright bad\n```\n\n```sh\ntest -d examples\n```\n";
        let found = outcome(page);
        assert_eq!((found.passed, found.failed, found.left_out.len()), (4, vec![], 0));
    }

    #[test]
    fn a_block_that_exits_otherwise_is_found() {
        let found = outcome(
            "```sh\ntabwright good\ntabwright bad\n```\n\n```sh exit=4\ntabwright good\n```\n\n```sh\ncargo build\n```\n",
        );
        assert_eq!((found.passed, found.failed.len()), (0, 3));
        assert!(found.failed[0].contains("ended with exit code 4, expected 0"), "{:?}", found.failed);
        assert!(found.failed[2].contains("ended with exit code 97"), "{:?}", found.failed);
    }

    #[test]
    fn a_server_runs_for_the_blocks_below_it_and_is_asked_to_end() {
        let folder = Scratch::new("page").unwrap();
        let (binary, file) = (folder.path().join("fake"), folder.path().join("page.md"));
        let fake = "#!/bin/sh\ncase $2 in\nbroken) exit 3 ;;\nrude) trap 'exit 5' TERM ;;\n*) trap 'exit 0' TERM ;;\nesac\n\
                    echo \"$TABWRIGHT_SERVE_PORT $$\" > at\necho \"listening on it\"\nwhile :; do sleep 0.05; done\n";
        write_script(&binary, fake).unwrap();
        let page = "```sh\ntabwright serve first &\n```\n\n```sh\nread port id < at; echo :8080 | grep -q \":$port\"\n\
                    kill -0 $id && mv at before\n```\n\n```sh\ntabwright serve rude &\n```\n\n\
                    ```sh\nread port id < before; ! kill -0 $id\n```\n\n```sh\ntabwright serve broken &\n```\n";
        std::fs::write(&file, page).unwrap();
        let found = run_files(&binary, &[file]).unwrap();
        assert_eq!((found.passed, found.failed.len()), (4, 2), "{:?}", found.failed);
        assert!(found.failed[0].contains("the server ended with exit status: 5"), "{:?}", found.failed);
        assert!(found.failed[1].contains("ended before it listened"), "{:?}", found.failed);
    }

    #[test]
    fn what_is_left_out_is_listed() {
        let found = outcome("```sh skip=\"builds the crate\"\ncargo install --path crates/cli\n```\n");
        assert_eq!((found.passed, found.left_out.len()), (0, 1));
        assert!(found.left_out[0].ends_with("page.md:1 (builds the crate)"), "{:?}", found.left_out);
    }
}
