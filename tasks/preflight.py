"""MLflow answers: asked before any work is done for a run that it could not hold."""

from prefect import task
from prefect.cache_policies import NO_CACHE

from configs.schema import Config
from tasks.engine.retries import may_pass
from tasks.tracking import session
from tasks.tracking.client import reached


@task(name="connection", task_run_name="connection", cache_policy=NO_CACHE, retry_condition_fn=may_pass)
def connection(config: Config) -> None:
    """Raises TrackingError if it does not, or refuses."""
    with reached(session.uri(config)) as client:
        client.search_experiments(max_results=1)
