"""What every client here compares with: the rows of a table, as a program has them, and what `tabwright predict` wrote for them.

Each client is run as `python CLIENT.py BASE_URL TABLE.csv PREDICTIONS.csv` and ends with 0 where all is as it should be.
"""
import csv, sys

import pandas as pd

# The model is served from a file: by its stem, as its only version.
MODEL, VERSION, TARGET = "churn", "1", "churned"
BASE, TABLE, PREDICTIONS = sys.argv[1:4]
HOST = BASE.removeprefix("http://")

# Missing numbers and texts are NaN, as pandas has them; numbers have the bits of their text.
rows = pd.read_csv(TABLE, float_precision="round_trip").drop(columns=TARGET)
# The same as plain values of Python, with None, and whole numbers where pandas has floats for the sake of those that are missing.
_whole = {name for name, values in rows.items() if values.dtype == float and (values.dropna() % 1 == 0).all()}
_plain = lambda name, value: None if pd.isna(value) else int(value) if name in _whole else value
records = [{name: _plain(name, value) for name, value in row.items()} for row in rows.to_dict(orient="records")]

with open(PREDICTIONS, newline="") as file:
    _written = list(csv.DictReader(file))
predictions = [row["prediction"] for row in _written]
classes = [name.removeprefix("probability_") for name in _written[0] if name.startswith("probability_")]
probabilities = [[float(row[f"probability_{name}"]) for name in classes] for row in _written]
assert len(predictions) == len(rows) > 0 and len(classes) > 1


def check(what, found_predictions, found_probabilities=None):
    """That answers are those of `predict`, to the last bit."""
    found = [text.decode() if isinstance(text, bytes) else str(text) for text in found_predictions]
    same(f"{what}, predictions", found, predictions)
    if found_probabilities is not None:
        same(f"{what}, probabilities", [[float(p) for p in row] for row in found_probabilities], probabilities)
    print(f"{what}: {len(found)} rows are equal")


def same(what, found, wanted):
    assert len(found) == len(wanted), f"{what}: {len(found)} rows, not {len(wanted)}"
    for row, (a, b) in enumerate(zip(found, wanted)):
        assert a == b, f"{what}: row {row} is {a!r}, not {b!r}"


def refused(what, call, kinds, *words):
    """That a call raises one of its own errors, with words that help."""
    try:
        call()
    except kinds as error:
        for word in words:
            assert word in str(error), f"{what}: {error!r} does not say `{word}`"
        print(f"{what}: {error}")
        return error
    raise AssertionError(f"{what} was not refused")
