"""The seeded tables of the comparison of servers: make_serve_tables.py FOLDER. `serve_20.csv` has 20 numbers, `serve_600.csv` 600 columns of mixed kinds."""
import pathlib, sys
import numpy as np
import polars as pl

ROWS_20, ROWS_600, OF_EACH_KIND = 50_000, 5_000, 120
FIRST, YEAR = 1_577_836_800, 365 * 86_400  # 2020-01-01, seconds


def numbers():
    """Twenty numbers, and what follows from five of them."""
    r = np.random.default_rng(7)
    x = r.normal(size=(ROWS_20, 20)).round(4)
    z = x[:, 0] + 0.8 * x[:, 1] * x[:, 2] + 0.5 * np.sin(3 * x[:, 3]) - 0.6 * (x[:, 4] > 0.5)
    columns = {f"x{i}": x[:, i] for i in range(20)}
    return pl.DataFrame({**columns, "y": answers(r, z)})


def mixed():
    """Whole numbers with gaps, floats, categories, booleans and times, a fifth each."""
    r, n = np.random.default_rng(8), ROWS_600
    columns, z = {}, np.zeros(n)
    for i in range(OF_EACH_KIND):
        whole, floats, city = r.integers(0, 1000, n), r.normal(size=n).round(4), r.integers(0, 12, n)
        flags, seconds = r.random(n) < 0.5, FIRST + r.integers(0, 4 * YEAR, n)
        columns[f"count_{i}"] = pl.Series(whole).set(pl.Series(r.random(n) < 0.1), None)
        columns[f"value_{i}"] = floats
        columns[f"city_{i}"] = [f"city {c}" for c in city]
        columns[f"flag_{i}"] = ["true" if f else "false" for f in flags]
        columns[f"at_{i}"] = pl.Series(seconds * 1_000_000).cast(pl.Datetime("us")).dt.strftime("%Y-%m-%dT%H:%M:%SZ")
        if i < 3:
            z += floats + 0.002 * (whole - 500) + 0.8 * (city > 8) + 0.5 * flags - 0.25
    return pl.DataFrame({**columns, "y": answers(r, z)})


def answers(r, z):
    return np.where(r.random(len(z)) < 1 / (1 + np.exp(-z)), "yes", "no")


def main():
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for name, make in (("serve_20", numbers), ("serve_600", mixed)):
        path = folder / f"{name}.csv"
        if not path.exists():
            make().write_csv(path.with_suffix(".part"))
            path.with_suffix(".part").rename(path)


if __name__ == "__main__":
    main()
