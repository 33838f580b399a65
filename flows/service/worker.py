"""The part that does the work: deploys the flows, then becomes Prefect's process worker.

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
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # a worker told to end interrupts itself, and would not hear of it
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
