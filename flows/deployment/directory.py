"""The directory in which a deployed flow run works: the one where `w2v deploy` was called.

Prefect's own step for that puts the directory first on the path of the flow run, before our packages: there a user's
`tasks.py` or `flows/` would be imported in their place. So a run starts in the worker's empty folder, and enters the
directory once its flow has been imported.
"""

import os

VARIABLE = "W2V_DIRECTORY"


def choose(directory: str) -> dict[str, str]:
    """Note the directory for the process that runs the flow: the step `pull` of prefect.yaml."""
    os.environ[VARIABLE] = directory
    return {}


def enter() -> None:
    """Go to the directory that was chosen, if any."""
    if directory := os.environ.get(VARIABLE):
        os.chdir(directory)
