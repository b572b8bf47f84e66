"""Predictions over HTTP: ours beside a bare handler of axum, FastAPI with scikit-learn, and MLflow's scoring server; and what ours does alone:
Arrow, wide rows, its start, its memory, and three times the requests that it can answer.

All servers run at once and are asked in turn; the load generator is a process of its own and shares the machine with them.
"""
import contextlib, json, socket, statistics, subprocess, sys, threading, time, urllib.error, urllib.request

import psutil

import harness

CONNECTIONS, MANY, FEW = 32, 256, 4
ROWS, EXPENSIVE, WORKERS = 10_000, 200, 2
JSON, ARROW = "application/json", "application/vnd.apache.arrow.stream"
OF_BARE, P99_MS, P99_OF_BARE, ROWS_PER_SECOND, WIDE_PER_SECOND, START_MS, IDLE_MB = 0.7, 2.0, 1.5, 2e6, 10_000, 50.0, 40.0
OVERLOAD, REFUSED_MS, ACCEPTED = 3, 100.0, 2.0
PEERS = {"FastAPI": "serve_fastapi", "MLflow": "serve_mlflow"}
REQUIREMENTS = harness.HERE / "serve-requirements.txt"


class Server:
    """A running server, and where it predicts."""

    def __init__(self, name, command, ready, predict, port=None, cwd=None):
        self.name, self.started = name, time.perf_counter()
        self.process = subprocess.Popen([str(c) for c in command], stdout=subprocess.DEVNULL if port else subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=cwd)
        base = f"http://127.0.0.1:{port}" if port else json.loads(self.process.stdout.readline())["address"]
        self.ready, self.predict = base + ready, base + predict
        self.first_ms = {}

    def until(self, what, ask):
        """Asks until it is answered with 200, and keeps how long that was from the start of the process."""
        while True:
            if self.process.poll() is not None:
                sys.exit(f"{self.name} ended with {self.process.returncode}")
            if time.perf_counter() - self.started > 60:
                sys.exit(f"{self.name} does not answer after a minute")
            try:
                answer = ask()
                self.first_ms[what] = (time.perf_counter() - self.started) * 1e3
                return answer
            except urllib.error.HTTPError as error:
                if error.code != 503:
                    sys.exit(f"{self.name}: {error.code} {error.read()[:500]}")
            except OSError:
                pass
            time.sleep(0.001)

    def resident_mb(self):
        """Memory of the process and of those that it started."""
        total, root = 0, psutil.Process(self.process.pid)
        for process in [root, *root.children(recursive=True)]:
            with contextlib.suppress(psutil.Error):
                total += process.memory_info().rss
        return total / 1e6

    def stop(self):
        with contextlib.suppress(psutil.Error):
            family = [psutil.Process(self.process.pid), *psutil.Process(self.process.pid).children(recursive=True)]
            for process in family:
                with contextlib.suppress(psutil.Error):
                    process.terminate()
            for process in psutil.wait_procs(family, timeout=15)[1]:
                process.kill()
        self.process.wait()


def post(url, body, kind, accept=None):
    request = urllib.request.Request(url, body, {"content-type": kind, **({"accept": accept} if accept else {})})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return answer.read()


def get(url):
    with urllib.request.urlopen(url, timeout=5) as answer:
        return answer.read()


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def load(options, url, body, kind, seconds=None, **flags):
    """Runs the load generator and returns what it counted."""
    words = [options.binary.parent / "examples/load", "--url", url, "--body", body, "--content-type", kind,
             "--seconds", seconds or options.seconds, "--warm-up", options.warm_up]
    for flag, value in flags.items():
        words += [f"--{flag.replace('_', '-')}", value]
    done = subprocess.run([str(w) for w in words], stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout)


def bodies(folder):
    """The bodies of all requests, as files; rows as the tables have them."""
    import polars as pl
    import pyarrow as pa

    narrow = pl.read_csv(folder / "serve_20.csv").drop("y")
    records = narrow.head(EXPENSIVE).to_dicts()
    wide = pl.read_csv(folder / "serve_600.csv", n_rows=1, infer_schema=False).drop("y").to_dicts()
    read = lambda key, text: None if text is None else float(text) if key.startswith("value") else int(text) if key.startswith("count") else text
    wide = [{k: (v == "true") if k.startswith("flag") else read(k, v) for k, v in row.items()} for row in wide]
    split = dict(columns=narrow.columns, data=[list(records[0].values())])
    table = narrow.head(ROWS).to_arrow()
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table.combine_chunks())
    texts = dict(one={"rows": records[:1]}, many={"rows": records}, wide={"rows": wide}, mlflow={"dataframe_split": split})
    contents = {name: json.dumps(text).encode() for name, text in texts.items()} | {"arrow": sink.getvalue().to_pybytes()}
    for name, content in contents.items():
        (folder / f"serve-{name}.body").write_bytes(content)
    return {name: folder / f"serve-{name}.body" for name in contents}


