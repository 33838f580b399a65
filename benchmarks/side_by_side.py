"""Train on the same text with this project and with gensim, in turns, and write both into docs/benchmarks.md.

    make benchmark ARGS="--text FILE --megabytes 40 --epochs 3 --seeds 1 2 3"

Each contestant is a process of its own; its peak memory is that of its whole process tree, sampled ten times a
second. Scores are computed by one program for both. gensim lives in an environment of its own, made on first use.
"""

import argparse
import json
import lzma
import os
import platform
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import psutil

from tasks._judges import Space, analogies, pairs
from tasks._vectors import Vectors

HERE = Path(__file__).parent
PROJECT = HERE.parent
SHARED = PROJECT.parent / "shared"
DOCUMENT_WORDS = 1_000


def main() -> None:
    options = parse()
    work = options.work.absolute()
    work.mkdir(parents=True, exist_ok=True)
    text = cut_text(options.text, options.megabytes, work)
    settings = {
        "architecture": options.architecture, "objective": options.objective, "vector_size": options.vector_size,
        "window": 5, "negatives": 5, "subsample": 1e-3, "min_count": 5, "epochs": options.epochs,
        "learning_rate": options.learning_rate, "min_learning_rate": 1e-4, "threads": options.threads,
        "ours": json.loads(options.ours),
    }  # fmt: skip
    rows = []
    for seed in options.seeds:
        for name, python, program in contestants(options.peers):
            output = work / f"{name}-{seed}"
            print(f"{name}, seed {seed} …", flush=True)
            row = {"name": name, "seed": seed, **run(python, program, text, output, {**settings, "seed": seed})}
            row |= scores(output)
            rows.append(row)
            print("  " + "  ".join(f"{key} {value:.4g}" for key, value in row.items() if isinstance(value, float)))
    record = {"settings": settings, "text": options.text.name, "megabytes": options.megabytes, "machine": machine()}
    (HERE / "results").mkdir(exist_ok=True)
    (HERE / "results" / f"{options.name}.json").write_text(json.dumps({**record, "rows": rows}, indent=1) + "\n")
    write_page()
    print(frame(rows).to_string(float_format="{:,.4g}".format))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--text", type=Path, default=SHARED / "data" / "enwiki-2015-100mb.txt.xz")
    parser.add_argument("--megabytes", type=int, default=40, help="how much of the text, from its beginning")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--vector-size", type=int, default=100)
    parser.add_argument("--architecture", default="skip_gram", choices=["skip_gram", "cbow"])
    parser.add_argument(
        "--objective", default="negative_sampling", choices=["negative_sampling", "hierarchical_softmax"]
    )
    parser.add_argument("--learning-rate", type=float, default=0.025)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    parser.add_argument("--ours", default="{}", help="our own training settings, as JSON")
    parser.add_argument("--peers", type=Path, default=HERE / ".peers", help="the peers' virtual environment")
    parser.add_argument("--work", type=Path, default=HERE / ".work")
    parser.add_argument("--name", default="side-by-side", help="of the file under benchmarks/results")
    options = parser.parse_args()
    if not options.text.exists():
        parser.error(f"{options.text} is not there: give the text with --text (plain or .xz)")
    return options


def cut_text(source: Path, megabytes: int, work: Path) -> Path:
    """The first megabytes of the text, a document of 1,000 words a line, as every contestant reads it."""
    target = work / f"{source.name.split('.')[0]}-{megabytes}mb.txt"
    if not target.exists():
        with (lzma.open if source.suffix == ".xz" else open)(source, "rb") as stream:
            words = stream.read(megabytes * 1_000_000).decode().split()
        lines = (" ".join(words[i : i + DOCUMENT_WORDS]) for i in range(0, len(words), DOCUMENT_WORDS))
        target.write_text("\n".join(lines) + "\n")
    return target


def contestants(peers: Path) -> Iterator[tuple[str, Path, list[str]]]:
    python = peers / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", peers], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "gensim>=4.4,<5"], check=True)
    yield "gensim", python, [str(HERE / "peer_gensim.py")]
    yield "ours", Path(sys.executable), ["-m", "benchmarks.ours"]


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


def scores(output: Path) -> dict[str, float]:
    """Similarity and analogies, where the public sets are present."""
    words = Path(f"{output}.txt").read_text().splitlines()
    space = Space(Vectors(words, np.zeros(len(words), np.int64), np.load(f"{output}.npy")))
    rng = np.random.default_rng(0)  # of the intervals, which are not shown
    found: dict[str, float] = {}
    for name in ("wordsim353", "simlex999", "men3000"):
        if (file := SHARED / "eval" / f"{name}.tsv").exists():
            found[name] = pairs(space, str(file), 10, rng=rng).figures[f"similarity/{name}"]
    if (file := SHARED / "eval" / "google-analogies.txt").exists():
        found["analogies"] = analogies(space, str(file), 30_000, 10, 2, rng=rng).figures[
            "analogy/google-analogies.3cosadd"
        ]
    return found


def frame(rows: list[dict[str, Any]]) -> pd.DataFrame:
    """Means over the seeds, a row a figure, with our ratio to gensim."""
    means = pd.DataFrame(rows).drop(columns=["seed", "stages"], errors="ignore").groupby("name", sort=False).mean().T
    return means.assign(ratio=means["ours"] / means["gensim"])


def write_page() -> None:
    """docs/benchmarks.md, from all that lies under results/: a section a run."""
    page = [(HERE / "preface.md").read_text()]
    for file in sorted((HERE / "results").glob("*.json")):
        record = json.loads(file.read_text())
        settings = {key: value for key, value in record["settings"].items() if value != {}}
        seeds = sorted({row["seed"] for row in record["rows"]})
        page.append(f"## {file.stem}\n\nThe first {record['megabytes']} MB of `{record['text']}`, seeds {seeds};")
        page.append(f"{record['machine']}.")
        page.append(", ".join(f"`{key}` {value}" for key, value in settings.items()) + ".\n")
        page.append("| | gensim | ours | ratio |\n|---|---|---|---|")
        for name, row in frame(record["rows"]).iterrows():
            line = f"| {name} | {row['gensim']:,.4g} | {row['ours']:,.4g} | {row['ratio']:.2f} |"
            page.append(line.replace("nan", "–"))
        page.append("")
    (PROJECT / "docs" / "benchmarks.md").write_text("\n".join(page))


def machine() -> str:
    return f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"


if __name__ == "__main__":
    main()
