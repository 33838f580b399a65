"""The part that runs the flows: deploy them, then become Prefect's process worker.

python -m flows.service.worker CONFIG [SECTION.KEY=VALUE …]
"""

import os
import signal
import sys
from pathlib import Path

from flows.service.components import POOL
from tasks.engine.environment import MODULE

if __name__ == "__main__":
    from flows.deployment.deploy import deploy

    deploy(Path(sys.argv[1]), sys.argv[2:])
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # a worker interrupts itself to stop, so SIGINT must not be ignored
    command = [
        *MODULE,
        "flows.deployment.prefect_program",
        "worker",
        "start",
        "--pool",
        POOL,
        "--type",
        "process",
        "--name",
        POOL,
    ]
    os.execv(command[0], command)
