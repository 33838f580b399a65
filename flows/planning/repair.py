"""Repair a finished run of which MLflow has lost something: publish it again, and decide about a new version."""

import logging
from pathlib import Path

from configs.schema import Config
from flows.planning.pipeline import Outputs
from tasks.engine.file_lock import Held
from tasks.engine.stage import Context
from tasks.maintenance import integrity
from tasks.tracking.session import Tracker

log = logging.getLogger("w2v")
NAMED = 3  # missing items that the warning lists


def mend(config: Config, tracker: Tracker, outputs: Outputs, run_id: str) -> None:
    """Publish the run again if MLflow lacks any part of it."""
    with Held(Path(config.runtime.workspace) / "mending.lock"):  # of two processes, the second finds nothing to repair
        gone = integrity.gone(tracker.run(run_id), config.tracking.registered_model)
        if not gone:
            return
        from tasks.promotion.task import promotion  # imports Prefect and Matplotlib, seldom needed
        from tasks.publication import publish

        more = f" and {len(gone) - NAMED} more" if len(gone) > NAMED else ""
        log.warning("⚠ run %s lacks %s%s: it is published again", run_id, ", ".join(gone[:NAMED]), more)
        context = Context(runtime=config.runtime, tracking_uri=tracker.uri, run_id=run_id)
        publish.fn(config=config, **outputs.trained._asdict(), evaluation=outputs.evaluation, context=context)
        if config.promotion.automatic:
            promotion.fn(config=config, context=context)
