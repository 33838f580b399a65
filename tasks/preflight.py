"""Check that MLflow can be reached, before any work for a run that it could not store."""

from prefect import task
from prefect.cache_policies import NO_CACHE

from tasks.engine.retries import may_pass
from tasks.tracking.session import Tracker


@task(name="connection", task_run_name="connection", cache_policy=NO_CACHE, retry_condition_fn=may_pass)
def connection(tracker: Tracker) -> None:
    """Raises TrackingError if MLflow cannot be reached, or refuses."""
    tracker.check_reachable()
