"""Makes linear.json: seeded data and scikit-learn's predictions for it. Run: python linear.py (needs scikit-learn).

The reference of logistic regression is the solver newton-cholesky: lbfgs, the default, stops early on columns of unlike
scales whatever its tolerance (on the data of "two classes" and "four classes" its predictions are 1e-6 and 4e-5 off, while
newton-cholesky and newton-cg agree to 1e-10). On standardised numbers it comes close enough, and is the reference there.

Each case has rows to fit and, behind them, rows that are only predicted, some with a category that the fit has not seen.
"""
import json, pathlib, platform
import numpy as np, scipy, sklearn
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge

NONE = 2**32 - 1
rng = np.random.default_rng(20240917)


def features(n, n_fit, scale, standardised):
    a, b = rng.normal(size=n), rng.normal(size=n) * 3 + 40
    numbers = np.round(np.column_stack([a * scale, b, rng.exponential(size=n), np.full(n, 7.5)]), 5)
    numbers = np.column_stack([numbers, np.round(2 * numbers[:, 1] - numbers[:, 2], 5), numbers[:, 1]])
    if standardised:
        numbers = np.round((numbers - numbers.mean(axis=0)) / (numbers.std(axis=0) + (numbers.std(axis=0) == 0)), 5)
    groups = [(5, rng.choice(5, size=n, p=[0.5, 0.3, 0.12, 0.08, 0])), (3, rng.choice(3, size=n))]
    for _, codes in groups:
        codes[n_fit::3] = NONE
    groups[1][1][:n_fit:11] = NONE
    return numbers, groups


def expand(numbers, groups):
    return np.column_stack([numbers] + [(codes[:, None] == np.arange(width)).astype(float) for width, codes in groups])


def scores(x, n_outputs):
    coefficients = rng.normal(size=(x.shape[1], n_outputs)) / (x.std(axis=0)[:, None] + 0.2)
    return (x - x.mean(axis=0)) @ coefficients * 0.7


def case(name, model, params, scale=1.0, n=110, n_fit=80, weighted=False, standardised=False):
    numbers, groups = features(n, n_fit, scale, standardised)
    x = expand(numbers, groups)
    weights = np.round(rng.exponential(size=n_fit) * (rng.random(n_fit) > 0.1), 3) if weighted else None
    if model == "logistic_regression":
        s = scores(x, params["n_classes"])
        y = (s + rng.gumbel(size=s.shape)).argmax(axis=1)
        estimator = LogisticRegression(C=params["c"], fit_intercept=params.get("fit_intercept", True),
                                       tol=1e-10, max_iter=10_000, solver=params["solver"])
    else:
        y = np.round(scores(x, 1)[:, 0] * 10 + 100 + rng.normal(size=n), 4)
        options = {k: v for k, v in params.items() if k in ("alpha", "fit_intercept")}
        estimator = Ridge(**options) if model == "ridge" else LinearRegression(**options)
    estimator.fit(x[:n_fit], y[:n_fit], sample_weight=weights)
    if model == "logistic_regression":
        predictions = estimator.predict_proba(x)
        predictions = predictions[:, 1] if params["n_classes"] == 2 else predictions
    else:
        predictions = estimator.predict(x)
    return dict(name=name, model=model, params=params, n_fit=n_fit, numbers=numbers.T.tolist(),
                groups=[dict(width=w, codes=c.tolist()) for w, c in groups], targets=y[:n_fit].tolist(),
                weights=None if weights is None else weights.tolist(), predictions=predictions.ravel().tolist())


LBFGS, NEWTON = "lbfgs", "newton-cholesky"
cases = [
    case("dependent columns", "linear_regression", {}),
    case("dependent columns, weights", "linear_regression", {}, weighted=True),
    case("columns of unlike scales", "linear_regression", {}, scale=1e5),
    case("no intercept", "linear_regression", dict(fit_intercept=False)),
    case("fewer rows than columns", "linear_regression", {}, n=20, n_fit=8),
    case("default", "ridge", dict(alpha=1.0)),
    case("strong, weights", "ridge", dict(alpha=30.0), weighted=True),
    case("weak, unlike scales", "ridge", dict(alpha=1e-3), scale=1e5),
    case("no intercept", "ridge", dict(alpha=1.0, fit_intercept=False)),
    case("two classes", "logistic_regression", dict(c=1.0, n_classes=2, solver=NEWTON)),
    case("two classes, weights", "logistic_regression", dict(c=1.0, n_classes=2, solver=NEWTON), weighted=True),
    case("two classes, unlike scales", "logistic_regression", dict(c=10.0, n_classes=2, solver=NEWTON), scale=1e3),
    case("two classes, no intercept", "logistic_regression", dict(c=1.0, n_classes=2, solver=NEWTON, fit_intercept=False)),
    case("four classes", "logistic_regression", dict(c=1.0, n_classes=4, solver=NEWTON)),
    case("four classes, weights", "logistic_regression", dict(c=0.3, n_classes=4, solver=NEWTON), weighted=True),
    case("two classes, standardised", "logistic_regression", dict(c=1.0, n_classes=2, solver=LBFGS), standardised=True),
    case("four classes, standardised", "logistic_regression", dict(c=1.0, n_classes=4, solver=LBFGS), standardised=True),
]
versions = dict(python=platform.python_version(), scikit_learn=sklearn.__version__, numpy=np.__version__, scipy=scipy.__version__)
with open(pathlib.Path(__file__).with_suffix(".json"), "w") as file:
    file.write('{"versions": ' + json.dumps(versions) + ',\n"cases": [\n')
    file.write(",\n".join(json.dumps(c) for c in cases) + "\n]}\n")