def train(options, table):
    model = options.scratch / f"{table}.tw"
    if not model.exists():
        harness.measured([options.binary, "train", options.scratch / f"{table}.csv", "--target", "y", "--folds", 0, "--select-on", "validation",
                          "--candidates", "gbdt_leafwise", "--set", "candidates.gbdt_leafwise.n_estimators=100", "--no-record", "-o", model],
                         cwd=options.scratch)
    return model


def serve(options, model):
    path = f"/v1/models/{model.stem}/predict"
    command = [options.binary, "serve", model, "--port", 0, "--json"]
    return Server("tabwright", command, "/health/ready", path, cwd=options.scratch)


def start(options, servers, files, body):
    """All servers that are compared, each after its first prediction."""
    servers["tabwright"] = serve(options, files["tabwright"])
    servers["bare axum"] = Server("bare axum", [options.binary.parent / "examples/bare"], "/health/ready", "/predict")
    for name, script in {} if options.without_peers else PEERS.items():
        port = free_port()
        command = [files["python"], harness.PEERS / f"{script}.py", "serve", files[name], port, WORKERS]
        ready, path = ("/ping", "/invocations") if name == "MLflow" else ("/health/ready", "/predict")
        servers[name] = Server(name, command, ready, path, port)
    for name, server in servers.items():
        server.until("ready", lambda: get(server.ready))
        answer = server.until("prediction", lambda: post(server.predict, body[name].read_bytes(), JSON))
        assert len(json.loads(answer)["predictions"]) == 1, answer


def throughput(options, servers, body):
    """Requests a second of one row, and latencies at half of that; each server in turn, again and again."""
    found = {name: dict(full=[], half=[]) for name in servers}
    for _ in range(options.repeats):
        for name, server in servers.items():
            found[name]["full"].append(load(options, server.predict, body[name], JSON, connections=CONNECTIONS))
            print(f"  {name}: {found[name]['full'][-1]['requests_per_second']:,.0f}/s", flush=True)
    for _ in range(options.repeats):
        for name, server in servers.items():
            rate = max(1.0, statistics.median(per_second(found[name]["full"])) / 2)
            found[name]["half"].append(load(options, server.predict, body[name], JSON, connections=CONNECTIONS, rate=rate))
            print(f"  {name} at {rate:,.0f}/s: {found[name]['half'][-1]['accepted_ms']}", flush=True)
    return found


def starts(options, model, body):
    """Milliseconds from the start of the process to the first answers, and its memory when it has nothing to do."""
    found = dict(ready_ms=[], prediction_ms=[], idle_mb=[])
    for _ in range(options.starts):
        server = serve(options, model)
        try:
            server.until("ready", lambda: get(server.ready))
            server.until("prediction", lambda: post(server.predict, body, JSON))
            time.sleep(0.5)
            found["ready_ms"].append(server.first_ms["ready"])
            found["prediction_ms"].append(server.first_ms["prediction"])
            found["idle_mb"].append(server.resident_mb())
        finally:
            server.stop()
    return found


def overload(options, server, body):
    """Half of the rate that the server can answer, then three times that rate, of an expensive request."""
    full = load(options, server.predict, body, JSON, connections=CONNECTIONS)
    rate, peak, over = full["requests_per_second"], [server.resident_mb()], threading.Event()
    half = load(options, server.predict, body, JSON, connections=MANY, rate=rate / 2)
    before = server.resident_mb()

    def watch():
        while not over.wait(harness.LOOK_EVERY):
            peak.append(server.resident_mb())

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        much = load(options, server.predict, body, JSON, seconds=2 * options.seconds, connections=MANY, rate=OVERLOAD * rate)
    finally:
        over.set()
        watcher.join()
    time.sleep(2)
    return dict(full=full, half=half, much=much, before_mb=before, peak_mb=max(peak), after_mb=server.resident_mb())


def per_second(runs):
    return [r["requests_per_second"] for r in runs]


def accepted_per_second(run):
    return run["accepted_ms"]["count"] / run["seconds"] if run["accepted_ms"] else 0.0


