"""Write Prefect artifacts: a link to the MLflow run, its scores and report, decisions and comparisons."""

import json
import logging
import os
import re
from contextlib import suppress
from typing import Any
from uuid import UUID

from configs.addresses import public, shown
from tasks.display import markdown
from tasks.tracking.contents import columns
from tasks.tracking.run import Run

log = logging.getLogger("w2v")


def announce(run: Run, scores: list[dict[str, Any]], page: str) -> None:
    """Write link, table and page as artifacts of the flow run, and add the run's id to its labels."""
    from prefect.context import FlowRunContext

    flow = FlowRunContext.get()
    if flow is None or flow.flow_run is None:
        return
    rows = [{name: _short(value) for name, value in row.items()} for row in scores]
    _link(flow.flow_run.id, run, f"MLflow run {run.id}")
    _put(flow.flow_run.id, "scores", json.dumps(rows), "Scores with their 95% intervals", "table")
    _put(flow.flow_run.id, "report", page, _headline(page))


def announce_found(run: Run) -> None:
    """Link the flow run to the earlier run with the same result, and mark it so in its name."""
    from prefect.context import FlowRunContext

    flow = FlowRunContext.get()
    if flow is None or flow.flow_run is None:
        return
    _link(flow.flow_run.id, run, f"Nothing to do: MLflow run {run.id} has this result")
    mark("nothing to do")


def mark(what: str) -> None:
    """Add to the name of the flow run what became of it, so that Prefect's lists show it."""
    from httpx import HTTPError
    from prefect.client.orchestration import get_client
    from prefect.context import FlowRunContext

    flow = FlowRunContext.get()
    if flow is None or flow.flow_run is None:
        return
    name = flow.flow_run.name.removesuffix(f": {what}")  # a flow that is retried has it already
    with suppress(HTTPError), get_client(sync_client=True) as client:
        client.set_flow_run_name(flow.flow_run.id, f"{name}: {what}")


def announce_page(page: str, key: str, description: str) -> None:
    """Write a Markdown page as an artifact of the flow run, or of a permanent server; start no temporary one.

    The page describes what is done already, so a server that cannot be reached only causes a warning.
    """
    from httpx import HTTPError
    from prefect.context import FlowRunContext

    if flow := FlowRunContext.get():
        _put(flow.flow_run.id if flow.flow_run else None, key, page, description)
    elif server := os.environ.get("PREFECT_API_URL"):
        try:
            _put(None, key, page, description)
        except HTTPError as error:
            log.warning(
                "⚠ could not notify Prefect at %s (%s); MLflow has everything.",
                shown(server),
                shown(str(error), server),
            )


def link(run: Run, artifact: str = "") -> str:
    """Return the URL of the run or of one of its files: on its server, without password, or at `w2v ui`."""
    place = f"experiments/{run.record.info.experiment_id}/runs/{run.id}{f'/artifacts/{artifact}' if artifact else ''}"
    return page(run.uri, f"#/{place}?{columns.TRAINING}")


def page(uri: str, place: str) -> str:
    """Return the URL of a page of MLflow: on its server, without password, or at `w2v ui`."""
    return f"{public(uri).rstrip('/') if uri.startswith('http') else 'http://127.0.0.1:5000'}/{place}"


def _link(flow_run: UUID, run: Run, description: str) -> None:
    """Link the flow run to the MLflow run, as artifact and as label."""
    from prefect.client.orchestration import get_client

    where = "" if run.uri.startswith("http") else " (while `w2v ui` runs)"
    table = page(run.uri, columns.table(run.record.info.experiment_id))
    links = f"{markdown.link('the MLflow run', link(run))}, {markdown.link('all runs', table)}{where}"
    _put(flow_run, "mlflow-run", links, description)
    with get_client(sync_client=True) as client:
        client.update_flow_run_labels(flow_run, {"mlflow.run_id": run.id, "mlflow.uri": shown(run.uri)})


def _put(flow_run: UUID | None, key: str, data: str, description: str, kind: str = "markdown") -> None:
    """Create the artifact on the flow run, even from within a task, whose own it would be by default."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.actions import ArtifactCreate

    with get_client(sync_client=True) as client:
        client.create_artifact(
            ArtifactCreate(key=key, type=kind, description=description, data=data, flow_run_id=flow_run)
        )


def _headline(page: str) -> str:
    return re.sub(r"(?<!\\)[*`]", "", page.partition("\n")[0])


def _short(value: Any) -> Any:
    """Format a cell of Prefect's tables, which are Markdown."""
    if isinstance(value, float):
        return f"{value:.4g}"
    return markdown.text(value) if isinstance(value, str) else value
