"""Leases: `<workspace>/uses/<run id>` has a line `stage/key` for each output of the store that the run looked up.

A run writes the line before it looks, and garbage collection holds the same lock while it decides and deletes. So an
output that a run finds stays as long as the run is open or kept, and one that it does not find it computes.

If hosts share a store, the leases are there too, where no lock reaches: see tasks/maintenance/remote_garbage.py.
"""

from collections.abc import Iterable
from pathlib import Path

from tasks.datasets.files import undamaged
from tasks.engine.file_lock import Held
from tasks.engine.outputs import sharing
from tasks.engine.outputs.remote import going_on, opened

_leased: set[tuple[str, str, str]] = set()  # by this process: the address, the run and the output


class Uses:
    """The leases of a workspace, and in the store that hosts share if there is one."""

    def __init__(self, workspace: Path, remote: str = "") -> None:
        self._folder = workspace / "uses"
        self._remote = remote

    @property
    def lock(self) -> Held:
        """Return the lock to hold while leases are written, or while outputs are chosen for deletion and deleted."""
        self._folder.mkdir(parents=True, exist_ok=True)
        return Held(self._folder / ".lock")

    def note(self, run_id: str, stage: str, key: str) -> None:
        """Record that the run is about to look for this output, and will compute it if it is missing."""
        with self.lock, open(self._folder / run_id, "a", encoding="utf-8") as lines:
            lines.write(f"\n{stage}/{key}")  # the newline comes first: it ends a line cut off by a crash
        if self._remote and (lease := (self._remote, run_id, f"{stage}/{key}")) not in _leased:
            with going_on():
                sharing.lease(opened(self._remote), run_id, stage, key)
                _leased.add(lease)

    def runs(self) -> list[str]:
        """Return the ids of all runs that have leases, sorted."""
        return sorted(path.name for path in self._folder.iterdir() if not path.name.startswith("."))

    def of(self, runs: Iterable[str]) -> set[str]:
        """Return the outputs, as `stage/key`, that any of these runs has leased. A run without a file has none yet."""
        files = [self._folder / run for run in runs]
        return {line for file in files if file.exists() for line in _lines(file)}

    def forget(self, run_id: str) -> None:
        """Delete the leases of a run; does nothing if it has none."""
        (self._folder / run_id).unlink(missing_ok=True)
        if self._remote:
            with going_on():
                sharing.forget(opened(self._remote), run_id)


def _lines(file: Path) -> list[str]:
    way = f"Delete it. The next `w2v gc` may then delete what run {file.name} alone uses."
    with undamaged(file, way):
        return file.read_text(encoding="utf-8").split()
