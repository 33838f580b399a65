"""Nightly retrainings that start from the champion, on a real server and a real database."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from mlflow import MlflowClient

from configs.schema import Config, Tracking
from flows import reproduce
from flows.planning.pipeline import Retrained
from flows.planning.plan import already_done, plan
from flows.planning.warm_start import chosen
from flows.query.vectors import make_latest
from flows.retrain import retrain
from tasks.engine.stage import Context
from tasks.errors import InputError
from tasks.tracking import address, names
from tasks.tracking.run import Run
from tasks.tracking.session import Tracker
from tests.support.runs import finish_run, start_run
from tests.support.trained import vectors_of as vectors_dataset

pytestmark = pytest.mark.usefixtures("prefect_server")
MODEL = "nightly"
NIGHTS: list[Retrained] = []


@pytest.fixture
def nightly(config: Config, corpus: Path) -> Config:
    """A watched folder, and a registered model for these tests."""
    folder = corpus.parent / "watched"
    folder.mkdir(exist_ok=True)
    if not list(folder.iterdir()):
        shutil.copy(corpus, folder / "2026-01-01.txt")
    return config.model_copy(
        update={
            "ingestion": config.ingestion.model_copy(update={"source": str(folder)}),
            "training": config.training.model_copy(update={"warm_start": "champion"}),
            "tracking": Tracking(registered_model=MODEL),
        }
    )


def news_of(config: Config, night: int) -> None:
    lines = "\n".join(" ".join(f"sea{letter} sky{letter}" for letter in "abcdefgh") + f" {n} {night}" for n in range(9))
    Path(config.ingestion.source, f"2026-01-{night:02d}.txt").write_text(lines)


def begin_of(config: Config, done: Retrained) -> tuple[str, str]:
    data = MlflowClient(address.uri(config)).get_run(done.run_id).data
    return data.params["training.warm_start"], data.tags[names.START]


def vectors_of(done: Retrained) -> str:
    return str(done.outputs.trained.vectors.path / "vectors.parquet")


def nothing_to_do(config: Config) -> str:
    """Return the run that already holds the result."""
    begun = chosen(config, Tracker(config)).config
    done = already_done(begun, Tracker(begun), plan(begun))
    assert done
    return done.run_id


def test_without_a_champion_it_starts_cold(nightly: Config) -> None:
    """The first night starts cold and says so; repeated after a champion exists, it has nothing to do."""
    NIGHTS.append(retrain(nightly))

    assert begin_of(nightly, NIGHTS[0]) == ("None", "cold: 'nightly' has no champion yet")
    assert nothing_to_do(nightly) == NIGHTS[0].run_id


def test_new_text_starts_from_the_champion(nightly: Config) -> None:
    """The run logs the path of the champion's vectors, and known words start from them."""
    news_of(nightly, 2)
    NIGHTS.append(retrain(nightly))
    first, second = NIGHTS

    assert begin_of(nightly, second) == (vectors_of(first), f"version 1 of 'nightly', run {first.run_id}")
    assert second.outputs.trained.vectors.manifest.facts["warm_start"]["kept"] == 24


def test_another_champion_alone_is_no_reason_to_train(nightly: Config) -> None:
    """A new champion is used only when there is new text; otherwise every night would train."""
    MlflowClient(address.uri(nightly)).set_registered_model_alias(MODEL, "champion", "2")

    assert nothing_to_do(nightly) == NIGHTS[1].run_id
    assert retrain(nightly).run_id == NIGHTS[1].run_id

    news_of(nightly, 3)
    assert chosen(nightly, Tracker(nightly)).config.training.warm_start == vectors_of(NIGHTS[1])


def test_it_can_be_reproduced(nightly: Config, workspace: Path, own: Path) -> None:
    """The logged config names the file of the champion at that time."""
    Path(nightly.ingestion.source, "2026-01-03.txt").unlink(missing_ok=True)
    original = reproduce.find(NIGHTS[1].run_id, workspace, [f"runtime.workspace={own}"])

    assert reproduce.foreseen(original) == []
    assert reproduce.reproduce(original).identical


def test_the_last_vectors_will_do_as_well(nightly: Config) -> None:
    """`last` starts from the last vectors, whichever version is champion."""
    training = nightly.training.model_copy(update={"warm_start": "last", "learning_rate": 0.03})
    lasting = nightly.model_copy(update={"training": training})
    first = retrain(lasting)
    news_of(nightly, 4)
    second = retrain(lasting)

    assert begin_of(lasting, second)[0] == vectors_of(first)
    assert nothing_to_do(lasting) == second.run_id


def test_last_vectors_that_are_gone_are_no_start(nightly: Config, own: Path) -> None:
    """Deleted or damaged, they are refused with the way on; so is the choice of an earlier time: the last is taken."""
    lasting = nightly.model_copy(
        update={
            "training": nightly.training.model_copy(update={"warm_start": "last"}),
            "runtime": nightly.runtime.model_copy(update={"workspace": str(own)}),
        }
    )
    context = Context(runtime=lasting.runtime)
    older, newer = (vectors_dataset(context, [word], np.ones((1, 8))) for word in ("older", "newer"))
    make_latest(own, older)
    begun = chosen(lasting, Tracker(lasting))
    Run(address.uri(lasting), start_run(begun.config, "flow-last")).tag(begun.tags)
    finish_run(begun.config, "flow-last", "FINISHED")
    make_latest(own, newer)
    assert chosen(lasting, Tracker(lasting)).config.training.warm_start == str(older.path / "vectors.parquet")

    (older.path / "vectors.parquet").unlink()
    assert chosen(lasting, Tracker(lasting)).config.training.warm_start == str(newer.path / "vectors.parquet")
    (newer.path / "vectors.parquet").write_bytes(b"damaged")

    with pytest.raises(InputError, match=r"^training\.warm_start: the last vectors are not in this store\n(.*\n)*Run "):
        chosen(lasting, Tracker(lasting))


def test_a_champion_of_another_workspace_is_no_start(nightly: Config, tmp_path: Path) -> None:
    """MLflow has only the input vectors; both tables are only in the store that trained them."""
    elsewhere = nightly.runtime.model_copy(update={"workspace": str(tmp_path)})
    tracking = nightly.tracking.model_copy(update={"uri": address.uri(nightly)})
    moved = nightly.model_copy(update={"runtime": elsewhere, "tracking": tracking, "seed": 5})

    with pytest.raises(
        InputError, match=r"champion are not in this store\nexpected .*/training/\w+ of run \w+\nfound   "
    ):
        chosen(moved, Tracker(moved))
