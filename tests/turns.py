"""A process that has its turn at a result, for tests of what others do meanwhile."""

import time
from uuid import uuid4

from configs.schema import Config
from flows.surroundings import quiet
from tasks import _tracking
from tasks._runs import Run


def work(config: Config, recipe: str, seconds: float) -> str:
    """Begin; unless another process has made the result, take so long to make it."""
    quiet()
    flow_run_id = str(uuid4())
    run_id, made = _tracking.begin(config, flow_run_id, recipe=recipe)
    print("made" if made else "begun", run_id, flush=True)
    if not made:
        time.sleep(seconds)
        Run(_tracking.uri(config), run_id).tag({_tracking.RESULT: recipe})
        _tracking.finish_flow_run(config, flow_run_id, "FINISHED")
    return run_id
