"""Writes metrics.json: seeded predictions and what scikit-learn says about them.

Run with a Python that has scikit-learn 1.9: python metrics.py
"""

import json
import pathlib
import warnings

import numpy as np
import sklearn
from sklearn import metrics as m

warnings.filterwarnings("ignore")


def binary(name, y, p, w, threshold=0.5, curves=False):
    label = (p >= threshold).astype(int)
    kw = {"sample_weight": w}
    one_class = len(np.unique(y)) < 2
    scores = {
        "roc_auc": None if one_class else m.roc_auc_score(y, p, **kw),
        "average_precision": m.average_precision_score(y, p, **kw),
        "log_loss": m.log_loss(y, p, labels=[0, 1], **kw),
        "brier": np.average((y - p) ** 2, weights=w) if one_class else m.brier_score_loss(y, p, **kw),
        "accuracy": m.accuracy_score(y, label, **kw),
        "balanced_accuracy": m.balanced_accuracy_score(y, label, **kw),
        "precision": m.precision_score(y, label, zero_division=0, **kw),
        "recall": m.recall_score(y, label, zero_division=0, **kw),
        "f1": m.f1_score(y, label, zero_division=0, **kw),
        "mcc": m.matthews_corrcoef(y, label, **kw),
    }
    case = {"name": name, "task": "binary", "n_classes": 2, "threshold": threshold, "targets": y.tolist(),
            "predictions": p.tolist(), "weights": None if w is None else w.tolist(), "scores": scores,
            "confusion": m.confusion_matrix(y, label, labels=[0, 1], **kw).tolist()}
    if curves:
        precision, recall, thresholds = m.precision_recall_curve(y, p, **kw)
        fpr, tpr, _ = m.roc_curve(y, p, drop_intermediate=False, **kw)
        from sklearn.calibration import calibration_curve
        observed, predicted = calibration_curve(y, p, n_bins=10)
        case["curves"] = {"precision": precision[:-1][::-1].tolist(), "recall": recall[:-1][::-1].tolist(),
                          "thresholds": thresholds[::-1].tolist(), "fpr": fpr.tolist(), "tpr": tpr.tolist(),
                          "observed": observed.tolist(), "predicted": predicted.tolist()}
    return case


def multiclass(name, y, p, w):
    k = p.shape[1]
    label = p.argmax(axis=1)
    kw = {"sample_weight": w}
    weight = np.ones(len(y)) if w is None else w
    present = np.unique(y)
    aucs = [m.roc_auc_score((y == c).astype(int), p[:, c], **kw) for c in present] if len(present) > 1 else None
    share = [weight[y == c].sum() for c in present]
    if len(present) == k:
        official = m.roc_auc_score(y, p, multi_class="ovr", average="macro", **kw)
        assert abs(np.mean(aucs) - official) < 1e-12
        official = m.roc_auc_score(y, p, multi_class="ovr", average="weighted", **kw)
        assert abs(np.average(aucs, weights=share) - official) < 1e-12
    scores = {
        "log_loss": m.log_loss(y, p, labels=list(range(k)), **kw),
        "brier": m.brier_score_loss(y, p, labels=list(range(k)), **kw),
        "roc_auc": None if aucs is None else np.mean(aucs),
        "roc_auc_weighted": None if aucs is None else np.average(aucs, weights=share),
        "accuracy": m.accuracy_score(y, label, **kw),
        "balanced_accuracy": m.balanced_accuracy_score(y, label, **kw),
        "mcc": m.matthews_corrcoef(y, label, **kw),
    }
    for average in ("macro", "weighted"):
        precision, recall, f1, _ = m.precision_recall_fscore_support(y, label, average=average, zero_division=0, **kw)
        scores |= {f"precision_{average}": precision, f"recall_{average}": recall, f"f1_{average}": f1}
    return {"name": name, "task": "multiclass", "n_classes": k, "threshold": 0.5, "targets": y.tolist(),
            "predictions": p.ravel().tolist(), "weights": None if w is None else w.tolist(), "scores": scores,
            "confusion": m.confusion_matrix(y, label, labels=list(range(k)), **kw).tolist()}