def p99(runs):
    return [r["accepted_ms"]["p99"] for r in runs]


def alone(options, wide, servers, body):
    """What is measured of ours without others."""
    ours = servers["tabwright"]
    found = dict(arrow=[], wide=[])
    post(ours.predict, body["arrow"].read_bytes(), ARROW, ARROW)
    server = serve(options, wide)
    try:
        server.until("prediction", lambda: post(server.predict, body["wide"].read_bytes(), JSON))
        for _ in range(options.repeats):
            found["arrow"].append(load(options, ours.predict, body["arrow"], ARROW, accept=ARROW, connections=FEW))
            found["wide"].append(load(options, server.predict, body["wide"], JSON, connections=CONNECTIONS))
    finally:
        server.stop()
    return found


def main():
    parser = harness.arguments(__doc__.splitlines()[0], repeats=5)
    parser.add_argument("--seconds", type=float, default=5, help="seconds of each measurement")
    parser.add_argument("--warm-up", type=float, default=1, help="seconds before each measurement")
    parser.add_argument("--starts", type=int, default=20, help="how often ours is started")
    parser.add_argument("--without-peers", action="store_true", help="ours and the bare handler alone; nothing is written")
    options = parser.parse_args()
    harness.prepare(options)
    subprocess.run([sys.executable, str(harness.PEERS / "make_serve_tables.py"), str(options.scratch)], check=True)
    body = bodies(options.scratch)
    files = {"tabwright": train(options, "serve_20")}
    wide = train(options, "serve_600")
    if not options.without_peers:
        files["python"] = harness.peer_python(options.scratch, "serve")
        for name, script in PEERS.items():
            files[name] = options.scratch / f"{script}.model"
            if not files[name].exists():
                subprocess.run([str(files["python"]), str(harness.PEERS / f"{script}.py"), "train", str(options.scratch / "serve_20.csv"), str(files[name])],
                               check=True)
    requests = {"tabwright": body["one"], "bare axum": body["one"], "FastAPI": body["one"], "MLflow": body["mlflow"]}
    print("start", flush=True)
    begun = starts(options, files["tabwright"], body["one"].read_bytes())
    servers = {}
    try:
        start(options, servers, files, requests)
        print("one row", flush=True)
        rows = throughput(options, servers, requests)
        others = {name: dict(first_ms=s.first_ms, idle_mb=s.resident_mb()) for name, s in servers.items()}
        print("Arrow, wide rows", flush=True)
        own = alone(options, wide, servers, body)
    finally:
        for server in servers.values():
            server.stop()
    print("too many requests", flush=True)
    fresh = serve(options, files["tabwright"])
    try:
        fresh.until("prediction", lambda: post(fresh.predict, body["many"].read_bytes(), JSON))
        much = overload(options, fresh, body["many"])
    finally:
        fresh.stop()
    write(options, rows, others, begun, own, much)


def verdict(met):
    return "met" if met else "missed"


def table(rows, others):
    """What is compared, and by how much ours is met or missed."""
    lines = ["| server | requests a second | of the bare handler | at half: median ms | p99 ms | p99 of the bare handler's | first answer ms | memory MB |",
             "|---|---|---|---|---|---|---|---|"]
    bare = rows["bare axum"]
    full, tail = statistics.median(per_second(bare["full"])), statistics.median(p99(bare["half"]))
    for name, runs in rows.items():
        halves = statistics.median(r["accepted_ms"]["p50"] for r in runs["half"])
        lines.append(f"| {name} | {harness.ranged(per_second(runs['full']), 0)} | {statistics.median(per_second(runs['full'])) / full:.2f} | {halves:.2f} | "
                     f"{harness.ranged(p99(runs['half']))} | {statistics.median(p99(runs['half'])) / tail:.2f} | {others[name]['first_ms']['prediction']:.0f} | "
                     f"{others[name]['idle_mb']:.0f} |")
    return lines


