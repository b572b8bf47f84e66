"""What every comparison shares: arguments, measured processes, the machine, and where results go.

A comparison runs the peers and our release binary in turn, so that whatever else the machine does falls on both.
"""
import argparse, datetime, importlib.metadata, json, os, pathlib, platform, shlex, statistics, subprocess, sys, threading, time

import psutil

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent
RESULTS = HERE / "results"
PEERS = HERE / "peers"
LOOK_EVERY = 0.02  # seconds between two looks at the memory of a process and its children


def arguments(description, repeats=3):
    """The flags of `cargo xtask bench`; a comparison may add its own before it parses."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--binary", type=pathlib.Path, default=ROOT / "target/release/tabwright", help="our release binary")
    parser.add_argument("--scratch", type=pathlib.Path, default=ROOT / "target/bench", help="folder for generated files")
    parser.add_argument("--data", type=pathlib.Path, default=ROOT.parent / "shared/data", help="folder of the real tables")
    parser.add_argument("--repeats", type=int, default=repeats, help="runs of each side, in turn")
    return parser


def prepare(options):
    """Makes the scratch folder; ends with a clear sentence where the binary is missing."""
    if not options.binary.exists():
        sys.exit(f"{options.binary.name} is not built; run: cargo build --release")
    options.binary = options.binary.resolve()
    options.scratch.mkdir(parents=True, exist_ok=True)
    options.scratch = options.scratch.resolve()


def peer_python(scratch, name):
    """The Python of an environment that peers have of their own, made where it is not there yet, from NAME-requirements.txt."""
    requirements = HERE / f"{name}-requirements.txt"
    folder = scratch / f"{name}-venv"
    python, stamp = folder / "bin/python", folder / "installed.txt"
    wanted = requirements.read_text()
    if not stamp.exists() or stamp.read_text() != wanted:
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", str(requirements)], check=True)
        stamp.write_text(wanted)
    return python


def real_tables(options):
    """The folder of the real tables; ends with a clear sentence where it is missing."""
    if not options.data.is_dir():
        sys.exit("the real tables are not here (--data names their folder); this comparison is left out")
    return options.data.resolve()


def measured(command, env=None, cwd=None):
    """Runs a command to its end: wall seconds, peak memory of the largest process and of all its processes, output."""
    command = [str(c) for c in command]
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=cwd,
                               env={**os.environ, **(env or {})})
    peak = {"tree": 0}
    watcher = threading.Thread(target=_watch, args=(process.pid, peak), daemon=True)
    watcher.start()
    errors = []
    reader = threading.Thread(target=lambda: errors.append(process.stderr.read()), daemon=True)
    reader.start()
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    watcher.join(1)
    reader.join(1)
    if process.returncode != 0:
        sys.exit(f"`{shown(command)}` ended with {process.returncode}\n{''.join(errors)[-3000:]}")
    largest = usage.ru_maxrss * 1024
    return dict(command=shown(command, env), seconds=seconds, peak_mb=largest / 1e6,
                tree_peak_mb=max(peak["tree"], largest) / 1e6, output=output)


def _watch(pid, peak):
    try:
        root = psutil.Process(pid)
        while True:
            total = 0
            for process in [root, *root.children(recursive=True)]:
                try:
                    total += process.memory_info().rss
                except psutil.Error:
                    pass
            if total == 0:
                return
            peak["tree"] = max(peak["tree"], total)
            time.sleep(LOOK_EVERY)
    except psutil.Error:
        return


def shown(command, env=None):
    """The command as a person would type it: programs and files by their names, not their places."""
    name = lambda word: pathlib.Path(word).name if pathlib.Path(word).is_absolute() else str(word)
    return shlex.join([f"{k}={name(v)}" for k, v in (env or {}).items()] + [name(word) for word in command])


def in_turn(repeats, sides):
    """Runs each side once, then again, `repeats` times; returns the measurements of each."""
    runs = {name: [] for name in sides}
    for _ in range(repeats):
        for name, run in sides.items():
            runs[name].append(run())
            last = runs[name][-1]
            print(f"  {name}: {last['seconds']:.2f} s, {last['peak_mb']:.0f} MB", flush=True)
    return runs


def spread(values):
    """Median and range."""
    return dict(median=statistics.median(values), low=min(values), high=max(values))


def ranged(values, digits=2):
    """`median (low–high)`."""
    s = spread(values)
    return f"{s['median']:.{digits}f} ({s['low']:.{digits}f}–{s['high']:.{digits}f})"


def machine():
    """Processor, cores and memory."""
    model = platform.processor() or platform.machine()
    try:
        for line in open("/proc/cpuinfo"):
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    except OSError:
        pass
    return dict(processor=model, cores=os.cpu_count(), memory_gb=round(psutil.virtual_memory().total / 2**30),
                system=platform.system())


def versions(binary, *packages):
    """Our version and those of the peers."""
    ours = subprocess.run([str(binary), "--version"], capture_output=True, text=True).stdout.strip()
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, cwd=ROOT).stdout.strip()
    found = {p: importlib.metadata.version(p) for p in packages}
    return dict(tabwright=f"{ours.removeprefix('tabwright ')} ({commit})", python=platform.python_version(), **found)


def write(name, title, command, document, lines):
    """Writes `results/NAME.json` and `.md`: what was run, where, with which versions, and what came of it."""
    RESULTS.mkdir(exist_ok=True)
    head = dict(command=command, date=datetime.date.today().isoformat(), machine=machine())
    (RESULTS / f"{name}.json").write_text(json.dumps({**head, **document}, indent=1, ensure_ascii=False) + "\n")
    m = head["machine"]
    text = [f"# {title}", "", f"`{command}`, {head['date']}, {m['cores']} cores of {m['processor']}, {m['memory_gb']} GiB. "
            + ", ".join(f"{k} {v}" for k, v in document.get("versions", {}).items()) + ".", "", *lines]
    (RESULTS / f"{name}.md").write_text("\n".join(text).rstrip() + "\n")
    print("\n".join(lines))
