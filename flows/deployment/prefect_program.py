"""Prefect's command line with our packages loaded: `python -P -m flows.deployment.prefect_program` for `prefect`.

Prefect imports what prefect.yaml names with the working directory first on the path, where a user may have a package
`flows` or `tasks`. What has been imported is not looked for.
"""

from prefect.cli import app

import configs  # noqa: F401
import tasks  # noqa: F401
import w2v_core  # noqa: F401

if __name__ == "__main__":
    app()
