"""Evidently's side of `cargo xtask bench monitor`; runs in the environment of monitor-requirements.txt.

    python evidently_drift.py report REFERENCE CURRENT   time of DataDriftPreset on two Parquet files, and of reading them
    python evidently_drift.py power < CELLS              what its default test says of windows; cells as `drift_power` takes them
"""
import importlib.util, json, multiprocessing, pathlib, sys, time, warnings

import numpy as np
import pandas as pd
from evidently import DataDefinition, Dataset, Report
from evidently.legacy.calculations.stattests import registry
from evidently.legacy.core import ColumnType
from evidently.presets import DataDriftPreset

warnings.filterwarnings("ignore")
np.seterr(all="ignore")


def golden():
    """The script of the golden pairs: it draws the numbers that our side draws."""
    path = pathlib.Path(__file__).resolve().parents[2] / "crates/monitor/tests/golden/make.py"
    spec = importlib.util.spec_from_file_location("golden", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def report(reference, current):
    begun = time.perf_counter()
    frames = [pd.read_parquet(path) for path in (current, reference)]
    read = time.perf_counter() - begun
    texts = [name for name in frames[0] if frames[0][name].dtype.kind not in "iuf"]
    numbers = [name for name in frames[0] if name not in texts]
    definition = DataDefinition(numerical_columns=numbers, categorical_columns=texts)
    sides = [Dataset.from_pandas(frame, data_definition=definition) for frame in frames]
    begun = time.perf_counter()
    found = Report([DataDriftPreset()]).run(*sides).dict()
    seconds = time.perf_counter() - begun
    return dict(seconds=seconds, read_seconds=read, drifted=found["metrics"][0]["value"]["count"])


def decide(cell):
    make = golden()
    reference = pd.Series(make.draw(cell["reference"], False))
    windows = (pd.Series(make.draw(side, False)) for side in cell["windows"])
    kind = ColumnType.Numerical
    judge = lambda window: registry._get_default_stattest(reference, window, kind)(reference, window, kind, None)
    return [bool(judge(window).drifted) for window in windows]


def main():
    if sys.argv[1] == "report":
        print(json.dumps(report(*sys.argv[2:4])))
    else:
        with multiprocessing.Pool() as pool:
            print(json.dumps(pool.map(decide, json.load(sys.stdin), chunksize=1)))


if __name__ == "__main__":
    main()
