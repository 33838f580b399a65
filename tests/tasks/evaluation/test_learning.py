"""Vectors that have learnt nothing are reported, tagged, and never become champion."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from configs.loading import ConfigError, load
from configs.schema import Config, Evaluation, Ingestion, Promotion, Runtime, Training, Vocabulary, Windows
from flows.planning.pipeline import pipeline
from tasks.engine.stage import Context
from tasks.engine.store import Dataset
from tasks.errors import InputError
from tasks.evaluation import learning
from tasks.promotion.task import promotion
from tasks.publication import publish
from tasks.tracking import address, names, registry
from tasks.tracking.run import Run
from tests.support.runs import start_run
from tests.support.trained import finished_stages
from tests.support.webhook import Webhook, listening

WORDS = [f"{name}{number}" for number in range(20) for name in ("alpha", "beta", "gamma")]
HEAPS = np.tile(np.eye(8)[:3], (20, 1)) + 0.2 * np.random.default_rng(0).normal(size=(60, 8))
ONE_WAY = np.ones((60, 8)) + 0.1 * np.random.default_rng(0).normal(size=(60, 8))
GOOD = {"loss/held_out": 5.0, "vectors/mean_cosine": 0.1, "similarity/men": 0.5}


@pytest.mark.parametrize(
    ("metrics", "learnt", "rule", "fault"),
    [
        ({}, {"moved": True, "before": 9.0}, {}, ""),
        ({}, {}, {}, ""),
        ({}, {"moved": True, "before": None}, {}, ""),
        ({}, {"moved": False, "before": 9.0}, {}, "have not moved"),
        ({"loss/held_out": 8.9999}, {"moved": True, "before": 9.0}, {}, "no better than 9.0000 without the training"),
        ({"loss/held_out": 8.9}, {"moved": True, "before": 9.0}, {}, ""),
        ({"loss/held_out": 8.9}, {"moved": True, "before": 9.0}, {"min_gain": 0.1}, "no better than"),
        ({"loss/held_out": 11.0}, {"moved": True, "before": 9.0}, {"min_gain": 0.0}, "is 11.0000, no better than"),
        ({"vectors/mean_cosine": 0.8}, {}, {}, "have collapsed"),
        ({"vectors/mean_cosine": 0.8}, {}, {"max_cosine": 0.9}, ""),
        ({}, {}, {"floors": {"similarity/men": 0.5}}, ""),
        ({}, {}, {"floors": {"similarity/men": 0.51}}, "similarity/men is 0.500, below its floor of 0.51"),
        ({}, {}, {"floors": {"similarity/rw": 0.1}}, "similarity/rw has a floor of 0.1, but no value"),
    ],
)
def test_each_limit(metrics: dict[str, float], learnt: dict[str, Any], rule: dict[str, Any], fault: str) -> None:
    """Each limit alone, at its edge; what an older version did not measure is no fault."""
    facts = {"metrics": GOOD | metrics} | ({"learning": learnt} if learnt else {})
    found = learning.faults(facts, Promotion(**rule))

    assert [fault in each for each in found] == ([True] if fault else [])
    assert bool(learning.warning(facts, Promotion(**rule))) == bool(fault)


def learn(folder: Path, text: Path, **training: Any) -> dict[str, Any]:
    """Return the facts of the evaluation of a small training."""
    context = Context(runtime=Runtime(workspace=str(folder / "ws")))
    settings = {"vector_size": 8, "epochs": 2, "batch_size": 32, "damping": 0.5} | training
    config = Config(
        ingestion=Ingestion(source=str(text), text_documents="line", max_rejected_fraction=1.0),
        vocabulary=Vocabulary(min_count=1, subsample=0.0),
        windows=Windows(held_out_fraction=settings.pop("held_out", 0.05)),
        training=Training.model_validate(settings),
    )

    def compute(stage: Any, **arguments: Any) -> Dataset:
        done: Dataset = stage.compute(context=context, **arguments)
        return done

    done = pipeline(config, compute)
    vectors = str(done.trained.vectors.path / "vectors.parquet")
    return {**done.evaluation.manifest.facts, "file": vectors}


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path, rng = tmp_path_factory.mktemp("text") / "topics.txt", np.random.default_rng(0)
    topics = [[f"{topic}{letter}" for letter in "abcdefgh"] for topic in ("sea", "sky", "sun")]
    path.write_text("\n".join(" ".join(rng.choice(topics[line % 3], 40)) for line in range(90)) + "\n")
    return path


STILL = {"learning_rate": 1e-12, "min_learning_rate": 0.0}


@pytest.mark.parametrize("objective", ["negative_sampling", "hierarchical_softmax"])
@pytest.mark.parametrize("held_out", [0.05, 0.0])
def test_still_vectors_are_found(objective: str, held_out: float, text: Path, tmp_path: Path) -> None:
    """A learning rate too small to move the vectors is detected, also without held-out windows."""
    good = learn(tmp_path, text, objective=objective, held_out=held_out, learning_rate=0.1)
    still = learn(tmp_path, text, objective=objective, held_out=held_out, **STILL)

    assert learning.faults(good, Promotion()) == []
    assert learning.faults(still, Promotion()) == ["the vectors have not moved from their start"]


def test_a_warm_start_is_held_against_a_guess(text: Path, tmp_path: Path) -> None:
    """A warm start is compared with a uniform guess, not with its own start; but it has to move."""
    first = learn(tmp_path, text, learning_rate=0.1)
    warm = learn(tmp_path, text, warm_start=first["file"], epochs=1, learning_rate=0.001)
    still = learn(tmp_path, text, warm_start=first["file"], **STILL)

    assert warm["learning"]["before"] == pytest.approx(first["learning"]["before"], rel=1e-6)  # ln V for each pair
    assert learning.faults(warm, Promotion()) == []
    assert "have not moved" in learning.faults(still, Promotion())[0]


def published(folder: Path, table: Any, number: int, **promote: Any) -> tuple[Config, Context]:
    """Publish these vectors as a version."""
    config = Config(
        name="vectors",
        ingestion=Ingestion(source="text.txt"),
        evaluation=Evaluation(bootstrap=10),
        promotion=Promotion(**promote),
        runtime=Runtime(workspace=str(folder / "ws")),
    )
    run_id = start_run(config, f"flow {number}")
    context = Context(runtime=config.runtime, tracking_uri=address.uri(config), run_id=run_id)
    publish.fn(config=config, **finished_stages(config, context, WORDS, table), context=context)
    return config, context


def test_the_first_version_is_judged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Collapsed vectors are kept back even without a champion, tagged, and reported with the reason.

    The next version that has learnt something becomes champion.
    """
    with listening(Webhook()) as webhook:
        monkeypatch.setenv("W2V_WEBHOOK", webhook.address)
        config, context = published(tmp_path, ONE_WAY, 1)
        first = promotion.fn(config=config, context=context)
        model = registry.model(context.tracking_uri, "vectors")

        assert (first.verdict, first.against) == ("kept back", None)
        assert first.sentence.startswith(
            "version 1 is kept back, and there is no champion yet: the vectors have collapsed"
        )
        assert model.aliases == {"challenger": "1"}
        tags = Run(context.tracking_uri, context.run_id).record.data.tags
        assert tags[names.NOTHING_LEARNT].startswith("the vectors have collapsed")
        (told,) = webhook.heard
        assert told["events"] == ["rejection", "no-learning"]
        with pytest.raises(
            InputError, match=r"has no champion\n.*\nfound     version 1, kept back: the vectors have coll"
        ):
            model.version("champion")

        config, context = published(tmp_path, HEAPS, 2)
        second = promotion.fn(config=config, context=context)
    assert (second.verdict, second.why) == ("promoted", "there is no champion yet")


def test_what_nobody_decides_about_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without automatic promotion the publication reports faults, including the user's floors."""
    with listening(Webhook()) as webhook:
        monkeypatch.setenv("W2V_WEBHOOK", webhook.address)
        published(tmp_path, HEAPS, 1, automatic=False, floors={"similarity/men": 0.3})

    (told,) = webhook.heard
    assert (told["events"], told["title"]) == (["no-learning"], "vectors has learnt nothing")
    assert told["body"] == "similarity/men has a floor of 0.3, but no value"


def test_floors_are_set_by_a_table(tmp_path: Path) -> None:
    """Floors are set in a file, on the command line, and in a config that a sweep writes."""
    from configs.writing import toml

    config = load(None, ["ingestion.source=a.txt", 'promotion.floors={"similarity/men" = 0.3}'])
    (tmp_path / "best.toml").write_text(toml(config, "best"))

    assert config.promotion.floors == {"similarity/men": 0.3}
    assert load(tmp_path / "best.toml") == config
    with pytest.raises(ConfigError, match=r"promotion\.floors"):
        load(None, ["ingestion.source=a.txt", "promotion.floors=0.3"])
