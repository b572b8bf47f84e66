//! A PostgreSQL server for tests: its own folder and port, on loopback, stopped and removed when it is dropped.

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::install;
use crate::process::{self, Result, Scratch};

/// The user that the server runs as where we are root, which it refuses to run as.
const USER: &str = "postgres";

/// A running server.
#[derive(Debug)]
pub(crate) struct Server {
    folder: Scratch,
    programs: PathBuf,
    port: u16,
}

impl Server {
    /// Starts a server, after an attempt to install it where it is missing.
    ///
    /// # Errors
    /// Why there is none.
    pub(crate) fn start() -> Result<Self> {
        let programs = match programs() {
            Some(folder) => folder,
            None => {
                install::has("initdb", "postgresql");
                programs().ok_or("it is not installed")?
            }
        };
        let listener = TcpListener::bind("127.0.0.1:0").map_err(|e| format!("there is no free port: {e}"))?;
        let port = listener.local_addr().map_err(|e| e.to_string())?.port();
        drop(listener);
        let server = Server { folder: Scratch::new("postgres")?, programs, port };
        if is_root() {
            let mut own = Command::new("chown");
            own.arg(USER).arg(server.folder.path());
            process::run(own)?;
        }
        let data = server.data();
        let path = data.to_string_lossy().into_owned();
        server.run("initdb", &["-D", &path, "-U", USER, "--auth=trust", "--no-sync"])?;
        let options = format!(
            "-p {port} -k {} -c listen_addresses=127.0.0.1 -c max_connections=300",
            server.folder.path().display()
        );
        server.run("pg_ctl", &["-D", &path, "-o", &options, "-l", &format!("{path}.log"), "-w", "start"])?;
        Ok(server)
    }

    /// Where it listens.
    pub(crate) fn url(&self) -> String {
        format!("postgres://{USER}@127.0.0.1:{}/postgres", self.port)
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn run(&self, program: &str, words: &[&str]) -> Result<()> {
        let path = self.programs.join(program);
        let mut command = match is_root() {
            true => {
                let mut command = Command::new("runuser");
                command.args(["-u", USER, "--"]).arg(path);
                command
            }
            false => Command::new(path),
        };
        command.args(words).current_dir(self.folder.path()).stdout(Stdio::null());
        process::run(command)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let path = self.data().to_string_lossy().into_owned();
        // A server that does not stop is named by the system's list of processes; the tests have ended.
        drop(self.run("pg_ctl", &["-D", &path, "-m", "immediate", "-w", "stop"]));
    }
}

/// The folder with the server's programs: on the path, or where Debian and others put them.
fn programs() -> Option<PathBuf> {
    let on_path =
        std::env::var_os("PATH").into_iter().flat_map(|path| std::env::split_paths(&path).collect::<Vec<_>>());
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut debian: Vec<PathBuf> = versions.map(|entry| entry.path().join("bin")).collect();
    debian.sort();
    debian.into_iter().rev().chain(on_path).find(|folder| ["initdb", "pg_ctl"].iter().all(|p| folder.join(p).is_file()))
}

#[cfg(unix)]
fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    std::path::Path::new("/proc/self").metadata().is_ok_and(|m| m.uid() == 0)
}

#[cfg(not(unix))]
fn is_root() -> bool {
    false
}
