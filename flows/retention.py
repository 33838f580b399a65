"""`w2v gc` and `w2v close`: delete what no kept run uses, and close a run whose process is dead."""

import functools
from collections.abc import Iterator
from pathlib import Path

from tasks.display.terminal import visible
from tasks.engine.outputs.readiness import address_of
from tasks.engine.outputs.remote import opened
from tasks.errors import InputError
from tasks.maintenance import remote_garbage
from tasks.maintenance.garbage import Policy, Swept, sweep
from tasks.maintenance.survey import survey
from tasks.tracking import session
from tasks.tracking.ownership import elsewhere
from tasks.tracking.run import full_id


def collect(workspace: Path, last: int, days: float, *, dry_run: bool) -> None:
    """Delete what no kept run of the workspace uses, and print each deleted folder and its size.

    Raises InputError if the workspace has no store.
    """
    address = address_of(workspace)
    if not (workspace / "store").is_dir() and not address:
        raise InputError(f"{workspace}: no store here.\nName the folder of your runs with --workspace.")
    for swept in sweep_all(workspace, address, Policy(last, days), dry_run=dry_run):
        show(workspace, swept, dry_run)


def sweep_all(workspace: Path, address: str, policy: Policy, *, dry_run: bool) -> Iterator[Swept]:
    """Delete what no kept run uses from the store, and then from the remote at the address, "" for none."""
    ask = functools.partial(survey, workspace)
    yield sweep(workspace, policy, ask, dry_run=dry_run)
    if address:
        yield remote_garbage.sweep(opened(address), workspace, policy, ask, dry_run=dry_run)


def show(workspace: Path, swept: Swept, dry_run: bool) -> None:
    """Print one line for each deleted output and each run, and the sum."""
    if swept.remote:
        print(f"\nremote {swept.remote}")
    above = Path() if swept.remote else workspace
    for item in swept.garbage:
        print(f"- {visible(item.path.relative_to(above)):<50} {item.bytes / 1e6:8.1f} MB  {item.reason}")
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
