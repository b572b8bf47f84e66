"""What watching a model costs and finds: drift reports and their power beside Evidently, the prediction log beside Parquet from Polars, and
what logging takes from a server."""
import json, statistics, subprocess, sys

import harness
import serve

ROWS, COLUMNS = 1_000_000, 50
REPORT_S, OF_EVIDENTLY, INGEST, OF_POLARS = 2.0, 20, 200_000, 1.1
COST = {"async": 0.10, "durable": 0.30}
SHIFTS, SIZES, REFERENCES = [0.0, 0.1, 0.25, 0.5], [200, 1_000, 5_000], [1_000, 5_000]
DEVIATION = 0.5773502691896258  # of the bell of four uniform numbers: the root of a third
REQUIREMENTS = harness.HERE / "monitor-requirements.txt"
PEER = harness.PEERS / "evidently_drift.py"


def answered(command, given=None):
    """Runs a program to its end and reads the JSON that it prints."""
    done = subprocess.run([str(c) for c in command], input=given, stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        sys.exit(f"`{harness.shown([str(c) for c in command])}` ended with {done.returncode}")
    return json.loads(done.stdout)


def reports(options, python):
    """Seconds of a report over all columns: ours from files to JSON, Evidently's in memory, in turn."""
    subprocess.run([sys.executable, str(harness.PEERS / "make_drift_tables.py"), str(options.scratch), str(options.rows)], check=True)
    reference, current = (options.scratch / f"drift_{options.rows}_{side}.parquet" for side in ("reference", "current"))
    ours = [options.binary, "drift", current, "--against", reference, "--json"]
    found = {"tabwright": [], "Evidently": []}
    harness.measured(ours, cwd=options.scratch)
    for _ in range(options.repeats):
        run = harness.measured(ours, cwd=options.scratch)
        report = json.loads(run.pop("output"))
        run["drifted"] = sum(c["drift"] for c in report["columns"])
        found["tabwright"].append(run)
        found["Evidently"].append(answered([python, PEER, "report", reference, current]))
        print(f"  {run['seconds']:.2f} s, Evidently {found['Evidently'][-1]['seconds']:.1f} s", flush=True)
    return found


def cells(options):
    """References, each with windows of one size at every shift; all follow from the numbers of the cells."""
    side = lambda seed, n, shift: dict(seed=seed, n=n, shape="bell", scale=1.0, shift=shift * DEVIATION, steps=0, missing=0.0)
    seed = 10_000_000
    for n_reference in REFERENCES:
        for n in SIZES:
            for _ in range(options.references):
                seed += 10_000
                shifts = [shift for shift in SHIFTS for _ in range(options.windows)]
                yield dict(reference=side(seed, n_reference, 0.0), windows=[side(seed + 1 + i, n, s) for i, s in enumerate(shifts)])


def power(options, python):
    """The share of windows that drift, by reference, size of the window and shift: ours three times, Evidently's default once."""
    asked = list(cells(options))
    given = json.dumps(asked)
    ours = answered([options.binary.parent / "examples/drift_power"], given)
    theirs = answered([python, PEER, "power"], given)
    table, same, all_ = [], 0, 0
    for n_reference in REFERENCES:
        for n in SIZES:
            of_size = [i for i, c in enumerate(asked) if c["reference"]["n"] == n_reference and c["windows"][0]["n"] == n]
            for at, shift in enumerate(SHIFTS):
                of_shift = slice(at * options.windows, (at + 1) * options.windows)
                rate = lambda decisions: statistics.mean(d for i in of_size for d in decisions(i)[of_shift])
                row = {name: rate(lambda i: ours[i][name]) for name in ("default", "auto", "ks")}
                table.append(dict(reference=n_reference, window=n, shift=shift, **row, evidently=rate(lambda i: theirs[i])))
    for mine, other in zip(ours, theirs):
        same += sum(a == b for a, b in zip(mine["default"], other))
        all_ += len(other)
    return dict(table=table, same_decisions=same, decisions=all_, windows=options.references * options.windows)


def ingest(options):
    """Rows a second into the log, and bytes of its parts beside what Polars makes of the same rows."""
    import polars as pl
    import shutil

    runs = []
    for i in range(options.repeats):
        home = options.scratch / "monitor-log"
        shutil.rmtree(home, ignore_errors=True)
        run = answered([options.binary.parent / "examples/log_ingest", home, options.rows])
        if i == 0:
            again = options.scratch / "log.zstd.parquet"
            pl.concat([pl.read_parquet(part, hive_partitioning=False) for part in run["parts"]]).write_parquet(again, compression="zstd")
            polars_bytes = again.stat().st_size
        runs.append({k: v for k, v in run.items() if k != "parts"})
        shutil.rmtree(home)
        print(f"  {run['rows'] / run['seconds']:,.0f} rows/s", flush=True)
    return dict(runs=runs, rows_per_second=[r["rows"] / r["seconds"] for r in runs], part_bytes=runs[0]["part_bytes"],
                polars_bytes=polars_bytes)


def serving(options):
    """Requests a second of one row without a log and with both kinds of it, in turn; none where the binary cannot log yet."""
    told = subprocess.run([str(options.binary), "serve", "--help"], capture_output=True, text=True).stdout
    if "--log" not in told or not (options.binary.parent / "examples/load").exists():
        return None
    subprocess.run([sys.executable, str(harness.PEERS / "make_serve_tables.py"), str(options.scratch)], check=True)
    body = serve.bodies(options.scratch)["one"]
    home = options.scratch / "monitor-serve"
    home.mkdir(exist_ok=True)
    if not (home / ".tabwright").exists():
        # A registered model: a log belongs to a name and a version.
        harness.measured([options.binary, "train", options.scratch / "serve_20.csv", "--target", "y", "--folds", 0, "--select-on", "validation",
                          "--candidates", "gbdt_leafwise", "--set", "candidates.gbdt_leafwise.n_estimators=100", "--name", "logged"], cwd=home)
    kinds = {"none": [], "async": ["--log", "async"], "durable": ["--log", "durable"]}
    found, servers = {kind: [] for kind in kinds}, {}
    try:
        for kind, words in kinds.items():
            command = [options.binary, "serve", "logged:1", "--port", 0, "--json", *words]
            servers[kind] = serve.Server(kind, command, "/health/ready", "/v1/models/logged/predict", cwd=home)
            servers[kind].until("prediction", lambda: serve.post(servers[kind].predict, body.read_bytes(), serve.JSON))
        for _ in range(options.repeats):
            for kind, server in servers.items():
                found[kind].append(serve.load(options, server.predict, body, serve.JSON, connections=serve.CONNECTIONS))
                print(f"  {kind}: {found[kind][-1]['requests_per_second']:,.0f}/s", flush=True)
    finally:
        for server in servers.values():
            server.stop()
    return found


def verdict(met):
    return "met" if met else "missed"


def goals(report, log, served):
    """Each goal: what it is of, what was found, what it asks for, and whether it is met."""
    median = statistics.median
    ours, theirs = ([r["seconds"] for r in report[name]] for name in ("tabwright", "Evidently"))
    ratios = [b / a for a, b in zip(ours, theirs)]
    of_polars = log["part_bytes"] / log["polars_bytes"]
    found = [
        ("drift report, seconds of the whole process", harness.ranged(ours), f"at most {REPORT_S:g}", median(ours) <= REPORT_S),
        ("the same, times faster than Evidently in memory", harness.ranged(ratios, 1), f"at least {OF_EVIDENTLY}", median(ratios) >= OF_EVIDENTLY),
        ("rows a second into the log", harness.ranged(log["rows_per_second"], 0), f"at least {INGEST:,}", median(log["rows_per_second"]) >= INGEST),
        ("bytes of the log's parts, of Polars' zstd Parquet", f"{of_polars:.3f}", f"at most {OF_POLARS:g}", of_polars <= OF_POLARS),
    ]
    for kind, most in COST.items() if served else ():
        costs = [1.0 - a / b for a, b in zip(serve.per_second(served[kind]), serve.per_second(served["none"]))]
        shown = f"{median(costs):.0%} ({min(costs):.0%}–{max(costs):.0%})"
        found.append((f"requests a second that `--log {kind}` costs", shown, f"at most {most:.0%}", median(costs) <= most))
    return [dict(what=what, found=value, goal=goal, verdict=verdict(met)) for what, value, goal, met in found]


def write(options, report, drifts, log, served):
    verdicts = goals(report, log, served)
    ours, theirs = report["tabwright"], report["Evidently"]
    lines = ["| what | found | goal | verdict |", "|---|---|---|---|",
             *(f"| {v['what']} | {v['found']} | {v['goal']} | {v['verdict']} |" for v in verdicts), "",
             f"Drift report: {options.rows:,} rows of {COLUMNS} columns (40 of numbers, 10 of categories) against as many. Ours is `tabwright drift CURRENT "
             f"--against REFERENCE --json`, from two Parquet files to the report. Evidently is `DataDriftPreset` on tables that are in memory: "
             f"{harness.ranged([r['seconds'] for r in theirs], 1)} s, and {harness.ranged([r['read_seconds'] for r in theirs], 1)} s for reading, which do not "
             f"count. Columns that drift: {ours[0]['drifted']} and {theirs[0]['drifted']:.0f}. Median (range) of {options.repeats} runs, in turn.", "",
             f"The log: {options.rows:,} rows of 20 inputs; {log['part_bytes']:,} bytes of parts, {log['polars_bytes']:,} from Polars."]
    if not served:
        lines += ["", "What logging costs a server is left out: this binary has no `serve --log`, or the load generator is not built."]
    lines += ["", f"How often one column of numbers drifts, {drifts['windows']:,} windows a row, on the same seeded samples; the shift is in standard deviations, "
              "and the rates at a shift of 0 are false alarms. `default` chooses and judges as Evidently's default does; `auto` is `--threshold auto` at a false-alarm "
              f"rate of 5%. Of {drifts['decisions']:,} decisions by default, {drifts['same_decisions']:,} are Evidently's.", "",
              "| reference rows | window rows | shift | default | auto | ks | Evidently's default |", "|---|---|---|---|---|---|---|"]
    for r in drifts["table"]:
        rates = " | ".join(f"{r[name]:.1%}" for name in ("default", "auto", "ks", "evidently"))
        lines.append(f"| {r['reference']:,} | {r['window']:,} | {r['shift']:g} | {rates} |")
    pinned = dict(line.split("==") for line in REQUIREMENTS.read_text().splitlines() if "==" in line)
    versions = {**harness.versions(options.binary, "polars"), **{name: pinned[name] for name in ("evidently", "scipy")}}
    document = dict(versions=versions, reports=report, power=drifts, log=log, serving=served, verdicts=verdicts)
    harness.write("monitor", "Watching a model", "cargo xtask bench monitor", document, lines)


def main():
    parser = harness.arguments(__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=ROWS, help="rows of the tables and of the log")
    parser.add_argument("--references", type=int, default=25, help="references of each size, for the power")
    parser.add_argument("--windows", type=int, default=20, help="windows of each reference, size and shift")
    parser.add_argument("--seconds", type=float, default=5, help="seconds of each measurement of a server")
    parser.add_argument("--warm-up", type=float, default=1, help="seconds before each measurement of a server")
    options = parser.parse_args()
    harness.prepare(options)
    python = harness.peer_python(options.scratch, "monitor")
    print("drift reports", flush=True)
    report = reports(options, python)
    print("power", flush=True)
    drifts = power(options, python)
    print("log", flush=True)
    log = ingest(options)
    print("servers", flush=True)
    write(options, report, drifts, log, serving(options))


if __name__ == "__main__":
    main()
