"""Tables of a run's scores, and its report page in Markdown for MLflow and Prefect."""

from typing import Any

import pandas as pd
import pyarrow as pa

from configs.schema import Config
from tasks import notes
from tasks.display.markdown import code, tabular, text
from tasks.engine.facts import Band, EvaluationFacts, VocabularyFacts, recorded
from tasks.engine.store import Manifest
from tasks.engine.workers.choice import choice
from tasks.evaluation import learning
from tasks.tracking.names import ABOUT_SCORES, COVERAGE, HIGH, LOW

METHODS = ["3cosadd", "3cosmul"]
Row = dict[str, Any]


def scores(metrics: dict[str, float]) -> list[Row]:
    """Return a row per score: value, 95% interval, and share of items it was measured on."""
    rows = []
    for metric, value in metrics.items():
        group, name = metric.split("/")
        if group not in ABOUT_SCORES:
            low, high = metrics.get(LOW.format(score=name)), metrics.get(HIGH.format(score=name))
            coverage = metrics.get(COVERAGE.format(set=name.split(".")[0]))
            rows.append({"score": metric, "value": value, "low": low, "high": high, "coverage": coverage})
    return rows


def by_epoch(earlier: dict[str, dict[str, float]], final: dict[str, float]) -> tuple[list[str], list[list[str]]]:
    """Return header and rows of each score by epoch, the final one last."""
    columns = [*earlier.values(), final]
    rows = [
        [row["score"], *(f"{each[row['score']]:.4g}" if row["score"] in each else "" for each in columns)]
        for row in scores(final)
    ]
    return ["score", *(f"epoch {epoch}" for epoch in earlier), "final"], rows


def sections(items: pa.Table) -> pd.DataFrame:
    """Return a row per section of each analogy set: items asked and covered, and the share of covered ones right."""
    frame = items.to_pandas()
    frame = frame[frame["judge"].isin(METHODS)]
    frame["right"] = frame["right"].where(frame["covered"]).astype(float)
    frame = pd.concat([frame, frame.assign(section="total")])
    grouped = frame.groupby(["set", "section", "judge"], sort=False)
    figures = grouped.agg(asked=("item", "size"), covered=("covered", "sum"), right=("right", "mean"))
    counts = figures[["asked", "covered"]].groupby(level=["set", "section"], sort=False).first()
    table: pd.DataFrame = counts.join(figures["right"].unstack("judge")).reset_index()
    return table


def bands(found: list[Band]) -> pd.DataFrame:
    """Return a row per score and frequency band."""
    return pd.DataFrame(found, columns=["score", "band", "items", "value", "low", "high"])


def neighbors(found: dict[str, list[tuple[str, float]]]) -> pd.DataFrame:
    """Return a row per probe word: its neighbours, nearest first."""
    rows = ({"word": word} | {str(rank): each[0] for rank, each in enumerate(near, 1)} for word, near in found.items())
    return pd.DataFrame(rows)


def phrases(found: pa.Table) -> pd.DataFrame:
    """Return a row per phrase: pass, phrase, count and score."""
    frame: pd.DataFrame = found.drop_columns("words").to_pandas()
    return frame


def markdown(config: Config, stages: dict[str, Manifest]) -> str:
    """Return the report page: settings, scores, neighbours, accounts of the stages, and where the files are."""
    judged = recorded(EvaluationFacts, stages["evaluation"])
    near = [[word, ", ".join(each[0] for each in nearest)] for word, nearest in judged["neighbors"].items()]
    warned = learning.warning(judged, config.promotion)
    return "\n\n".join(
        [
            headline(config, stages),
            f"Engine: {choice(config.runtime, len(stages['tokens'].parts)).described}.",
            *([f"⚠ {text(warned)}"] if warned else []),
            *map(text, notes.notes(stages)),
            tabular(["score", "value", "95% interval", "coverage"], [_score(row) for row in scores(judged["metrics"])]),
            *([tabular(*by_epoch(judged["epochs"], judged["metrics"]))] if "epochs" in judged else []),
            tabular(["score", "words", "items", "value", "95% interval"], [_band(row) for row in judged["bands"]]),
            tabular(["word", "nearest neighbours"], near),
            tabular(["stage", "in", "out", "left out"], [_account(name, each) for name, each in stages.items()]),
            "Artifacts: `vectors/` (npy, word2vec text and binary), `figures/` (loss, word map), `scores/`, "
            "`manifests/`, `config.json`, `environment.json`, `reproducibility.json`.",
        ]
    )


def headline(config: Config, stages: dict[str, Manifest]) -> str:
    """Return the first sentence of the report: what was trained, from what, and how."""
    return f"**{text(config.name)}**: {_summary(config, stages)}"


def _summary(config: Config, stages: dict[str, Manifest]) -> str:
    training = config.training
    source = config.ingestion.source
    words = recorded(VocabularyFacts, stages["vocabulary"])
    return (
        f"vectors of {words['words']:,} words in {training.vector_size} dimensions, "
        f"from {words['occurrences']:,} words of "
        f"{', '.join(map(code, [source] if isinstance(source, str) else source))}; "
        f"{_spaced(training.architecture)} with {_spaced(training.objective)}, window {config.windows.window}, "
        f"{training.epochs} epochs, learning rate {training.learning_rate:g}, seed {config.seed}"
        f"{_replication(training.replicas, stages['vectors'].facts)}."
    )


def _replication(replicas: int, facts: dict[str, Any]) -> str:
    """Return how many models were combined, and who learnt them; "" for one model."""
    if replicas == 1:
        return ""
    found = facts["replication"]
    on = "1 worker" if found["workers"] == 1 else f"{found['workers']} workers"
    return f"; {replicas} replicas on {on}, combined {found['meetings']:,} times"


def _spaced(name: str) -> str:
    return name.replace("_", " ")


def _score(row: Row) -> list[str]:
    interval = "" if row["low"] is None else f"{row['low']:.3f} … {row['high']:.3f}"
    coverage = "" if row["coverage"] is None else f"{row['coverage']:.0%}"
    return [row["score"], f"{row['value']:.4g}", interval, coverage]


def _band(row: Band) -> list[str]:
    interval = f"{row['low']:.3f} … {row['high']:.3f}"
    return [row["score"], row["band"], f"{row['items']:,}", f"{row['value']:.3f}", interval]


def _account(name: str, manifest: Manifest) -> list[str]:
    account = manifest.account
    left_out = ", ".join(f"{count:,} {reason}" for reason, count in account.left_out.items() if count)
    return [name, f"{account.read:,} {account.unit}", f"{account.written:,}", left_out]
