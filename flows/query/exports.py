"""Write the vectors of a run for other programs, with what is known of the run."""

import re
from importlib.metadata import version
from pathlib import Path

from configs.loading import ConfigError
from flows.query import vectors
from flows.query.vectors import Origin
from tasks.datasets import outputs
from tasks.vectors import formats
from tasks.vectors.about import About, Score

LICENCE = re.compile(r"[a-z0-9][a-z0-9.+-]*")  # as the Hub lists them


class Export:
    """An export that is checked when it is made, before anything is loaded."""

    def __init__(self, target: Path, format: str | None, *, force: bool = False, licence: str = "") -> None:
        """Raise ConfigError if the target cannot be written, or the format has no place for a licence."""
        self.target, self.format = target, formats.format_of(target, format)
        self.licence = _checked(licence, self.format)
        if self.format in formats.FOLDERS:
            outputs.check_folder(target, "export", formats.FOLDERS[self.format], force=force)
        else:
            outputs.check(self._files, "export", force=force)

    @property
    def _files(self) -> list[Path]:
        return formats.targets(self.target, self.format)

    def write(self, workspace: Path, run: str | None = None, epoch: int | None = None) -> tuple[Origin, list[Path]]:
        """Write the vectors of a run, by default the last; return whose they are, and the files or the folder."""
        learnt, origin = vectors.found(workspace, run, epoch)
        if self.format not in formats.DESCRIBED:
            outputs.place(self._files, lambda beside: formats.write(self.format, beside, learnt))
            return origin, self._files
        known, write = about(workspace, origin, self.licence), formats.DESCRIBED[self.format]
        if self.format in formats.FOLDERS:
            outputs.place_folder(self.target, lambda beside: write(beside, *learnt[:4], known))
        else:
            outputs.place(self._files, lambda beside: write(beside, *learnt[:4], known))
        return origin, self._files


def about(workspace: Path, origin: Origin, licence: str = "") -> About:
    """Return what MLflow knows of the run, or only whose vectors they are if there is no run."""
    known = About(str(origin), program=f"w2v {version('w2v-retraining')}", licence=licence)
    if not origin.run:
        return known
    from tasks.tracking import address, models, names
    from tasks.tracking.run import Run

    run = Run(address.runs_of(workspace), origin.run)
    data, used = run.record.data, run.record.inputs.dataset_inputs if run.record.inputs else []
    metrics = models.earlier(run, origin.epoch)[1] if origin.epoch else data.metrics
    return known._replace(
        config=data.tags.get(names.CONFIG_NAME, ""),
        text=Path(data.params.get("ingestion.source", "")).name,  # a path would tell of the machine
        documents=next((each.dataset.digest for each in used if each.dataset.name == "documents"), ""),
        settings=data.params,
        scores=tuple(_scores(metrics)),
        certificate=data.tags.get(names.CERTIFICATE_DIGEST, ""),
    )


def _scores(metrics: dict[str, float]) -> list[Score]:
    from tasks.tracking import names

    found = []
    for name in sorted(metrics):
        group, _, score = name.partition("/")
        if group in names.GROUPS:
            low, high = (metrics.get(end.format(score=score)) for end in (names.LOW, names.HIGH))
            covered = metrics.get(names.COVERAGE.format(set=score.rpartition(".")[0] or score))
            found.append(Score(name, metrics[name], low, high, covered))
    return found


def _checked(licence: str, format: str) -> str:
    if licence and format not in formats.FOLDERS:
        raise ConfigError(
            f"--license {licence}: not written in this format\n"
            f"expected  --format {' or '.join(formats.FOLDERS)}, which has a model card\nfound     {format}\n"
            "Leave it out, or export a folder."
        )
    if licence and not LICENCE.fullmatch(licence):
        raise ConfigError(
            f"--license {licence}: not the name of a licence\n"
            f"expected  a name as the Hugging Face Hub lists them, such as cc-by-sa-4.0, or other\n"
            f"found     {licence!r}\nGive the licence of the text that the words came from."
        )
    return licence
