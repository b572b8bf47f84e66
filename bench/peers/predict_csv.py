"""Batch prediction as it is usually written: predict_csv.py train FILE PICKLE, predict_csv.py predict FILE PICKLE OUT.

pandas reads pieces of 50,000 rows, a scikit-learn pipeline encodes the categories, LightGBM predicts. For the generated churn table.
"""
import pickle, sys

import lightgbm as lgb, pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OrdinalEncoder

TARGET, LEFT_OUT = "churned", ["customer_id", "last_note"]
PIECE = 50_000


def features(table):
    table = table.drop(columns=[c for c in [*LEFT_OUT, TARGET] if c in table])
    table["signup_date"] = pd.to_datetime(table["signup_date"]).astype("int64")
    return table


def train(file, out):
    table = pd.read_csv(file)
    x, y = features(table), (table[TARGET] == "yes").astype(int)
    categories = [c for c in x if not pd.api.types.is_numeric_dtype(x[c])]
    encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    model = Pipeline([("encode", ColumnTransformer([("c", encoder, categories)], remainder="passthrough")),
                      ("model", lgb.LGBMClassifier(verbose=-1, n_jobs=-1))])
    with open(out, "wb") as f:
        pickle.dump(model.fit(x, y), f)


def predict(file, model_file, out):
    with open(model_file, "rb") as f:
        model = pickle.load(f)
    for number, piece in enumerate(pd.read_csv(file, chunksize=PIECE)):
        p = model.predict_proba(features(piece))
        result = pd.DataFrame({"customer_id": piece["customer_id"], "prediction": ["yes" if q > 0.5 else "no" for q in p[:, 1]],
                               "probability_no": p[:, 0], "probability_yes": p[:, 1]})
        result.to_csv(out, index=False, mode="w" if number == 0 else "a", header=number == 0)


if __name__ == "__main__":
    dict(train=train, predict=predict)[sys.argv[1]](*sys.argv[2:])
