#!/usr/bin/env python3
"""Writes data.om from a fixed seed, and records what the real Prometheus answers (see README.md)."""

import json
import math
import os
import pathlib
import random
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request

HERE = pathlib.Path(__file__).parent
START = 1_700_000_000
END = START + 1_200
INSTANT = START + 900
STEP = 97


def series():
    """Each series: its text and its samples as (seconds, value)."""
    random.seed(7)
    times = [START + 15 * n + random.choice([0, 0, 0.004, 0.25]) for n in range(81)]
    for job in ("api", "web"):
        for instance in ("a:1", "b:2", "c:3"):
            labels = f'job="{job}",instance="{instance}"'
            count = random.randint(0, 1000)
            counter = []
            for t in times:
                count += random.randint(0, 50)
                if random.random() < 0.03:
                    count = random.randint(0, 9)
                # Gaps longer and shorter than the lookback.
                if not (instance == "b:2" and 300 < t - START < 700):
                    counter.append((t, count))
            yield f"requests_total{{{labels}}}", counter
            gauge = [(t, round(random.uniform(-50, 50), 2)) for t in times]
            yield f"temperature{{{labels}}}", gauge
            memory = [(t, random.randint(10**8, 10**10)) for t in times if random.random() < 0.8]
            yield f"memory_bytes{{{labels}}}", memory
            for le in ("0.1", "0.5", "1", "5", "+Inf"):
                total, bucket = 0, []
                for t in times:
                    total += random.randint(0, {"0.1": 1, "0.5": 3, "1": 4, "5": 5, "+Inf": 6}[le])
                    bucket.append((t, total))
                yield f'latency_bucket{{{labels},le="{le}"}}', bucket
    odd = [math.inf, -math.inf, math.nan, 0.0, -0.0, 1e-300, 1e300, 1.5]
    yield 'odd{kind="all"}', [(t, odd[n % 8]) for n, t in enumerate(times)]
    yield 'odd{kind="nan"}', [(t, math.nan) for t in times]
    yield 'few{n="one"}', [(times[50], 3.25)]
    yield 'few{n="two"}', [(times[50], 1), (times[58], 2)]
    yield 'info{instance="a:1",version="1.2.3",path="/api/v1/x"}', [(t, 1) for t in times]
    yield 'info{instance="b:2",version="2.0",path="/"}', [(t, 1) for t in times]
    yield 'constant{job="api"}', [(t, 7) for t in times]
    yield 'line{job="api"}', [(t, (t - START) * 2 + 1) for t in times]


def number(value):
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return repr(value)


def write_data():
    families = {}
    for text, samples in series():
        families.setdefault(text.split("{")[0], []).append((text, samples))
    lines = []
    for name, members in families.items():
        lines.append(f"# TYPE {name} unknown")
        for text, samples in members:
            lines += [f"{text} {number(value)} {t:.3f}" for t, value in samples]
    (HERE / "data.om").write_text("\n".join([*lines, "# EOF", ""]))


def ask(base, path, **parameters):
    url = f"{base}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
    try:
        with urllib.request.urlopen(url) as answer:
            return json.load(answer)["data"]
    except urllib.error.HTTPError as error:
        return {"error": json.load(error)["errorType"]}


def record(base):
    answers = []
    for query in (HERE / "queries.txt").read_text().splitlines():
        if not query or query.startswith("#"):
            continue
        instant = ask(base, "query", query=query, time=INSTANT)
        steps = ask(base, "query_range", query=query, start=START, end=END, step=STEP)
        answers.append({"query": query, "instant": instant, "range": steps})
    lines = ",\n".join(json.dumps(answer, separators=(",", ":")) for answer in answers)
    (HERE / "answers.json").write_text(f"[\n{lines}\n]\n")
    print(f"recorded {len(answers)} queries")


def main():
    write_data()
    with tempfile.TemporaryDirectory() as folder:
        promtool, prometheus = os.environ["PROMTOOL"], os.environ["PROMETHEUS"]
        make = [promtool, "tsdb", "create-blocks-from", "openmetrics", HERE / "data.om", folder]
        subprocess.run(make, check=True, stdout=subprocess.DEVNULL)
        config = pathlib.Path(folder) / "prometheus.yml"
        config.write_text("global: {}\n")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        server = subprocess.Popen(
            [
                prometheus,
                f"--config.file={config}",
                f"--storage.tsdb.path={folder}",
                "--storage.tsdb.retention.time=100y",
                f"--web.listen-address=127.0.0.1:{port}",
                "--enable-feature=promql-experimental-functions",
            ],
            stderr=subprocess.DEVNULL,
        )
        base = f"http://127.0.0.1:{port}"
        try:
            for _ in range(300):
                try:
                    urllib.request.urlopen(f"{base}/-/ready")
                    break
                except OSError:
                    time.sleep(0.1)
            record(base)
        finally:
            server.terminate()
            server.wait()


if __name__ == "__main__":
    main()
