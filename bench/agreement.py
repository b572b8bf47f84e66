"""Linear models and metrics against scikit-learn: the same predictions to 1e-4, the same metrics to 1e-9.

scikit-learn solves to a tolerance of 1e-10 with its Newton solver (its default one stops sooner); ours has none to set. Metrics are computed by scikit-learn on our own predictions.
"""
import json, subprocess, sys, warnings

import numpy as np, pandas as pd
from sklearn import metrics
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.pipeline import Pipeline

import harness

sys.path.insert(0, str(harness.PEERS))
import candidates as peers

warnings.filterwarnings("ignore")
# Tables whose columns both sides use alike; titanic's names are left out by ours and one-hot encoded by theirs.
TABLES = ("telco", "adult", "higgs7k", "housing", "diamonds", "wine")
PREDICTIONS, METRICS = 1e-4, 1e-9


def model(candidate):
    return dict(linear_regression=LinearRegression(), ridge=Ridge(),
                logistic_regression=LogisticRegression(solver="newton-cholesky", tol=1e-10, max_iter=1_000))[candidate]


def sklearn_metrics(task, y, prediction, probability, labels):
    """Every metric of ours that scikit-learn has, from our own predictions."""
    if task == "regression":
        return dict(mse=metrics.mean_squared_error(y, prediction), rmse=metrics.root_mean_squared_error(y, prediction),
                    mae=metrics.mean_absolute_error(y, prediction), mape=metrics.mean_absolute_percentage_error(y, prediction),
                    r2=metrics.r2_score(y, prediction), median_absolute_error=metrics.median_absolute_error(y, prediction))
    found = dict(accuracy=metrics.accuracy_score(y, prediction), balanced_accuracy=metrics.balanced_accuracy_score(y, prediction),
                 mcc=metrics.matthews_corrcoef(y, prediction), log_loss=metrics.log_loss(y, probability, labels=labels))
    if task == "binary":
        positive, p = labels[-1], probability[:, -1]
        truth = (y == positive).astype(int)
        found.update(precision=metrics.precision_score(y, prediction, pos_label=positive), recall=metrics.recall_score(y, prediction, pos_label=positive),
                     f1=metrics.f1_score(y, prediction, pos_label=positive), roc_auc=metrics.roc_auc_score(truth, p),
                     average_precision=metrics.average_precision_score(truth, p), brier=metrics.brier_score_loss(truth, p))
    else:
        for average in ("macro", "weighted"):
            for name, score in (("precision", metrics.precision_score), ("recall", metrics.recall_score), ("f1", metrics.f1_score)):
                found[f"{name}_{average}"] = score(y, prediction, average=average, zero_division=0)
            if set(labels) == set(y):  # scikit-learn defines it only where every class occurs
                found["roc_auc" if average == "macro" else "roc_auc_weighted"] = metrics.roc_auc_score(
                    y, probability, multi_class="ovr", average=average, labels=labels)
    return found


def one(options, folder, name, meta, candidate):
    scratch = options.scratch
    file, out = scratch / "agreement.tw", scratch / "agreement.csv"
    command = [options.binary, "train", folder / f"{name}_train.csv", "--target", meta["target"], "--task", meta["task"],
               "--candidates", candidate, "--holdout", "none", "--folds", "0", "--json", "-o", file]
    if candidate == "logistic_regression":
        command += ["--set", "candidates.logistic_regression.max_iter=100000"]
    harness.measured(command)
    test_file = folder / f"{name}_test.csv"
    harness.measured([options.binary, "predict", file, test_file, "-o", out])
    own = pd.read_csv(out)
    report = json.loads(harness.measured([options.binary, "evaluate", file, test_file, "--json"])["output"])
    train, test = peers.read(folder, name)
    y, yt = train.pop(meta["target"]), test.pop(meta["target"])
    if meta["task"] != "regression":
        y, yt = y.astype(str), yt.astype(str)
    fitted = Pipeline([("pre", peers.preprocessing(train)), ("model", model(candidate))]).fit(train, y)
    if meta["task"] == "regression":
        labels, prediction, probability = None, own["prediction"].to_numpy(), None
        theirs = fitted.predict(test)
        worst = float(np.max(np.abs(prediction - theirs) / np.abs(theirs)))
    else:
        labels = [str(c) for c in fitted.classes_]
        probability = own[[f"probability_{c}" for c in labels]].to_numpy()
        prediction = own["prediction"].astype(str).to_numpy()
        theirs = fitted.predict_proba(test)
        worst = float(np.max(np.abs(probability - theirs) / theirs))
    expected = sklearn_metrics(meta["task"], yt.to_numpy(), prediction, probability, labels)
    differences = {k: abs(v - report["scores"][k]) / max(1.0, abs(v)) for k, v in expected.items() if k in report["scores"]}
    return dict(table=name, candidate=candidate, worst_prediction=worst, metrics_compared=sorted(differences),
                metrics_absent=sorted(set(expected) - set(differences)), worst_metric=max(differences.values()),
                verdict="met" if worst <= PREDICTIONS and max(differences.values()) <= METRICS else "missed")


def main():
    options = harness.arguments(__doc__.splitlines()[0]).parse_args()
    harness.prepare(options)
    folder = options.scratch / "splits"
    subprocess.run([sys.executable, harness.PEERS / "splits.py", harness.real_tables(options), folder, "1"], check=True)
    rows = []
    for name, meta in json.loads((folder / "0/meta.json").read_text()).items():
        if name in TABLES:
            names = ("linear_regression", "ridge") if meta["task"] == "regression" else ("logistic_regression",)
            for candidate in names:
                rows.append(one(options, folder / "0", name, meta, candidate))
                print(rows[-1], flush=True)
    lines = [f"Largest relative difference of a test prediction (goal {PREDICTIONS:g}), and of a metric on the same predictions (goal {METRICS:g}).", "",
             "| table | candidate | predictions | metrics | metrics compared | verdict |", "|---|---|---|---|---|---|"]
    lines += [f"| {r['table']} | {r['candidate']} | {r['worst_prediction']:.1e} | {r['worst_metric']:.1e} | {len(r['metrics_compared'])} | {r['verdict']} |" for r in rows]
    document = dict(versions=harness.versions(options.binary, "scikit-learn", "scipy", "numpy", "pandas"), rows=rows)
    harness.write("agreement", "Linear models and metrics against scikit-learn", "cargo xtask bench agreement", document, lines)


if __name__ == "__main__":
    main()
