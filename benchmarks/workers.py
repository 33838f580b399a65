"""How much faster several worker processes prepare a text than one: seconds of each stage, and the same bits.

    python -m benchmarks.workers ../shared/data/enwiki-2015-100mb.txt.xz [--workers 1 2] [--pieces 25] [--epochs 3]

Prepared is what comes before the training: documents, tokens, counts, and the windows of each epoch. With `--pieces`
the text is cut into so many files, as a corpus that grows has them; a single file is read by one worker alone.
The time includes the start of the workers.

The processor seconds say what a machine without other work would take at best, whatever else runs on this one: `bound`
is the command's own seconds and those of the worker with the most.
"""

import argparse
import json
import lzma
import tempfile
import time
from itertools import pairwise
from pathlib import Path

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
            seconds, digest = prepare(config)
            digests.add(digest)
            total = round(sum(seconds.values()), 2)
            cpu = environment.describe()["cpu"]["model"]
            print(json.dumps({"workers": workers, "total": total, "stages": seconds, "cpu": cpu}), flush=True)
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
            "runtime": {"workspace": workspace, "engine": engine, "workers": workers},
        },
        "benchmark",
    )


def prepare(config: Config) -> tuple[dict[str, float], str]:
    """Return the seconds of each stage, and the digests of all that they wrote."""
    context = Context(runtime=config.runtime)
    seconds: dict[str, float] = {}
    digests: list[str] = []

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
        engines.end_idle()
    return seconds, " ".join(digests)


if __name__ == "__main__":
    main()
