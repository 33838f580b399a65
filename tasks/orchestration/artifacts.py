"""What Prefect's page says of a run: a link to it, its scores, and the report; what is decided, and how it compares."""

import json
import logging
import os
import re
from typing import Any
from uuid import UUID

from configs.addresses import public, shown
from tasks.display import markdown
from tasks.tracking.run import Run

TRAINING = "workflowType=machine_learning"  # else MLflow's page opens on its GenAI side

log = logging.getLogger("w2v")


def announce(run: Run, scores: list[dict[str, Any]], page: str) -> None:
    """A link, a table and a page as artifacts of the flow run, and the run's id among its labels."""
    from prefect.context import FlowRunContext

    flow = FlowRunContext.get()
    if flow is None or flow.flow_run is None:
        return
    rows = [{name: _short(value) for name, value in row.items()} for row in scores]
    _link(flow.flow_run.id, run, f"MLflow run {run.id}")
    _put(flow.flow_run.id, "scores", json.dumps(rows), "Scores with their 95% intervals", "table")
    _put(flow.flow_run.id, "report", page, _headline(page))


def announce_found(run: Run) -> None:
    """The flow run has found its result in this one, and says so by its name."""
    from prefect.client.orchestration import get_client
    from prefect.context import FlowRunContext

    flow = FlowRunContext.get()
    if flow is None or flow.flow_run is None:
        return
    _link(flow.flow_run.id, run, f"Nothing to do: MLflow run {run.id} holds this very result")
    with get_client(sync_client=True) as client:
        client.set_flow_run_name(flow.flow_run.id, f"{flow.flow_run.name}: nothing to do")


def announce_page(page: str, key: str, description: str) -> None:
    """In Markdown, of the flow run, or of a server of one's own; a temporary server is not started for it.

    What is announced is done already: a server that does not answer is no reason to fail.
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
                "⚠ Prefect at %s was not told of it (%s); MLflow has it all.", shown(server), shown(str(error), server)
            )


def link(run: Run, artifact: str = "") -> str:
    """The run's page, or that of a file of it: on its server, without its password, or where `w2v ui` has it."""
    server = public(run.uri) if run.uri.startswith("http") else "http://127.0.0.1:5000"
    place = f"experiments/{run.record.info.experiment_id}/runs/{run.id}{f'/artifacts/{artifact}' if artifact else ''}"
    return f"{server.rstrip('/')}/#/{place}?{TRAINING}"


def _link(flow_run: UUID, run: Run, said: str) -> None:
    """To the MLflow run, which the flow run has among its labels too."""
    from prefect.client.orchestration import get_client

    where = "" if run.uri.startswith("http") else " (while `w2v ui` runs)"
    _put(flow_run, "mlflow-run", f"{markdown.link('the MLflow run', link(run))}{where}", said)
    with get_client(sync_client=True) as client:
        client.update_flow_run_labels(flow_run, {"mlflow.run_id": run.id, "mlflow.uri": shown(run.uri)})


def _put(flow_run: UUID | None, key: str, data: str, description: str, kind: str = "markdown") -> None:
    """On the flow run's page, also from within a task, which would have it on its own."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.actions import ArtifactCreate

    with get_client(sync_client=True) as client:
        client.create_artifact(
            ArtifactCreate(key=key, type=kind, description=description, data=data, flow_run_id=flow_run)
        )


def _headline(page: str) -> str:
    return re.sub(r"(?<!\\)[*`]", "", page.partition("\n")[0])


def _short(value: Any) -> Any:
    """A cell of Prefect's tables, which are Markdown too."""
    if isinstance(value, float):
        return f"{value:.4g}"
    return markdown.text(value) if isinstance(value, str) else value
