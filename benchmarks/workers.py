"""How much faster several worker processes prepare a text than one: seconds of each stage, and the same bits.

    python -m benchmarks.workers ../shared/data/enwiki-2015-100mb.txt.xz [--workers 1 2] [--pieces 25] [--epochs 3]

Prepared is what comes before the training: documents, tokens, counts, and the windows of each epoch. With `--pieces`
the text is cut into so many files, as a corpus that grows has them; a single file is read by one worker alone.
The time includes the start of the workers, each of which has one thread.

The processor seconds of the command and of each worker say what to expect of a machine without other work, whatever
else runs on this one: `bound` is the command's and those of the worker that had most to do.
"""

import argparse
import json
import lzma
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import psutil

from configs.loading import check
from configs.schema import Config
from flows.planning import pipeline
from tasks.engine import environment
from tasks.engine.stage import Context, Stage
from tasks.engine.store import Dataset
from tasks.engine.workers import engines


class Prepared(Exception):
    """All that comes before the training is there."""


def main() -> None:
    """Print a line of JSON for each number of workers."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("text", type=Path)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--pieces", type=int, default=1)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--engine", default="processes")
    options = parser.parse_args()
    digests = set()
    with tempfile.TemporaryDirectory() as folder:
        source = cut(options.text, options.pieces, Path(folder))
        for workers in options.workers:
            config = configured(source, f"{folder}/ws{workers}", options.engine, workers, options.epochs)
            found = prepare(config)
            digests.add(found.pop("digests"))
            print(json.dumps({"workers": workers, **found, "cpu": environment.describe()["cpu"]["model"]}), flush=True)
    assert len(digests) == 1, "the bits depend on the number of workers"


def cut(text: Path, pieces: int, folder: Path) -> str:
    """Return the source: the text itself, or a folder with so many files."""
    if pieces == 1:
        return str(text)
    with (lzma.open if text.suffix == ".xz" else open)(text, "rb") as stream:
        content = stream.read()
    (folder / "text").mkdir()
    ends = [0, *(content.index(b" ", len(content) * n // pieces) for n in range(1, pieces)), len(content)]
    for number, (start, end) in enumerate(pairwise(ends)):
        (folder / "text" / f"{number:05d}.txt").write_bytes(content[start:end])
    return str(folder / "text")


def configured(source: str, workspace: str, engine: str, workers: int, epochs: int) -> Config:
    """Return the config of one measurement."""
    return check(
        {
            "ingestion": {"source": source, "text_documents": "line"},
            "training": {"epochs": epochs},
            "runtime": {
                "workspace": workspace,
                "engine": engine,
                "workers": workers,
                "threads": workers,
            },  # one core each
        },
        "benchmark",
    )


def prepare(config: Config) -> dict[str, Any]:
    """Return the seconds of each stage, the processor seconds of each process, and the digests of what was written."""
    context = Context(runtime=config.runtime)
    seconds: dict[str, float] = {}
    digests: list[str] = []
    before = time.process_time()

    def compute(stage: Stage, **arguments: object) -> Dataset:
        if stage.name == "training":
            raise Prepared
        started = time.perf_counter()
        dataset = stage.compute(context=context, **arguments)
        seconds[stage.name] = round(seconds.get(stage.name, 0) + time.perf_counter() - started, 2)
        digests.append(dataset.digest)
        return dataset

    try:
        pipeline.learn(config, pipeline.prepare(config, compute), compute)
    except Prepared:
        own = time.process_time() - before
        workers = [each.cpu_times() for each in psutil.Process().children()]
        engines.end_idle()
    each = [round(times.user + times.system, 2) for times in workers]
    used = {"command": round(own, 2), "each": each, "bound": round(own + max(each, default=0), 2)}
    return {
        "total": round(sum(seconds.values()), 2),
        "stages": seconds,
        "processor": used,
        "digests": " ".join(digests),
    }


if __name__ == "__main__":
    main()
