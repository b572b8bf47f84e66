"""The usual candidates at their libraries' defaults: candidates.py SPLIT_FOLDER [TABLES [CANDIDATES]] (comma-separated lists).

A JSON line per table and candidate. Linear models see median + scaling and one-hot, and so do the trees (as the usual script has it).
"""
import json, sys, time, warnings
import numpy as np, pandas as pd
import lightgbm as lgb, xgboost as xgb
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor, RandomForestClassifier, RandomForestRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.metrics import log_loss, mean_squared_error, roc_auc_score
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import LabelEncoder, OneHotEncoder, StandardScaler

warnings.filterwarnings("ignore")


def read(folder, name):
    """Training and test rows; numbers hidden in text columns are numbers."""
    train, test = (pd.read_csv(f"{folder}/{name}_{part}.csv") for part in ("train", "test"))
    for c in train.columns:
        if not pd.api.types.is_numeric_dtype(train[c]) and pd.to_numeric(train[c], errors="coerce").notna().mean() > 0.95:
            train[c], test[c] = (pd.to_numeric(t[c], errors="coerce") for t in (train, test))
    return train, test


def preprocessing(train):
    """The ColumnTransformer of the usual script."""
    num = train.select_dtypes("number").columns
    cat = [c for c in train if c not in num]
    return ColumnTransformer([
        ("n", Pipeline([("i", SimpleImputer(strategy="median")), ("s", StandardScaler())]), num),
        ("c", Pipeline([("i", SimpleImputer(strategy="constant", fill_value="missing")), ("o", OneHotEncoder(handle_unknown="ignore"))]), cat)])


def models(task):
    if task == "regression":
        return dict(linear_regression=LinearRegression(), ridge=Ridge(), random_forest=RandomForestRegressor(random_state=42, n_jobs=2),
                    extra_trees=ExtraTreesRegressor(random_state=42, n_jobs=2), xgboost=xgb.XGBRegressor(random_state=42, n_jobs=2),
                    lightgbm=lgb.LGBMRegressor(random_state=42, n_jobs=2, verbose=-1))
    return dict(logistic_regression=LogisticRegression(max_iter=2000), random_forest=RandomForestClassifier(random_state=42, n_jobs=2),
                extra_trees=ExtraTreesClassifier(random_state=42, n_jobs=2), xgboost=xgb.XGBClassifier(random_state=42, n_jobs=2),
                lightgbm=lgb.LGBMClassifier(random_state=42, n_jobs=2, verbose=-1))


def main(folder, tables=None, candidates=None):
    for name, m in json.load(open(f"{folder}/meta.json")).items():
        if tables and name not in tables:
            continue
        train, test = read(folder, name)
        y, yt = train.pop(m["target"]), test.pop(m["target"])
        if m["task"] != "regression":
            enc = LabelEncoder().fit(y.astype(str))
            y, yt = enc.transform(y.astype(str)), enc.transform(yt.astype(str))
        for label, model in models(m["task"]).items():
            if candidates and label not in candidates:
                continue
            start = time.time()
            fitted = Pipeline([("pre", preprocessing(train)), ("model", model)]).fit(train, y)
            seconds = time.time() - start
            if m["task"] == "regression":
                score = dict(rmse=float(np.sqrt(mean_squared_error(yt, fitted.predict(test)))))
            else:
                p = fitted.predict_proba(test)
                score = dict(log_loss=log_loss(yt, p, labels=range(p.shape[1])), accuracy=float((p.argmax(1) == yt).mean()))
                if m["task"] == "binary":
                    score["roc_auc"] = roc_auc_score(yt, p[:, 1])
            print(json.dumps(dict(data=name, candidate=label, fit_s=round(seconds, 3), **{k: round(float(v), 7) for k, v in score.items()})), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], *(a.split(",") for a in sys.argv[2:4]))
