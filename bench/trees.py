"""Tree engines on the same tables with the same parameters: training, prediction, Shapley values, and the score on held-out rows.

Ours: the example `raw` of `tabwright-trees`. Theirs: peers/trees.py, and hessboost/ for that crate. Every table comes from
peers/make_tree_tables.py as raw 32-bit floats; times are those of the fit alone, binning included, of the prediction (the median of
five calls) and of Shapley values by the fitting rows. Two threads each. Sides run in turn; ratios are of paired runs.
"""
import json, statistics, subprocess, sys, tomllib
from typing import NamedTuple

import harness


class Work(NamedTuple):
    """Goals are ratios for training and prediction, by library; the sizes are leaves or levels of a tree."""
    table: str
    growth: str
    size: int
    goals: dict
    explained: int = 1_000
    fits: int = 1
    trees: int = 100


NONE = (None, None)
WORK = [
    Work("binary_1m", "leafwise", 31, {"lightgbm": (0.20, 0.02), "xgboost": (0.20, 0.08), "catboost": NONE, "histgradientboosting": NONE, "hessboost": (0.30, 0.15)}, 10_000),
    Work("binary_1m", "depthwise", 6, {"xgboost": (0.25, None), "lightgbm": NONE, "catboost": (None, 0.25), "hessboost": (0.35, 0.15)}, 10_000),
    Work("binary_1m", "leafwise", 255, {"lightgbm": (0.25, None), "xgboost": NONE}),
    Work("continuous_1m", "leafwise", 31, {"lightgbm": (0.28, None)}),
    Work("small_20k", "leafwise", 31, {"lightgbm": (0.5, None), "xgboost": NONE, "histgradientboosting": NONE}, 10_000, fits=5),
    Work("wide_100k", "leafwise", 31, {"lightgbm": (1.0, None), "xgboost": NONE}),
    Work("classes_50k", "leafwise", 31, {"lightgbm": (1.0, None), "xgboost": NONE}, fits=3),
    Work("categories_200k", "leafwise", 31, {"lightgbm": (1.0, None), "xgboost": NONE}),
    Work("forest_100k", "forest", 0, {"randomforest": (0.04, None)}, 0),
    Work("adult", "forest", 0, {"randomforest_onehot": (0.03, None), "randomforest": NONE}, 0, fits=5),
    Work("telco", "forest", 0, {"randomforest_onehot": (0.08, None), "randomforest": NONE}, 0, fits=5),
    Work("housing", "forest", 0, {"randomforest": (0.08, None)}, 0, fits=5),
]
REAL = ("adult", "telco", "housing")
EXPLAIN_GOAL = 0.5  # of the fastest peer
# What is trained with several numbers of threads.
SCALING = [("binary_1m", "leafwise", 31), ("binary_1m", "depthwise", 6), ("forest_100k", "forest", 0)]
N_THREADS = [1, 2, 4, 8]
PACKAGES = ["lightgbm", "xgboost", "catboost", "scikit-learn"]


def run(command, n_threads=2):
    measured = harness.measured(command, {"RAYON_NUM_THREADS": str(n_threads)})
    return {**measured, **json.loads(measured["output"].strip().splitlines()[-1])}


def made(options, table):
    """The folder of a table, made if it is not there; none where real tables are not."""
    folder = options.scratch / table
    if not (folder / "shape.json").exists():
        if table in REAL and not options.data.is_dir():
            print(f"{table}: the real tables are not here (--data names their folder); it is left out", flush=True)
            return None
        subprocess.run([sys.executable, harness.PEERS / "make_tree_tables.py", folder, table, options.data], check=True)
    return folder


