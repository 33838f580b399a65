"""MLflow answers: asked before any work is done for a run that it could not hold."""

from prefect import task
from prefect.cache_policies import NO_CACHE

from configs.schema import Config
from tasks import _tracking
from tasks._reach import reached
from tasks.engine.retries import may_pass


@task(name="connection", task_run_name="connection", cache_policy=NO_CACHE, retry_condition_fn=may_pass)
def connection(config: Config) -> None:
    """Raises TrackingError if it does not, or refuses."""
    with reached(_tracking.uri(config)) as client:
        client.search_experiments(max_results=1)
