"""Train on the same text with this project, with gensim and with fastText, in turns: docs/explanation/benchmarks.md.

    make benchmark                                      every scenario of scenarios.toml
    make benchmark ARGS="wikipedia-40mb --text FILE"    one of them, on a text of one's own
    make benchmark ARGS="--pword2vec BINARY"            pWord2Vec too, where it can (PWORD2VEC in the environment)

Each contestant is a process of its own; its peak memory is that of its whole process tree, sampled ten times a
second. Scores are computed by one program for all. The peers live in an environment of their own, made on first use.
"""

import argparse
import json
import lzma
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pyarrow as pa

from benchmarks.page import FASTTEXT, HERE, OURS, PEER, PROJECT, frame, peer_of, read_scenarios, write_page
from tasks.comparison.runs import verdicts
from tasks.engine.environment import describe
from tasks.evaluation.datasets import read_analogies, read_pairs
from tasks.evaluation.judging import Space, analogies, pairs
from tasks.evaluation.scores import figures
from tasks.vectors.distance import distance
from tasks.vectors.tables import WordVectors

SHARED = PROJECT.parent / "shared"
DOCUMENT_WORDS = 1_000
PEERS = ["gensim>=4.4,<5", "fasttext-wheel==0.9.2"]
SIMILARITY, ANALOGIES = ("wordsim353", "simlex999", "men3000"), "google-analogies"


def main() -> None:
    defaults, scenarios = read_scenarios()
    options = parse(list(scenarios))
    work = options.work.absolute()
    work.mkdir(parents=True, exist_ok=True)
    for name in options.scenarios or scenarios:
        scenario = {**defaults, **scenarios[name], "threads": os.cpu_count()}
        text = cut_text(options.text, scenario["megabytes"], work)
        record = measure(name, scenario, text, options, work)
        record |= {"name": name, "scenario": scenario, "text": options.text.name, "machine": machine()}
        (HERE / "results").mkdir(exist_ok=True)
        (HERE / "results" / f"{name}.json").write_text(json.dumps(record, indent=1) + "\n")
        write_page()
        print(frame(record["rows"]).to_string(float_format="{:,.4g}".format))


