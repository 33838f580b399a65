"""References to finished outputs, passed from task to task; their files are fetched when they are read."""

from collections.abc import Callable, Sequence
from pathlib import Path

from tasks.datasets.files import undamaged
from tasks.engine.outputs import sharing
from tasks.engine.outputs.manifest import Account, File, FrozenModel, Manifest, read_manifest, summed
from tasks.engine.outputs.remote import opened

LATEST = "latest.json"  # in the workspace: names the training output of the last retraining


class Dataset(FrozenModel):
    """A reference to one stage's finished output, passed from task to task."""

    stage: str
    key: str
    path: Path
    digest: str
    remote: str = ""  # the address of the shared store that has the files which are not here

    @property
    def manifest(self) -> Manifest:
        """Return the manifest, read from the disk. Raises ContractError or StoreError if it is not valid."""
        return read_manifest(self.path)

    @property
    def parts(self) -> list["Dataset"]:
        """Return the outputs that this one consists of, which others may share; itself alone if it has no parts."""
        found = [
            self.model_copy(update={**dict(part), "path": self.path.with_name(part.key)})
            for part in self.manifest.parts
        ]
        return found or [self]

    def files(self, suffix: str = ".parquet") -> list[Path]:
        """Return the files of all parts with this suffix, in order; fetch those that are not here.

        Raises StoreError if the shared store no longer has one of them.
        """
        return self._fetched(lambda file: file.name.endswith(suffix))

    def file(self, name: str) -> Path:
        """Return the path of this file of the output; fetch it if it is not here. Raises StoreError as `files` does."""
        self._fetched(lambda file: file.name == name)
        return self.path / name

    def fetch(self) -> None:
        """Fetch all files that are not here. Raises StoreError as `files` does."""
        self._fetched(lambda file: True)

    @property
    def absent(self) -> int:
        """Return the bytes of the files that are only in the shared store."""
        found = ((part.path, file) for part in self.parts for file in part.manifest.files) if self.remote else ()
        return sum(file.bytes for path, file in found if not file.there(path))

    def _fetched(self, wanted: Callable[[File], bool]) -> list[Path]:
        found = [(part, [file for file in part.manifest.files if wanted(file)]) for part in self.parts]
        if self.remote:
            missing = {part: [file for file in files if not file.there(part.path)] for part, files in found}
            sharing.pull(opened(self.remote), {part.path: files for part, files in missing.items() if files})
        return [part.path / file.name for part, files in found for file in files]


def joined(parts: Sequence[Dataset]) -> Account:
    """Return the sum of the accounts of all parts."""
    return summed(part.manifest.account for part in parts)


class Latest(Dataset):
    """The training output of the last retraining, and who made it."""

    run: str = ""  # the MLflow run, "" while it waits for MLflow
    version: str = ""  # of the registered model, MODEL/NUMBER


def latest(workspace: Path) -> Latest | None:
    """Return the training output of the last retraining, None if there is none; its path is where the store is now."""
    try:
        content = (workspace / LATEST).read_bytes()
    except FileNotFoundError:
        return None
    with undamaged(workspace / LATEST, "Delete it: the next `w2v retrain` writes it again."):
        noted = Latest.model_validate_json(content)
    return noted.model_copy(update={"path": workspace.absolute() / "store" / noted.stage / noted.key})
