"""Schemathesis: requests made from the description, valid and not; none may be answered with 5xx. Bounded, with a fixed seed."""
import pathlib, subprocess, sys, tempfile

from expected import BASE

EXAMPLES, SEED = 20, 1
command = [str(pathlib.Path(sys.executable).with_name("schemathesis")), "run", f"{BASE}/openapi.json", "--checks", "not_a_server_error",
           "--max-examples", str(EXAMPLES), "--seed", str(SEED), "--generation-deterministic", "--generation-database", "none", "--request-timeout", "10", "--no-color"]
with tempfile.TemporaryDirectory() as folder:
    sys.exit(subprocess.run(command, cwd=folder).returncode)
