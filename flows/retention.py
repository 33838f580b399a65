"""`w2v gc` and `w2v close`: delete what no kept run uses, and close a run whose process is dead."""

import functools
from collections.abc import Iterator
from pathlib import Path

from tasks.display.terminal import visible
from tasks.engine.outputs.readiness import address_of
from tasks.engine.outputs.remote import opened
from tasks.errors import InputError
from tasks.maintenance import garbage, remote_garbage
from tasks.maintenance.garbage import Collected, Policy
from tasks.maintenance.survey import survey
from tasks.tracking import address
from tasks.tracking.ownership import elsewhere
from tasks.tracking.run import full_id
from tasks.tracking.session import close_run


def collect(workspace: Path, last: int, days: float, *, dry_run: bool) -> list[Collected]:
    """Delete what no kept run of the workspace uses, in its store and in its remote, if it has one.

    Raises InputError if the workspace has no store.
    """
    remote = address_of(workspace)
    if not (workspace / "store").is_dir() and not remote:
        raise InputError(f"{workspace}: no store here.\nName the folder of your runs with --workspace.")
    return collect_all(workspace, remote, Policy(last, days), dry_run=dry_run)


def collect_all(workspace: Path, remote: str, policy: Policy, *, dry_run: bool) -> list[Collected]:
    """Delete what no kept run uses from the store, and then from the remote at the address, "" for none."""
    ask = functools.partial(survey, workspace)
    collected = [garbage.collect(workspace, policy, ask, dry_run=dry_run)]
    if remote:
        collected.append(remote_garbage.collect(opened(remote), workspace, policy, ask, dry_run=dry_run))
    return collected


def lines(workspace: Path, collected: Collected, dry_run: bool) -> Iterator[str]:
    """Yield one line for each deleted output and each run, and the sum."""
    if collected.remote:
        yield f"\nremote {collected.remote}"
    above = Path() if collected.remote else workspace
    for item in collected.garbage:
        yield f"- {visible(item.path.relative_to(above)):<50} {item.bytes / 1e6:8.1f} MB  {item.reason}"
    for run in collected.runs:
        yield f"{'=' if run.id in collected.kept else '-'} run {run.id}  {collected.kept.get(run.id, 'not kept')}"
        if elsewhere(run.status, run.host):
            yield f"  on host {run.host}: if its process is dead, `w2v reconcile` closes it"
    verb = "would be deleted" if dry_run else "deleted"
    size = sum(item.bytes for item in collected.garbage)
    yield f"{size / 1e6:,.1f} MB in {len(collected.garbage)} folders {verb}"


def close(workspace: Path, run_id: str) -> str:
    """Mark a run as KILLED after its process has died on another host; return its full id."""
    run_id = full_id(address.runs_of(workspace), run_id)
    close_run(workspace, run_id)
    return run_id
