"""KServe's client for the Open Inference Protocol: tensors as JSON and as bytes, readiness, errors."""
import asyncio, math

import httpx
import numpy as np
from kserve import InferenceRESTClient, InferInput, InferRequest, RESTConfig

import expected
from expected import BASE, MODEL, check


def tensor(name, binary):
    values = expected.rows[name].tolist()
    missing = [isinstance(v, float) and math.isnan(v) for v in values]
    numbers = [v for v, m in zip(values, missing) if not m]
    if all(isinstance(v, bool) for v in numbers) and not any(missing):
        datatype, array = "BOOL", np.array(values)
    elif all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in numbers):
        is_whole = all(isinstance(v, int) for v in values)
        datatype, array = ("INT64", np.array(values, dtype=np.int64)) if is_whole else ("FP64", np.array(values))
    else:
        word = lambda v: str(v).lower() if isinstance(v, bool) else str(v)
        datatype, array = "BYTES", np.array(["" if m else word(v) for v, m in zip(values, missing)], dtype=np.object_)
        array = np.array([text.encode() for text in array], dtype=np.object_)
    found = InferInput(name=name, shape=list(array.shape), datatype=datatype)
    found.set_data_from_numpy(array, binary_data=binary)
    return found


def request(binary, leave_out=""):
    # The columns of the table are more than the model reads; the rest is not an error.
    return InferRequest(model_name=MODEL, infer_inputs=[tensor(name, binary) for name in expected.rows if name != leave_out])


async def refused(what, call, status, word):
    try:
        await call
    except httpx.HTTPStatusError as error:
        assert error.response.status_code == status and word in error.response.json()["error"], error
        print(f"{what}: {error}")
        return
    raise AssertionError(f"{what} was not refused")


async def main():
    client = InferenceRESTClient(RESTConfig(protocol="v2"))
    assert await client.is_server_live(BASE) is True and await client.is_server_ready(BASE) is True
    assert await client.is_model_ready(BASE, MODEL) is True
    for binary in (False, True):
        answer = await client.infer(BASE, request(binary), model_name=MODEL)
        outputs = {output.name: output for output in answer.outputs}
        assert answer.model_name == MODEL and set(outputs) == {"prediction", "probabilities"}, outputs
        check(("bytes" if binary else "JSON") + " in", outputs["prediction"].as_numpy(), outputs["probabilities"].as_numpy())
    await refused("an unknown model", client.infer(BASE, request(False), model_name="nobody"), 404, "nobody")
    await refused("a column that is missing", client.infer(BASE, request(True, "tenure_months"), model_name=MODEL), 400, "tenure_months")
    await client.close()


asyncio.run(main())
