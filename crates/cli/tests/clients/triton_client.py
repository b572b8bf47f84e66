"""Triton's client for HTTP: tensors as JSON and as bytes, in and out, metadata, readiness, errors."""
import math

import numpy as np
import tritonclient.http as triton
from tritonclient.utils import InferenceServerException, triton_to_np_dtype

import expected
from expected import MODEL, VERSION, check, refused

client = triton.InferenceServerClient(url=expected.HOST)


def tensor(name, datatype, shape, binary):
    """A column as a tensor: as the model asks for it, or with a type that has missing values where there are some."""
    values = expected.rows[name].tolist()
    missing = [isinstance(v, float) and math.isnan(v) for v in values]
    if datatype == "BYTES" or (datatype == "BOOL" and any(missing)):
        word = lambda v: str(v).lower() if isinstance(v, bool) else str(v)
        datatype, array = "BYTES", np.array([b"" if m else word(v).encode() for v, m in zip(values, missing)], dtype=np.object_)
    elif datatype == "FP64" or any(missing):
        datatype, array = "FP64", np.array(values, dtype=np.float64)
    else:
        array = np.array(values, dtype=triton_to_np_dtype(datatype))
    array = array.reshape(shape)
    found = triton.InferInput(name, list(array.shape), datatype)
    return found.set_data_from_numpy(array, binary_data=binary)


def inputs(binary=True, shape=(-1,)):
    return [tensor(i["name"], i["datatype"], shape, binary) for i in metadata["inputs"]]


def outputs(binary):
    return [triton.InferRequestedOutput(name, binary_data=binary) for name in ("prediction", "probabilities")]


def read(answer):
    return answer.as_numpy("prediction"), answer.as_numpy("probabilities")


assert client.is_server_live() and client.is_server_ready()
assert client.is_model_ready(MODEL) and client.is_model_ready(MODEL, VERSION)
assert not client.is_model_ready("nobody") and not client.is_model_ready(MODEL, "7")
server = client.get_server_metadata()
assert server["name"] == "tabwright" and server["version"] and "binary_tensor_data" in server["extensions"], server
metadata = client.get_model_metadata(MODEL)
assert metadata["name"] == MODEL and metadata["versions"] == [VERSION], metadata
assert {o["name"] for o in metadata["outputs"]} == {"prediction", "probabilities"}, metadata
assert {i["name"] for i in metadata["inputs"]} <= set(expected.rows), metadata

for binary_in in (True, False):
    for binary_out in (True, False):
        for shape in ((-1,), (-1, 1)):
            answer = client.infer(MODEL, inputs(binary_in, shape), outputs=outputs(binary_out))
            forms = [("JSON", "bytes")[b] for b in (binary_in, binary_out)]
            check(f"{forms[0]} in, {forms[1]} out, shape {list(shape)}", *read(answer))
            assert answer.as_numpy("prediction").shape == (len(expected.rows),)
            assert answer.as_numpy("probabilities").shape == (len(expected.rows), len(expected.classes))

answer = client.infer(MODEL, inputs(), model_version=VERSION, request_id="number 7")
check("all outputs, unasked", *read(answer))
response = answer.get_response()
assert (response["id"], response["model_name"], response["model_version"]) == ("number 7", MODEL, VERSION), response
alone = client.infer(MODEL, inputs(), outputs=[triton.InferRequestedOutput("probabilities")])
assert alone.as_numpy("prediction") is None
check("one output", expected.predictions, alone.as_numpy("probabilities"))
check("compressed", *read(client.infer(MODEL, inputs(), request_compression_algorithm="gzip", response_compression_algorithm="gzip")))

odd = InferenceServerException
refused("an unknown model", lambda: client.infer("nobody", inputs()), odd, "nobody")
refused("an unknown version", lambda: client.infer(MODEL, inputs(), model_version="7"), odd, "7")
refused("metadata of an unknown model", lambda: client.get_model_metadata("nobody"), odd, "nobody")
first = inputs()[0]
refused("a column that is missing", lambda: client.infer(MODEL, inputs()[1:]), odd, first.name())
refused("an unknown output", lambda: client.infer(MODEL, inputs(), outputs=[triton.InferRequestedOutput("weather")]), odd, "weather")
numbers = triton.InferInput("monthly_charge", [1], "BYTES").set_data_from_numpy(np.array([b"dear"], dtype=np.object_))
short = [numbers if i.name() == numbers.name() else i for i in inputs()]
refused("columns of unequal lengths", lambda: client.infer(MODEL, short), odd)
