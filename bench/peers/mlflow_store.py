"""MLflow's own tracking store on SQLite, filled with the runs of `crates/store/examples/measure.rs`: the same search, append and history.

Tables are filled directly, in bulk; what is measured goes through the store's own methods. `mlflow_store.py FILE RUNS POINTS REPEATS`.
"""
import json, pathlib, sqlite3, sys, time, warnings

warnings.filterwarnings("ignore")
from mlflow.entities import Metric, ViewType
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

TYPES = ["gbdt_leafwise", "gbdt_depthwise", "logistic_regression", "random_forest", "baseline"]
OWNERS = ["ada", "alan", "barbara", "claude", "edsger", "frances", "grace", "john"]
METRICS = ["roc_auc", "train.log_loss", "validation.log_loss", "validation.roc_auc"]
FIRST, APART = 1_767_225_600_000, 60_000  # milliseconds
AT_ONCE, APPENDED, PAGE = 250, 1_000, 20


def spread(number):
    return (number * 0.6180339887498949) % 1


def fill(file, experiment, runs, points):
    database = sqlite3.connect(file)
    database.execute("PRAGMA synchronous = OFF")
    steps, started = points // len(METRICS), time.perf_counter()
    for first in range(0, runs, AT_ONCE):
        rows = {"runs": [], "params": [], "tags": [], "latest_metrics": [], "metrics": []}
        for number in range(first, min(first + AT_ONCE, runs)):
            run, at = f"{number:032x}", FIRST + number * APART
            rows["runs"].append((run, f"run {number}", "LOCAL", "", "", "ada", "FINISHED", at, at + APART, None, "", "active", "", experiment))
            params = dict(type=TYPES[number % len(TYPES)], depth=3 + number % 9, n_estimators=100 + number % 400, seed=number,
                          learning_rate=(1 + number % 30) / 100)
            rows["params"] += [(key, str(value), run) for key, value in params.items()]
            tags = dict(owner=OWNERS[number // len(TYPES) % len(OWNERS)], stage="final" if number % 3 else "trial")
            rows["tags"] += [(key, value, run) for key, value in tags.items()]
            score = 0.5 + spread(number) / 2
            for name in METRICS:
                rows["metrics"] += [(name, score * (step + 1) / steps, at + step, step, False, run) for step in range(steps)]
                rows["latest_metrics"].append(rows["metrics"][-1])
        for table, values in rows.items():
            columns = {"runs": "run_uuid, name, source_type, source_name, entry_point_name, user_id, status, start_time, end_time, "
                               "deleted_time, source_version, lifecycle_stage, artifact_uri, experiment_id",
                       "params": "key, value, run_uuid", "tags": "key, value, run_uuid"}.get(table, "key, value, timestamp, step, is_nan, run_uuid")
            marks = ", ".join("?" * len(values[0]))
            database.executemany(f"INSERT INTO {table} ({columns}) VALUES ({marks})", values)
        database.commit()
        if (first // AT_ONCE) % 8 == 0:
            print(f"  {first + AT_ONCE} of {runs} runs, {time.perf_counter() - started:.0f} s", file=sys.stderr, flush=True)
    database.execute("ANALYZE")
    database.commit()
    database.close()


def timed(call):
    started = time.perf_counter()
    answer = call()
    return (time.perf_counter() - started) * 1e3, answer


def main():
    file, runs, points, repeats = pathlib.Path(sys.argv[1]), *map(int, sys.argv[2:5])
    filled = file.with_suffix(".filled")
    if not filled.exists():
        file.unlink(missing_ok=True)
    store = SqlAlchemyStore(f"sqlite:///{file}", str(file.parent / "mlflow-artifacts"))
    started = time.perf_counter()
    if not filled.exists():
        fill(file, int(store.create_experiment("bench")), runs, points)
        filled.touch()
    fill_seconds = time.perf_counter() - started
    experiment = store.get_experiment_by_name("bench").experiment_id
    searches, appends, histories = [], [], []
    for k in range(repeats):
        kind, letter, least = TYPES[k % len(TYPES)], OWNERS[k % len(OWNERS)][0], 0.5 + (k * 37 % 45) / 100
        ms, page = timed(lambda: store.search_runs(
            [experiment], f"metrics.roc_auc > {least} and params.type = '{kind}' and tags.owner LIKE '{letter}%'",
            ViewType.ACTIVE_ONLY, max_results=PAGE, order_by=["metrics.roc_auc DESC"]))
        assert all(run.data.params["type"] == kind and run.data.metrics["roc_auc"] > least for run in page)
        searches.append(ms)
    for k in range(repeats):
        batch = [Metric("appended", float(step), FIRST + step, step) for step in range(APPENDED)]
        appends.append(timed(lambda: store.log_batch(f"{k * 7919 % runs:032x}", metrics=batch, params=[], tags=[]))[0])
    for k in range(repeats):
        ms, history = timed(lambda: store.get_metric_history(f"{k * 104_729 % runs:032x}", "validation.log_loss"))
        assert len(history) == points // len(METRICS)
        histories.append(ms)
    print(json.dumps(dict(fill_seconds=fill_seconds, search_ms=searches, append_ms=appends, history_ms=histories)))


if __name__ == "__main__":
    main()
