"""The commands `w2v reproduce` and `w2v gc` as flows, which prefect.yaml deploys."""

import logging
from pathlib import Path

from prefect import flow
from prefect.artifacts import create_markdown_artifact

from flows import reproduce as reproduction
from flows import retention
from flows.deployment import directory
from flows.hooks.stops import stoppable
from tasks.display import markdown

directory.enter()  # for a worker, which runs this in a folder of its own
log = logging.getLogger("w2v")
log.setLevel(logging.INFO)  # Prefect shows this logger's records, but sets no level


@flow(name="reproduce", flow_run_name="reproduce run {run}")
@stoppable
def reproduce(run: str, workspace: Path = Path("workspace"), settings: list[str] | None = None) -> str:
    """An MLflow run → its config → the same run in a new workspace → identical bit for bit, or the differences

    Args:
        run: The MLflow run to repeat: its id or the first characters of it, or `champion`.
        workspace: The folder with its store.
        settings: What to set differently, such as `ingestion.source=/moved/reviews.csv`.
    """
    original = reproduction.find(run, workspace, settings or [])
    for line in reproduction.changed(original, reproduction.foreseen(original)):
        log.info(line)
    done = reproduction.reproduce(original)
    verdict = reproduction.verdict(original, done)
    log.info(verdict)
    create_markdown_artifact(
        markdown.block(verdict), "reproduction", description="Whether the reproduced run is identical"
    )
    return done.run_id


@flow(name="gc", flow_run_name="delete unused outputs in {workspace}")
def gc(workspace: Path = Path("workspace"), last: int = 5, days: float = 30, dry_run: bool = False) -> None:
    """Delete what no kept run uses: outputs, checkpoints, abandoned attempts

    Args:
        workspace: The folder with the store.
        last: Keep what this many of the last runs use.
        days: Keep what was used in this many days.
        dry_run: Only list what would be deleted.
    """
    for collected in retention.collect(workspace, last, days, dry_run=dry_run):
        for line in retention.lines(workspace, collected, dry_run):
            log.info(line)
