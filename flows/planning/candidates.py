"""List and check a sweep's candidates before anything starts; slow imports are avoided here."""

import logging
from pathlib import Path

from configs import grids
from configs.grids import Change
from configs.schema import Config
from flows.planning.plan import recipe
from tasks.datasets import outputs
from tasks.sweeps.candidates import drawn, every
from tasks.sweeps.ranking import check_score
from tasks.tracking.names import LOSS

log = logging.getLogger("w2v")


OURS = "# The best of "  # the first words of a config written by a sweep, which may be overwritten


def candidates(
    config: Config, grid: list[str], random: int | None, by: str, output: Path | None = None
) -> list[Change]:
    """Return the changes that define the candidates.

    Raises ConfigError or InputError for anything that would make a candidate fail later.
    """
    if output:
        outputs.check([output], "--output", ours=OURS)
    named = grids.read(grid)
    changes = every(named) if random is None else drawn(named, random, config.seed)
    variants = [grids.changed(config, change) for change in changes]
    check_score(by, list(named), config.evaluation, config.tokenization)
    for variant in variants:
        recipe(variant)  # checks each file that a stage will read
    if by == LOSS and "training.objective" in named:
        log.warning(
            "⚠ J(θ) is not comparable here: for a hierarchical softmax it uses the tree's distribution, for the other "
            "objectives the softmax over the vocabulary. Rank by an evaluation set (--by) instead."
        )
    return changes
