"""The reader of Prometheus's own client: that `/metrics` is in the form that it says, and counts what was asked."""
import requests
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as plain

import expected
from expected import BASE, MODEL


def families(accept):
    answer = requests.get(f"{BASE}/metrics", headers={"accept": accept})
    assert answer.status_code == 200, answer.text
    kind = answer.headers["content-type"]
    found = list((openmetrics if "openmetrics" in kind else plain)(answer.text))
    names = [family.name for family in found]
    assert names and len(names) == len(set(names)), names
    assert all(family.documentation for family in found), [f.name for f in found if not f.documentation]
    print(f"{accept}: {len(found)} families as {kind}")
    return found


def counted(found):
    """All samples of counters, added."""
    return sum(s.value for family in found if family.type == "counter" for s in family.samples if s.name.endswith("_total"))


before = counted(families("text/plain"))
for _ in range(3):
    answer = requests.post(f"{BASE}/v1/models/{MODEL}/predict", json={"rows": expected.records[:2]})
    assert answer.status_code == 200, answer.text
assert requests.post(f"{BASE}/v1/models/nobody/predict", json={"rows": expected.records[:2]}).status_code == 404
found = families("application/openmetrics-text; version=1.0.0")
assert counted(found) >= before + 4, "requests are not counted"
samples = [sample for family in found for sample in family.samples]
assert any(MODEL in sample.labels.values() for sample in samples), "no sample names the model"
# Names that come from callers must not become labels: there is no end to them.
assert not any("nobody" in sample.labels.values() for sample in samples), "a name that nobody serves is a label"
assert any(family.type == "histogram" for family in found), "there is no histogram of latencies"