def compared(options, programs, work):
    """Measurements of one piece of work, ours and theirs."""
    folder = made(options, work.table)
    if folder is None:
        return None
    print(f"{work.table}, {work.growth}, {work.size}", flush=True)
    numbers = [work.growth, work.trees, work.size, work.explained]

    def side(library):
        if library == "hessboost":
            return lambda: run([programs["hessboost"], folder, *numbers])
        return lambda: run([sys.executable, harness.PEERS / "trees.py", folder, library, *numbers, work.fits])

    libraries = [library for library in work.goals if library != "hessboost" or programs["hessboost"].exists()]
    runs = harness.in_turn(options.repeats, {"tabwright": lambda: run([programs["raw"], folder, *numbers, work.fits]), **{library: side(library) for library in libraries}})
    ours = runs.pop("tabwright")
    keys = [key for key in ("train_s", "predict_s", "explain_10k_s", "one_row_s") if key in ours[0]]
    row = dict(table=work.table, growth=work.growth, trees=work.trees, size=work.size, explained=work.explained, score=ours[0]["score"],
               **{key: harness.spread([r[key] for r in ours]) for key in keys}, peers={})
    for library, theirs in runs.items():
        keys = [key for key in ("train_s", "predict_s", "explain_10k_s") if key in theirs[0]]
        row["peers"][library] = dict(score=theirs[0]["score"], goals=work.goals[library], **{key: harness.spread([t[key] for t in theirs]) for key in keys},
                                     ratios={key: [o[key] / t[key] for o, t in zip(ours, theirs)] for key in keys})
    return row


def scaled(options, programs, table, growth, size):
    """Seconds of our training by number of threads."""
    folder = made(options, table)
    print(f"{table}, {growth}, {size}: threads", flush=True)
    sides = {n: lambda n=n: run([programs["raw"], folder, growth, 100, size], n) for n in N_THREADS}
    seconds = {n: [r["train_s"] for r in runs] for n, runs in harness.in_turn(options.repeats, sides).items()}
    return dict(table=table, growth=growth, size=size, train_s=seconds)


def additions(program):
    """Billions of additions to histograms per second on one thread; medians of several runs."""
    runs = [json.loads(harness.measured([program])["output"]) for _ in range(5)]
    return {key: statistics.median(run[key] for run in runs) for key in runs[0]}


