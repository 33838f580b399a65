"""Do this project and gensim learn the same, where all that can be made equal is equal? Scores and neighbours.

    make agreement

Equal are the text, in documents of 1,000 words that come in random order; the windows, none of them shortened; noise
words drawn for each pair; the Huffman tree; a beginning within ±1/D; and steps small enough, 16 windows undamped, to do
for gensim's pair by pair. For CBOW, gensim leaves the factor 1/n out of the gradient of the mean. Where all windows
have n context words, that is the exact gradient for scaled vectors: v = n^¼·v′ and u = u′/n^¼ have the same scores, and
move as gensim's do if their learning rate is √n times its.

Beside it, what a user gets who sets no more than the scenario does: blocks, damping, longer beginnings. And gensim as
it is used, which reads the text in its order: the last documents bear on all of its seeds alike.
"""

import json
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from benchmarks.page import HERE, OURS, PEER, read_scenarios, write_page
from benchmarks.side_by_side import contestants, cut_text, judge, machine, parse, read, scores
from configs.schema import Training
from tasks.settings import settings_of
from tasks.vectors.distance import distance
from tasks.vectors.tables import WordVectors
from w2v_core.batches import MiniBatches
from w2v_core.factory import learner
from w2v_core.model import initial
from w2v_core.objectives.hierarchical_softmax import HierarchicalSoftmax
from w2v_core.objectives.huffman import Paths
from w2v_core.randomness import generator
from w2v_core.training import Settings, train
from w2v_core.vocabulary import keep_probabilities
from w2v_core.windows import Windows, draw, everything

SCENARIOS = ("wikipedia-100mb", "hierarchical-softmax", "cbow", "cbow-hierarchical-softmax")
MEGABYTES, EPOCHS, SEEDS = 5, 3, (1, 2, 3)
SHARD = 250_000  # windows
IN_ORDER, ALIKE = "gensim, in order", "ours, alike"
Table = NDArray[np.float32]  # (V, D)
WHO = (PEER, IN_ORDER, ALIKE, OURS)


def main() -> None:
    options = parse([])
    work = options.work.absolute()
    work.mkdir(parents=True, exist_ok=True)
    text = cut_text(options.text, MEGABYTES, work)
    gensim = next(contestants(options, {"peer": True, "architecture": "", "objective": ""}))
    defaults, scenarios = read_scenarios()
    cases = [
        {
            **defaults,
            **scenarios[name],
            "epochs": EPOCHS,
            "threads": 1,
            "seed": seed,
            "shrink_windows": False,
            "tree": True,
            "output": str(work / f"agreement-{name}-{seed}"),
        }
        for name, seed in product(SCENARIOS, SEEDS)
    ]
    with ProcessPoolExecutor() as processes:
        for case in processes.map(partial(learn, text, gensim[1:]), cases):
            print(case["output"], flush=True)
    named = dict(zip(product(SCENARIOS, SEEDS), cases, strict=True))
    rows = [row for name in SCENARIOS for row in compare([named[name, seed] for seed in SEEDS])]
    record = {"machine": machine(), "megabytes": MEGABYTES, "epochs": EPOCHS, "seeds": len(SEEDS), "rows": rows}
    (HERE / "results" / "agreement.json").write_text(json.dumps(record, indent=1) + "\n")
    write_page()


def learn(text: Path, gensim: tuple[Path, list[str]], case: dict[str, Any]) -> dict[str, Any]:
    """The vectors of all four, beside the case's output."""
    python, program = gensim
    output = case["output"]
    for name, shuffle in {PEER: True, IN_ORDER: False}.items():
        command = [str(python), *program, str(text), f"{output}-{name}", json.dumps({**case, "shuffle": shuffle})]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    corpus = Corpus(text, read(Path(f"{output}-{PEER}")).words, case)
    with threadpool_limits(1, "blas"):
        for name, train_one in {ALIKE: corpus.alike, OURS: corpus.shipped}.items():
            np.save(f"{output}-{name}.npy", train_one())
            Path(f"{output}-{name}.txt").write_text("\n".join(corpus.words))
    return case


