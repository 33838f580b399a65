"""What Prefect's page says of a run: a link to it, its scores, and the report; what is decided, and how it compares."""

import logging
import os
from typing import Any

from tasks._runs import Run, shown

log = logging.getLogger("w2v")


def announce(run: Run, scores: list[dict[str, Any]], page: str) -> None:
    """A link, a table and a page as artifacts of the flow run, and the run's id among its labels."""
    from prefect.artifacts import create_link_artifact, create_markdown_artifact, create_table_artifact
    from prefect.client.orchestration import get_client
    from prefect.context import FlowRunContext

    flow = FlowRunContext.get()
    if flow is None or flow.flow_run is None:
        return
    create_link_artifact(link(run), "the MLflow run", key="mlflow-run", description=f"MLflow run {run.id}")
    create_table_artifact(scores, key="scores", description="Scores with their 95% intervals")
    create_markdown_artifact(page, key="report", description="What was learnt")
    with get_client(sync_client=True) as client:
        client.update_flow_run_labels(flow.flow_run.id, _labels(run))


def announce_found(run: Run) -> None:
    """The flow run has found its result in this one, and says so by its name."""
    from prefect.artifacts import create_link_artifact
    from prefect.client.orchestration import get_client
    from prefect.context import FlowRunContext

    flow = FlowRunContext.get()
    if flow is None or flow.flow_run is None:
        return
    create_link_artifact(
        link(run), "the MLflow run", key="mlflow-run", description=f"Nothing to do: run {run.id} is it"
    )
    with get_client(sync_client=True) as client:
        client.set_flow_run_name(flow.flow_run.id, f"{flow.flow_run.name}: nothing to do")
        client.update_flow_run_labels(flow.flow_run.id, _labels(run))


def announce_page(page: str, key: str, description: str) -> None:
    """In Markdown, with the flow run, or on a server of one's own; a temporary server is not started for it.

    What is announced is done already: a server that does not answer is no reason to fail.
    """
    from httpx import HTTPError
    from prefect.artifacts import create_markdown_artifact
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.actions import ArtifactCreate
    from prefect.context import FlowRunContext

    if FlowRunContext.get():
        create_markdown_artifact(page, key=key, description=description)
    elif server := os.environ.get("PREFECT_API_URL"):
        try:
            with get_client(sync_client=True) as client:
                client.create_artifact(ArtifactCreate(key=key, type="markdown", description=description, data=page))
        except HTTPError as error:
            log.warning("⚠ Prefect at %s was not told of it (%s); MLflow has it all.", shown(server), error)


def _labels(run: Run) -> dict[str, Any]:
    return {"mlflow.run_id": run.id, "mlflow.uri": shown(run.uri)}


def link(run: Run, artifact: str = "") -> str:
    """The run's page, or that of a file of it: on its server, or where `w2v ui` serves it."""
    server = run.uri if run.uri.startswith("http") else "http://127.0.0.1:5000"
    page = f"{server.rstrip('/')}/#/experiments/{run.record.info.experiment_id}/runs/{run.id}"
    return f"{page}/artifacts/{artifact}" if artifact else page
