"""Has the training learnt anything? Absolute limits that do not depend on other runs.

    moved       the vectors differ from the initial ones
    collapsed   frequent words do not all point one way: their mean cosine is below `promotion.max_cosine`
    better      J(θ) on the held-out windows is lower than before the training by `promotion.min_gain`
    floors      each score that `promotion.floors` names exists and is at least as high

"Before the training" is its start; after a warm start it is a uniform guess over the vocabulary.
"""

from collections.abc import Mapping
from math import log

import numpy as np

from configs.schema import Promotion
from tasks.datasets import contracts
from tasks.engine.facts import EvaluationFacts, Learning, VectorsFacts, recorded
from tasks.engine.store import Dataset
from tasks.tracking.names import LOSS, LOSS_PER_PAIR, MEAN_COSINE
from tasks.vectors import tables
from w2v_core.model import initial
from w2v_core.randomness import generator

STILL = 1e-9  # relative change of a float64 loss that counts as rounding
NEAR = 1e-6  # the same for a float32 component


def learning(vectors: Dataset, metrics: Mapping[str, float], objective: str, seed: int) -> Learning:
    """Return what the limits need beside the metrics: whether the vectors moved, and J(θ) before the training."""
    curve = contracts.read(vectors.path / "curve.parquet", contracts.CURVE)
    judged = curve["held_out_loss"].drop_null().to_pylist()
    if LOSS in metrics and len(judged) > 1:
        moved = max(judged) - min(judged) > STILL * abs(judged[0])
    else:
        moved = _moved(vectors, seed)
    return {"moved": moved, "before": _before(vectors, metrics, judged, objective)}


def _moved(vectors: Dataset, seed: int) -> bool:
    """Return True if the vectors differ from those of a cold start; after a warm start or with subwords, assume so."""
    if {"warm_start", "subwords"} & recorded(VectorsFacts, vectors).keys():
        return True
    table = tables.load(vectors).table
    start = initial(*table.shape, rng=generator(seed, "initial vectors")).input
    return bool(np.abs(table - start).max() > NEAR * np.abs(start).max())


def _before(vectors: Dataset, metrics: Mapping[str, float], judged: list[float], objective: str) -> float | None:
    """Return J(θ) before training; None if unknown: no held-out window, or a warm start of hierarchical softmax."""
    if LOSS not in metrics or not judged:
        return None
    if "warm_start" not in recorded(VectorsFacts, vectors):
        return judged[0]
    if objective == "hierarchical_softmax":
        return None
    words = next(file.rows for file in vectors.manifest.files if file.name == tables.FINAL)
    return log(words or 1) * metrics[LOSS] / metrics[LOSS_PER_PAIR]


def faults(judged: EvaluationFacts, rule: Promotion) -> list[str]:
    """Return the faults of the vectors by the facts of their evaluation; an older version recorded fewer facts."""
    metrics, learnt = judged["metrics"], judged.get("learning") or Learning(moved=True, before=None)
    found = []
    if not learnt["moved"]:
        found.append("the vectors have not moved from their start")
    elif (before := learnt["before"]) and metrics[LOSS] > before * (1 - rule.min_gain):
        found.append(
            f"J(θ) on held-out windows is {metrics[LOSS]:.4f}, no better than {before:.4f} without the training"
        )
    if metrics.get(MEAN_COSINE, 0.0) >= rule.max_cosine:
        found.append(
            f"the vectors have collapsed: two frequent words have a cosine of {metrics[MEAN_COSINE]:.2f} on average"
        )
    for score, floor in rule.floors.items():
        if score not in metrics:
            found.append(f"{score} has a floor of {floor:g}, but no value")
        elif metrics[score] < floor:
            found.append(f"{score} is {metrics[score]:.3f}, below its floor of {floor:g}")
    return found


def warning(judged: EvaluationFacts, rule: Promotion) -> str:
    """Return the faults as one paragraph with advice; empty if there are none."""
    found = faults(judged, rule)
    if not found:
        return ""
    sentence = "; ".join(found)
    return (
        f"{sentence[0].upper()}{sentence[1:]}. Such vectors do not become champion. Use more text, more epochs "
        "(training.epochs), a higher training.learning_rate, or a lower vocabulary.min_count."
    )
