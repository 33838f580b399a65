"""What a sweep is to train, checked before anything starts; so nothing heavy is imported here."""

import logging
from pathlib import Path

from configs import grids
from configs.grids import Change
from configs.schema import Config
from flows.planning.plan import recipe
from tasks.datasets import outputs
from tasks.sweeps import candidates as sweeps_candidates
from tasks.sweeps.ranking import check_score
from tasks.tracking.names import LOSS

log = logging.getLogger("w2v")


OURS = "# The best of "  # how a config begins that a sweep has written, and may write again


def candidates(
    config: Config, grid: list[str], random: int | None, by: str, output: Path | None = None
) -> list[Change]:
    """What is to be trained. Raises ConfigError or InputError for whatever would stop one of them later."""
    if output:
        outputs.check([output], "--output", ours=OURS)
    named = grids.read(grid)
    changes = sweeps_candidates.every(named) if random is None else sweeps_candidates.drawn(named, random, config.seed)
    variants = [grids.changed(config, change) for change in changes]
    check_score(by, list(named), config.evaluation)
    for variant in variants:
        recipe(variant)  # looks at each file that a stage will read
    if by == LOSS and "training.objective" in named:
        log.warning(
            "⚠ J(θ) has two meanings here: a hierarchical softmax is judged by its own distribution, what other "
            "objectives have learnt by the softmax over the vocabulary. An evaluation set (--by) is fairer."
        )
    return changes
