"""Commands as flows of their own, for who has a Prefect server: prefect.yaml deploys them."""

from pathlib import Path

from prefect import flow
from prefect.artifacts import create_markdown_artifact

from flows import reproduce as reproduction
from flows.deployment import directory
from flows.hooks.stops import stoppable
from flows.retention import collect
from tasks.display import markdown

directory.enter()  # where a worker runs this


@flow(name="reproduce", flow_run_name="run {run} once more", log_prints=True)
@stoppable
def reproduce(run: str, workspace: Path = Path("workspace"), settings: list[str] | None = None) -> str:
    """An MLflow run → its config → the same again in a fresh workspace → identical to the bit, or what differs"""
    original = reproduction.find(run, workspace, settings or [])
    reproduction.show_foreseen(original, reproduction.foreseen(original))
    done = reproduction.reproduce(original)
    reproduction.show(original, done)
    page = markdown.block(reproduction.verdict(original, done))
    create_markdown_artifact(page, "reproduction", description="Whether the run is the same once more")
    return done.run_id


@flow(name="gc", flow_run_name="what no run uses in {workspace}", log_prints=True)
def gc(workspace: Path = Path("workspace"), last: int = 5, days: float = 30, dry_run: bool = False) -> None:
    """Remove what no kept run uses: outputs, checkpoints, abandoned attempts"""
    collect(workspace, last, days, dry_run=dry_run)
