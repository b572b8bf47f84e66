"""Two tables of 50 columns, of which ten differ: `make_drift_tables.py FOLDER ROWS` writes drift_ROWS_reference.parquet and drift_ROWS_current.parquet."""
import pathlib, sys

import numpy as np
import polars as pl


def table(seed, rows, shift):
    """Twenty floats of 15 digits, ten of two decimals, ten whole numbers, ten categories; the first two of each kind (four floats) are shifted."""
    random = np.random.default_rng(seed)
    columns = {}
    for i in range(20):
        columns[f"bell_{i}"] = random.normal(shift if i < 4 else 0.0, 1.0, rows) * 10.0 + 50.0
    for i in range(10):
        columns[f"money_{i}"] = np.round(random.gamma(2.0, 30.0 * (1.0 + shift if i < 2 else 1.0), rows), 2)
    for i in range(10):
        columns[f"count_{i}"] = random.poisson(40.0 * (1.0 + shift if i < 2 else 1.0), rows) + random.integers(0, 10 ** (i % 5), rows)
    for i in range(10):
        levels = np.array([f"level-{k}" for k in range([4, 4, 20, 20, 100][i % 5])])
        weights = np.linspace(1.0, 2.0 + (2.0 * shift * 5 if i < 2 else 0.0), len(levels))
        columns[f"category_{i}"] = levels[random.choice(len(levels), rows, p=weights / weights.sum())]
    return pl.DataFrame(columns)


def main():
    folder, rows = pathlib.Path(sys.argv[1]), int(sys.argv[2])
    for seed, (side, shift) in enumerate({"reference": 0.0, "current": 0.2}.items()):
        path = folder / f"drift_{rows}_{side}.parquet"
        if not path.exists():
            table(seed, rows, shift).write_parquet(path)


if __name__ == "__main__":
    main()