def parse(scenarios: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scenarios", nargs="*", metavar="SCENARIO", help=", ".join(scenarios))
    parser.add_argument("--text", type=Path, default=SHARED / "data" / "enwiki-2015-100mb.txt.xz")
    parser.add_argument("--peers", type=Path, default=HERE / ".peers", help="the peers' virtual environment")
    parser.add_argument("--pword2vec", default=os.environ.get("PWORD2VEC"), metavar="BINARY", help="also as PWORD2VEC")
    parser.add_argument("--work", type=Path, default=HERE / ".work")
    options = parser.parse_args()
    if unknown := [name for name in options.scenarios if name not in scenarios]:
        parser.error(f"unknown scenario {unknown[0]}: there are {', '.join(scenarios)}")
    if not options.text.exists():
        parser.error(f"{options.text} is not there: give the text with --text (plain or .xz)")
    return options


def measure(name: str, scenario: dict[str, Any], text: Path, options: argparse.Namespace, work: Path) -> dict[str, Any]:
    """A row for each contestant and seed, in turns; how the scores differ, and how many neighbours are the same."""
    rows, differences, spaces = [], [], {}
    for seed in scenario["seeds"]:
        judged = {}
        for contestant, python, program in contestants(options, scenario):
            output = work / f"{contestant}-{seed}"
            shutil.rmtree(f"{output}-workspace", ignore_errors=True)  # nothing is reused
            print(f"{name}: {contestant}, seed {seed} …", flush=True)
            measured = run(python, program, text, output, {**scenario, "seed": seed})
            spaces[contestant, seed] = read(output)
            judged[contestant] = judge(spaces[contestant, seed])
            row = {"name": contestant, "seed": seed, **measured, **scores(judged[contestant])}
            rows.append(row)
            print("  " + "  ".join(f"{key} {value:.4g}" for key, value in row.items() if isinstance(value, float)))
        if peer := peer_of(scenario):
            found = verdicts(judged[OURS], judged[peer], {*SIMILARITY, ANALOGIES})
            differences += [{"seed": seed, "score": each.metric, **each.difference._asdict()} for each in found]
    first, *others = scenario["seeds"]
    compared = [(OURS, first, OURS, other) for other in others[:1]]
    if peer := peer_of(scenario):
        compared += [*((peer, first, peer, other) for other in others[:1]), (OURS, first, peer, first)]
    neighbors = {
        f"{a}, seed {i} : {b}, seed {j}": distance(spaces[a, i], spaces[b, j]).neighbor_overlap
        for a, i, b, j in compared
    }
    return {"rows": rows, "differences": differences, "neighbors": neighbors}


def cut_text(source: Path, megabytes: int, work: Path) -> Path:
    """The first megabytes of the text, a document of 1,000 words a line, as every contestant reads it."""
    target = work / f"{source.name.split('.')[0]}-{megabytes}mb.txt"
    if not target.exists():
        with (lzma.open if source.suffix == ".xz" else open)(source, "rb") as stream:
            words = stream.read(megabytes * 1_000_000).decode().split()
        lines = (" ".join(words[i : i + DOCUMENT_WORDS]) for i in range(0, len(words), DOCUMENT_WORDS))
        target.write_text("\n".join(lines) + "\n")
    return target


def contestants(options: argparse.Namespace, scenario: dict[str, Any]) -> Iterator[tuple[str, Path, list[str]]]:
    """Each contestant's name, its Python and its program: the peers that have what the scenario asks for, then ours."""
    python = options.peers / "bin" / "python"
    if scenario["peer"]:
        install(options.peers)
        if peer_of(scenario) == PEER:
            yield PEER, python, [str(HERE / "peer_gensim.py")]
        yield FASTTEXT, python, [str(HERE / "peer_fasttext.py")]
    asked = scenario["architecture"], scenario["objective"]
    if peer_of(scenario) == PEER and options.pword2vec and asked == ("skip_gram", "negative_sampling"):
        yield "pWord2Vec", python, [str(HERE / "peer_pword2vec.py"), options.pword2vec]
    yield OURS, Path(sys.executable), ["-m", "benchmarks.ours"]


def install(peers: Path) -> None:
    """Make the peers' environment, or add what it lacks."""
    python = peers / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", peers], check=True)
    if subprocess.run([python, "-c", "import gensim, fasttext"], capture_output=True, check=False).returncode:
        subprocess.run([python, "-m", "pip", "install", "--quiet", *PEERS], check=True)


def run(python: Path, program: list[str], text: Path, output: Path, settings: dict[str, Any]) -> dict[str, Any]:
    """The contestant's own figures, with the peak memory of its process tree in MB."""
    command = [str(python), *program, str(text), str(output), json.dumps(settings)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=PROJECT, text=True) as process:
        peak = [0.0]
        watcher = threading.Thread(target=watch, args=(process.pid, peak), daemon=True)
        watcher.start()
        assert process.stdout
        printed = process.stdout.read()
    watcher.join()
    if process.returncode:
        sys.exit(f"{command[1]} failed with exit code {process.returncode}")
    row: dict[str, Any] = json.loads(printed.splitlines()[-1])
    rates = {f"{name}_words_per_second": row["words"] / row[f"{name}_seconds"] for name in ("training", "total")}
    return {**row, **rates, "peak_mb": peak[0]}


def watch(pid: int, peak: list[float]) -> None:
    try:
        root = psutil.Process(pid)
        while root.status() != psutil.STATUS_ZOMBIE:
            tree = [root, *root.children(recursive=True)]
            peak[0] = max(peak[0], sum(process.memory_full_info().pss for process in tree) / 1e6)
            time.sleep(0.1)
    except psutil.NoSuchProcess:
        pass


def read(output: Path) -> WordVectors:
    words = Path(f"{output}.txt").read_text().splitlines()
    return WordVectors(words, np.zeros(len(words), np.int64), np.load(f"{output}.npy"))


def judge(vectors: WordVectors) -> pa.Table:
    """The items of the public sets, as one program judges all contestants."""
    space = Space(vectors)
    sets = [pairs(space, name, read_pairs(str(SHARED / "eval" / f"{name}.tsv"))) for name in SIMILARITY]
    questions = read_analogies(str(SHARED / "eval" / f"{ANALOGIES}.txt"))
    return pa.concat_tables([*sets, analogies(space, ANALOGIES, questions, 30_000, 2)])


def scores(items: pa.Table) -> dict[str, float]:
    found = figures(items, 1, 0)
    return {name: value for name, value in found.items() if name.startswith(("similarity/", "analogy/"))}


def machine() -> str:
    """Return the processor, its kernels of BLAS, and Python's version, for the page of results."""
    about = describe()
    kernels = ", ".join(about["kernels"]["blas"])
    return f"{os.cpu_count()} cores, {about['cpu']['model']} ({kernels}), Python {about['python']}"


if __name__ == "__main__":
    main()
