"""A pipeline of scikit-learn with 100 trees of LightGBM under FastAPI, as one writes it by hand and with care.

`serve_fastapi.py train TABLE FILE` fits it, `serve_fastapi.py serve FILE PORT WORKERS` serves it.
"""
import os, sys

import joblib
import pandas as pd


def pipeline():
    import lightgbm
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import StandardScaler

    numbers = Pipeline([("impute", SimpleImputer(strategy="median")), ("scale", StandardScaler())])
    prepare = ColumnTransformer([("numbers", numbers, [f"x{i}" for i in range(20)])])
    # One thread: a row alone is slower with more.
    return Pipeline([("prepare", prepare), ("classify", lightgbm.LGBMClassifier(n_estimators=100, n_jobs=1, verbose=-1))])


def fitted(table):
    rows = pd.read_csv(table)
    return pipeline().fit(rows.drop(columns="y"), rows["y"])


def app():
    """The application, in each worker."""
    from fastapi import FastAPI
    from pydantic import BaseModel

    model = joblib.load(os.environ["MODEL"])

    class Request(BaseModel):
        rows: list[dict[str, float | None]]

    application = FastAPI()

    @application.get("/health/ready")
    async def ready():
        return {"status": "ready"}

    # Not in a pool of threads: for rows alone the way there costs more than it gives.
    @application.post("/predict")
    async def predict(request: Request):
        probabilities = model.predict_proba(pd.DataFrame(request.rows))
        predictions = model.classes_[probabilities.argmax(axis=1)]
        return {"predictions": predictions.tolist(), "classes": model.classes_.tolist(), "probabilities": probabilities.tolist()}

    return application


def main():
    if sys.argv[1] == "train":
        joblib.dump(fitted(sys.argv[2]), sys.argv[3])
        return
    import uvicorn

    file, port, workers = sys.argv[2:5]
    os.environ["MODEL"] = file
    uvicorn.run("serve_fastapi:app", factory=True, host="127.0.0.1", port=int(port), workers=int(workers), log_level="warning",
                access_log=False, app_dir=os.path.dirname(os.path.abspath(__file__)))


if __name__ == "__main__":
    main()
