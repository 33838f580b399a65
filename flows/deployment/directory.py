"""Make a deployed flow run work in the directory where `w2v deploy` was called.

Prefect's own step for that puts the directory first on the flow run's import path, so a user's `tasks.py` or `flows/`
would be imported instead of ours. So a run starts in an empty folder of the worker, and enters the directory after its
flow has been imported.
"""

import os

VARIABLE = "W2V_DIRECTORY"


def choose(directory: str) -> dict[str, str]:
    """Record the directory for the process that runs the flow; called by the step `pull` of prefect.yaml."""
    os.environ[VARIABLE] = directory
    return {}


def enter() -> None:
    """Change to the recorded directory, if any."""
    if directory := os.environ.get(VARIABLE):
        os.chdir(directory)
