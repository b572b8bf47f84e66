"""A seeded table of twenty columns as a CSV of any length: make_stream_table.py FILE ROWS. Written piece by piece."""
import pathlib, sys
import numpy as np
import polars as pl

PIECE = 500_000

path, rows = pathlib.Path(sys.argv[1]), int(sys.argv[2])
path.parent.mkdir(parents=True, exist_ok=True)
cities = np.array([f"c{i}" for i in range(200)])
with path.open("wb") as file:
    for start in range(0, rows, PIECE):
        n = min(PIECE, rows - start)
        r = np.random.default_rng([7, start])
        x = r.normal(size=(n, 12)).round(4)
        columns = {f"x{i}": x[:, i] for i in range(11)}
        columns["gaps"] = pl.Series(np.where(r.random(n) < 0.1, np.nan, x[:, 11])).fill_nan(None)
        columns["age"] = r.integers(18, 90, n)
        columns["visits"] = r.poisson(3, n)
        columns["income"] = np.exp(r.normal(10, 0.5, n)).astype(int)
        columns["city"] = cities[r.integers(0, 200, n)]
        columns["plan"] = np.array(["basic", "plus", "pro"])[r.integers(0, 3, n)]
        columns["active"] = np.array(["true", "false"])[r.integers(0, 2, n)]
        columns["score"] = r.random(n).round(5)
        z = x[:, 0] + 0.8 * x[:, 1] * x[:, 2] - 0.5 * (columns["age"] > 50) + 0.3 * (columns["plan"] == "pro") + 0.2 * np.sin(3 * x[:, 3])
        columns["y"] = (r.random(n) < 1 / (1 + np.exp(-z))).astype(int)
        pl.DataFrame(columns).write_csv(file, include_header=start == 0)
