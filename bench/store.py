"""The store of runs at its size: search, append, history and `runs list`, beside MLflow's own tracking store; and what recording adds to train."""
import json, statistics, subprocess, sys

import harness

# MLflow's tracking store without the rest of MLflow; in an environment of its own, since it pins what others need otherwise.
PEER = ["mlflow-skinny==3.17.2", "sqlalchemy==2.1.9", "alembic==1.20.1"]
METRICS = dict(search_ms=("filtered, sorted search", 30), append_ms=("append of 1,000 metric points", 5),
               history_ms=("history of one metric of a run", 1.5))
LIST_MS, RECORDING = 60, 0.05
RUNS = 20_000
CANDIDATES = "logistic_regression,random_forest,gbdt_leafwise"


def peer_python(scratch):
    """The Python of the peer's own environment, made where it is not there yet."""
    folder = scratch / "mlflow-venv"
    python, stamp = folder / "bin/python", folder / "installed.txt"
    if not stamp.exists() or stamp.read_text() != "\n".join(PEER):
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *PEER], check=True)
        stamp.write_text("\n".join(PEER))
    return python


def p95(values):
    return statistics.quantiles(values, n=100, method="inclusive")[94]


def sided(command):
    """Runs a side to its end, with its progress on our stderr; returns its document."""
    done = subprocess.run([str(c) for c in command], stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        sys.exit(f"`{harness.shown([str(c) for c in command])}` ended with {done.returncode}")
    return json.loads(done.stdout)


def recording(options):
    """Seconds of `train` with and without a record, in turn, each pair after the other; the home is empty at first."""
    scratch = options.scratch / "recording"
    scratch.mkdir(exist_ok=True)
    home = {"TABWRIGHT_HOME": str(scratch / "home")}
    words = [options.binary, "train", harness.ROOT / "examples/churn.csv", "--target", "churned", "--candidates", CANDIDATES,
             "--json", "-o", scratch / "model.tw"]
    sides = {"recorded": lambda: harness.measured(words, env=home, cwd=scratch),
             "not recorded": lambda: harness.measured([*words, "--no-record"], env=home, cwd=scratch)}
    for run in sides.values():
        run()
    runs = harness.in_turn(options.pairs, sides)
    with_record, without = ([r["seconds"] for r in runs[name]] for name in ("recorded", "not recorded"))
    differences = [a - b for a, b in zip(with_record, without)]
    return dict(recorded_seconds=with_record, not_recorded_seconds=without, command=runs["recorded"][0]["command"],
                share=statistics.median(differences) / statistics.median(without))


def listing(options, home):
    """Milliseconds of `runs list` on the filled home, as a whole process."""
    run = lambda: harness.measured([options.binary, "runs", "list"], env={"TABWRIGHT_HOME": str(home)}, cwd=options.scratch)
    run()
    return [run()["seconds"] * 1e3 for _ in range(options.lists)]


def main():
    parser = harness.arguments(__doc__.splitlines()[0], repeats=200)
    parser.add_argument("--runs", type=int, default=RUNS, help="runs in the home")
    parser.add_argument("--points", type=int, default=400, help="metric points of each run")
    parser.add_argument("--pairs", type=int, default=15, help="pairs of trainings with and without a record")
    parser.add_argument("--lists", type=int, default=40, help="how often runs are listed")
    parser.add_argument("--without-peer", action="store_true", help="our side alone; nothing is written")
    options = parser.parse_args()
    harness.prepare(options)
    # The example is built beside the binary.
    measure = options.binary.parent / "examples/measure"
    size = [options.runs, options.points, options.repeats]
    name = f"store-{options.runs}x{options.points}"
    home = options.scratch / name
    print("tabwright", flush=True)
    sides = {"tabwright": sided([measure, home, *size])}
    if not options.without_peer:
        print("MLflow", flush=True)
        python = peer_python(options.scratch)
        sides["MLflow"] = sided([python, harness.PEERS / "mlflow_store.py", options.scratch / f"{name}.mlflow.db", *size])
        # Once more, after the peer: what else the machine does falls on both.
        for key, values in sided([measure, home, *size]).items():
            if key in METRICS:
                sides["tabwright"][key] += values
    print("runs list", flush=True)
    lists = listing(options, home)
    print("recording", flush=True)
    share = recording(options)
    write(options, sides, lists, share)


def write(options, sides, lists, share):
    lines = [f"{options.runs:,} runs with {options.runs * options.points:,} metric points on SQLite. Milliseconds: 95th percentile "
             "(median; lowest to highest).", "", "| work | " + " | ".join(sides) + " | goal | verdict |", "|---|" + "---|" * len(sides) + "---|---|"]
    told = lambda v: f"{p95(v):.2f} ({statistics.median(v):.2f}; {min(v):.2f}–{max(v):.2f})"
    verdict = lambda met: "met" if met else "missed"
    verdicts = {}
    for key, (work, goal) in METRICS.items():
        verdicts[key] = verdict(p95(sides["tabwright"][key]) <= goal)
        lines.append(f"| {work} | " + " | ".join(told(side[key]) for side in sides.values()) + f" | {goal:g} | {verdicts[key]} |")
    verdicts["list_ms"] = verdict(p95(lists) <= LIST_MS)
    rest = " | –" * (len(sides) - 1)
    lines.append(f"| `tabwright runs list`, whole process | {told(lists)}{rest} | {LIST_MS} | {verdicts['list_ms']} |")
    verdicts["recording"] = verdict(share["share"] <= RECORDING)
    lines += ["", f"Recording adds {share['share']:.1%} to `train` on the sample (median of {options.pairs} paired differences; "
              f"{harness.ranged(share['recorded_seconds'])} s recorded, {harness.ranged(share['not_recorded_seconds'])} s not): "
              f"{verdicts['recording']} ({RECORDING:.0%} at most).", "",
              "MLflow's tables were filled directly; what is measured goes through its `SqlAlchemyStore`, with the settings that it comes with. "
              "Both run in the measuring process, without a server."]
    document = dict(versions={**harness.versions(options.binary), **dict(p.split("==") for p in PEER)}, runs=options.runs, points=options.points,
                    sides=sides, list_ms=lists, recording=share, verdicts=verdicts)
    command = "cargo xtask bench store" + ("" if options.runs == RUNS else f" -- --runs {options.runs}")
    if options.without_peer:
        print("\n".join(lines))
    else:
        harness.write("store", "The store of runs, beside MLflow's", command, document, lines)


if __name__ == "__main__":
    main()
