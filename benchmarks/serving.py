"""How quickly `w2v serve` is ready and answers: python -m benchmarks.serving [WORDS [DIMENSIONS]]

A model of so many invented words is published in a folder of its own, served by the command in a process of its own,
and asked for neighbours by wrk, as fast as it answers, and by hey, at a given rate. Both are packages of Debian.
"""

import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from configs.schema import Config, Ingestion, Runtime
from flows.serving import app
from tasks.tracking import address, models, names
from tasks.tracking.client import reached
from tasks.tracking.run import Run
from tasks.tracking.session import Tracker

SECONDS = 10  # of asking, each way


def publish(workspace: Path, words: int, dimensions: int) -> None:
    """A run with these vectors, its model, and that as champion."""
    config = Config(ingestion=Ingestion(source="-"), runtime=Runtime(workspace=str(workspace)))
    run = Run(address.uri(config), Tracker(config).begin(config, "serving").run_id)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / names.VECTORS
        place.mkdir()
        table = np.random.default_rng(0).standard_normal((words, dimensions), dtype=np.float32)
        np.save(place / "vectors.npy", table, allow_pickle=False)
        known = pa.table({"word": [f"w{row}" for row in range(words)], "count": np.arange(words, 0, -1)})
        pq.write_table(known, place / "vocabulary.parquet")
        run.files(Path(folder))
        number = models.register(run, models.log_model(run, place, {}), "vectors", {})
    with reached(run.uri) as client:
        client.set_registered_model_alias("vectors", "champion", number)


def closed(port: int, words: int, batch: int, clients: int, authorization: str, folder: Path) -> str:
    """Ask at random words, each client again as soon as it has its answer, by wrk."""
    script = folder / "ask.lua"
    script.write_text(f"""
        wrk.headers["Authorization"] = "{authorization}"
        request = function()
            local asked = {{}}
            for n = 1, {batch} do asked[n] = "word=w" .. math.random(0, {words - 1}) end
            return wrk.format("GET", "/neighbors?" .. table.concat(asked, "&"))
        end""")
    command = ["wrk", "-t1", f"-c{clients}", f"-d{SECONDS}s", "--latency", "-s", script, f"http://127.0.0.1:{port}"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "Non-2xx" not in said, said
    rate, slow = (re.search(words, said) for words in (r"Requests/sec:\s+([\d.]+)", r"99%\s+(\S+)"))
    assert rate, said
    assert slow, said
    return f"{float(rate[1]):,.0f} requests/s, {batch * float(rate[1]):,.0f} words/s, 99% within {slow[1]}"


def opened(port: int, rate: int, authorization: str) -> str:
    """Ask for one word `rate` times a second, whether the answers have come or not, by hey."""
    command = ["hey", "-z", f"{SECONDS}s", "-c", "50", "-q", str(rate // 50), "-H", f"Authorization: {authorization}"]
    said = subprocess.run(
        [*command, f"http://127.0.0.1:{port}/neighbors?word=w7"], capture_output=True, text=True, check=True
    ).stdout
    reached, slow = (re.search(words, said) for words in (r"Requests/sec:\s+([\d.]+)", r"99% in ([\d.]+) secs"))
    assert reached, said
    assert slow, said
    return f"{float(reached[1]):,.0f} requests/s, 99% within {1e3 * float(slow[1]):,.0f} ms"


def main(words: int = 100_000, dimensions: int = 100) -> None:
    with tempfile.TemporaryDirectory() as folder:
        workspace = Path(folder)
        publish(workspace, words, dimensions)
        print(f"{os.cpu_count()} cores, load average {os.getloadavg()[0]:.1f}")
        started = time.perf_counter()
        app.LookedUp(workspace, "champion")
        print(f"{words:,} × {dimensions}: loaded in {time.perf_counter() - started:.2f} s beyond the imports")

        started = time.perf_counter()
        command = [Path(sys.executable).with_name("w2v"), "serve", "--workspace", workspace, "--port", "0"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
            assert server.stdout
            port = next(int(found[1]) for line in server.stdout if (found := re.search(r":(\d+) ", line)))
            print(f"the command answers {time.perf_counter() - started:.1f} s after it was typed")
            authorization = f"Bearer {app.Access(workspace, '127.0.0.1').lock.credential}"
            for batch, clients in (1, 1), (1, 8), (1, 32), (100, 4):
                said = closed(port, words, batch, clients, authorization, workspace)
                print(f"{clients} clients, {batch} words a request: {said}", flush=True)
            for rate in (250, 500, 1_000):
                print(f"one word a request, {rate} requests/s asked: {opened(port, rate, authorization)}", flush=True)
            server.terminate()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
