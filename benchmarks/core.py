"""The fast path alone, fed from memory: a roofline, where the time goes, and what threads bring.

    make roofline [ARGS="--text FILE"]

Floating-point operations and bytes are counted for one kept word, which is one window, from the shapes of a block
(w2v_core/fast/blocks.py): three products of N · T · D, and R rows of the table read and added to, their gradients
written
and read. The machine's rates are measured in the same minute.
"""

import json
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from hashlib import blake2b
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks.page import HERE, write_page
from benchmarks.side_by_side import cut_text, machine, parse
from configs.schema import Training
from tasks.settings import settings_of
from w2v_core.fast import negative_sampling
from w2v_core.fast.pipelined import InFlight
from w2v_core.model import initial
from w2v_core.randomness import generator
from w2v_core.training import Settings
from w2v_core.vocabulary import keep_probabilities
from w2v_core.windows import draw

WORDS = 1_200_000
ROUNDS = 5
THREADS = (1, 2, 3, 8)
LARGE = 2048  # rows and columns of a large product
COPIED = 64 << 20  # bytes: more than any cache holds
PARTS = {
    "rows, weights, terms": ("begin", "prepare"),
    "products, σ": ("multiply",),
    "adding to the table": ("update",),
}


def main() -> None:
    options = parse([])
    options.work.mkdir(parents=True, exist_ok=True)
    settings = settings_of(Training(), window=5, seed=1)
    corpus = Corpus(cut_text(options.text, 10, options.work.absolute()), settings)
    rates, speed, digests = defaultdict(list), defaultdict(list), set()
    with threadpool_limits(1, "blas"):
        for _ in range(ROUNDS):
            for name, rate in {"small": small_products(settings), "large": large_product(), "copy": copy()}.items():
                rates[name].append(rate)
            for threads in THREADS:
                seconds, digest = corpus.train(threads)
                speed[threads].append(len(corpus.ids) / seconds)
                digests.add(digest)
        parts = corpus.profile()
    assert len(digests) == 1, "the number of threads changes the bits"
    best = {name: max(found) for name, found in rates.items()}
    record = {
        "machine": machine(),
        "rates": best,
        "speed": speed,
        "parts": parts,
        "kept": corpus.kept,
        **work(settings),
    }
    (HERE / "results" / "core.json").write_text(json.dumps(record, indent=1) + "\n")
    write_page()


class Corpus:
    """The first words of the text, as windows in memory."""

    def __init__(self, text: Path, settings: Settings) -> None:
        words = text.read_text().split()[:WORDS]
        found = Counter(words)
        known = {word: row for row, (word, count) in enumerate(found.most_common()) if count >= 5}
        self.settings = settings
        self.ids = np.array([known[word] for word in words if word in known], np.int32)
        self.counts = np.array([found[word] for word in known], np.int64)
        document = (np.arange(len(self.ids)) // 1_000).astype(np.int32)
        keep = keep_probabilities(self.counts, 1e-3)
        self.windows = draw(document, self.ids, keep, settings.window, rng=generator(1, "benchmark"))
        self.kept = len(self.windows) / len(self.ids)

    def learner(self, threads: int) -> InFlight:
        model = initial(len(self.counts), self.settings.vector_size, rng=generator(1, "benchmark"))
        lanes = negative_sampling.lanes(self.settings, model, self.counts, np.zeros(len(self.counts), np.bool_))
        assert lanes
        return InFlight(lanes, threads=threads)

    def train(self, threads: int) -> tuple[float, str]:
        """Seconds of one epoch, and the digest of the tables after it."""
        learner = self.learner(threads)
        seconds = self.time(learner)
        return seconds, blake2b(learner.lanes[0].table.tobytes(), digest_size=16).hexdigest()

    def time(self, learner: InFlight) -> float:
        started = time.perf_counter()
        for _ in learner.learn(self.windows, (0, 0), lambda rows: self.settings.learning_rate):
            pass
        return time.perf_counter() - started

    def profile(self) -> dict[str, float]:
        """Nanoseconds a kept word in each part of a batch, on one thread."""
        learner = self.learner(1)
        spent = dict.fromkeys(PARTS, 0.0)

        def timed(part: str, work: Callable[..., Any]) -> Callable[..., Any]:
            def run(*arguments: Any) -> Any:
                started = time.perf_counter()
                found = work(*arguments)
                spent[part] += time.perf_counter() - started
                return found

            return run

        for part, methods in PARTS.items():
            for lane, method in product(learner.lanes, methods):
                setattr(lane, method, timed(part, getattr(lane, method)))
        whole = self.time(learner)
        spent["noise words, gathering, the rest"] = whole - sum(spent.values())
        return {part: seconds / len(self.windows) * 1e9 for part, seconds in spent.items()}


def shapes(settings: Settings) -> tuple[int, int, int, int]:
    """T, N, R and D of a block, as in w2v_core/fast/blocks.py."""
    length = settings.block_length
    candidates = length + 2 * settings.window + settings.shared_negatives
    return length, candidates, length + candidates, settings.vector_size


def work(settings: Settings) -> dict[str, float]:
    """For one kept word: FLOP of the products; bytes of rows, of gradients and of rows added to, there and back."""
    length, candidates, rows, dimensions = shapes(settings)
    return {"flop": 3 * 2 * candidates * dimensions, "bytes": 5 * 4 * rows * dimensions / length}


def small_products(settings: Settings) -> float:
    """FLOP/s of the three products of a block, a piece of blocks at a time, as the fast path calls them."""
    length, candidates, _, dimensions = shapes(settings)
    blocks = 1024 // length
    rng = np.random.default_rng(0)
    z, h = (rng.random((blocks, rows, dimensions), dtype=np.float32) for rows in (candidates, length))
    s, d_z, d_h = np.empty((blocks, candidates, length), np.float32), np.empty_like(z), np.empty_like(h)

    def multiply() -> None:
        np.matmul(z, h.transpose(0, 2, 1), out=s)
        np.matmul(s, h, out=d_z)
        np.matmul(s.transpose(0, 2, 1), z, out=d_h)

    return 3 * 2 * s.size * dimensions / fastest(multiply, 50)


def large_product() -> float:
    """FLOP/s of one large product of float32."""
    a, b, c = np.ones((3, LARGE, LARGE), np.float32)
    return 2 * LARGE**3 / fastest(lambda: np.matmul(a, b, out=c), 3)


def copy() -> float:
    """Bytes/s that a copy beyond the caches reads and writes."""
    source, target = np.ones(COPIED, np.uint8), np.ones(COPIED, np.uint8)
    return 2 * COPIED / fastest(lambda: np.copyto(target, source), 5)


def fastest(call: Callable[[], Any], times: int) -> float:
    """Seconds of the quickest of so many calls."""
    seconds = []
    for _ in range(times):
        started = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - started)
    return min(seconds)


if __name__ == "__main__":
    main()