def shown(rows, scaling, adds):
    name = lambda row: f"{row['table']} | {row['growth']} {row['size'] or ''}"
    goal = lambda value: "" if value is None else value
    lines = ["Ratios are our time divided by theirs, of paired runs: median (range).", "",
             "| table | growth, size | library | train, ratio | goal | train s, ours / theirs | predict, ratio | goal | predict ms, ours / theirs | score, ours / theirs |", "|---|---|---|---|---|---|---|---|---|---|"]
    for row in rows:
        for library, peer in row["peers"].items():
            lines.append(f"| {name(row)} | {library} | {harness.ranged(peer['ratios']['train_s'], 3)} | {goal(peer['goals'][0])} | "
                         f"{row['train_s']['median']:.3g} / {peer['train_s']['median']:.3g} | {harness.ranged(peer['ratios']['predict_s'], 3)} | {goal(peer['goals'][1])} | "
                         f"{row['predict_s']['median'] * 1e3:.0f} / {peer['predict_s']['median'] * 1e3:.0f} | {row['score']:.5g} / {peer['score']:.5g} |")
    lines += ["", "Scores are ROC AUC, log-loss of classes, RMSE of numbers. Forests are grown to purity; `randomforest` reads the codes of categories as numbers, "
              "`randomforest_onehot` has a column for each level.", "",
              "Shapley values by the fitting rows (TreeSHAP), seconds for 10,000 rows, taken from the first 1,000 where a peer takes minutes:", "",
              "| table | growth, size | ours | theirs | ratio to the fastest | goal |", "|---|---|---|---|---|---|"]
    for row in rows:
        peers = {library: peer for library, peer in row["peers"].items() if "explain_10k_s" in peer}
        if peers.keys() - {"hessboost"}:
            fastest = min((p for p in peers if p != "hessboost"), key=lambda p: peers[p]["explain_10k_s"]["median"])
            theirs = ", ".join(f"{library} {peer['explain_10k_s']['median']:.2f}" for library, peer in peers.items())
            lines.append(f"| {name(row)} | {row['explain_10k_s']['median']:.3f} | {theirs} | {fastest} {harness.ranged(peers[fastest]['ratios']['explain_10k_s'], 3)} | {EXPLAIN_GOAL} |")
    lines += ["", "| table | growth, size | one row, µs |", "|---|---|---|"]
    lines += [f"| {name(row)} | {row['one_row_s']['median'] * 1e6:.1f} |" for row in rows]
    lines += ["", "Training by threads; goals: two are 1.9 times as fast as one, more than there are cores no slower:", "",
              "| table | growth, size | " + " | ".join(f"{n}, s" for n in N_THREADS) + " | two against one | " + " | ".join(f"{n} against two" for n in N_THREADS[2:]) + " |",
              "|---|---|" + "---|" * (2 * len(N_THREADS) - 1)]
    for row in scaling:
        pairs = lambda a, b: harness.ranged([x / y for x, y in zip(row["train_s"][a], row["train_s"][b])])
        lines.append(f"| {name(row)} | " + " | ".join(f"{statistics.median(row['train_s'][n]):.2f}" for n in N_THREADS)
                     + f" | {pairs(1, 2)} | " + " | ".join(pairs(2, n) for n in N_THREADS[2:]) + " |")
    lines += ["", f"Additions to histograms, on one thread, billions a second. What the machine can do, from the first-level cache alone: {adds['limit']:.2f}.", "",
              "| gradients | root, rows side by side | a node with one row in 16 |", "|---|---|---|"]
    lines += [f"| {kind} | {adds[kind + '_root']:.2f} ({adds[kind + '_root'] / adds['limit']:.0%}) | {adds[kind + '_sparse']:.2f} ({adds[kind + '_sparse'] / adds['limit']:.0%}) |"
              for kind in ("bounded", "constant", "varying")]
    return lines


def main():
    parser = harness.arguments(__doc__.splitlines()[0])
    parser.add_argument("--only", help="comma-separated numbers of the work, from 0; without the threads")
    parser.add_argument("--threads-only", action="store_true", help="the threads alone")
    parser.add_argument("--libraries", help="comma-separated; all without it")
    parser.add_argument("--name", default="trees", help="of the result")
    options = parser.parse_args()
    harness.prepare(options)
    programs = dict(raw=options.binary.parent / "examples/raw", hessboost=options.binary.parent.parent / "hessboost/release/bench-hessboost")
    if not programs["raw"].exists():
        sys.exit("the example `raw` is not built; run: cargo build --release --package tabwright-trees --example raw")
    if not programs["hessboost"].exists():
        print("the peer hessboost is not built (cargo xtask bench builds it); it is left out", flush=True)
    chosen = [] if options.threads_only else [WORK[int(i)] for i in options.only.split(",")] if options.only else WORK
    if options.libraries:
        wanted = options.libraries.split(",")
        chosen = [work._replace(goals={library: goals for library, goals in work.goals.items() if library in wanted}) for work in chosen]
    rows = [row for work in chosen if (row := compared(options, programs, work))]
    adds = additions(options.binary.parent / "examples/adds")
    scaling = [] if options.only else [scaled(options, programs, *work) for work in SCALING]
    manifest = tomllib.loads((harness.HERE / "hessboost/Cargo.toml").read_text())
    versions = dict(harness.versions(options.binary, *PACKAGES), hessboost=manifest["dependencies"]["hessboost"].lstrip("="))
    harness.write(options.name, "Tree engines", "cargo xtask bench trees", dict(versions=versions, work=rows, threads=scaling, additions=adds), shown(rows, scaling, adds))


if __name__ == "__main__":
    main()
