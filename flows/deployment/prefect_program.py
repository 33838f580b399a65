"""Prefect's command line with our packages loaded: `python -P -m flows.deployment.prefect_program` for `prefect`.

Prefect puts the working directory first on the import path, where a user may have a package `flows` or `tasks`. Ours
are imported before, so Python does not look for them there.
"""

from prefect.cli import app

import configs  # noqa: F401
import tasks  # noqa: F401
import w2v_core  # noqa: F401

if __name__ == "__main__":
    app()
