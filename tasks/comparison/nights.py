"""The page of nights: the versions of a model in time, as one self-contained HTML file.

It is made again at each retraining: kept with the run, and in the workspace.
"""

import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from httpx import HTTPError
from jinja2 import Environment, PackageLoader, StrictUndefined

from configs.schema import Config
from tasks.comparison import kept
from tasks.display.markdown import link
from tasks.engine.facts import VocabularyFacts, recorded
from tasks.engine.store import Dataset
from tasks.errors import TrackingError
from tasks.orchestration import artifacts
from tasks.reports import tables
from tasks.tracking import lookup, registry
from tasks.tracking.names import (
    CONFIG_NAME,
    CONTINUE,
    DIVERGENCE,
    GROUPS,
    LOSS,
    NEWS,
    NIGHT,
    NIGHTS,
    NOTHING_LEARNT,
    OUTSIDE,
    PARENT,
    REPRODUCES,
)
from tasks.tracking.registry import CHAMPION, RegisteredModel, Version
from tasks.tracking.run import Run

LAST = 200  # versions
FAILED = 50  # runs without a version
log = logging.getLogger("w2v")


class Night(NamedTuple):
    """A version of the model: its run, and the last decision about it."""

    version: str
    run: str
    name: str
    started: int  # ms since 1970
    seconds: float | None  # of the whole run, None while it is open
    stages: dict[str, float]  # seconds by stage
    size: dict[str, int]  # documents, tokens, words
    scores: list[dict[str, Any]]  # with 95% intervals, and `basis`: what it was measured on
    outside: float | None  # share of the text's words that the champion did not know
    divergence: float | None
    news: str
    verdict: str
    against: str | None
    why: str
    when: str
    who: str
    alarms: list[str]  # what is wrong with the version itself
    drift: float | None
    gates: list[dict[str, Any]]  # each score against the champion of that time


class Failure(NamedTuple):
    """A run that made no version."""

    run: str
    name: str
    started: int
    state: str
    again: str  # how to continue it


def keep(config: Config, run: Run, documents: Dataset, vocabulary: Dataset, took: Mapping[str, float]) -> None:
    """Note what the page needs of a retraining and nothing else says: seconds by stage, and sizes; make the page.

    A reproduction and a candidate of a sweep are no nights.
    """
    counted = recorded(VocabularyFacts, vocabulary)
    size = {"documents": documents.manifest.account.written, "tokens": counted["occurrences"]}
    stages = {stage: round(seconds, 2) for stage, seconds in took.items()}
    with _no_failure():
        if not {PARENT, REPRODUCES} & run.record.data.tags.keys():
            run.tag({NIGHT: json.dumps({"stages": stages, "size": size | {"words": counted["words"]}})})
            remake(Path(config.runtime.workspace), run.uri, config.tracking.registered_model)


def remake(workspace: Path, uri: str, name: str) -> None:
    """Write the page of a model into the workspace, keep it with the newest run, and link it on Prefect's page."""
    with _no_failure():
        model = registry.model(uri, name)
        if not model.versions:
            return
        page, run = html(model), Run(uri, model.versions[max(model.versions, key=int)].run_id)
        with TemporaryDirectory() as folder:
            (Path(folder) / NIGHTS).write_text(page, encoding="utf-8")
            run.files(Path(folder))
        address = artifacts.link(run, NIGHTS)
        kept.keep(workspace, name, page, address if uri.startswith("http") else address[address.index("#") :])
        text = f"{link('the versions in time', address)}: scores, text, duration, decisions"
        artifacts.announce_page(text, "nights", f"Nights of {name}")


@contextmanager
def _no_failure() -> Iterator[None]:
    """Within the block, a failure only causes a warning: what the page tells of is done already."""
    try:
        yield
    except (TrackingError, HTTPError, OSError) as error:
        log.warning("⚠ the page of nights was not made: %s", str(error).splitlines()[0])


def html(model: RegisteredModel) -> str:
    """Return the page of the last versions of a model."""
    last = sorted(model.versions.values(), key=lambda version: int(version.number))[-LAST:]
    runs = lookup.of_ids(model.uri, [version.run_id for version in last])
    nights = [night for each in last if each.run_id in runs and (night := _night(each, runs[each.run_id]))]
    failures = _failures(model.uri, list(runs.values()), nights)
    return rendered(model.name, model.aliases.get(CHAMPION, ""), nights, failures)


def rendered(model: str, champion: str, nights: list[Night], failures: list[Failure]) -> str:
    """Return the page of these nights, oldest first; `champion` is the number of a version, or ""."""
    loader = PackageLoader("tasks.comparison", "templates")
    page = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    known = {
        "model": model,
        "champion": champion,
        "nights": [_short(night._asdict()) for night in nights],
        "failures": [failure._asdict() for failure in failures],
    }
    return page.get_template(NIGHTS).render(model=model, known=known)


def _failures(uri: str, runs: list[Any], nights: list[Night]) -> list[Failure]:
    """Return the runs of the same configs, not older than the nights, that have ended without a result."""
    if not nights:
        return []
    configs = {run.data.tags.get(CONFIG_NAME) for run in runs}
    since = min(night.started for night in nights)
    found = lookup.unfinished(uri, {run.info.experiment_id for run in runs}, since, FAILED)
    return [
        Failure(
            each.info.run_id,
            each.info.run_name,
            each.info.start_time,
            each.info.status.lower(),
            each.data.tags.get(CONTINUE, ""),
        )
        for each in found
        if each.data.tags.get(CONFIG_NAME) in configs and PARENT not in each.data.tags
    ]


def _night(version: Version, run: Any) -> Night | None:
    """Return what is known about a version; None for a candidate of a sweep."""
    info, metrics, tags = run.info, run.data.metrics, run.data.tags
    if PARENT in tags and not version.decisions:
        return None
    noted = json.loads(tags.get(NIGHT, "{}"))
    decision = version.decisions[-1] if version.decisions else None
    figures = next((each.figures for each in reversed(version.decisions) if each.figures), None)
    rows = [row for row in tables.scores(metrics) if row["score"] == LOSS or row["score"].split("/")[0] in GROUPS]
    nothing = tags.get(NOTHING_LEARNT, "")
    return Night(
        version=version.number,
        run=info.run_id,
        name=info.run_name,
        started=info.start_time,
        seconds=(info.end_time - info.start_time) / 1_000 if info.end_time else None,
        stages=noted.get("stages", {}),
        size=noted.get("size", {}),
        scores=[row | {"basis": lookup.basis(run, row["score"])} for row in rows],
        outside=metrics.get(OUTSIDE),
        divergence=metrics.get(DIVERGENCE),
        news=tags.get(NEWS, ""),
        verdict=decision.verdict if decision else "",
        against=decision.against if decision else None,
        why=decision.why if decision else nothing,
        when=decision.when if decision else "",
        who=decision.who if decision else "",
        alarms=list(decision.faults) if decision else nothing.split("; ") if nothing else [],
        drift=figures.drift if figures else None,
        gates=[gate.model_dump(mode="json", exclude={"items", "coverage"}) for gate in figures.gates]
        if figures
        else [],
    )


def _short(value: Any) -> Any:
    """Return the values with the digits that a page shows, without those that are not known."""
    if isinstance(value, float):
        return float(f"{value:.5g}")
    if isinstance(value, dict):
        return {key: _short(each) for key, each in value.items() if each is not None}
    return [_short(each) for each in value] if isinstance(value, list) else value
