"""Makes pairs.json: what SciPy and Evidently say of pairs of samples that are drawn from short specifications.

Made with the versions in bench/monitor-requirements.txt:

    pip install -r bench/monitor-requirements.txt
    python crates/monitor/tests/golden/make.py > crates/monitor/tests/golden/pairs.json

`cargo xtask soak monitor` makes 10,000 others with `--pairs 10000`, of 1 to 200,000 numbers each, into the file that
TABWRIGHT_GOLDEN_PAIRS names.

The numbers come from a generator of whole numbers (splitmix64), and from sums, products, quotients and floors alone, so that
the test draws the very same ones.
"""

import argparse
import json
import math
import multiprocessing
import os
import sys
import warnings

import numpy as np
import pandas as pd
from evidently.legacy.calculations.stattests import registry
from evidently.legacy.core import ColumnType
from scipy import stats

warnings.filterwarnings("ignore")
np.seterr(all="ignore")

GAMMA = np.uint64(0x9E3779B97F4A7C15)


def uniforms(seed, stream, n):
    """Numbers in [0, 1) with 53 bits: the n first of a stream."""
    start = np.uint64((seed * 0x2545F4914F6CDD1D + stream * 0x6A09E667F3BCC909) % 2**64)
    z = start + GAMMA * np.arange(1, n + 1, dtype=np.uint64)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    z = z ^ (z >> np.uint64(31))
    return (z >> np.uint64(11)).astype(np.float64) * 2.0**-53


def draw(side, whole):
    """One sample of a specification; NaN where a value is missing."""
    seed, n, shape = side["seed"], side["n"], side["shape"]
    u = [uniforms(seed, stream, n) for stream in range(4)]
    if shape == "uniform":
        x = u[0]
    elif shape == "bell":
        x = u[0] + u[1] + u[2] + u[3] - 2.0
    elif shape == "skew":
        x = u[0] * u[0] * u[0]
    elif shape == "heavy":
        x = (u[0] - 0.5) / (u[1] + 2.0**-10)
    elif shape == "constant":
        x = np.zeros(n)
    x = x * side["scale"] + side["shift"]
    if side["steps"]:
        x = np.floor(x * side["steps"]) / (1.0 if whole else side["steps"])
    if side["missing"]:
        x[uniforms(seed, 4, n) < side["missing"]] = np.nan
    return x


def number(x):
    x = float(x)
    # Evidently's tests of a single category, and roots of what rounding made negative, are NaN.
    return x if math.isfinite(x) else None


def judge(name, kind, reference, current):
    """The score and the decision of one of Evidently's tests at its own threshold."""
    test = registry.get_registered_stattest(name, kind) if name else registry._get_default_stattest(reference, current, kind)
    result = test(reference.copy(), current.copy(), kind, None)
    return test.name, number(result.drift_score), bool(result.drifted)


def expected(spec):
    a, b = draw(spec["reference"], spec["whole"]), draw(spec["current"], spec["whole"])
    a, b = pd.Series(a).dropna(), pd.Series(b).dropna()
    if len(a) == 0 or len(b) == 0:
        return None
    if spec["whole"]:
        a, b = a.astype(np.int64), b.astype(np.int64)
    found = {"n": [len(a), len(b)]}
    ks = stats.ks_2samp(a, b)
    found["ks"] = [number(ks.statistic), number(ks.pvalue)]
    found["ks_asymptotic"] = number(stats.ks_2samp(a, b, method="asymp").pvalue)
    found["wasserstein"] = number(stats.wasserstein_distance(a, b))
    kind = ColumnType.Categorical if spec["levels"] else ColumnType.Numerical
    if spec["levels"]:
        a, b = a.map(lambda x: f"l{x:g}"), b.map(lambda x: f"l{x:g}")
        found["chisquare"] = judge("chisquare", kind, a, b)[1]
        keys = sorted(set(a) | set(b))
        counts = [[int((s == key).sum()) for key in keys] for s in (a, b)]
        if len(keys) > 1:
            found["homogeneity"] = number(stats.chi2_contingency(counts, correction=False)[1])
    for name in ["jensenshannon", "psi", "hellinger"]:
        found[name] = judge(name, kind, a, b)[1]
    found["default"] = judge(None, kind, a, b)
    return found


def side(seed, n, shape="bell", scale=1.0, shift=0.0, steps=0, missing=0.0):
    return {"seed": seed, "n": n, "shape": shape, "scale": scale, "shift": shift, "steps": steps, "missing": missing}


