"""How Schemathesis writes bodies of types that it does not know: rows as JSON Lines. `fuzz.py` names this file to it."""
import json

import schemathesis


@schemathesis.serializer("application/x-ndjson", "application/jsonl")
def lines(context, value):
    rows = value if isinstance(value, list) else [value]
    return "\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows).encode()
