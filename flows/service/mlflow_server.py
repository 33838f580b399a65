"""The part that serves MLflow: create the tables, as a retraining would, then become MLflow's server.

python -m flows.service.mlflow_server OPTION …
"""

import os
import sys

from tasks.engine.environment import MODULE
from tasks.tracking.client import reached

if __name__ == "__main__":
    with reached(os.environ["MLFLOW_BACKEND_STORE_URI"]):
        command = [*MODULE, "mlflow", "server", *sys.argv[1:]]
    os.execv(command[0], command)
