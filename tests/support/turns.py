"""A process that is making a result, for tests of processes that wait for it."""

import time
from uuid import uuid4

from configs.schema import Config
from flows.servers.settings import quiet
from tasks.tracking import address, names
from tasks.tracking.run import Run
from tasks.tracking.session import Tracker
from tasks.tracking.single_flight import Turn
from tests.support.runs import finish_run


def work(config: Config, recipe: str, seconds: float) -> Turn:
    """Begin the run; unless another process has made the result, take some time to make it."""
    quiet()
    flow_run_id = str(uuid4())
    turn = Tracker(config).begin(config, flow_run_id, recipe=recipe)
    run_id, made = turn
    if not made:
        time.sleep(seconds)
        Run(address.uri(config), run_id).tag({names.RESULT: recipe})
        finish_run(config, flow_run_id, "FINISHED")
    return turn
