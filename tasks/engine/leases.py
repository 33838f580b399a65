"""Leases: `<workspace>/uses/<run id>` has a line `stage/key` for each output of the store that the run looked up.

A run writes the line before it looks, and garbage collection holds the same lock while it decides and deletes. So an
output that a run finds stays as long as the run is open or kept, and one that it does not find it computes.
"""

from collections.abc import Iterable
from pathlib import Path

from tasks.datasets.files import undamaged
from tasks.engine.file_lock import Held


class Uses:
    """The leases of a workspace."""

    def __init__(self, workspace: Path) -> None:
        self._folder = workspace / "uses"

    @property
    def lock(self) -> Held:
        """Return the lock to hold while leases are written, or while outputs are chosen for deletion and deleted."""
        self._folder.mkdir(parents=True, exist_ok=True)
        return Held(self._folder / ".lock")

    def note(self, run_id: str, stage: str, key: str) -> None:
        """Record that the run is about to look for this output, and will compute it if it is missing."""
        with self.lock, open(self._folder / run_id, "a", encoding="utf-8") as lines:
            lines.write(f"\n{stage}/{key}")  # the newline comes first: it ends a line cut off by a crash

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


def _lines(file: Path) -> list[str]:
    way = f"Delete it. The next `w2v gc` may then delete what run {file.name} alone uses."
    with undamaged(file, way):
        return file.read_text(encoding="utf-8").split()