def goals(rows, begun, own, much):
    """Each goal: what it is of, what was found, what it asks for, and whether it is met."""
    ours, bare = rows["tabwright"], rows["bare axum"]
    median = statistics.median
    share = median(a / b for a, b in zip(per_second(ours["full"]), per_second(bare["full"])))
    tail = median(p99(ours["half"]))
    of_bare = tail / median(p99(bare["half"]))
    arrow = [r * ROWS for r in per_second(own["arrow"])]
    statuses = much["much"]["status"]
    refused, answered = statuses.get("429", 0), sum(statuses.values())
    refusal = much["much"]["refused_from_sent_ms"]
    accepted, usual = much["much"]["accepted_from_sent_ms"] or {"p99": float("inf")}, much["half"]["accepted_from_sent_ms"]
    found = [
        ("one row, share of the bare handler's requests", f"{share:.2f}", f"at least {OF_BARE:g}", share >= OF_BARE),
        ("one row at half of the maximum, p99 ms", f"{tail:.2f}", f"at most {P99_MS:g}", tail <= P99_MS),
        ("the same, times the bare handler's", f"{of_bare:.2f}", f"at most {P99_OF_BARE:g}", of_bare <= P99_OF_BARE),
        (f"Arrow, {ROWS:,} rows a request, rows a second", harness.ranged(arrow, 0), f"at least {ROWS_PER_SECOND:,.0f}", median(arrow) >= ROWS_PER_SECOND),
        ("one row of 600 columns, requests a second", harness.ranged(per_second(own["wide"]), 0), f"at least {WIDE_PER_SECOND:,}",
         median(per_second(own["wide"])) >= WIDE_PER_SECOND),
        ("start to `/health/ready`, ms", harness.ranged(begun["ready_ms"], 1), f"at most {START_MS:g}", median(begun["ready_ms"]) <= START_MS),
        ("start to the first prediction, ms", harness.ranged(begun["prediction_ms"], 1), f"at most {START_MS:g}", median(begun["prediction_ms"]) <= START_MS),
        ("memory without requests, MB", harness.ranged(begun["idle_mb"], 1), f"at most {IDLE_MB:g}", median(begun["idle_mb"]) <= IDLE_MB),
        (f"{OVERLOAD} times too much: refused", f"{refused / max(answered, 1):.0%} of {answered:,}", "some", refused > 0),
        ("the same: p99 ms of refusals", f"{refusal['p99']:.1f}" if refusal else "–", f"at most {REFUSED_MS:g}", bool(refusal) and refusal["p99"] <= REFUSED_MS),
        ("the same: p99 ms of accepted ones, and at half load", f"{accepted['p99']:.1f}, {usual['p99']:.1f}", f"at most {ACCEPTED:g} times",
         accepted["p99"] <= ACCEPTED * usual["p99"]),
    ]
    return [dict(what=what, found=value, goal=goal, verdict=verdict(met)) for what, value, goal, met in found]


def write(options, rows, others, begun, own, much):
    verdicts = goals(rows, begun, own, much)
    lines = [f"One row of 20 numbers as JSON, 100 trees, {CONNECTIONS} connections; then at half of each server's maximum, where a latency counts from the "
             f"moment when a request is due. Median (range) of {options.repeats} runs of {options.seconds:g} s, in turn; FastAPI and MLflow with {WORKERS} "
             "workers. The load generator has its share of the same cores.", "", *table(rows, others), "",
             "| ours | found | goal | verdict |", "|---|---|---|---|",
             *(f"| {v['what']} | {v['found']} | {v['goal']} | {v['verdict']} |" for v in verdicts), "",
             f"Too much: {EXPENSIVE} rows of JSON a request, {MANY} connections, {OVERLOAD} times the {much['full']['requests_per_second']:,.0f} requests a second that "
             f"{CONNECTIONS} connections get answered; {accepted_per_second(much['much']):,.0f} a second were accepted, {sum(much['much']['failures'].values())} "
             f"failed otherwise. These latencies count from when a request was sent, since {MANY} connections cannot send more while all of them wait; "
             f"sent late by {much['much']['late_ms']['p99']:.1f} ms (p99). Median of the accepted ones {told(much['much'])} ms, at half load {told(much['half'])} ms. Memory {much['before_mb']:.0f} MB before, "
             f"{much['peak_mb']:.0f} MB at most, {much['after_mb']:.0f} MB after."]
    pinned = dict(line.split("==") for line in REQUIREMENTS.read_text().splitlines() if "==" in line)
    shown = {name: pinned[name] for name in ("fastapi", "uvicorn", "mlflow-skinny", "scikit-learn", "lightgbm")}
    document = dict(versions={**harness.versions(options.binary), **shown}, sides=rows, servers=others, starts=begun, alone=own, overload=much, verdicts=verdicts)
    if options.without_peers:
        print("\n".join(lines))
    else:
        harness.write("serve", "Predictions over HTTP", "cargo xtask bench serve", document, lines)


def told(run):
    return f"{run['accepted_from_sent_ms']['p50']:.1f}" if run["accepted_from_sent_ms"] else "–"


if __name__ == "__main__":
    main()
