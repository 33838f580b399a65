"""Finished stages with given vectors, for tests of what follows the training."""

from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from configs.schema import Config, Training
from tasks.datasets import contracts
from tasks.datasets.contracts import Contract
from tasks.datasets.files import digest_of
from tasks.engine import environment
from tasks.engine.stage import Context
from tasks.engine.store import Account, Dataset, Draft
from tasks.evaluation.stage import evaluation
from tasks.text.normalization import Rules
from tasks.vectors import tables
from w2v_core.subwords import Subwords

POINTS = 5  # of the curve
TEXT = Rules()


def vectors_of(
    context: Context,
    words: list[str],
    table: NDArray[Any],
    output: NDArray[Any] | None = None,
    counts: Any = None,
    earlier: NDArray[Any] | None = None,
    rules: Rules = TEXT,
    subwords: Subwords | None = None,
) -> Dataset:
    """A training output of two epochs: these vectors, and a curve that falls from 2 to 1 over 4,000 words.

    The `earlier` ones are those of the first epoch.
    """
    rows, size = table.shape
    known = {"word": words, "count": counts or list(range(rows, 0, -1))}
    second = _column(np.zeros_like(table) if output is None else output)
    seen = np.linspace(0, 4_000, POINTS).astype(int)
    curve = {
        "words": seen,
        "windows": seen,
        "updates": seen // 10,
        "epoch": seen / 2_000,
        "loss": [None, 2.0, 1.5, 1.2, 1.0],
        "learning_rate": np.linspace(0.025, 0, POINTS),
        "held_out_loss": [9.0, None, 6.0, None, 5.0],
    }
    files = {
        "vectors.parquet": (contracts.vectors(size), known | {"input": _column(table), "output": second}),
        "curve.parquet": (contracts.CURVE, curve),
    }
    if earlier is not None:
        columns = known | {"input": _column(earlier), "output": second}
        files[tables.EARLIER.format(1)] = contracts.vectors(size), columns
    if subwords:
        columns = {"bucket": subwords.bucket, "vector": _column(subwords.table)}
        files[tables.SUBWORDS] = contracts.subwords(size), columns
    speed = {"words_per_second": 1e5, "seconds": 0.04, "curve": [0.0, 1e5, 1e5, 1e5, 1e5]}
    return dataset(
        context,
        "training",
        files,
        {
            "vector_size": size,
            "words": 4_000,
            "speed": speed,
            "environment": environment.describe(),
            "rules": rules.dumps(),
            **({"subwords": subwords.grams._asdict()} if subwords else {}),
        },
    )


def windows_of(context: Context, document: list[int], center: list[int], radius: list[int]) -> Dataset:
    columns = {"document": document, "center": center, "radius": radius}
    return dataset(context, "windows", {"part-00000.parquet": (contracts.WINDOWS, columns)}, {"words": len(center)})


def finished_stages(
    config: Config,
    context: Context,
    words: list[str],
    table: NDArray[Any],
    text: str = "alpha beta",
    earlier: NDArray[Any] | None = None,
    subwords: Subwords | None = None,
) -> dict[str, Any]:
    """Return the arguments of `publish`: these vectors, evaluated on the sets of the config."""
    documents = {"document": [0], "source": ["a"], "text": [text]}
    tokens = {"document": [0], "tokens": [text.split()]}
    size = len(words)
    counted = {"word": words, "count": range(size, 0, -1), "keep_probability": [1.0] * size}
    facts = {"words": size, "occurrences": size * (size + 1) // 2}
    vectors = vectors_of(context, words, table, earlier=earlier, subwords=subwords)
    held_out = windows_of(context, [0, 0], [0, 1], [1, 1])
    judged = evaluation.compute(
        vectors=vectors,
        held_out=held_out,
        config=config.evaluation,
        training=Training(),
        window=5,
        seed=1,
        context=context,
    )
    return {
        "documents": dataset(context, "ingestion", {"part-00000.parquet": (contracts.DOCUMENTS, documents)}, {}),
        "tokens": dataset(context, "tokenization", {"part-00000.parquet": (contracts.TOKENS, tokens)}, {"tokens": 2}),
        "vocabulary": dataset(context, "vocabulary", {"vocabulary.parquet": (contracts.VOCABULARY, counted)}, facts),
        "held_out": held_out,
        "draws": [windows_of(context, [0, 0], [0, epoch], [1, 1]) for epoch in range(2)],
        "vectors": vectors,
        "evaluation": judged,
    }


def dataset(
    context: Context, stage: str, files: dict[str, tuple[Contract, dict[str, Any]]], facts: dict[str, Any]
) -> Dataset:
    def work(draft: Draft) -> Account:
        rows = 0
        for name, (contract, columns) in files.items():
            arrays = [pa.array(columns[field.name], field.type) for field in contract.schema]
            rows += contracts.write(draft.file(name), contract, pa.table(arrays, contract.schema))
        draft.facts.update(facts)
        return Account(unit="rows", read=rows, written=rows)

    key = digest_of([stage, facts, {name: repr(columns) for name, (_, columns) in files.items()}])
    return context.store.make(stage, key, {"code": "", "outside": None}, work, lambda *_: None)


def _column(table: NDArray[Any]) -> pa.Array:
    return pa.FixedSizeListArray.from_arrays(pa.array(table.astype(np.float32).ravel()), table.shape[1])
