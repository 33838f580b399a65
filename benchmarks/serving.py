"""How quickly `w2v serve` is ready and answers: python -m benchmarks.serving [WORDS [DIMENSIONS]]

A model of so many invented words is published in a folder of its own, served by the command in a process of its own,
and asked by one client and by four, for neighbours of one word and of a hundred at a time.
"""

import http.client
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from configs.schema import Config, Ingestion, Runtime
from flows.serving import app
from tasks.promotion import decision
from tasks.tracking import models, registry, session
from tasks.tracking.run import Run

SECONDS = 5.0  # of asking, each way


def publish(workspace: Path, words: int, dimensions: int) -> None:
    """A run with these vectors, its model, and that as champion."""
    config = Config(ingestion=Ingestion(source="-"), runtime=Runtime(workspace=str(workspace)))
    run = Run(session.uri(config), session.start(config, "serving"))
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / session.VECTORS
        place.mkdir()
        table = np.random.default_rng(0).standard_normal((words, dimensions), dtype=np.float32)
        np.save(place / "vectors.npy", table, allow_pickle=False)
        known = pa.table({"word": [f"w{row}" for row in range(words)], "count": np.arange(words, 0, -1)})
        pq.write_table(known, place / "vocabulary.parquet")
        run.files(Path(folder))
        number = models.register(run, models.log_model(run, place, {}), "vectors", {})
    model = registry.model(run.uri, "vectors")
    registry.settle(model, decision.decide(model, model.version(number), config.promotion))


def ask(port: int, words: int, batch: int, clients: int, authorization: str) -> float:
    """Words a second."""
    until = time.perf_counter() + SECONDS

    def client(number: int) -> int:
        rng, answered = np.random.default_rng(number), 0
        connection = http.client.HTTPConnection("127.0.0.1", port)
        while time.perf_counter() < until:
            asked = "&".join(f"word=w{row}" for row in rng.integers(words, size=batch))
            connection.request("GET", f"/neighbors?{asked}", headers={"Authorization": authorization})
            answered += len(json.loads(connection.getresponse().read())["answers"])
        return answered

    with ThreadPoolExecutor(clients) as pool:
        return sum(pool.map(client, range(clients))) / SECONDS


def main(words: int = 100_000, dimensions: int = 100) -> None:
    with tempfile.TemporaryDirectory() as folder:
        workspace = Path(folder)
        publish(workspace, words, dimensions)
        print(f"{os.cpu_count()} cores, load average {os.getloadavg()[0]:.1f}")
        started = time.perf_counter()
        app.Source(workspace, "champion")
        print(f"{words:,} × {dimensions}: loaded in {time.perf_counter() - started:.2f} s beyond the imports")

        started = time.perf_counter()
        command = [Path(sys.executable).with_name("w2v"), "serve", "--workspace", workspace, "--port", "0"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
            assert server.stdout
            port = next(int(found[1]) for line in server.stdout if (found := re.search(r":(\d+) ", line)))
            print(f"the command answers {time.perf_counter() - started:.1f} s after it was typed")
            authorization = f"Bearer {app.Access(workspace, '127.0.0.1').lock.credential}"
            for batch in (1, 100):
                for clients in (1, 4):
                    rate = ask(port, words, batch, clients, authorization)
                    asked = f"{clients} clients, {batch} words a request"
                    print(f"{asked}: {rate / batch:,.0f} requests/s, {rate:,.0f} words/s", flush=True)
            server.terminate()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
