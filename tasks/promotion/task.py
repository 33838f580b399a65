"""Decide whether a published run becomes champion, or stays a challenger."""

import logging
from pathlib import Path

from prefect import task
from prefect.cache_policies import NO_CACHE

from configs.schema import Config
from tasks import notifications
from tasks.engine.retries import may_pass
from tasks.engine.stage import Context
from tasks.promotion.decision import decide, lock_of_promotions, record
from tasks.tracking import registry
from tasks.tracking.registry import Decision

log = logging.getLogger("w2v")


@task(name="promotion", task_run_name="promotion", cache_policy=NO_CACHE, retry_condition_fn=may_pass)
def promotion(config: Config, context: Context) -> Decision:
    """Decide about the version of the run of `context`; repeat only the recording of an earlier decision."""
    workspace = Path(context.runtime.workspace)
    with lock_of_promotions(workspace):
        model = registry.model(context.tracking_uri, config.tracking.registered_model)
        version = model.of_run(context.run_id)
        decided = bool(version.decisions)
        if decided:
            decision = version.decisions[-1]
        else:
            model = registry.challenge(model, version)
            decision = decide(model, version, config.promotion)
        record(workspace, model, decision)
    log.info("✓ %-12s %s", "promotion", decision.sentence)
    if not decided:
        notifications.tell(config.notify, notifications.of_decision(config.promotion, model, decision))
    return decision
