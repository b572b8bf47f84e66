//! The clients that people ask servers of predictions with, for the tests of ours: Triton's, KServe's, MLflow's, pyarrow, and what reads
//! and tries the description of the routes. From PyPI, in a virtual environment of their own.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::install;
use crate::process::Result;

/// What has to be there for the scripts in `crates/cli/tests/clients`.
const MODULES: &str = "import jsonschema, kserve, mlflow.pyfunc.scoring_server.client, openapi_spec_validator, prometheus_client, pyarrow, \
     schemathesis, tritonclient.http";

/// A Python that has the clients, after they were installed where they are missing.
///
/// # Errors
/// Why there is none.
pub(crate) fn python() -> Result<PathBuf> {
    let python = install::python("clients-venv", "xtask/client-requirements.txt")?;
    // A package may be there and not run on this machine.
    let tried = Command::new(&python).args(["-c", MODULES]).stdin(Stdio::null()).output();
    let tried = tried.map_err(|e| format!("{} cannot be started: {e}", python.display()))?;
    match tried.status.success() {
        true => Ok(python),
        false => {
            let said = String::from_utf8_lossy(&tried.stderr);
            Err(format!("the clients do not start: {}", said.lines().last().unwrap_or("nothing was said")))
        }
    }
}