class Corpus:
    """The text in memory, its words in gensim's order."""

    def __init__(self, text: Path, words: list[str], case: dict[str, Any]) -> None:
        self.words, self.case = words, case
        known = {word: row for row, word in enumerate(words)}
        documents = [line.split() for line in text.read_text().splitlines()]
        found = Counter(word for document in documents for word in document)
        self.counts = np.array([found[word] for word in words], np.int64)
        self.id = np.array([known[word] for document in documents for word in document if word in known], np.int32)
        sizes = [sum(word in known for word in document) for document in documents]
        self.document = np.repeat(np.arange(len(sizes), dtype=np.int32), sizes)
        self.keep = keep_probabilities(self.counts, case["subsample"])

    def shipped(self) -> Table:
        return self.train(self.settings(**self.case["ours"]), in_shards)

    def alike(self) -> Table:
        n = 2 * self.case["window"] if self.case["architecture"] == "cbow" else 1
        rates = {name: self.case[name] * n**0.5 for name in ("learning_rate", "min_learning_rate")}
        settings = replace(self.settings(), batch_size=16, shared_negatives=0, damping=1e9, **rates)
        tree = Path(f"{self.case['output']}-{PEER}.tree.npz")
        paths = Paths(**np.load(tree)) if tree.exists() else None
        return self.train(settings, by_documents, n**-0.25 / settings.vector_size, paths)

    def settings(self, **ours: Any) -> Settings:
        names = ("architecture", "objective", "vector_size", "negatives", "learning_rate", "min_learning_rate")
        shared = {name: self.case[name] for name in (*names, "epochs")}
        return settings_of(Training(**{**shared, **ours}), self.case["window"], self.case["seed"])

    def train(self, settings: Settings, cut: "Cut", reach: float | None = None, tree: Paths | None = None) -> Table:
        """The input vectors, which begin within ±reach."""
        model = initial(len(self.words), settings.vector_size, rng=generator(settings.seed, "initial vectors"))
        if reach:
            model.input[:] *= np.float32(reach / abs(model.input).max())
        epochs = [self.windows(settings, epoch) for epoch in range(settings.epochs)]
        rows = [len(windows) for windows in epochs]
        learning = learner(settings, model, self.counts, rows.__getitem__)
        if tree:
            assert isinstance(learning, MiniBatches)
            assert isinstance(learning.objective, HierarchicalSoftmax)
            learning.objective.paths = tree

        def shards(epoch: int, first: int) -> Iterator[Windows]:
            return cut(epochs[epoch], generator(settings.seed, "documents", epoch))

        for _ in train(learning, settings, model, shards, rows.__getitem__):
            pass
        return model.input

    def windows(self, settings: Settings, epoch: int) -> Windows:
        rng = generator(settings.seed, "windows", epoch)
        drawn = draw(self.document, self.id, self.keep, settings.window, rng=rng)
        return everything(drawn.document, drawn.center, settings.window)


Cut = Callable[[Windows, np.random.Generator], Iterator[Windows]]


def in_shards(windows: Windows, rng: np.random.Generator) -> Iterator[Windows]:
    """In the order of the text."""
    return (windows[start : start + SHARD] for start in range(0, len(windows), SHARD))


def by_documents(windows: Windows, rng: np.random.Generator) -> Iterator[Windows]:
    """In random order. A shard's windows come in random order as well, so here a document's do."""
    ends = [*np.flatnonzero(np.diff(windows.document)) + 1, len(windows)]
    parts = [slice(*part) for part in zip([0, *ends[:-1]], ends, strict=True)]
    return (windows[parts[place]] for place in rng.permutation(len(parts)))


def compare(cases: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A row for each: its scores, and the neighbours shared by two of its seeds, and by one of it and one of gensim."""
    spaces = {who: [read(Path(f"{case['output']}-{who}")) for case in cases] for who in WHO}
    rows = []
    for who, found in spaces.items():
        judged = [scores(judge(space)) for space in found]
        own = [share(a, b) for number, a in enumerate(found) for b in found[:number]]
        peer = [share(a, b) for i, a in enumerate(found) for j, b in enumerate(spaces[PEER]) if i != j]
        rows.append(
            {
                "architecture": cases[0]["architecture"],
                "objective": cases[0]["objective"],
                "who": who,
                "scores": {name: [each[name] for each in judged] for name in judged[0]},
                "shared with itself": own,
                "shared with gensim": peer,
            }
        )
    return rows


def share(a: WordVectors, b: WordVectors) -> float | None:
    return distance(a, b).neighbor_overlap


if __name__ == "__main__":
    main()
