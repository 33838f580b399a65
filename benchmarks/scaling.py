"""Training on many: speed by the number of workers, what a meeting costs, one digest, and a prediction from both.

    make scaling                                          this machine: 1, 2, 4 … workers up to its cores
    make scaling ARGS="--workers 1,8,32 --text FILE"      others, on a text of one's own

Speeds are windows a second between two points of the curve (median), without the start of the workers. The cost of a
meeting is measured on tables in mapped files, as a training has them: each replica copies θ and writes its table, and
all tables are combined. Tables larger than `--largest` MB are measured in part and scaled, as rows are independent.
Every other figure is computed from these, and no measurement: see docs/explanation/training-on-many.md.
"""

import argparse
import json
import os
import shutil
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks.page import HERE
from benchmarks.side_by_side import SHARED, cut_text, machine
from configs.loading import check
from flows.planning.pipeline import learn, prepare
from tasks.engine.stage import Context, Stage
from tasks.engine.store import Dataset
from tasks.training import replica
from tasks.training.replica import Meeting, Source

TABLES = {"56 MB": (70_000, 100), "400 MB": (500_000, 100), "2.4 GB": (1_000_000, 300)}  # words, dimensions
CORES, HOSTS = (2, 4, 8, 16, 32, 64), (2, 4, 8, 16)
WIRE = 1.25e9  # bytes a second between hosts: 10 Gbit/s
WINDOWS, MEETINGS, SOLO = (10**8, 10**9), 100, 10**6  # of the predicted trainings


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--text", type=Path, default=SHARED / "data" / "enwiki-2015-100mb.txt.xz")
    parser.add_argument("--megabytes", type=int, default=20, help="of the text")
    parser.add_argument("--workers", type=numbers, default=doubled(os.cpu_count() or 1), metavar="N,N…")
    parser.add_argument("--replicas", type=int, default=0, help="by default the most workers, at least 2")
    parser.add_argument("--largest", type=int, default=400, metavar="MB", help="of one measured table")
    parser.add_argument("--work", type=Path, default=HERE / ".work")
    options = parser.parse_args()
    replicas = options.replicas or max(2, *options.workers)
    options.work.mkdir(parents=True, exist_ok=True)
    text = cut_text(options.text, options.megabytes, options.work.absolute())
    record: dict[str, Any] = {"machine": machine(), "megabytes": options.megabytes, "replicas": replicas}
    record["lanes"] = speed(train(text, options.work, replicas=1, training_threads=2))
    record["workers"], digests = {}, set()
    for workers in options.workers:
        made = train(text, options.work, replicas=replicas, workers=workers, training_threads=1)
        record["workers"][workers] = speed(made)
        digests.add(made.digest)
        print(f"{workers} workers: {record['workers'][workers]:,.0f} windows/s", flush=True)
    assert len(digests) == 1, f"the number of workers changes the bits: {digests}"
    record["digest"] = digests.pop()
    with threadpool_limits(1, "blas"):
        record["meetings"] = {name: meeting(*shape, replicas, options) for name, shape in TABLES.items()}
    (HERE / "results" / "scaling.json").write_text(json.dumps(record, indent=1) + "\n")
    print(markdown(record))


def numbers(text: str) -> list[int]:
    return [int(each) for each in text.split(",")]


def doubled(cores: int) -> list[int]:
    """Return 1, 2, 4 … and at last the number of cores."""
    return [*(1 << power for power in range(cores.bit_length()) if 1 << power < cores), cores]


def train(text: Path, work: Path, *, replicas: int, **runtime: int) -> Dataset:
    """Return a training, made anew; what comes before it is reused."""
    workspace = work.absolute() / "scaling-workspace"
    shutil.rmtree(workspace / "store" / "training", ignore_errors=True)
    config = check(
        {
            "ingestion": {"source": str(text), "text_documents": "line"},
            "training": {"epochs": 2, "replicas": replicas, "meetings": 50, "solo_windows": 500_000},
            "runtime": {"workspace": str(workspace), **runtime},
        },
        "benchmark",
    )
    context = Context(runtime=config.runtime)

    def compute(stage: Stage, **arguments: object) -> Dataset:
        made: Dataset = stage.compute(context=context, **arguments)
        return made

    return learn(config, prepare(config, compute), compute).vectors


