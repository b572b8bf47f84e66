"""Tables for `trees.py` beside it: make_tree_tables.py FOLDER NAME [DATA_FOLDER]; writes raw f32 files and shape.json.

Seeded tables, or, of the real ones, the first 70/30 split of splits.py: with categories as numbers, in the order of their names, or
one column for each of them; missing numbers become the median.
"""
import json, pathlib, sys
import numpy as np


def mixed(n, f, seed):
    """Heavy tails, low-cardinality columns and interactions."""
    r = np.random.default_rng(seed)
    X = r.standard_normal((n, f)).astype(np.float32)
    for j in range(f):
        if j % 5 == 1: X[:, j] = np.exp(X[:, j])
        if j % 5 == 2: X[:, j] = np.floor(X[:, j] * 3)
        if j % 5 == 3: X[:, j] = (X[:, j] > 0.3) + 2 * (X[:, (j + 1) % f] > 0)
    return X, signal(X), r


def signal(X):
    f = X.shape[1]
    return (0.8 * X[:, 0] - 0.5 * np.log1p(np.abs(X[:, 1])) + 0.6 * X[:, 0] * X[:, 4 % f] + np.sin(2 * X[:, 5 % f])
            + 0.3 * X[:, 2] * (X[:, 3] > 1) + 0.4 * np.tanh(X[:, 7 % f] * X[:, 9 % f]))


def continuous(n, f, seed):
    r = np.random.default_rng(seed)
    X = r.standard_normal((n, f)).astype(np.float32)
    X[:, 1::5] = np.exp(X[:, 1::5])
    return X, signal(X), r


def categories(n, f, seed):
    """Half of the columns are categories, of 4 to 5,000 levels, each with an effect of its own."""
    X, z, r = mixed(n, f, seed)
    levels = np.random.default_rng(7)
    columns = list(range(0, f, 2))
    for k, j in enumerate(columns):
        m = [4, 20, 100, 1000, 5000][k % 5]
        codes = np.minimum((m * r.random(n) ** 2).astype(int), m - 1)
        z = z + 0.4 * levels.standard_normal(m)[codes]
        X[:, j] = codes
    return X, z, r, columns


def binary(z, r):
    return r.random(len(z)) < 1 / (1 + np.exp(-z + 0.3))


def classes(z, r, k):
    noisy = z + 0.7 * r.standard_normal(len(z))
    return np.searchsorted(np.quantile(noisy, np.arange(1, k) / k), noisy)


TABLES = {
    "binary_1m": lambda n, seed: (*mixed(n or 1_000_000, 20, seed), []),
    "continuous_1m": lambda n, seed: (*continuous(n or 1_000_000, 20, seed), []),
    "small_20k": lambda n, seed: (*mixed(n or 20_000, 20, seed), []),
    "wide_100k": lambda n, seed: (*mixed(n or 100_000, 500, seed), []),
    "classes_50k": lambda n, seed: (*mixed(n or 50_000, 50, seed), []),
    "categories_200k": lambda n, seed: categories(n or 200_000, 40, seed),
    "forest_100k": lambda n, seed: (*mixed(n or 100_000, 20, seed), []),
}

# Whether each category becomes a column of its own.
REAL = {"adult": False, "telco": False, "housing": True}


def seeded(name):
    task = "multiclass" if name.startswith("classes") else "binary"
    n_test = 0
    for part, seed in [("", 1), ("t", 2)]:
        X, z, r, columns = TABLES[name](n_test, seed)
        n_test = max(len(z) // 5, 20_000)
        yield part, X, classes(z, r, 7) if task == "multiclass" else binary(z, r), task, columns


def real(name, data):
    import pandas as pd
    import splits
    file, target, task, options, drop = splits.TABLES[name]
    table = pd.read_csv(data / file, **options).drop(columns=drop).reset_index(drop=True)
    y = table.pop(target)
    y = y if task == "regression" else (y == sorted(y.unique())[-1])
    training = np.array([splits.is_training(name, i, 0) for i in range(len(table))])
    categories, columns = [], {}
    for c in table:
        numbers = pd.to_numeric(table[c], errors="coerce")
        if pd.api.types.is_numeric_dtype(table[c]) or numbers.notna().mean() > 0.95:    # numbers hidden in text columns
            columns[c] = numbers.fillna(numbers[training].median())
        elif REAL[name]:
            columns.update({f"{c}={level}": table[c] == level for level in sorted(table[c].dropna().unique())})
        else:
            categories.append(len(columns))
            columns[c] = table[c].fillna("").astype("category").cat.codes
    X = np.column_stack([v.to_numpy(np.float32) for v in columns.values()])
    for part, rows in [("", training), ("t", ~training)]:
        yield part, X[rows], y.to_numpy()[rows], task, categories


folder, name = pathlib.Path(sys.argv[1]), sys.argv[2]
folder.mkdir(parents=True, exist_ok=True)
shape = {}
for part, X, y, task, columns in real(name, pathlib.Path(sys.argv[3])) if name in REAL else seeded(name):
    X.tofile(folder / f"X{part}.bin"); y.astype(np.float32).tofile(folder / f"y{part}.bin")
    shape.update({"rows" if not part else "test_rows": len(y), "columns": X.shape[1]}, task=task, classes=7, categories=columns)
(folder / "shape.json").write_text(json.dumps(shape))
