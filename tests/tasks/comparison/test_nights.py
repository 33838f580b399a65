"""The page of nights: what it tells of a model's versions, and that it opens from a file on any screen."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from mlflow.entities import Dataset

from configs.schema import Config
from tasks.comparison import kept, nights
from tasks.comparison.nights import Failure, Night
from tasks.tracking import names, registry
from tasks.tracking.registry import Decision, Figures, Gate
from tasks.tracking.run import Input, Run
from tasks.tracking.session import Tracker
from tests.support.browser import MISSING, Browser, browser
from tests.support.runs import finish_run, start_run

SCRIPTY = "</script><b>kept</b>"  # a reason that must not become part of the page
GATE = Gate(
    score="similarity/pairs", items=90, coverage=1, champion=0.5, challenger=0.48, low=-0.06, high=0.02, better=0.2
)


def decision(version: str, run: str, verdict: str, **more: Any) -> Decision:
    figures = Figures(gates=[GATE], incomparable=[], newer_data=True, drift=0.0812345678, overlap=0.7)
    known = {"version": version, "run_id": run, "verdict": verdict, "against": None, "why": SCRIPTY, "who": "ann"}
    return Decision.model_validate({**known, "when": f"2026-01-0{version}T00:00:00Z", "figures": figures, **more})


def data(page: str) -> dict[str, Any]:
    """Return what the page knows."""
    found = re.search(r'<script id="data" type="application/json">(.*?)</script>', page, re.DOTALL)
    assert found
    known: dict[str, Any] = json.loads(found[1])
    return known


@pytest.fixture
def mine(config: Config, own: Path) -> Config:
    return config.model_copy(update={"runtime": config.runtime.model_copy(update={"workspace": str(own)})})


def version(config: Config, flow: str, number: str, held_out: str, **tags: str) -> str:
    """Make a run with a version; return the run's id."""
    tracker = Tracker(config)
    run = tracker.run(start_run(config, flow, f"night {flow}", **tags))
    run.metrics({"loss/held_out": 5 + int(number), "similarity/pairs": 0.123456789, "interval/pairs.low": 0.1}, 0)
    run.inputs([Input(Dataset("held-out", held_out, "local", "{}"), "evaluation")])
    finish_run(config, flow)
    with tracker.reached() as client:
        client.create_model_version("vectors", "somewhere", run.id)
    return run.id


def test_each_version_is_told_with_its_decision(mine: Config, own: Path) -> None:
    """With figures, reason and alarm; candidates of a sweep are left out, and a failed run of the same config is told.

    The page is kept in the workspace and with the newest run.
    """
    uri = Tracker(mine).uri
    with Tracker(mine).reached() as client:
        client.create_registered_model("vectors")
    first = version(mine, "a", "1", "x")
    version(mine, "b", "2", "x", parent=first)
    third = version(mine, "c", "3", "y")
    lost = start_run(mine, "d", "night d")
    finish_run(mine, "d", "FAILED")
    for each in (
        decision("1", first, "promoted"),
        decision("3", third, "kept back", against="1", faults=["collapsed"]),
    ):
        registry.settle(registry.model(uri, "vectors"), each)
    Run(uri, third).tag({names.NIGHT: json.dumps({"stages": {"training": 3.5}, "size": {"words": 9}})})
    nights.remake(own, uri, "vectors")
    (place,) = kept.kept(own)
    page = Path(place.file).read_text(encoding="utf-8")
    old, new = data(page)["nights"]

    assert [each["run"] for each in data(page)["failures"]] == [lost]
    assert data(page)["champion"] == "1"
    assert (old["version"], old["verdict"], new["version"], new["verdict"]) == ("1", "promoted", "3", "kept back")
    assert new["alarms"] == ["collapsed"]
    assert (new["drift"], new["stages"], new["size"]) == (0.081235, {"training": 3.5}, {"words": 9})
    assert {score["basis"] for score in new["scores"] if score["score"] == "loss/held_out"} == {"y"}
    assert "<b>kept" not in page
    assert place.page == f"#/experiments/1/runs/{third}/artifacts/nights.html?workflowType=machine_learning"
    assert Run(uri, third).text(names.NIGHTS) == page


def test_a_page_that_cannot_be_made_is_no_failure(own: Path, caplog: pytest.LogCaptureFixture) -> None:
    """What it tells of is done already."""
    with caplog.at_level("WARNING", "w2v"):
        nights.remake(own, "http://127.0.0.1:1", "vectors")

    assert "the page of nights was not made: MLflow at http://127.0.0.1:1 does not answer" in caplog.text
    assert kept.kept(own) == []


