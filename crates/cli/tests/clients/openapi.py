"""The description of the routes: valid OpenAPI 3.1, and what it says is there."""
import jsonschema
import requests
from openapi_spec_validator import validate

import expected
from expected import BASE, MODEL

answer = requests.get(f"{BASE}/openapi.json")
assert answer.status_code == 200 and answer.headers["content-type"].startswith("application/json"), answer.headers
description = answer.json()
validate(description)
assert description["openapi"].startswith("3.1"), description["openapi"]
paths = description["paths"]
for path in ("/health/live", "/health/ready", "/metrics", "/v1/models", "/invocations", "/ping", "/version", "/v2", "/openapi.json"):
    assert path in paths, f"{path} is not described"
predict = next(p for p in (f"/v1/models/{MODEL}/predict", "/v1/models/{name}/predict") if p in paths)
operation = paths[predict]["post"]


def described(schema):
    """A schema with the components that it refers to."""
    return {**schema, "components": description.get("components", {})}


body = {"rows": expected.records[:5]}
asked = operation["requestBody"]["content"]["application/json"]["schema"]
jsonschema.validate(body, described(asked))
answer = requests.post(f"{BASE}/v1/models/{MODEL}/predict", json=body)
assert answer.status_code == 200, answer.text
told = operation["responses"]["200"]["content"]["application/json"]["schema"]
jsonschema.validate(answer.json(), described(told))
error = requests.post(f"{BASE}/v1/models/{MODEL}/predict", data="{", headers={"content-type": "application/json"})
assert error.status_code == 400 and "400" in operation["responses"], operation["responses"].keys()
page = requests.get(f"{BASE}/docs")
assert page.status_code == 200 and "text/html" in page.headers["content-type"]
print(f"{len(paths)} paths are described; a body, an answer and an error are as described")