def regression(name, y, p, w):
    kw = {"sample_weight": w}
    r2 = m.r2_score(y, p, **kw) if len(y) > 1 else None
    scores = {
        "mse": m.mean_squared_error(y, p, **kw),
        "rmse": m.root_mean_squared_error(y, p, **kw),
        "mae": m.mean_absolute_error(y, p, **kw),
        "mape": m.mean_absolute_percentage_error(y, p, **kw),
        "r2": r2,
        "median_absolute_error": m.median_absolute_error(y, p, **kw),
    }
    return {"name": name, "task": "regression", "n_classes": 0, "threshold": 0.5, "targets": y.tolist(),
            "predictions": p.tolist(), "weights": None if w is None else w.tolist(), "scores": scores,
            "confusion": []}


def cases():
    rng = np.random.default_rng(20240607)
    n = 150
    y = (rng.random(n) < 0.35).astype(int)
    p = np.clip(0.3 * y + rng.random(n) * 0.7, 0, 1)
    w = rng.gamma(2.0, 1.0, n)
    yield binary("distinct scores", y, p, None, curves=True)
    yield binary("weights", y, p, w)
    yield binary("ties", y, np.round(p, 1), None, curves=True)
    yield binary("ties and weights", y, np.round(p, 1), w)
    yield binary("whole weights with zeros", y, np.round(p, 2), rng.integers(0, 4, n).astype(float))
    yield binary("another threshold", y, p, w, threshold=0.37)
    yield binary("probabilities of 0 and 1", y, np.round(p), None)
    yield binary("all scores equal", y, np.full(n, 0.5), None)
    yield binary("nothing is labelled positive", y, p * 0.1, None)
    yield binary("negative rows only", np.zeros(12, int), p[:12], None)
    yield binary("positive rows only", np.ones(12, int), p[:12], None)
    yield binary("one row", np.array([1]), np.array([0.7]), None)
    yield binary("two rows", np.array([0, 1]), np.array([0.7, 0.7]), np.array([0.5, 2.0]))

    k = 4
    y = rng.choice(k, n, p=[0.5, 0.3, 0.15, 0.05])
    raw = rng.gamma(1.0, 1.0, (n, k)) + 1.5 * np.eye(k)[y]
    p = raw / raw.sum(axis=1, keepdims=True)
    yield multiclass("four classes", y, p, None)
    yield multiclass("four classes and weights", y, p, w)
    tied = np.round(p * 4) + 1.0
    tied = tied / tied.sum(axis=1, keepdims=True)
    yield multiclass("ties, first of the most probable", y, tied, w)
    absent = np.where(y == 2, 1, y)
    yield multiclass("a class is absent but predicted", absent, p, None)
    yield multiclass("a class is absent but predicted, weights", absent, p, w)
    shy = p * np.array([1.0, 1.0, 1e-6, 1.0])
    shy = shy / shy.sum(axis=1, keepdims=True)
    yield multiclass("a class is absent and never predicted", absent, shy, w)
    yield multiclass("one row of three classes", np.array([2]), np.array([[0.2, 0.5, 0.3]]), None)

    y = rng.normal(10.0, 30.0, n)
    p = y + rng.normal(0.0, 5.0, n)
    yield regression("numbers", y, p, None)
    yield regression("numbers and weights", y, p, w)
    yield regression("whole weights, ties, zero targets", np.round(y / 20) * 5.0, np.round(p / 20) * 5.0 + 1.0,
                     rng.integers(0, 3, n).astype(float))
    yield regression("an even number, the median in between", np.array([1.0, 2.0, 3.0, 4.0]),
                     np.array([1.5, 3.0, 5.0, 8.0]), None)
    yield regression("half of the weight reached exactly", np.zeros(4), np.array([1.0, 2.0, 3.0, 4.0]),
                     np.array([1.0, 1.0, 2.0, 0.0]))
    yield regression("half of the weight reached before a row of weight 0", np.zeros(4),
                     np.array([1.0, 2.0, 3.0, 4.0]), np.array([2.0, 0.0, 1.0, 1.0]))
    yield regression("a constant target", np.full(6, 3.0), np.arange(6.0), None)
    yield regression("a constant target, met", np.full(6, 3.0), np.full(6, 3.0), None)
    yield regression("one row", np.array([3.0]), np.array([2.0]), None)
    yield regression("large numbers", y * 1e9 + 1e12, p * 1e9 + 1e12, w)


if __name__ == "__main__":
    document = {"made_by": "crates/core/tests/golden/metrics.py", "scikit-learn": sklearn.__version__,
                "numpy": np.__version__, "cases": list(cases())}
    path = pathlib.Path(__file__).with_suffix(".json")
    path.write_text(json.dumps(document, indent=None, separators=(",", ":")).replace('{"name"', '\n{"name"') + "\n")
