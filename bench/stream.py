"""Training on tables that are larger and larger: seconds and peak memory of a table in memory and of rows that stream.

No peer: what counts is that memory stays below a gigabyte at ten million rows, that time is linear, and that both find one model.
"""
import json, statistics, sys

import harness

SIZES = (1_000_000, 3_000_000, 10_000_000)
# The table is also held in memory up to this size, to compare.
HELD_ROWS = 1_000_000
MOST_MB, LINEAR = 1_000, 1.25


def main():
    parser = harness.arguments(__doc__.splitlines()[0], repeats=1)
    parser.add_argument("--sizes", help="comma-separated numbers of rows; 1, 3 and 10 million without it")
    options = parser.parse_args()
    harness.prepare(options)
    sizes = [int(s) for s in options.sizes.split(",")] if options.sizes else SIZES
    rows = []
    for n in sizes:
        print(f"{n} rows", flush=True)
        file = options.scratch / "stream.csv"
        harness.measured([sys.executable, harness.PEERS / "make_stream_table.py", file, n])
        sides = {way: (lambda way=way: train(options, file, way)) for way in ("stream", "memory") if way == "stream" or n <= HELD_ROWS}
        runs = harness.in_turn(options.repeats, sides)
        for way, side in runs.items():
            last = json.loads(side[-1]["output"])
            rows.append(dict(rows=n, bytes=file.stat().st_size, way=way, seconds=[r["seconds"] for r in side],
                             peak_mb=max(r["peak_mb"] for r in side), content_id=last["content_id"], test=last["test"],
                             command=side[-1]["command"]))
        file.unlink()
    lines = ["Twenty columns of a CSV, `train --folds 0 --candidates gbdt_leafwise`: two fits of 100 rounds (on the training part, and with the "
             "validation part), scored on all parts. Peak memory of the process.", "",
             "| rows | file MB | rows are | seconds | seconds per million rows | peak MB |", "|---|---|---|---|---|---|"]
    way = {"stream": "streamed", "memory": "held"}
    for r in rows:
        seconds = statistics.median(r["seconds"])
        lines.append(f"| {r['rows']:,} | {r['bytes'] / 1e6:,.0f} | {way[r['way']]} | {harness.ranged(r['seconds'], 1)} | {seconds / r['rows'] * 1e6:.1f} | {r['peak_mb']:,.0f} |")
    streamed = [r for r in rows if r["way"] == "stream"]
    ids = {}
    for r in rows:
        ids.setdefault(r["rows"], set()).add(r["content_id"])
    per_row = [statistics.median(r["seconds"]) / r["rows"] for r in streamed]
    verdicts = dict(memory=streamed[-1]["peak_mb"] <= MOST_MB, linear=max(per_row) <= LINEAR * per_row[0], same_model=all(len(i) == 1 for i in ids.values()))
    met = lambda is_met: "met" if is_met else "missed"
    lines += ["", f"At most {MOST_MB:,} MB at {streamed[-1]['rows']:,} rows: {met(verdicts['memory'])} ({streamed[-1]['peak_mb']:,.0f} MB). "
              f"Time per row at most {LINEAR} times that of {streamed[0]['rows']:,} rows: {met(verdicts['linear'])}. "
              f"One model both ways: {met(verdicts['same_model'])}."]
    document = dict(versions=harness.versions(options.binary), rows=rows, verdicts=verdicts)
    harness.write("stream", "Training on more and more rows", "cargo xtask bench stream", document, lines)


def train(options, file, way):
    return harness.measured([options.binary, "train", file, "--target", "y", "--folds", 0, "--candidates", "gbdt_leafwise", "--json",
                             "-o", options.scratch / "stream.tw", "--set", f"train.rows_from=\"{way}\""])


if __name__ == "__main__":
    main()
