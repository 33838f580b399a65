"""What has to be so around the program before Prefect and MLflow are loaded."""

import logging
import os
import sys
from pathlib import Path

from configs.addresses import shown
from tasks.display.terminal import Visible

# of each process that runs a flow, also of those that a worker starts
ELSEWHERE = {
    "PREFECT_LOGGING_EXTRA_LOGGERS": "w2v",
    "PREFECT_RESULTS_DEFAULT_SERIALIZER": "json",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "PYTHONSAFEPATH": "1",  # the working directory is a user's, who may have a tasks.py or flows/ there
}
HERE = {
    # else a server that was killed with a run at work would think for ever that it is still running
    "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "prefect.server.concurrency.lease_storage.filesystem",
    "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL",
    "PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW": "ignore",  # what a command says between two flows
    "PREFECT_LOGGING_INTERNAL_LEVEL": "CRITICAL",  # each event that a server which is away has missed
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "UVICORN_APP_DIR": str(Path(sys.executable).parent),  # of MLflow's server; by default, the working directory
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",
}

PATIENT = {"PREFECT_SERVER_DATABASE_TIMEOUT": "60"}  # seconds that Prefect's server waits for a locked database


class Masking(Visible):
    """The same without the secrets of addresses, whoever quotes them."""

    def format(self, record: logging.LogRecord) -> str:
        return shown(super().format(record))


def settle(workspace: Path) -> None:
    """Give Prefect and MLflow their folders in the workspace, unless the user has others."""
    from tasks.engine import scratch
    from tasks.errors import StoreError
    from tasks.tracking.database_paths import check_name
    from tasks.tracking.relocation import relocate

    check_name(workspace)
    relocate(workspace)
    home = Path(os.environ.setdefault("PREFECT_HOME", str(workspace.absolute() / "prefect")))
    try:
        home.parent.mkdir(parents=True, exist_ok=True)
        home.mkdir(mode=0o700, exist_ok=True)  # flow runs and logs are for this account
    except OSError as error:
        raise StoreError(
            f"{home}: the workspace cannot be written ({error.strerror}).\n"
            "Make the folder writable, or choose another with --set runtime.workspace=FOLDER."
        ) from error
    if "?" in str(home):  # which Prefect would take for the end of the path
        from tasks.tracking.database_paths import address_of

        database = address_of(home / "prefect.db").replace("pysqlite", "aiosqlite", 1)
        os.environ.setdefault("PREFECT_SERVER_DATABASE_CONNECTION_URL", database)
    scratch.settle(workspace)


def quiet() -> None:
    """Our own progress on the terminal, and nothing of Prefect's, whose page has it all; nobody is called home."""
    for name, value in (ELSEWHERE | HERE).items():
        os.environ.setdefault(name, value)
    terminal = logging.StreamHandler(sys.stderr)
    terminal.setFormatter(Masking("%(message)s"))
    log = logging.getLogger("w2v")
    log.addHandler(terminal)
    log.setLevel(logging.INFO)
