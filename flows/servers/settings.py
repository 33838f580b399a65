"""Environment variables and logging to set before importing Prefect and MLflow."""

import logging
import os
import sys
from pathlib import Path

from configs.addresses import shown
from tasks.display.terminal import Visible

# for every process that runs a flow, also those started by a worker
ELSEWHERE = {
    "PREFECT_LOGGING_EXTRA_LOGGERS": "w2v",
    "PREFECT_RESULTS_DEFAULT_SERIALIZER": "json",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "PYTHONSAFEPATH": "1",  # the user's working directory may hold a tasks.py or flows/
}
# for the processes of commands
HERE = {
    # in memory, the default, a lease of a killed server would never expire, and its run would count as running for ever
    "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "prefect.server.concurrency.lease_storage.filesystem",
    "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL",
    "PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW": "ignore",  # a command also logs between flows
    "PREFECT_LOGGING_INTERNAL_LEVEL": "CRITICAL",  # else each event lost while a server is away is logged
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "UVICORN_APP_DIR": str(Path(sys.executable).parent),  # for MLflow's server; the default is the working directory
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",
}

PATIENT = {"PREFECT_SERVER_DATABASE_TIMEOUT": "60"}  # seconds that Prefect's server waits for a locked database


class Masking(Visible):
    """Mask the secrets of addresses in every log record."""

    def format(self, record: logging.LogRecord) -> str:
        return shown(super().format(record))


def settle(workspace: Path) -> None:
    """Set Prefect's and MLflow's folders in the workspace, unless the user has set others.

    Raises StoreError if the workspace cannot be written.
    """
    from tasks.engine import scratch
    from tasks.errors import StoreError
    from tasks.tracking.database_paths import check_name
    from tasks.tracking.relocation import relocate

    check_name(workspace)
    relocate(workspace)
    home = Path(os.environ.setdefault("PREFECT_HOME", str(workspace.absolute() / "prefect")))
    try:
        home.parent.mkdir(parents=True, exist_ok=True)
        home.mkdir(mode=0o700, exist_ok=True)  # flow runs and logs are private to this account
    except OSError as error:
        raise StoreError(
            f"{home}: the workspace cannot be written ({error.strerror}).\n"
            "Make the folder writable, or choose another with --set runtime.workspace=FOLDER."
        ) from error
    if "?" in str(home):  # Prefect would end the path at the question mark
        from tasks.tracking.database_paths import address_of

        database = address_of(home / "prefect.db").replace("pysqlite", "aiosqlite", 1)
        os.environ.setdefault("PREFECT_SERVER_DATABASE_CONNECTION_URL", database)
    scratch.settle(workspace)


def quiet() -> None:
    """Log our own progress to the terminal, but nothing of Prefect's; send no telemetry."""
    for name, value in (ELSEWHERE | HERE).items():
        os.environ.setdefault(name, value)
    terminal = logging.StreamHandler(sys.stderr)
    terminal.setFormatter(Masking("%(message)s"))
    log = logging.getLogger("w2v")
    log.addHandler(terminal)
    log.setLevel(logging.INFO)
