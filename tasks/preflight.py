"""Check that MLflow can be reached, before any work for a run that it could not store."""

from prefect import task
from prefect.cache_policies import NO_CACHE

from configs.schema import Config
from tasks.engine.retries import may_pass
from tasks.tracking import session
from tasks.tracking.client import reached


@task(name="connection", task_run_name="connection", cache_policy=NO_CACHE, retry_condition_fn=may_pass)
def connection(config: Config) -> None:
    """Raises TrackingError if MLflow cannot be reached, or refuses."""
    with reached(session.uri(config)) as client:
        client.search_experiments(max_results=1)
