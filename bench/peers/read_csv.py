"""Reads a CSV with Polars, kinds from all rows, and prints one line of JSON: seconds, peak memory, rows and columns.

    python read_csv.py FILE [--dates] [--threads N]

Only the reading is timed, not the import. The peak is that of the whole process, as the system counts it; the
interpreter and the library alone are given beside it, so that both readings can be had.
"""

import argparse
import json
import os
import resource
import time

parser = argparse.ArgumentParser()
parser.add_argument("file")
parser.add_argument("--dates", action="store_true", help="parse dates too, as our reader does")
parser.add_argument("--threads", type=int, default=os.cpu_count())
arguments = parser.parse_args()
os.environ["POLARS_MAX_THREADS"] = str(arguments.threads)

import polars  # noqa: E402  (the number of threads must be set before)


def peak_mb():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


imported = peak_mb()
started = time.perf_counter()
table = polars.read_csv(arguments.file, infer_schema_length=None, try_parse_dates=arguments.dates)
seconds = time.perf_counter() - started
print(
    json.dumps(
        {
            "seconds": round(seconds, 3),
            "peak_mb": round(peak_mb(), 1),
            "peak_mb_after_import": round(imported, 1),
            "rows": table.height,
            "columns": table.width,
            "mb_per_s": round(os.path.getsize(arguments.file) / 1e6 / seconds),
            "polars": polars.__version__,
            "threads": polars.thread_pool_size(),
        }
    )
)