def speed(made: Dataset) -> float:
    """Return windows a second: the median over the points of the second half of the curve."""
    facts = made.manifest.facts
    rates = facts["speed"]["curve"]
    return statistics.median(rates[len(rates) // 2 :]) * made.manifest.account.written / facts["words"]


def meeting(words: int, size: int, replicas: int, options: argparse.Namespace) -> dict[str, float]:
    """Return the seconds in which a replica copies θ and writes its table, and in which one core combines all tables.

    All are measured on as many rows as `--largest` allows, and scaled to the whole.
    """
    measured = min(words, int(options.largest * 1e6 / (8 * size)))
    with tempfile.TemporaryDirectory(dir=options.work.absolute()) as folder:
        names = ["start", "combined", *(f"end-{number}" for number in range(replicas))]
        rng = np.random.default_rng(0)
        theta = rng.random((measured, 2, size), dtype=np.float32)
        for name in names:
            np.save(Path(folder) / f"{name}.npy", theta if name == "start" else theta * rng.random(dtype=np.float32))
        own = np.empty_like(theta)
        copied = fastest(lambda: np.copyto(own, replica.table(Path(folder) / "start.npy")))
        written = fastest(lambda: np.copyto(replica.table(Path(folder) / "end-0.npy", "r+"), own))
        call = Meeting(
            source=Source.here(),
            tables=Path(folder),
            start="start.npy",
            ends=[f"{name}.npy" for name in names[2:]],
            combined="combined.npy",
            first=0,
            last=2 * measured,
        ).model_dump_json()
        combined = fastest(lambda: replica.meet(call))
    scale = words / measured
    return {"measured_share": 1 / scale, "copy": scale * (copied + written), "combine": scale * combined}


def fastest(work: Any, times: int = 3) -> float:
    """Return the CPU seconds of the quickest of so many calls, which neighbours disturb less than the clock's."""
    seconds = []
    for _ in range(times):
        started = time.process_time()
        work()
        seconds.append(time.process_time() - started)
    return min(seconds)


def seconds_of_meeting(record: dict[str, Any], table: str, replicas: int, cores: int, hosts: int = 1) -> float:
    """Return the predicted seconds of a meeting: copies at the same time, rows shared out over all cores.

    The work of combining grows with the replicas. Between hosts each sends its replicas' rows to those who combine
    them, combined on each host first, and receives θ: both nearly the whole table.
    """
    found, words_size = record["meetings"][table], TABLES[table]
    combine_seconds = found["combine"] * replicas / record["replicas"] / (cores * hosts)
    wire = 2 * words_size[0] * words_size[1] * 8 / WIRE if hosts > 1 else 0.0
    return float(found["copy"] + combine_seconds + wire)


def predicted(record: dict[str, Any], windows: int, table: str, cores: int, hosts: int = 1) -> float:
    """Return how many times as fast as today's two lanes a training would be with one replica a core."""
    slower = TABLES[table][1] / 100  # speeds are those of 100 dimensions
    one, lanes = record["workers"][min(record["workers"])] / slower, record["lanes"] / slower
    workers = cores * hosts
    apart = (windows - SOLO) / (one * workers) + SOLO / lanes
    return (windows / lanes) / (apart + MEETINGS * seconds_of_meeting(record, table, workers, cores, hosts))


def markdown(record: dict[str, Any]) -> str:
    """Return the page's tables."""
    lanes, speeds = record["lanes"], record["workers"]
    lines = ["| | windows/s | to two lanes |", "|---|---|---|", f"| 1 model, 2 lanes | {lanes:,.0f} | 1 |"]
    lines += [f"| {record['replicas']} replicas, {n} workers | {v:,.0f} | {v / lanes:.2f} |" for n, v in speeds.items()]
    lines += ["", "| a meeting | copy θ, write a table | combine, one core | measured |", "|---|---|---|---|"]
    lines += [
        f"| {name}, {record['replicas']} replicas | {each['copy']:.3f} s | {each['combine']:.3f} s "
        f"| {each['measured_share']:.0%} |"
        for name, each in record["meetings"].items()
    ]
    for windows in WINDOWS:
        for counts, what in (([(cores, 1) for cores in CORES], "cores"), ([(16, hosts) for hosts in HOSTS], "hosts")):
            heads = " | ".join(f"{cores if what == 'cores' else hosts}" for cores, hosts in counts)
            lines += ["", f"| predicted, {windows:,} windows, {what} | {heads} |", "|---" * (len(counts) + 1) + "|"]
            lines += [
                f"| {table} | "
                + " | ".join(f"{predicted(record, windows, table, *each):.1f}" for each in counts)
                + " |"
                for table in TABLES
            ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
