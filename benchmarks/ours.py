"""Our turn: every stage from the text to the vectors, without servers, and one JSON line. See side_by_side.py."""

import json
import sys
import time

import numpy as np

from configs.loading import check
from flows.planning.pipeline import learn, prepare
from tasks.engine.facts import VectorsFacts, recorded
from tasks.engine.stage import Context, Stage
from tasks.engine.store import Dataset
from tasks.vectors import tables

SHARED = (
    "architecture",
    "objective",
    "vector_size",
    "epochs",
    "negatives",
    "learning_rate",
    "min_learning_rate",
    "min_n",
    "max_n",
    "buckets",
)


def main(text: str, output: str, settings: dict) -> None:
    config = check(
        {
            "seed": settings["seed"],
            "ingestion": {"source": text, "text_documents": "line"},
            "vocabulary": {name: settings[name] for name in ("min_count", "max_size", "subsample") if settings[name]},
            "tokenization": {"kind": settings.get("kind", "text")},
            "windows": {"window": settings["window"], "held_out_fraction": 0.0},
            "training": {name: settings[name] for name in SHARED if name in settings} | settings["ours"],
            "runtime": {"workspace": output + "-workspace", "threads": settings["threads"]},
        },
        "benchmark",
    )
    context = Context(runtime=config.runtime)
    seconds: dict[str, float] = {}

    def compute(stage: Stage, **arguments: object) -> Dataset:
        started = time.perf_counter()
        dataset = stage.compute(context=context, **arguments)
        seconds[stage.name] = seconds.get(stage.name, 0) + time.perf_counter() - started
        return dataset

    trained = learn(config, prepare(config, compute), compute)
    learnt = recorded(VectorsFacts, trained.vectors)
    vectors = tables.load(trained.vectors)
    np.save(output + ".npy", vectors.table)
    with open(output + ".txt", "w") as stream:
        stream.write("\n".join(vectors.words))
    print(
        json.dumps(
            {
                "words": learnt["words"],
                "training_seconds": learnt["speed"]["seconds"],
                "waiting_share": learnt["speed"]["waiting_share"],
                "total_seconds": sum(seconds.values()),
                "stages": seconds,
            }
        )
    )


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], json.loads(sys.argv[3]))
