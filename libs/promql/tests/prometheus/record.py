#!/usr/bin/env python3
"""Writes data.txt from a fixed seed, and records what the real Prometheus answers (see README.md)."""

import json
import math
import os
import pathlib
import random
import socket
import struct
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


STALE = "StaleNaN"
STALE_BITS = struct.pack("<Q", 0x7FF0000000000002)
BUCKETS = {
    "no_inf": {"1": 1, "2": 3},
    "only_inf": {"+Inf": 5},
    "empty": {"1": 0, "2": 0, "+Inf": 0},
    "falls": {"1": 5, "2": 4, "3": 9, "+Inf": 10},
    "negative": {"-2": 2, "-1": 4, "0": 6, "+Inf": 8},
    "first_negative": {"-1": 4, "1": 6, "+Inf": 8},
    "spelled_twice": {"1": 2, "1.0": 3, "2": 8, "+Inf": 8},
    "nan": {"1": math.nan, "2": 3, "+Inf": 4},
    "wrong_le": {"x": 1, "1": 2, "+Inf": 3},
    "no_le": {None: 1, "1": 2, "+Inf": 3},
    "all_above": {"1": 0, "2": 0, "+Inf": 7},
    "fraction": {"0.1": 0.25, "0.2": 0.5, "+Inf": 0.75},
}


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
    yield from odd_series(times)


def odd_series(times):
    """What is rare: ends, resets, names, buckets, sizes."""
    for n, ends in (("back", range(20, 40)), ("over", range(59, 81)), ("late", [60])):
        values = [(t, STALE if at in ends else at) for at, t in enumerate(times)]
        yield f'gone{{n="{n}"}}', values
    yield 'resets{n="first"}', [(t, 100 if at == 0 else at) for at, t in enumerate(times)]
    yield 'resets{n="each"}', [(t, at % 2 * 5) for at, t in enumerate(times)]
    yield 'resets{n="down"}', [(t, 1000 - at) for at, t in enumerate(times)]
    yield 'resets{n="zero"}', [(t, 0) for t in times]
    yield 'resets{n="below"}', [(t, at - 50) for at, t in enumerate(times)]
    yield 'resets{n="last"}', [(t, 3 if at % 20 == 0 else at) for at, t in enumerate(times)]
    yield 'my.metric{job="api",my.label="x y",é="1"}', [(t, at) for at, t in enumerate(times)]
    yield 'my.metric{job="web",my.label="z"}', [(t, -at) for at, t in enumerate(times)]
    for job in ("api", "web"):
        for cpu in "012":
            cores = [(t, int(cpu) * 10 + at % 7) for at, t in enumerate(times)]
            yield f'cores{{job="{job}",cpu="{cpu}"}}', cores
        yield f'limits{{job="{job}",team="{job}s"}}', [(t, 12) for t in times]
        yield f'owner{{job="{job}",team="{job}s",cpu="all"}}', [(t, 1) for t in times]
    yield 'twins{job="api",n="1"}', [(t, 1) for t in times]
    yield 'twins{job="api",n="2"}', [(t, 2) for t in times]
    for n, value in enumerate([1e308, 1.7e308, -1e308, 5e-324, 1e21, 1e-7, 123456789.125]):
        yield f'size{{n="{n}"}}', [(t, value) for t in times]
    yield 'spread{n="1"}', [(t, (-1) ** at * 1e308) for at, t in enumerate(times)]
    yield 'wide{n="1"}', [(t, 1e16 if at % 3 else 1) for at, t in enumerate(times)]
    for case, buckets in BUCKETS.items():
        for le, counts in buckets.items():
            label = "" if le is None else f',le="{le}"'
            yield f'odd_bucket{{case="{case}"{label}}}', [(t, counts) for t in times]


def number(value):
    if value == STALE:
        return STALE
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return repr(value)


def write_data(all_series):
    lines = [
        f"{text} {number(value)} {t:.3f}" for text, samples in all_series for t, value in samples
    ]
    (HERE / "data.txt").write_text("\n".join([*lines, ""]))


def varint(value):
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


def field(number, body):
    return varint(number << 3 | 2) + varint(len(body)) + body


def time_series(text, samples):
    """One series of a remote_write 1.0 request."""
    name, labels = text.removesuffix("}").split("{")
    pairs = [("__name__", name)]
    pairs += [tuple(pair.strip('"').split('="')) for pair in labels.split('",')]
    out = b"".join(
        field(1, field(1, name.encode()) + field(2, value.encode())) for name, value in sorted(pairs)
    )
    for t, value in samples:
        bits = STALE_BITS if value == STALE else struct.pack("<d", value)
        out += field(2, b"\x09" + bits + b"\x10" + varint(round(t * 1000)))
    return field(1, out)


def snappy(body):
    """The body as snappy's literals, which compress nothing."""
    out = varint(len(body))
    for at in range(0, len(body), 60):
        part = body[at : at + 60]
        out += bytes([len(part) - 1 << 2]) + part
    return out


def send(base, all_series):
    body = b"".join(time_series(*one) for one in all_series)
    headers = {"Content-Type": "application/x-protobuf", "Content-Encoding": "snappy"}
    request = urllib.request.Request(f"{base}/api/v1/write", snappy(body), headers)
    with urllib.request.urlopen(request):
        pass


def ask(base, path, **parameters):
    url = f"{base}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
    try:
        with urllib.request.urlopen(url) as answer:
            return json.load(answer)["data"]
    except urllib.error.HTTPError as error:
        told = json.load(error)
        return {"error": told["errorType"], "text": told["error"]}


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
    all_series = list(series())
    write_data(all_series)
    with tempfile.TemporaryDirectory() as folder:
        config = pathlib.Path(folder) / "prometheus.yml"
        config.write_text("global: {}\n")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        server = subprocess.Popen(
            [
                os.environ["PROMETHEUS"],
                "--web.enable-remote-write-receiver",
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
            send(base, all_series)
            record(base)
        finally:
            server.terminate()
            server.wait()


if __name__ == "__main__":
    main()
