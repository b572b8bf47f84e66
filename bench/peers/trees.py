"""One tree library on one table: trees.py FOLDER LIBRARY GROWTH N_TREES LEAVES_OR_DEPTH [ROWS_TO_EXPLAIN [FITS]]; prints a JSON line.

The folder is one of make_tree_tables.py. Two threads. Fits differ in their seed; the median of their seconds and the mean of their
scores are printed. Predictions are made several times, of which the median counts.
"""
import json, pathlib, statistics, sys, time
import numpy as np
from sklearn.metrics import log_loss, roc_auc_score

folder, library, growth, rounds, size = pathlib.Path(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5])
explained, fits = (int(sys.argv[i]) if len(sys.argv) > i else default for i, default in ((6, 0), (7, 1)))
REPEATS = 5
shape = json.loads((folder / "shape.json").read_text())
columns, task, categories = shape["columns"], shape["task"], shape["categories"]
X = np.fromfile(folder / "X.bin", np.float32).reshape(-1, columns); y = np.fromfile(folder / "y.bin", np.float32)
Xt = np.fromfile(folder / "Xt.bin", np.float32).reshape(-1, columns); yt = np.fromfile(folder / "yt.bin", np.float32)
THREADS, RATE = 2, 0.1
leafwise = growth == "leafwise"


def lightgbm():
    import lightgbm as lgb
    params = dict(objective="binary" if task == "binary" else "multiclass", learning_rate=RATE, num_threads=THREADS, verbose=-1, max_bin=255)
    if task == "multiclass": params["num_class"] = shape["classes"]
    params.update(dict(num_leaves=size) if leafwise else dict(num_leaves=2 ** size, max_depth=size))
    train = lambda: lgb.train(params, lgb.Dataset(X, y, categorical_feature=categories or "auto"), rounds)
    return train, lambda m: m.predict(Xt, num_threads=THREADS), lambda m: m.predict(Xt[:explained], pred_contrib=True, num_threads=THREADS)


def xgboost():
    import xgboost as xgb
    params = dict(objective="binary:logistic" if task == "binary" else "multi:softprob", tree_method="hist", eta=RATE, nthread=THREADS, max_bin=256)
    if task == "multiclass": params["num_class"] = shape["classes"]
    params.update(dict(grow_policy="lossguide", max_leaves=size, max_depth=0) if leafwise else dict(max_depth=size))
    types = ["c" if j in categories else "q" for j in range(columns)]
    make = lambda: xgb.QuantileDMatrix(X, y, max_bin=256, feature_types=types, enable_categorical=bool(categories), nthread=THREADS)
    predict = lambda m: m.inplace_predict(Xt) if not categories else m.predict(xgb.DMatrix(Xt, feature_types=types, enable_categorical=True))
    rows = xgb.DMatrix(Xt[:explained], feature_types=types, enable_categorical=bool(categories)) if explained else None
    return lambda: xgb.train(params, make(), rounds), predict, lambda m: m.predict(rows, pred_contribs=True)


def catboost():
    from catboost import CatBoostClassifier, Pool
    kind = dict(grow_policy="Lossguide", max_leaves=size) if leafwise else dict(depth=size)
    model = CatBoostClassifier(iterations=rounds, learning_rate=RATE, thread_count=THREADS, verbose=False, allow_writing_files=False, boosting_type="Plain", bootstrap_type="No",
                               loss_function="Logloss" if task == "binary" else "MultiClass", **kind)
    return lambda: model.fit(X, y), lambda m: m.predict_proba(Xt, thread_count=THREADS)


def histgradientboosting():
    from sklearn.ensemble import HistGradientBoostingClassifier
    limit = dict(max_leaf_nodes=size) if leafwise else dict(max_leaf_nodes=None, max_depth=size)
    model = HistGradientBoostingClassifier(max_iter=rounds, learning_rate=RATE, early_stopping=False, categorical_features=None, **limit)
    return lambda: model.fit(X, y), lambda m: m.predict_proba(Xt)


def randomforest():
    """On codes as numbers."""
    from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
    if task == "regression":
        return lambda: RandomForestRegressor(n_estimators=rounds, n_jobs=THREADS).fit(X, y), lambda m: m.predict(Xt)
    return lambda: RandomForestClassifier(n_estimators=rounds, n_jobs=THREADS).fit(X, y), lambda m: m.predict_proba(Xt)


def randomforest_onehot():
    """On a column for each category, as its users encode what has no order; encoding counts, as our bins do."""
    from sklearn.compose import ColumnTransformer
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder
    encode = ColumnTransformer([("categories", OneHotEncoder(handle_unknown="ignore"), categories)], remainder="passthrough")
    model = make_pipeline(encode, RandomForestClassifier(n_estimators=rounds, n_jobs=THREADS))
    return lambda: model.fit(X, y), lambda m: m.predict_proba(Xt)


def score(p):
    if task == "regression":
        return float(np.sqrt(np.mean((yt - p) ** 2)))
    if task == "binary":
        return roc_auc_score(yt, p[:, 1] if p.ndim == 2 else p)
    return log_loss(yt, p.astype(float), labels=range(shape["classes"]))


def timed(call, *arguments):
    start = time.perf_counter()
    answer = call(*arguments)
    return time.perf_counter() - start, answer


train, predict, *explain = globals()[library]()
trained, predicted, scores = [], [], []
for _ in range(fits):
    seconds, model = timed(train)
    trained.append(seconds)
    for _ in range(REPEATS):
        seconds, p = timed(predict, model)
        predicted.append(seconds)
    scores.append(score(np.asarray(p)))
found = dict(train_s=statistics.median(trained), predict_s=statistics.median(predicted), score=statistics.mean(scores))
if explained and explain:
    found["explain_10k_s"] = timed(explain[0], model)[0] / min(explained, len(Xt)) * 1e4
print(json.dumps(found))
