"""Paired 70/30 train/test files of the real tables: splits.py DATA_FOLDER OUT_FOLDER [NUMBER [FIRST]]; OUT_FOLDER/0, /1, ….

A row is a training row when md5(name + row number) mod 10 is below 7, so a split never moves; the splits after the first
hash their own number as well.
"""
import hashlib, json, os, sys
import pandas as pd

TABLES = {
    "telco": ("telco_churn.csv", "Churn", "binary", {}, ["customerID"]),
    "adult": ("adult.csv", "income", "binary", dict(skipinitialspace=True), []),
    "titanic": ("titanic.csv", "Survived", "binary", {}, ["PassengerId"]),
    "higgs7k": ("higgs_7k.csv", "signal", "binary", {}, []),
    "housing": ("california_housing.csv", "median_house_value", "regression", {}, []),
    "diamonds": ("diamonds.csv", "price", "regression", {}, []),
    "wine": ("wine_quality_white.csv", "quality", "multiclass", {}, []),
}


def is_training(name, row, split):
    salt = f"/{split}" if split else ""
    return int(hashlib.md5(f"{name}{row}{salt}".encode()).hexdigest(), 16) % 10 < 7


def write(data, out, split):
    meta = {}
    for name, (file, target, task, options, drop) in TABLES.items():
        table = pd.read_csv(os.path.join(data, file), **options).drop(columns=drop)
        table = table[table[target].notna()]
        train = [is_training(name, i, split) for i in range(len(table))]
        test = table[[not t for t in train]]
        train = table[train]
        if task == "multiclass":
            test = test[test[target].isin(train[target].unique())]
        train.to_csv(os.path.join(out, f"{name}_train.csv"), index=False)
        test.to_csv(os.path.join(out, f"{name}_test.csv"), index=False)
        meta[name] = dict(target=target, task=task, n_train=len(train), n_test=len(test),
                          positive=sorted(table[target].astype(str).unique())[-1] if task == "binary" else None)
    with open(os.path.join(out, "meta.json"), "w") as file:
        json.dump(meta, file, indent=1)


if __name__ == "__main__":
    number, first = (int(sys.argv[i]) if len(sys.argv) > i else default for i, default in ((3, 1), (4, 0)))
    for split in range(first, first + number):
        folder = os.path.join(sys.argv[2], str(split))
        os.makedirs(folder, exist_ok=True)
        write(sys.argv[1], folder, split)
