"""Schemathesis: requests made from the description, valid and not; none may be answered with 5xx. Bounded, and the same each time."""
import os, pathlib, subprocess, sys, tempfile

from expected import BASE

EXAMPLES = 20
command = [str(pathlib.Path(sys.executable).with_name("schemathesis")), "run", f"{BASE}/openapi.json", "--checks", "not_a_server_error",
           "--max-examples", str(EXAMPLES), "--generation-deterministic", "--phases", "examples,coverage,fuzzing",
           "--suppress-health-check", "all", "--request-timeout", "10", "--no-color"]
with tempfile.TemporaryDirectory() as folder:
    here = pathlib.Path(__file__).parent
    sys.exit(subprocess.run(command, cwd=folder, env={**os.environ, "SCHEMATHESIS_HOOKS": "fuzz_bodies", "PYTHONPATH": str(here)}).returncode)
