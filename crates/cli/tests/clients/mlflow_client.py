"""MLflow's client of its scoring server, and the forms of rows that the server takes."""
import json

import requests
from mlflow.pyfunc.scoring_server.client import ScoringServerClient

import expected
from expected import BASE, HOST, check, refused

host, port = HOST.split(":")
client = ScoringServerClient(host, port)
client.wait_server_ready(timeout=10)
client.ping()
assert client.get_version().strip(), "no version"
check("a DataFrame, with NaN", client.invoke(expected.rows)["predictions"])


def ask(body, kind="application/json"):
    """Asks in the way of a script."""
    answer = requests.post(f"{BASE}/invocations", data=body if isinstance(body, (str, bytes)) else json.dumps(body), headers={"content-type": kind})
    if answer.status_code != 200:
        error = answer.json()
        assert isinstance(error["error_code"], str) and error["message"], error
        raise RuntimeError(f"{answer.status_code} {error['error_code']}: {error['message']}")
    return answer.json()["predictions"]


columns = list(expected.rows)
data = [list(row.values()) for row in expected.records]
check("dataframe_split", ask({"dataframe_split": {"columns": columns, "data": data}}))
check("dataframe_split with an index", ask({"dataframe_split": {"index": list(range(len(data))), "columns": columns, "data": data}}))
check("dataframe_records", ask({"dataframe_records": expected.records}))
check("instances", ask({"instances": expected.records}))
check("inputs, rows", ask({"inputs": expected.records}))
check("inputs, columns", ask({"inputs": {name: [row[name] for row in expected.records] for name in columns}}))
check("with a charset", ask({"dataframe_records": expected.records}, "application/json; charset=utf-8"))
with open(expected.TABLE) as file:
    text = file.read()
check("CSV", ask(text, "text/csv"))
check("CSV of pandas", ask(expected.rows.to_csv(index=False), "text/csv"))

first = {name: value for name, value in expected.records[0].items() if name != "tenure_months"}
for what, body, kind, words in [
    ("no JSON", "{", "application/json", ("400", "BAD_REQUEST")),
    ("JSON without rows", {"rows": expected.records}, "application/json", ("400", "BAD_REQUEST", "dataframe_split")),
    ("two forms at once", {"instances": expected.records, "dataframe_records": expected.records}, "application/json", ("400", "BAD_REQUEST")),
    ("a column that is missing", {"dataframe_records": [first]}, "application/json", ("400", "BAD_REQUEST", "tenure_months")),
    ("a cell of another kind", {"dataframe_records": [{**expected.records[0], "tenure_months": "long"}]}, "application/json", ("400", "BAD_REQUEST", "tenure_months")),
    ("rows of another length", {"dataframe_split": {"columns": columns, "data": [data[0][1:]]}}, "application/json", ("400", "BAD_REQUEST")),
    ("another type", "<rows/>", "text/xml", ("415",)),
]:
    refused(what, lambda: ask(body, kind), RuntimeError, *words)
assert requests.get(f"{BASE}/ping").status_code == 200
assert requests.get(f"{BASE}/invocations").status_code == 405
