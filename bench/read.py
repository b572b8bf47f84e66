"""CSV to a typed table, kinds from all rows: speed and peak memory against Polars with `infer_schema_length=None`.

A file of 500 MB is generated once from a seed: numbers, whole numbers, categories, dates, text and missing cells.
"""
import json, statistics, sys

import numpy as np

import harness

BYTES = 500_000_000
SEED = 42
PIECE = 200_000
SPEED = 0.7  # of Polars' speed


def generate(path, size):
    """Writes the file, unless one of that size is there."""
    if path.exists() and path.stat().st_size >= size:
        return
    rng = np.random.default_rng(SEED)
    words = np.array("late order paid twice called again new address no answer refund pending very happy slow reply".split())
    plans, cities = np.array(["basic", "plus", "premium", ""]), np.array([f"city {i:04d}" for i in range(2_000)])
    with open(path, "w") as out:
        out.write("id,day,plan,city,amount,ratio,count,large,flag,note\n")
        row = 0
        while out.tell() < size:
            n = PIECE
            day = np.datetime_as_string(np.datetime64("2020-01-01") + rng.integers(0, 1800, n))
            amount = np.round(rng.lognormal(4, 1, n), 2)
            missing = rng.random(n) < 0.05
            columns = [np.arange(row, row + n), day, plans[rng.integers(0, 4, n)], cities[rng.integers(0, 2_000, n)],
                       np.where(missing, "", amount.astype(str)), rng.random(n).astype(str), rng.integers(0, 500, n),
                       rng.integers(0, 2**50, n), np.where(rng.random(n) < 0.3, "true", "false"), None]
            note = words[rng.integers(0, len(words), (n, 4))]
            columns[-1] = [" ".join(w) for w in note]
            out.write("\n".join(",".join(map(str, cells)) for cells in zip(*columns)) + "\n")
            row += n


def main():
    parser = harness.arguments(__doc__.splitlines()[0], repeats=5)
    parser.add_argument("--reader", help="our reader: the example read_table of crates/data")
    parser.add_argument("--bytes", type=int, default=BYTES)
    options = parser.parse_args()
    harness.prepare(options)
    file = options.scratch / "read.csv"
    generate(file, options.bytes)
    reader = options.reader or options.binary.parent / "examples/read_table"
    runs = harness.in_turn(options.repeats, {
        "tabwright": lambda: harness.measured([reader, file]),
        "Polars": lambda: harness.measured([sys.executable, harness.PEERS / "read_csv.py", file]),
    })
    rows = []
    for name, side in runs.items():
        seconds = [inner(r) for r in side]
        rows.append(dict(system=name, seconds=seconds, process_seconds=[r["seconds"] for r in side],
                         mb_per_second=file.stat().st_size / 1e6 / statistics.median(seconds),
                         peak_mb=statistics.median(r["peak_mb"] for r in side), command=side[0]["command"]))
    speed = rows[0]["mb_per_second"] / rows[1]["mb_per_second"]
    memory = rows[0]["peak_mb"] / rows[1]["peak_mb"]
    lines = [f"{file.stat().st_size / 1e6:.0f} MB of CSV, 10 columns; seconds of the reading alone, as each program measures it. We parse dates, Polars leaves them text.", "",
             "| system | seconds | MB per second | peak MB |", "|---|---|---|---|"]
    lines += [f"| {r['system']} | {harness.ranged(r['seconds'])} | {r['mb_per_second']:.0f} | {r['peak_mb']:.0f} |" for r in rows]
    lines += ["", f"Speed {speed:.2f} of Polars' (goal {SPEED}): {'met' if speed >= SPEED else 'missed'}. "
              f"Peak memory {memory:.2f} of Polars' (goal 1): {'met' if memory <= 1.0 else 'missed'}."]
    document = dict(versions=harness.versions(options.binary, "polars"), rows=rows, speed=speed, memory=memory)
    harness.write("read", "CSV to a typed table", "cargo xtask bench read", document, lines)


def inner(run):
    """The seconds that a program measured itself, without its start: the field `seconds` of the JSON it prints."""
    return json.loads(run["output"].strip().splitlines()[-1])["seconds"]


if __name__ == "__main__":
    main()
