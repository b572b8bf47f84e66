"""The pipeline of `serve_fastapi.py` under MLflow's scoring server, in this environment.

`serve_mlflow.py train TABLE FOLDER` fits and saves it, `serve_mlflow.py serve FOLDER PORT WORKERS` serves it.
"""
import os, shutil, sys, warnings

import serve_fastapi

warnings.filterwarnings("ignore")


def main():
    if sys.argv[1] == "train":
        import mlflow.sklearn

        shutil.rmtree(sys.argv[3], ignore_errors=True)
        mlflow.sklearn.save_model(serve_fastapi.fitted(sys.argv[2]), sys.argv[3], serialization_format="cloudpickle")
        return
    folder, port, workers = sys.argv[2:5]
    # What it starts is found in this environment.
    os.environ["PATH"] = os.path.dirname(sys.executable) + os.pathsep + os.environ["PATH"]
    os.execv(sys.executable, [sys.executable, "-m", "mlflow", "models", "serve", "--model-uri", folder, "--env-manager", "local",
                              "--host", "127.0.0.1", "--port", port, "--workers", workers])


if __name__ == "__main__":
    main()
