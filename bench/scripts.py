"""A whole training against the usual scikit-learn scripts in their tuned form: wall time and peak memory of the processes.

The same candidates and folds on both sides; the tuned form runs folds in parallel with one thread inside a model.
"""
import json, statistics, sys

import harness

CLASSIFICATION = "logistic_regression,random_forest,gbdt_depthwise,gbdt_leafwise"
REGRESSION = "linear_regression,ridge,random_forest,gbdt_depthwise"
# Name, file, target, positive label, dropped columns, folds of the cross-validation.
CASES = [
    ("telco_churn", "telco_churn.csv", "Churn", "Yes", "customerID", 5),
    ("adult", "adult.csv", "income", ">50K", "", 5),
    ("california_housing", "california_housing.csv", "median_house_value", None, "", 5),
    ("diamonds", "diamonds.csv", "price", None, "", 5),
    ("california_housing, fits only", "california_housing.csv", "median_house_value", None, "", 0),
    ("diamonds, fits only", "diamonds.csv", "price", None, "", 0),
]
FASTER, MEMORY = 3.0, 1 / 3


def sides(options, data, case):
    _, file, target, positive, drop, folds = case
    ours = [options.binary, "train", data / file, "--target", target, "--folds", folds, "--json", "-o", options.scratch / "scripts.tw",
            "--candidates", CLASSIFICATION if positive else REGRESSION]
    ours += ["--positive", positive] if positive else []
    ours += ["--drop", drop] if drop else []
    ours += ["--select-on", "validation"] if folds == 0 else []
    script = harness.PEERS / ("sklearn_classification.py" if positive else "sklearn_regression.py")
    theirs = [sys.executable, script, data / file, target, *([positive] if positive else []), drop]
    env = {"TUNED": "1"} if positive else {"TUNED": "1", "FOLDS": str(folds)}
    return {"tabwright": lambda: harness.measured(ours), "scikit-learn, tuned": lambda: harness.measured(theirs, env)}


def main():
    parser = harness.arguments(__doc__.splitlines()[0])
    parser.add_argument("--tables", help="comma-separated names of files without .csv; all without it")
    options = parser.parse_args()
    harness.prepare(options)
    data, rows = harness.real_tables(options), []
    for case in CASES:
        if options.tables and case[1].removesuffix(".csv") not in options.tables.split(","):
            continue
        print(case[0], flush=True)
        runs = harness.in_turn(options.repeats, sides(options, data, case))
        own, peer = runs["tabwright"], runs["scikit-learn, tuned"]
        seconds = [[r["seconds"] for r in side] for side in (own, peer)]
        memory = [statistics.median(r["peak_mb"] for r in side) for side in (own, peer)]
        tree = [statistics.median(r["tree_peak_mb"] for r in side) for side in (own, peer)]
        rows.append(dict(
            case=case[0], folds=case[5], seconds=dict(ours=seconds[0], theirs=seconds[1]),
            faster=statistics.median(seconds[1]) / statistics.median(seconds[0]),
            peak_mb=dict(ours=memory[0], theirs_largest_process=memory[1], theirs_all_processes=tree[1]),
            memory_share=memory[0] / memory[1], commands=[own[0]["command"], peer[0]["command"]],
            ours=summary(own[-1]["output"]), theirs=json.loads(peer[-1]["output"]),
        ))
    lines = ["Wall time of the whole process, median and range; peak memory of our process, of their largest process, and of all of theirs.", "",
             "| table | ours s | theirs s | times faster | ours MB | theirs MB (largest, all) | share of the largest | verdict |",
             "|---|---|---|---|---|---|---|---|"]
    for r in rows:
        met = r["faster"] >= FASTER and r["memory_share"] <= MEMORY
        r["verdict"] = "met" if met else "missed"
        m = r["peak_mb"]
        lines.append(f"| {r['case']} | {harness.ranged(r['seconds']['ours'])} | {harness.ranged(r['seconds']['theirs'])} | {r['faster']:.1f} | "
                     f"{m['ours']:.0f} | {m['theirs_largest_process']:.0f}, {m['theirs_all_processes']:.0f} | {r['memory_share']:.2f} | {r['verdict']} |")
    lines += ["", f"Goals: {FASTER:g} times faster, a third of the memory of their largest process."]
    document = dict(versions=harness.versions(options.binary, "scikit-learn", "xgboost", "lightgbm", "pandas"), rows=rows)
    harness.write("scripts", "A whole training against the usual scikit-learn scripts", "cargo xtask bench scripts", document, lines)


def summary(output):
    """The leaderboard of our run, without what differs from run to run."""
    report = json.loads(output)
    board = {row["name"]: {k: row.get(k) for k in ("cv_mean", "fit_seconds", "predict_seconds")} for row in report["leaderboard"]}
    return dict(leaderboard=board, best=report["best"], test=report.get("test"), seconds=report["seconds"])


if __name__ == "__main__":
    main()
