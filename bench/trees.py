"""Tree engines on the same tables with the same parameters: training, prediction and the score on held-out rows.

Ours: the example `raw` of `tabwright-trees`. Theirs: peers/trees.py. Every table comes from peers/make_tree_tables.py as raw 32-bit
floats; times are those of the fit alone, binning included, and of the prediction. Sides run in turn; ratios are of paired runs.
"""
import json, subprocess, sys

import harness

# Table, growth, trees, leaves or depth, libraries, goal for the ratio to the first of them.
WORK = [
    ("binary_1m", "leafwise", 100, 31, ["lightgbm", "xgboost", "catboost", "histgradientboosting"], 0.20),
    ("binary_1m", "depthwise", 100, 6, ["xgboost", "lightgbm", "catboost"], 0.25),
    ("binary_1m", "leafwise", 100, 255, ["lightgbm"], 0.25),
    ("continuous_1m", "leafwise", 100, 31, ["lightgbm"], 0.28),
    ("small_20k", "leafwise", 100, 31, ["lightgbm", "xgboost", "histgradientboosting"], 0.5),
    ("wide_100k", "leafwise", 100, 31, ["lightgbm", "xgboost"], 1.0),
    ("classes_50k", "leafwise", 100, 31, ["lightgbm", "xgboost"], 1.0),
    ("categories_200k", "leafwise", 100, 31, ["lightgbm", "xgboost"], 1.0),
    ("forest_100k", "forest", 100, 0, ["randomforest"], 0.04),
]
PACKAGES = ["lightgbm", "xgboost", "catboost", "scikit-learn"]


def run(command):
    measured = harness.measured(command)
    return {**measured, **json.loads(measured["output"].strip().splitlines()[-1])}


def main():
    parser = harness.arguments(__doc__.splitlines()[0])
    parser.add_argument("--only", help="comma-separated numbers of the work, from 0")
    options = parser.parse_args()
    harness.prepare(options)
    raw = options.binary.parent / "examples" / "raw"
    if not raw.exists():
        sys.exit("the example `raw` is not built; run: cargo build --release --package tabwright-trees --example raw")
    chosen = [WORK[int(i)] for i in options.only.split(",")] if options.only else WORK
    rows = []
    for table, growth, trees, size, libraries, goal in chosen:
        folder = options.scratch / table
        if not (folder / "shape.json").exists():
            subprocess.run([sys.executable, harness.PEERS / "make_tree_tables.py", folder, table], check=True)
        print(f"{table}, {growth}, {size}", flush=True)
        sides = {"tabwright": lambda: run([raw, folder, growth, trees, size])}
        for library in libraries:
            sides[library] = lambda library=library: run([sys.executable, harness.PEERS / "trees.py", folder, library, growth, trees, size])
        runs = harness.in_turn(options.repeats, sides)
        ours = runs.pop("tabwright")
        row = dict(table=table, growth=growth, trees=trees, size=size, goal=goal, score=ours[0]["score"],
                   one_row_us=harness.spread([r["one_row_s"] * 1e6 for r in ours]), explain_10k_s=harness.spread([r["explain_10k_s"] for r in ours]),
                   train_s=harness.spread([r["train_s"] for r in ours]), predict_s=harness.spread([r["predict_s"] for r in ours]), peers={})
        for library, theirs in runs.items():
            pair = lambda key: [o[key] / t[key] for o, t in zip(ours, theirs)]
            row["peers"][library] = dict(score=theirs[0]["score"], train_s=harness.spread([t["train_s"] for t in theirs]),
                                         predict_s=harness.spread([t["predict_s"] for t in theirs]),
                                         train_ratio=pair("train_s"), predict_ratio=pair("predict_s"))
        rows.append(row)
    lines = ["Ratios are our time divided by theirs, of paired runs: median (range). The goal is that of the issue, against the first of a table's libraries.", "",
             "| table | growth, size | library | train, ratio | goal | train s, ours / theirs | predict, ratio | predict ms, ours / theirs | score, ours / theirs |", "|---|---|---|---|---|---|---|---|---|"]
    for row in rows:
        for i, (library, peer) in enumerate(row["peers"].items()):
            lines.append(f"| {row['table']} | {row['growth']} {row['size'] or ''} | {library} | {harness.ranged(peer['train_ratio'])} | {row['goal'] if i == 0 else ''} | "
                         f"{row['train_s']['median']:.2f} / {peer['train_s']['median']:.2f} | {harness.ranged(peer['predict_ratio'], 3)} | "
                         f"{row['predict_s']['median'] * 1e3:.0f} / {peer['predict_s']['median'] * 1e3:.0f} | {row['score']:.4f} / {peer['score']:.4f} |")
    lines += ["", "| table | growth, size | one row, µs | Shapley values of 10,000 rows, s |", "|---|---|---|---|"]
    for row in rows:
        lines.append(f"| {row['table']} | {row['growth']} {row['size'] or ''} | {row['one_row_us']['median']:.1f} | {row['explain_10k_s']['median']:.2f} |")
    harness.write("trees", "Tree engines", "cargo xtask bench trees", dict(versions=harness.versions(options.binary, *PACKAGES), work=rows), lines)


if __name__ == "__main__":
    main()
