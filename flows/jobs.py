"""The commands `w2v reproduce` and `w2v gc` as flows, which prefect.yaml deploys."""

from pathlib import Path

from prefect import flow
from prefect.artifacts import create_markdown_artifact

from flows import reproduce as reproduction
from flows.deployment import directory
from flows.hooks.stops import stoppable
from flows.retention import collect
from tasks.display import markdown

directory.enter()  # for a worker, which runs this in a folder of its own


@flow(name="reproduce", flow_run_name="reproduce run {run}", log_prints=True)
@stoppable
def reproduce(run: str, workspace: Path = Path("workspace"), settings: list[str] | None = None) -> str:
    """An MLflow run → its config → the same run in a new workspace → identical bit for bit, or the differences"""
    original = reproduction.find(run, workspace, settings or [])
    reproduction.show_foreseen(original, reproduction.foreseen(original))
    done = reproduction.reproduce(original)
    reproduction.show(original, done)
    page = markdown.block(reproduction.verdict(original, done))
    create_markdown_artifact(page, "reproduction", description="Whether the reproduced run is identical")
    return done.run_id


@flow(name="gc", flow_run_name="delete unused outputs in {workspace}", log_prints=True)
def gc(workspace: Path = Path("workspace"), last: int = 5, days: float = 30, dry_run: bool = False) -> None:
    """Delete what no kept run uses: outputs, checkpoints, abandoned attempts"""
    collect(workspace, last, days, dry_run=dry_run)
