"""Which run uses what of the store: `<workspace>/uses/<run id>` has a line `stage/key` for each output it looked for.

A run says so before it looks, and `w2v gc` holds the same lock while it decides and removes. So what a run finds stays
as long as the run is open or kept, and what it does not find it makes anew.
"""

from collections.abc import Iterable
from pathlib import Path

from tasks.datasets.files import undamaged
from tasks.engine.file_lock import Held


class Uses:
    def __init__(self, workspace: Path) -> None:
        self._folder = workspace / "uses"

    @property
    def lock(self) -> Held:
        self._folder.mkdir(parents=True, exist_ok=True)
        return Held(self._folder / ".lock")

    def note(self, run_id: str, stage: str, key: str) -> None:
        """The run is about to look for this output, and to make it if it is not there."""
        with self.lock, open(self._folder / run_id, "a", encoding="utf-8") as lines:
            lines.write(f"\n{stage}/{key}")  # a line that was torn ends here

    def runs(self) -> list[str]:
        """All that have ever worked in this workspace, but for the forgotten ones."""
        return sorted(path.name for path in self._folder.iterdir() if not path.name.startswith("."))

    def of(self, runs: Iterable[str]) -> set[str]:
        """What any of these runs uses; one that has just begun uses nothing yet."""
        files = [self._folder / run for run in runs]
        return {line for file in files if file.exists() for line in _lines(file)}

    def forget(self, run_id: str) -> None:
        (self._folder / run_id).unlink(missing_ok=True)


def _lines(file: Path) -> list[str]:
    way = f"Delete it: what run {file.name} used, and no other run, may go then with the next `w2v gc`."
    with undamaged(file, way):
        return file.read_text(encoding="utf-8").split()
