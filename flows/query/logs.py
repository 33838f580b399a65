"""Read the log of a flow run: from Prefect's server if one is named or up, else from the workspace's database."""

import logging
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from pathlib import Path
from uuid import UUID

PAGE = 200  # lines in one of Prefect's answers
LINES = "SELECT timestamp, level, message FROM log WHERE flow_run_id = ? ORDER BY timestamp, id"


def lines(workspace: Path, flow_run: str) -> Iterator[str]:
    """Yield the lines of a flow run's log, each with its time, and its level if it warns."""
    for when, level, message in (
        _of_server(flow_run) if os.environ.get("PREFECT_API_URL") else _kept(workspace, flow_run)
    ):
        warns = f"{logging.getLevelName(level)} " if level >= logging.WARNING else ""
        yield f"{when.astimezone():%Y-%m-%d %H:%M:%S}  {warns}{message}"


def _of_server(flow_run: str) -> Iterator[tuple[datetime, int, str]]:
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import LogFilter, LogFilterFlowRunId
    from prefect.client.schemas.sorting import LogSort

    wanted = LogFilter(flow_run_id=LogFilterFlowRunId(any_=[UUID(flow_run)]))
    with get_client(sync_client=True) as client:
        offset = 0
        while page := client.read_logs(wanted, limit=PAGE, offset=offset, sort=LogSort.TIMESTAMP_ASC):
            yield from ((each.timestamp, each.level, each.message) for each in page)
            offset += len(page)


def _kept(workspace: Path, flow_run: str) -> Iterator[tuple[datetime, int, str]]:
    """Yield what a temporary server has kept, whose start would take seconds; the tables are Prefect's."""
    home = Path(os.environ.get("PREFECT_HOME") or workspace / "prefect")
    database = home / "prefect.db"
    if not database.exists():
        return
    with closing(sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro", uri=True)) as reading:
        for when, level, message in reading.execute(LINES, [flow_run]):
            yield datetime.fromisoformat(f"{when}+00:00"), level, message
