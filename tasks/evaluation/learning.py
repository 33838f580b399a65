"""Has the training learnt anything? Absolute limits that hold whatever else was trained, before or beside it.

    moved       the vectors are not those of the start
    collapsed   frequent words do not all point one way: their mean cosine is below `promotion.max_cosine`
    better      J(θ) on the held-out windows is lower than before the training by `promotion.min_gain`
    floors      each score that `promotion.floors` names is there, and at least as high

Before the training means its start; where that is an earlier one's vectors, a uniform guess over the vocabulary.
"""

from collections.abc import Mapping
from math import log
from typing import Any

import numpy as np

from configs.schema import Promotion
from tasks.datasets import contracts
from tasks.engine.store import Dataset
from tasks.vectors import tables
from w2v_core.model import initial
from w2v_core.randomness import generator

TAG = "w2v.nothing_learnt"  # of a run: what is wrong with its vectors
STILL = 1e-9  # of a loss, in float64: a change below this is rounding
NEAR = 1e-6  # of a component, in float32
LOSS, PER_PAIR, COSINE = "loss/held_out", "loss/held_out_per_pair", "vectors/mean_cosine"


def learning(vectors: Dataset, metrics: Mapping[str, float], objective: str, seed: int) -> dict[str, Any]:
    """What the limits go by beside the metrics: whether the vectors have moved, and J(θ) without the training."""
    curve = contracts.read(vectors.path / "curve.parquet", contracts.CURVE)
    judged = curve["held_out_loss"].drop_null().to_pylist()
    if LOSS in metrics and len(judged) > 1:
        moved = max(judged) - min(judged) > STILL * abs(judged[0])
    else:
        moved = _moved(vectors, seed)
    return {"moved": moved, "before": _before(vectors, metrics, judged, objective)}


def _moved(vectors: Dataset, seed: int) -> bool:
    """Whether the vectors are others than a cold start's; a warm start's are not looked up."""
    if "warm_start" in vectors.manifest.facts:
        return True
    table = tables.load(vectors).table
    start = initial(*table.shape, rng=generator(seed, "initial vectors")).input
    return bool(np.abs(table - start).max() > NEAR * np.abs(start).max())


def _before(vectors: Dataset, metrics: Mapping[str, float], judged: list[float], objective: str) -> float | None:
    """None where no window was held out, or (hierarchical softmax) a uniform guess is not what it starts from."""
    if LOSS not in metrics or not judged:
        return None
    if "warm_start" not in vectors.manifest.facts:
        return judged[0]
    if objective == "hierarchical_softmax":
        return None
    words = next(file.rows for file in vectors.manifest.files if file.name == tables.FINAL)
    return log(words or 1) * metrics[LOSS] / metrics[PER_PAIR]


def faults(facts: Mapping[str, Any], rule: Promotion) -> list[str]:
    """What is wrong with the vectors of an evaluation with these facts; an evaluation of an older version has fewer."""
    metrics, learnt = facts["metrics"], facts.get("learning", {})
    found = []
    if not learnt.get("moved", True):
        found.append("the vectors have not moved from where they started")
    elif (before := learnt.get("before")) and metrics[LOSS] > before * (1 - rule.min_gain):
        found.append(
            f"J(θ) on held-out windows is {metrics[LOSS]:.4f}, no better than {before:.4f} without the training"
        )
    if metrics.get(COSINE, 0.0) >= rule.max_cosine:
        found.append(
            f"the vectors have collapsed: two frequent words have a cosine of {metrics[COSINE]:.2f} on average"
        )
    for score, floor in rule.floors.items():
        if score not in metrics:
            found.append(f"{score} has a floor of {floor:g}, and no value")
        elif metrics[score] < floor:
            found.append(f"{score} is {metrics[score]:.3f}, below its floor of {floor:g}")
    return found


def warning(facts: Mapping[str, Any], rule: Promotion) -> str:
    """The same as one paragraph with what to do about it; nothing if there is no fault."""
    found = faults(facts, rule)
    if not found:
        return ""
    said = "; ".join(found)
    return (
        f"{said[0].upper()}{said[1:]}. Such vectors do not become champion. Take more text, more epochs "
        "(training.epochs), a higher training.learning_rate, or a lower vocabulary.min_count."
    )
