"""A workspace that is moved or copied between all steps of its life, with names of every kind."""

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from configs.schema import Config
from flows import outbox, reproduce, retention
from flows.cli.output import comparison, promotion, verify
from flows.planning import plan
from flows.query import frames, vectors
from flows.retrain import retrain
from flows.serving.app import LookedUp
from tasks.engine.store import LATEST
from tasks.tracking.session import Tracker
from tasks.vectors import formats

pytestmark = pytest.mark.usefixtures("prefect_server")

NAMES = [
    "first",
    "a b",
    "100%25",
    "é ü",
    "w?x=1&y#z",
    "-w;'\"",
    "a:b@c",
    "plain",
    "[x]*",
    "~",
    "file:w",
    "$W {w}",
    "%2e%2e",
]
console = Console(file=sys.stdout)


def content(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def protect(folder: Path, *, writable: bool) -> None:
    """Make a folder read-only, except for root; that nothing has changed is checked separately."""
    for path in [folder, *folder.rglob("*")]:
        path.chmod(path.stat().st_mode | 0o200 if writable else path.stat().st_mode & ~0o222)


def test_a_life_on_the_move(config: Config, tmp_path: Path) -> None:
    """Each step works as if the workspace had always been there, and none leaves a trace where it was."""
    done: dict[str, str] = {}
    warm = {"training": config.training.model_copy(update={"warm_start": "last", "epochs": 1}), "seed": 3}

    def placed(place: Path, **changes: object) -> Config:
        runtime = config.runtime.model_copy(update={"workspace": str(place)})
        return config.model_copy(update={"seed": 2, **changes, "runtime": runtime})

    def first(place: Path) -> None:
        done["first"] = retrain(placed(place)).run_id

    def nothing_to_do(place: Path) -> None:
        assert plan.already_done(
            placed(place),
            Tracker(placed(place)),
            plan.plan(placed(place)),
        )
        assert retrain(placed(place)).run_id == done["first"]

    def ask(place: Path) -> None:
        for run in (None, done["first"], "champion"):
            assert vectors.neighbors(vectors.space(place, run), ["seaa"], 2)["seaa"]
        assert LookedUp(place, "champion").now.run == done["first"]
        assert list(frames.runs(place).index)

    def export(place: Path) -> None:
        target = tmp_path / "exported.txt"
        assert formats.write("text", target, vectors.load(place, done["first"])) == [target]

    def verified(place: Path) -> None:
        assert verify.examine(place, done["first"]) == 0

    def warm_start(place: Path) -> None:
        done["warm"] = retrain(placed(place, **warm)).run_id

    def warm_again(place: Path) -> None:
        assert retrain(placed(place, **warm)).run_id == done["warm"]

    def decide(place: Path) -> None:
        assert promotion.promote(console, place, "vectors", "2", True, "a test") == 0
        promotion.rollback(console, place, "vectors", "a test")
        promotion.history(console, place, "vectors")

    def compare(place: Path) -> None:
        assert comparison.compare(place, list(done.values()), None)[1].is_relative_to(place)

    def again(place: Path) -> None:
        original = reproduce.find(done["warm"], place, [])
        assert reproduce.reproduce(original).identical

    def collect(place: Path) -> None:
        retention.collect(place, 0, 0, dry_run=False)
        assert outbox.sync(place) == []

    steps: list[Callable[[Path], None]] = [
        first, ask, nothing_to_do, verified, warm_start, warm_again, decide, compare, again, collect, export, verified,
        ask,
    ]  # fmt: skip
    place = tmp_path / NAMES[0] / "w"
    place.mkdir(parents=True)
    shutil.copy(Path(config.runtime.workspace) / "mlflow.db", place)
    for number, (step, name) in enumerate(zip(steps, [*NAMES[1:], "last"], strict=True)):
        step(place)
        there = tmp_path / name / "w"
        there.parent.mkdir()
        if number % 2:
            place.rename(there)
        else:
            shutil.copytree(place, there)
            before = content(place)
            protect(place, writable=False)
            verified(there)
            ask(there)

            assert content(place) == before
            protect(place, writable=True)
            shutil.rmtree(place)
        assert not list(place.parent.iterdir())
        place = there

    assert json.loads((place / LATEST).read_text())["stage"] == "training"
    assert {path.name for path in tmp_path.iterdir()} == {*NAMES, "last", "exported.txt"}
    assert not [path for name in NAMES for path in (tmp_path / name).iterdir()]