class Picks:
    """Choices that follow from a seed."""

    def __init__(self, seed, n):
        self.uniforms = uniforms(seed, 9, n)
        self.place = 0

    def uniform(self):
        self.place += 1
        return self.uniforms[self.place]

    def __call__(self, options):
        return options[int(self.uniform() * len(options))]


def random_pair(i, pick, sizes, shapes, missing):
    """The specification of one pair; `sizes` makes the size of a side."""
    shifts = [0.0, 0.0, 0.0, 0.05, 0.1, 0.25, 0.5, 2.0]
    shape, step, whole = pick(shapes), pick([0, 0, 0, 1, 2, 4, 16, 64]), False
    levels = pick([False, False, True])
    if levels:
        step, whole = pick([2, 4, 6, 30]), True
    elif step >= 4:
        whole = pick([False, True])
    scale, shift = pick([1.0, 1.0, 1.0, 100.0, 0.001]), pick(shifts)
    if levels:
        scale, shift, shape = 1.0, pick([0.0, 0.0, 0.05, 0.2]), pick(["uniform", "skew"])
    same = pick([False] * 5 + [True])
    n, m = sizes(), sizes()
    gone = pick(missing)
    reference = side(2 * i, n, shape, scale, 0.0, step, gone)
    current = side(2 * i + 1, m, shape, scale * pick([1.0, 1.0, 1.25]), shift * scale, step, pick(missing))
    if same:
        current = dict(reference)
    return {"reference": reference, "current": current, "whole": whole, "levels": levels}


def random_specifications(n, seed):
    """Pairs of 1 to 200,000 numbers, as many of ten to a hundred as of a thousand to ten thousand."""
    pick = Picks(seed, 30 * n)
    size = lambda: int(200_000 ** pick.uniform())
    shapes, missing = ["uniform", "bell", "skew", "heavy"] * 5 + ["constant"], [0.0, 0.0, 0.0, 0.1, 0.5, 0.9]
    for i in range(n):
        yield random_pair(seed * 1_000_000 + i, pick, size, shapes, missing)


def specifications():
    sizes = [1, 2, 3, 5, 9, 17, 40, 64, 99, 150, 333, 512, 700, 1000, 1001, 1500, 2500, 4096]
    pick = Picks(2026, 20_000)
    for i in range(296):
        yield random_pair(i, pick, lambda: pick(sizes), ["uniform", "bell", "skew", "heavy"], [0.0, 0.0, 0.0, 0.1, 0.5])
    plain = {"whole": False, "levels": False}
    for i, (n, m, shift, step) in enumerate([
        (200_000, 200_000, 0.01, 0), (200_000, 1, 0.0, 0), (3, 200_000, 0.5, 0), (200_000, 1_000, 0.1, 0),
        (10_000, 10_000, 0.02, 0), (9_999, 10_000, 0.02, 0), (10_001, 10_000, 0.02, 0), (10_007, 5_003, 0.0, 4),
        (150_000, 120_000, 0.004, 64), (20_000, 30_000, 0.0, 0), (65_536, 65_536, 0.003, 0),
    ]):
        yield {"reference": side(900 + 2 * i, n, "bell", 1.0, 0.0, step),
               "current": side(901 + 2 * i, m, "bell", 1.0, shift, step), **plain}
    yield {"reference": side(990, 50, "constant"), "current": side(991, 70, "constant"), **plain}
    yield {"reference": side(992, 50, "constant"), "current": side(993, 70, "constant", 1.0, 3.0), **plain}
    yield {"reference": side(994, 2_000, "constant"), "current": side(995, 70, "bell"), **plain}


def judged(spec):
    found = expected(spec)
    return json.dumps({**spec, "expected": found}, separators=(",", ":")) if found else None


def main():
    parser = argparse.ArgumentParser(description="Pairs of samples, and what SciPy and Evidently say of them.")
    parser.add_argument("--pairs", type=int, help="so many random pairs instead of the stored ones")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    if options.pairs:
        specs = list(random_specifications(options.pairs, options.seed))
    else:
        specs = list(specifications())
    with multiprocessing.Pool() as pool:
        pairs = [pair for pair in pool.imap(judged, specs, chunksize=8) if pair]
    name = os.environ.get("TABWRIGHT_GOLDEN_PAIRS")
    with open(name, "w") if name else sys.stdout as out:
        out.write("[\n" + ",\n".join(pairs) + "\n]\n")


if __name__ == "__main__":
    main()
