//! An S3 endpoint for tests: `moto` from PyPI in a virtual environment of its own, on a free port of loopback. It is stopped when
//! it is dropped, and stops by itself when this process ends in any other way.

use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::install;
use crate::process::{self, Result};

/// How long the server may take until it listens.
const START: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(50);

/// A running server.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    port: u16,
}

impl Server {
    /// Starts a server, after it was installed where it is missing.
    ///
    /// # Errors
    /// Why there is none.
    pub(crate) fn start() -> Result<Self> {
        let python = install::python("s3-venv", "xtask/s3-requirements.txt")?;
        let listener = TcpListener::bind("127.0.0.1:0").map_err(|e| format!("there is no free port: {e}"))?;
        let port = listener.local_addr().map_err(|e| e.to_string())?.port();
        drop(listener);
        let mut command = Command::new(python);
        command.arg("xtask/moto_server.py").arg(port.to_string()).current_dir(process::root());
        println!("$ {}", process::shown(&command));
        let child = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn();
        let child = child.map_err(|e| format!("the S3 endpoint cannot be started: {e}"))?;
        let mut server = Server { child, port };
        let begun = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            if let Ok(Some(status)) = server.child.try_wait() {
                return Err(format!("the S3 endpoint has ended ({status})"));
            }
            if begun.elapsed() > START {
                return Err(format!("the S3 endpoint does not listen after {} s", START.as_secs()));
            }
            std::thread::sleep(PAUSE);
        }
        Ok(server)
    }

    /// Where it listens.
    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // One that has ended already needs no more.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
