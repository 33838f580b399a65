"""Start and end the MLflow run of a flow run, as a retraining does, for tests that need a run without a training."""

from configs.schema import Config
from tasks.tracking.session import Tracker


def start_run(config: Config, flow_run_id: str, name: str = "", **tags: str) -> str:
    """Return the id of the flow run's MLflow run, which is RUNNING; `tags` are those of `Tracking.begin`."""
    return Tracker(config).begin(config, flow_run_id, name, **tags).run_id


def finish_run(config: Config, flow_run_id: str, status: str = "FINISHED") -> None:
    """End the flow run's MLflow run."""
    Tracker(config).finish(flow_run_id, status)
