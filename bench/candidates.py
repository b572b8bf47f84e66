"""Test scores of every candidate against its namesake, on paired 70/30 splits of the real tables.

Ours: `tabwright train TRAIN --candidates C --holdout none --folds 0`, then `tabwright evaluate`. Theirs: the same files
through peers/candidates.py. The verdict is on the mean difference over the tables.
"""
import json, statistics, subprocess, sys

import harness

NAMESAKES = {"logistic_regression": "logistic_regression", "linear_regression": "linear_regression", "ridge": "ridge",
             "random_forest": "random_forest", "extra_trees": "extra_trees", "gbdt_depthwise": "xgboost", "gbdt_leafwise": "lightgbm"}
FORESTS = ("random_forest", "extra_trees")
# What is compared: the metric of a task, whether more is better, and whether the difference is a share of theirs.
METRICS = {"binary": ("roc_auc", True, False), "regression": ("rmse", False, True), "multiclass": ("log_loss", False, True)}
# The least mean difference over the tables (ours better is positive): plain candidates, forests.
GOALS = {"roc_auc": (-0.001, -0.002), "rmse": (-0.005, -0.01), "log_loss": None}


def ours(options, folder, name, meta, candidate):
    model = options.scratch / "candidates.tw"
    command = [options.binary, "train", folder / f"{name}_train.csv", "--target", meta["target"], "--task", meta["task"],
               "--candidates", candidate, "--holdout", "none", "--folds", "0", "--json", "-o", model]
    if meta["positive"]:
        command += ["--positive", meta["positive"]]
    train = harness.measured(command)
    report = json.loads(harness.measured([options.binary, "evaluate", model, folder / f"{name}_test.csv", "--json"])["output"])
    return report["scores"], train["seconds"]


def theirs(folder, name, candidates):
    namesakes = ",".join(NAMESAKES[c] for c in candidates)
    command = [sys.executable, harness.PEERS / "candidates.py", folder, name, namesakes]
    lines = harness.measured(command)["output"].splitlines()
    return {r["candidate"]: r for r in map(json.loads, lines)}


def gain(metric, own, peer):
    """How much better ours is: a difference, or a share of theirs."""
    _, more_is_better, relative = next(m for m in METRICS.values() if m[0] == metric)
    difference = own - peer if more_is_better else peer - own
    return difference / peer if relative else difference


def main():
    parser = harness.arguments(__doc__.splitlines()[0])
    parser.add_argument("--splits", type=int, default=5)
    parser.add_argument("--first", type=int, default=50, help="number of the first split; defaults were chosen by looking at splits below 50")
    parser.add_argument("--tables", help="comma-separated; all without it")
    parser.add_argument("--candidates", help="comma-separated; all without it")
    parser.add_argument("--name", default="candidates", help="of the result; for more splits of some tables")
    options = parser.parse_args()
    harness.prepare(options)
    data, folder = harness.real_tables(options), options.scratch / "splits"
    subprocess.run([sys.executable, harness.PEERS / "splits.py", data, folder, str(options.splits), str(options.first)], check=True)
    rows = []
    wanted = options.candidates.split(",") if options.candidates else list(NAMESAKES)
    for split in range(options.first, options.first + options.splits):
        for name, meta in json.loads((folder / str(split) / "meta.json").read_text()).items():
            if options.tables and name not in options.tables.split(","):
                continue
            metric = METRICS[meta["task"]][0]
            peers = theirs(folder / str(split), name, wanted)
            for candidate in wanted:
                peer = NAMESAKES[candidate]
                if peer not in peers:
                    continue
                scores, seconds = ours(options, folder / str(split), name, meta, candidate)
                own, other = scores[metric], peers[peer][metric]
                rows.append(dict(split=split, table=name, candidate=candidate, metric=metric, ours=own, theirs=other,
                                 gain=gain(metric, own, other), seconds=round(seconds, 2), fit_seconds_theirs=peers[peer]["fit_s"]))
                print(f"{split} {name} {candidate}: {metric} {own:.5f}, theirs {other:.5f}, gain {rows[-1]['gain']:+.5f}", flush=True)
    report(options, rows)


def report(options, rows):
    lines = ["Gain of ours over the namesake: ROC AUC as a difference, RMSE and log loss as a share of theirs (positive: ours is better). "
             "Mean and standard deviation over the splits of a table, then over the tables.", "",
             "| candidate | namesake | metric | " + "per table: mean ± std over the splits" + " | mean over tables | std over tables | goal | verdict |",
             "|---|---|---|---|---|---|---|---|"]
    verdicts = []
    for candidate, peer in NAMESAKES.items():
        for metric, goal in GOALS.items():
            chosen = [r for r in rows if r["candidate"] == candidate and r["metric"] == metric]
            if not chosen:
                continue
            tables = {}
            for r in chosen:
                tables.setdefault(r["table"], []).append(r["gain"])
            means = {t: statistics.mean(g) for t, g in tables.items()}
            deviations = {t: statistics.stdev(g) if len(g) > 1 else 0.0 for t, g in tables.items()}
            overall = statistics.mean(means.values())
            between = statistics.stdev(means.values()) if len(means) > 1 else 0.0
            least = goal[candidate in FORESTS] if goal else None
            verdict = "no goal" if least is None else "met" if overall >= least else "missed"
            verdicts.append(dict(candidate=candidate, namesake=peer, metric=metric, tables=means, over_splits_std=deviations,
                                 mean=overall, std=between, goal=least, verdict=verdict))
            cells = ", ".join(f"{t} {means[t]:+.4f} ± {deviations[t]:.4f}" for t in means)
            lines.append(f"| {candidate} | {peer} | {metric} | {cells} | {overall:+.5f} | {between:.5f} | {least if least is not None else '–'} | {verdict} |")
    document = dict(versions=harness.versions(options.binary, "scikit-learn", "xgboost", "lightgbm", "pandas"), verdicts=verdicts, rows=rows)
    command = "cargo xtask bench candidates"
    if options.name != "candidates":
        chosen = {f"--{k}": v for k, v in vars(options).items() if k in ("splits", "tables", "candidates", "name") and v}
        command += " -- " + " ".join(f"{flag} {value}" for flag, value in chosen.items())
    harness.write(options.name, "Candidates against their namesakes", command, document, lines)


if __name__ == "__main__":
    main()