def made(number: int) -> str:
    """Return the page of so many nights, the one before the last of which failed."""
    rows = [
        Night(
            version=str(each), run=f"{each:032x}", name=f"night {each}", started=86_400_000 * each, seconds=90.0,
            stages={"tokenization": 4.25, "training": 61.5, "publication": 20.0},
            size={"documents": 1_000 + each, "tokens": 1_000_000, "words": 20_000},
            scores=[
                {"score": "loss/held_out", "value": 5 - each / 1_000, "low": None, "high": None, "coverage": None,
                 "basis": f"windows of {each // 3}"},
                *({"score": f"similarity/set{name}", "value": 0.5 + each / 1_000, "low": 0.45, "high": 0.8,
                   "coverage": 1.0, "basis": "set"} for name in "abcdef"),
            ],
            outside=0.01, divergence=0.002, news="Against the corpus of version 1: 5 documents.",
            verdict="kept back" if each % 5 == 0 else "promoted", against="1", why=SCRIPTY, when="2026-01-01T00:00:00Z",
            who="ann", alarms=[], drift=0.03, gates=[GATE.model_dump(mode="json") | {"score": "similarity/seta"}],
        )
        for each in range(1, number + 1)
    ]  # fmt: skip
    failed = Failure("f" * 32, "night lost", 86_400_000 * number - 1, "failed", "w2v retrain resumes this run")
    return nights.rendered("reviews", str(number - 1), rows, [failed])


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Browser, Path]]:
    if MISSING:
        pytest.skip(MISSING)
    file = tmp_path_factory.mktemp("nights") / "nights.html"
    file.write_text(made(200), encoding="utf-8")
    with browser() as chromium:
        yield chromium, file


def test_two_hundred_nights_are_small() -> None:
    """A quarter of a megabyte, less than the smallest vectors."""
    assert len(made(200)) < 320_000


@pytest.mark.parametrize(("width", "media"), [(1440, "screen"), (390, "screen"), (720, "print")])
def test_the_page_fits(opened: tuple[Browser, Path], width: int, media: str) -> None:
    """On a screen, a telephone and paper nothing is wider than the page; nothing is asked for; no error; at once."""
    chromium, file = opened
    chromium.show_as(width, media)
    chromium.open(file)
    wide = chromium.run("return document.documentElement.scrollWidth")
    asked = chromium.run("return performance.getEntriesByType('resource').length")
    took = chromium.run("return performance.getEntriesByType('navigation')[0].domComplete")
    charts = chromium.run("return [...document.querySelectorAll('figure h2')].map(each => each.textContent)")

    assert wide <= width
    assert (asked, chromium.console()) == (0, [])
    assert took < 10_000  # ms, on a busy machine
    assert charts[:2] == ["loss/held_out", "similarity/seta"]
    assert charts[-3:] == ["documents", "words", "duration"]


def test_a_night_is_compared_with_the_champion(opened: tuple[Browser, Path]) -> None:
    """A click on it shows both; J(θ) on other windows is said to be on others; failures are in the list."""
    chromium, file = opened
    chromium.show_as(1440)
    chromium.open(file)
    chromium.run("document.querySelector('#list tr[data-version=\"150\"]').click()")
    told = chromium.run("return document.getElementById('night').innerText")
    rows = chromium.run("return document.querySelectorAll('#list tbody tr').length")
    chromium.run("const s = document.querySelector('select'); s.value = 200; s.dispatchEvent(new Event('change'))")

    assert told.startswith("Version 150: night 150\n")
    assert "kept back, the champion then was version 1: </script><b>kept</b>" in told
    assert "other windows" in told
    assert "another set" not in told
    assert "−0.020" in told
    assert "v199, champion" in told
    assert rows == 91
    assert chromium.run("return document.querySelectorAll('#list tbody tr').length") == 201
    assert "night lost: run ffffffff" in chromium.run("return document.getElementById('list').innerText")


def test_the_newest_is_shown_first(opened: tuple[Browser, Path]) -> None:
    """On a telephone there are thirty, and the newest one is chosen."""
    chromium, file = opened
    chromium.show_as(390)
    chromium.open(file)

    assert chromium.run("return document.querySelectorAll('figure')[0].querySelectorAll('.hit').length") == 30
    assert chromium.run("return document.querySelector('#night h2').textContent") == "Version 200: night 200"
