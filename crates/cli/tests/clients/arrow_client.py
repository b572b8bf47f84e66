"""pyarrow against the native route: streams and files, in and out, with the types that programs have."""
import gzip, json

import pandas as pd
import pyarrow as pa
import requests

import expected
from expected import BASE, MODEL, VERSION, check

URL = f"{BASE}/v1/models/{MODEL}/predict"
STREAM, FILE = "application/vnd.apache.arrow.stream", "application/vnd.apache.arrow.file"
# What is missing is null; pandas would have NaN.
table = pa.table({name: pa.array([row[name] for row in expected.records]) for name in expected.rows})


def bytes_of(table, kind=STREAM, options=None, rows_a_batch=None):
    sink = pa.BufferOutputStream()
    make = pa.ipc.new_stream if kind == STREAM else pa.ipc.new_file
    with make(sink, table.schema, options=options) as writer:
        writer.write_table(table, max_chunksize=rows_a_batch)
    return sink.getvalue().to_pybytes()


def ask(body, kind=STREAM, accept=None, query="", status=200, **headers):
    headers = {"content-type": kind, **({"accept": accept} if accept else {}), **{k.replace("_", "-"): v for k, v in headers.items()}}
    answer = requests.post(URL + query, data=body, headers=headers)
    assert answer.status_code in (status if isinstance(status, tuple) else (status,)), f"{answer.status_code} {answer.text[:500]}"
    return answer


def read(answer):
    """The answer as a table, whichever of the two it is."""
    assert (answer.headers["x-model"], answer.headers["x-model-version"]) == (MODEL, VERSION), answer.headers
    kind = answer.headers["content-type"]
    opened = pa.ipc.open_stream(answer.content) if kind == STREAM else pa.ipc.open_file(answer.content)
    return opened.read_all()


def compare(what, found):
    check(what, found["prediction"].to_pylist(), list(zip(*(found[f"probability_{name}"].to_pylist() for name in expected.classes))))


compare("a stream", read(ask(bytes_of(table))))
compare("a file", read(ask(bytes_of(table, FILE), FILE)))
compare("a stream, answered with a file", read(ask(bytes_of(table), accept=FILE)))
compare("batches of seven rows", read(ask(bytes_of(table, rows_a_batch=7))))
for codec in ("lz4", "zstd"):
    compare(f"batches in {codec}", read(ask(bytes_of(table, options=pa.ipc.IpcWriteOptions(compression=codec)))))
compare("a body in gzip", read(ask(gzip.compress(bytes_of(table)), content_encoding="gzip")))
compare("a body in zstd", read(ask(pa.compress(bytes_of(table), codec="zstd", asbytes=True), content_encoding="zstd")))

levels = table
for at, field in enumerate(table.schema):
    if pa.types.is_string(field.type):
        levels = levels.set_column(at, field.name, table[field.name].dictionary_encode())
compare("text as dictionaries", read(ask(bytes_of(levels))))
wide = table
for at, field in enumerate(table.schema):
    kind = pa.large_string() if pa.types.is_string(field.type) else pa.int32() if pa.types.is_int64(field.type) else field.type
    wide = wide.set_column(at, field.name, table[field.name].cast(kind))
compare("large strings and short whole numbers", read(ask(bytes_of(wide))))
times = table.schema.get_field_index("signup_date")
moments = pa.array(pd.to_datetime(expected.rows["signup_date"], utc=True)).cast(pa.timestamp("us", tz="UTC"))
compare("times as timestamps", read(ask(bytes_of(table.set_column(times, "signup_date", moments)))))
compare("a table of pandas", read(ask(bytes_of(pa.Table.from_pandas(expected.rows)))))

answer = ask(bytes_of(table), accept="application/json").json()
assert answer["classes"] == expected.classes and answer["model"] == MODEL and answer["model_version"] == VERSION
check("a stream, answered with JSON", answer["predictions"], answer["probabilities"])
rows = json.dumps({"rows": expected.records})
compare("JSON, answered with a stream", read(ask(rows, "application/json", STREAM)))
lines = "\n".join(json.dumps(row) for row in expected.records)
compare("JSON Lines, answered with a stream", read(ask(lines, "application/x-ndjson", STREAM)))
with open(expected.TABLE, "rb") as file:
    compare("CSV, answered with a stream", read(ask(file.read(), "text/csv", STREAM)))
with open(expected.PREDICTIONS) as file:
    assert ask(bytes_of(table), accept="text/csv").text == file.read(), "CSV is not what `predict` writes"
kept = read(ask(bytes_of(table), query="?keep=customer_id,tenure_months&ids=customer_id"))
assert kept["customer_id"].to_pylist() == table["customer_id"].to_pylist() == kept["id"].to_pylist()
assert kept["tenure_months"].to_pylist() == table["tenure_months"].to_pylist()
compare("with columns kept", kept)


def refused(what, body, status, word, kind=STREAM):
    error = ask(body, kind, status=status).json()["error"]
    assert isinstance(error["code"], str) and word in error["message"], error
    print(f"{what}: {error['message']}")


refused("no Arrow", b"nothing of the kind", 400, "arrow")
refused("a stream that was cut off", bytes_of(table)[:2_000], 400, "")
UNUSABLE = (400, 422)
refused("a column that is missing", bytes_of(table.drop_columns("tenure_months")), UNUSABLE, "tenure_months")
tenure = table.schema.get_field_index("tenure_months")
lists = table.set_column(tenure, "tenure_months", pa.array([[1]] * len(table)))
refused("a type that is none of a cell", bytes_of(lists), UNUSABLE, "tenure_months")
refused("a column twice", bytes_of(table.append_column("tenure_months", table["tenure_months"])), UNUSABLE, "tenure_months")
refused("another type of content", b"<rows/>", 415, "text/xml", "text/xml")
