"""`w2v gc` and `w2v close`: delete what no kept run uses, and close a run whose process is dead."""

import functools
from pathlib import Path

from tasks.display.terminal import visible
from tasks.errors import InputError
from tasks.maintenance.garbage import Policy, Swept, sweep
from tasks.maintenance.survey import survey
from tasks.tracking import session
from tasks.tracking.ownership import elsewhere
from tasks.tracking.run import full_id


def collect(workspace: Path, last: int, days: float, *, dry_run: bool) -> None:
    """Delete what no kept run of the workspace uses, and print each deleted folder and its size.

    Raises InputError if the workspace has no store.
    """
    if not (workspace / "store").is_dir():
        raise InputError(f"{workspace}: no store here.\nName the folder of your runs with --workspace.")
    show(
        workspace, sweep(workspace, Policy(last, days), functools.partial(survey, workspace), dry_run=dry_run), dry_run
    )


def show(workspace: Path, swept: Swept, dry_run: bool) -> None:
    """Print one line for each deleted output and each run, and the sum."""
    for item in swept.garbage:
        print(f"- {visible(item.path.relative_to(workspace)):<50} {item.bytes / 1e6:8.1f} MB  {item.reason}")
    for run in swept.runs:
        print(f"{'=' if run.id in swept.kept else '-'} run {run.id}  {swept.kept.get(run.id, 'not kept')}")
        if elsewhere(run.status, run.host):
            print(f"  on host {run.host}: if its process is dead, `w2v reconcile` closes it")
    verb = "would be deleted" if dry_run else "deleted"
    print(f"{sum(item.bytes for item in swept.garbage) / 1e6:,.1f} MB in {len(swept.garbage)} folders {verb}")


def close(workspace: Path, run_id: str) -> None:
    """Mark a run as KILLED after its process has died on another host."""
    run_id = full_id(session.runs_of(workspace), run_id)
    session.close_run(workspace, run_id)
    print(f"run {run_id} is KILLED; a retraining with the same config, data and code continues it")
