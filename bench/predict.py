"""Rows predicted from CSV to CSV: rows per second and peak memory, which must not grow with the rows.

The peer reads the same file in pieces with pandas and predicts with LightGBM behind a scikit-learn pipeline.
"""
import statistics, sys

import harness

SIZES = (100_000, 1_000_000)
TRAINING_ROWS = 100_000
# Peak memory may differ this much between the sizes: allocators do not repeat to the byte.
FLAT = 1.25


def main():
    parser = harness.arguments(__doc__.splitlines()[0])
    parser.add_argument("--candidates", default="gbdt_leafwise", help="one candidate")
    options = parser.parse_args()
    harness.prepare(options)
    scratch = options.scratch
    files = {n: scratch / f"churn_{n}.csv" for n in SIZES}
    for n, file in files.items():
        harness.measured([options.binary, "example", "churn", "--rows", n, "--seed", 7, "-o", file])
    train, model, pickle = scratch / "churn_train.csv", scratch / "predict.tw", scratch / "predict.pickle"
    harness.measured([options.binary, "example", "churn", "--rows", TRAINING_ROWS, "--seed", 42, "-o", train])
    harness.measured([options.binary, "train", train, "--target", "churned", "--candidates", options.candidates,
                      "--holdout", "none", "--folds", "0", "--json", "-o", model])
    peer = harness.PEERS / "predict_csv.py"
    harness.measured([sys.executable, peer, "train", train, pickle])
    rows = []
    for n, file in files.items():
        print(f"{n} rows", flush=True)
        runs = harness.in_turn(options.repeats, {
            "tabwright": lambda: harness.measured([options.binary, "predict", model, file, "-o", scratch / "out.csv", "--keep", "customer_id"]),
            "pandas and LightGBM": lambda: harness.measured([sys.executable, peer, "predict", file, pickle, scratch / "out_peer.csv"]),
        })
        for name, side in runs.items():
            seconds = [r["seconds"] for r in side]
            rows.append(dict(system=name, rows=n, seconds=seconds, rows_per_second=n / statistics.median(seconds),
                             peak_mb=statistics.median(r["peak_mb"] for r in side), command=side[0]["command"]))
    own = [r["peak_mb"] for r in rows if r["system"] == "tabwright"]
    verdict = "met" if own[-1] <= own[0] * FLAT else "missed"
    lines = ["| system | rows | seconds | rows per second | peak MB |", "|---|---|---|---|---|"]
    lines += [f"| {r['system']} | {r['rows']:,} | {harness.ranged(r['seconds'])} | {r['rows_per_second']:,.0f} | {r['peak_mb']:.0f} |" for r in rows]
    lines += ["", f"Memory does not grow with the rows: {verdict} ({own[0]:.0f} MB, then {own[-1]:.0f} MB)."]
    document = dict(versions=harness.versions(options.binary, "lightgbm", "scikit-learn", "pandas"), rows=rows, verdict=verdict)
    harness.write("predict", "Rows predicted from CSV to CSV", "cargo xtask bench predict", document, lines)


if __name__ == "__main__":
    main()
