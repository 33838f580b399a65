"""Train vectors of items on the same sessions with this project and with gensim, in turns: results/items.json.

    python -m benchmarks.items [--sessions 100000] [--seeds 1 2 3]

The sessions are those of a shop that does not exist (`benchmarks/shop.py`); the last twentieth is held out. Both learn
from all pairs of a session, without subsampling, and one program asks both for the next item and for a hidden one.
"""

import argparse
import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from benchmarks import shop, side_by_side
from benchmarks.page import HERE, OURS, PEER, frame, write_page
from tasks.comparison.runs import verdicts
from tasks.evaluation.judging import Space
from tasks.evaluation.scores import figures
from tasks.evaluation.sessions import SETS, answered, asked
from w2v_core.windows import Windows

HELD_OUT = 0.05
TOP = 10  # items recommended
ABOUT = (
    "Items of a synthetic shop (`benchmarks/shop.py`); `python -m benchmarks.items`. Words are items of the sessions; "
    "the scores are those of 10 recommended items."
)
SCENARIO: dict[str, Any] = {
    "about": ABOUT,
    "architecture": "skip_gram",
    "objective": "negative_sampling",
    "vector_size": 64,
    "negatives": 5,
    "subsample": 0,
    "min_count": 1,
    "max_size": 0,
    "epochs": 5,
    "learning_rate": 0.025,
    "min_learning_rate": 1e-4,
    "kind": "items",
}
WINDOW = {OURS: "document", PEER: 1_000}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sessions", type=int, default=100_000)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--peers", type=Path, default=HERE / ".peers", help="the peers' virtual environment")
    parser.add_argument("--work", type=Path, default=HERE / ".work")
    options = parser.parse_args()
    side_by_side.install(options.peers)
    options.work.mkdir(parents=True, exist_ok=True)
    number = {item: str(row) for row, item in enumerate(shop.ITEMS)}
    every = [[number[item] for item in items] for items in shop.sessions(options.sessions)]
    first = int(len(every) * (1 - HELD_OUT))
    text = options.work.absolute() / "sessions.txt"
    text.write_text("".join(" ".join(items) + "\n" for items in every[:first]))
    programs = {
        PEER: (options.peers / "bin" / "python", [str(HERE / "peer_gensim.py")]),
        OURS: (Path(sys.executable), ["-m", "benchmarks.ours"]),
    }
    rows, differences = [], []
    for seed in options.seeds:
        judged = {}
        for who, (python, program) in programs.items():
            output = options.work.absolute() / f"{who}-items-{seed}"
            shutil.rmtree(f"{output}-workspace", ignore_errors=True)  # nothing is reused
            settings = {
                **SCENARIO,
                "seed": seed,
                "window": WINDOW[who],
                "threads": os.cpu_count(),
                "ours": {},
                "shrink_windows": False,
            }
            measured = side_by_side.run(python, program, text, output, settings)
            judged[who] = judge(Space(side_by_side.read(output)), every[first:])
            found = {name: value for name, value in figures(judged[who], 1, 0).items() if name.startswith("sessions/")}
            rows.append({"name": who, "seed": seed, **measured, **found})
            print(json.dumps(rows[-1]), flush=True)
        for each in verdicts(judged[OURS], judged[PEER], {*SETS}):
            differences.append({"seed": seed, "score": each.metric, **each.difference._asdict()})
    scenario = {**SCENARIO, "sessions": options.sessions, "seeds": options.seeds, "window": "document"}
    record = {"name": "items", "scenario": scenario, "rows": rows, "differences": differences}
    record["machine"] = side_by_side.machine()
    (HERE / "results" / "items.json").write_text(json.dumps(record, indent=1) + "\n")
    write_page()
    print(frame(rows).to_string(float_format="{:,.4g}".format))


def judge(space: Space, held_out: list[list[str]]) -> pa.Table:
    """The answers of these vectors to the questions of the held-out sessions."""
    known = [space.rows(items) for items in held_out]
    document = np.repeat(np.arange(len(known), dtype=np.int32), [len(each) for each in known])
    center = np.concatenate(known).astype(np.int32)
    questions = asked(Windows(document, center, np.ones(len(center), np.uint8)))
    return pa.concat_tables([answered(space, name, questions[name], TOP)[0] for name in SETS])


if __name__ == "__main__":
    main()
