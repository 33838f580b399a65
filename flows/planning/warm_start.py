"""Choose the initial vectors of a training whose config says `warm_start = "champion"` or `"last"`.

The choice is made once for the same data, config and code, and recorded in tags of the run. A later start finds it: so
an interrupted training continues, and a scheduled run without new text has nothing to do, even if the champion changed.
"""

from pathlib import Path
from typing import NamedTuple

from configs.schema import Config
from flows.planning.plan import recipe
from tasks import certificate as certificates
from tasks.datasets.files import digest_of
from tasks.engine.outputs.readiness import ready
from tasks.engine.store import Dataset, Store, latest
from tasks.errors import InputError
from tasks.tracking import names, registry
from tasks.tracking.session import Tracker

CHAMPION, LAST = "champion", "last"
VECTORS = "vectors.parquet"


class Chosen(NamedTuple):
    """The config, whose warm_start is a file or None, and the tags that record the choice."""

    config: Config
    tags: dict[str, str]


def chosen(config: Config, tracker: Tracker) -> Chosen:
    """Return the config with the chosen file; one that names a file itself is returned unchanged.

    Raises InputError if the champion's vectors are not in the store.
    """
    asked = config.training.warm_start
    if asked not in (CHAMPION, LAST):
        return Chosen(config, {})
    ready(Path(config.runtime.workspace), config.runtime.remote)
    occasion = digest_of([asked, recipe(_starting(config, None))])
    before = tracker.find_tagged(names.START_OCCASION, occasion)
    if before:
        named = before.data.params[names.WARM_START]
        file = None if named == "None" else _store_of(config).own(Path(named))
        if file is None or _fetched(config, file):
            return Chosen(
                _starting(config, file), {names.START_OCCASION: occasion, names.START: before.data.tags[names.START]}
            )
    file, what = _champion(config, tracker) if asked == CHAMPION else _last(config)
    return Chosen(_starting(config, file), {names.START_OCCASION: occasion, names.START: what})


def _starting(config: Config, file: Path | None) -> Config:
    training = config.training.model_copy(update={"warm_start": None if file is None else str(file)})
    return config.model_copy(update={"training": training})


def _champion(config: Config, tracker: Tracker) -> tuple[Path | None, str]:
    name = config.tracking.registered_model
    champion = registry.model(tracker.uri, name).champion
    if champion is None:
        return None, f"cold: {name!r} has no champion yet"
    certificate = certificates.read(tracker.run(champion.run_id))
    store, place = _store_of(config), certificate["store"]["vectors"]
    found = _found(config, *place.split("/"))
    if found is None or found.digest != certificate["stages"]["vectors"]:
        raise InputError(
            f"training.warm_start: the vectors of the champion are not in this store\n"
            f"expected  {store.root / place} of run {champion.run_id}\n"
            f"found     {'no intact output' if found is None else 'other vectors'}\n"
            "The run used another workspace, or its output was deleted: rebuild it with `w2v reproduce`, "
            "or name a vectors.parquet."
        )
    return found.file(VECTORS), f"version {champion.number} of {name!r}, run {champion.run_id}"


def _last(config: Config) -> tuple[Path | None, str]:
    if (last := latest(Path(config.runtime.workspace))) is None:
        return None, "cold: nothing was trained here yet"
    found = _found(config, last.stage, last.key)
    if not found:
        raise InputError(
            f"training.warm_start: the last vectors are not in this store\nexpected  {last.path}\n"
            "found     no intact output\n"
            "Run `w2v retrain` with the config that made them, or once without training.warm_start."
        )
    return found.file(VECTORS), f"the last vectors, {last.key}"


def _fetched(config: Config, file: Path) -> bool:
    found = _found(config, *file.parts[-3:-1])
    return found is not None and found.file(file.name) == file


def _found(config: Config, stage: str, key: str) -> Dataset | None:
    """Return the output if it is in this store and verifies."""
    return _store_of(config).find(stage, key)


def _store_of(config: Config) -> Store:
    return Store(Path(config.runtime.workspace) / "store", config.runtime.remote)
