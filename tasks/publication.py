"""Publish everything that a retraining made as one complete MLflow run, and link it from Prefect."""

import json
import logging
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from prefect import task
from prefect.cache_policies import NO_CACHE

from configs.schema import Config
from tasks import certificate, notifications
from tasks.datasets import contracts
from tasks.display import markdown, spreadsheet
from tasks.engine import environment
from tasks.engine.facts import EvaluationFacts, VectorsFacts, recorded
from tasks.engine.retries import may_pass
from tasks.engine.stage import Context
from tasks.engine.store import Dataset, Manifest
from tasks.evaluation import learning
from tasks.evaluation.datasets import judging_files
from tasks.evaluation.sessions import SETS as SESSION_SETS
from tasks.orchestration import artifacts
from tasks.promotion import alignment
from tasks.reports import figures
from tasks.reports import tables as report_tables
from tasks.text.normalization import KEY
from tasks.tracking import models, names
from tasks.tracking.contents import columns, lineage
from tasks.tracking.contents.live_curve import CURVES, log_curve
from tasks.tracking.contents.parameters import parameters
from tasks.tracking.run import Run, gathered
from tasks.vectors import formats, tables
from tasks.vectors.tables import WordVectors

Rows = list[dict[str, Any]]

log = logging.getLogger("w2v")


class LoggedEpoch(NamedTuple):
    """A logged model, the number of words it was trained on, and its scores."""

    model: str
    words: int
    metrics: dict[str, float]


@task(name="publication", task_run_name="publication", cache_policy=NO_CACHE, retry_condition_fn=may_pass)
def publish(
    config: Config,
    documents: Dataset,
    tokens: Dataset,
    vocabulary: Dataset,
    held_out: Dataset,
    draws: list[Dataset],
    vectors: Dataset,
    evaluation: Dataset,
    context: Context,
    phrases: Dataset | None = None,
) -> None:
    """Complete the run of `context`. Idempotent; the tag by which its result is found is set last."""
    run = Run(context.tracking_uri, context.run_id)
    stages = {"documents": documents, "tokens": tokens, "vocabulary": vocabulary, "held-out": held_out}
    stages |= {"phrases": phrases} if phrases else {}
    stages |= {f"windows-{epoch:03d}": draw for epoch, draw in enumerate(draws)}
    stages |= {"vectors": vectors, "evaluation": evaluation}
    for dataset in (vocabulary, vectors, evaluation):
        dataset.fetch()
    manifests = {name: dataset.manifest for name, dataset in stages.items()}
    judged = manifests["evaluation"]
    learnt = tables.load(vectors)
    curve = contracts.read(vectors.path / "curve.parquet", contracts.CURVE).to_pylist()
    name = config.tracking.registered_model
    aligned = alignment.align(run, name, learnt) if config.promotion.align else None
    remarks = [run.record.data.tags.get(names.NEWS), aligned and str(aligned)]
    page = "\n\n".join([report_tables.markdown(config, manifests), *(markdown.text(each) for each in remarks if each)])

    run.inputs(
        [
            lineage.dataset("documents", [documents], "tokenization"),
            lineage.dataset("tokens", [tokens], "vocabulary"),
            lineage.dataset("vocabulary", [vocabulary], "windows"),
            lineage.dataset("windows", draws, "training"),
            lineage.dataset("held-out", [held_out], "evaluation"),
            lineage.dataset("vectors", [vectors], "evaluation", "vectors.parquet"),
            *lineage.evaluation_sets(judging_files(config.evaluation), judged.inputs["outside"]),
        ]
    )
    with gathered(Path(context.runtime.workspace), run.id) as folder:
        write_artifacts(folder, config, learnt, vectors, evaluation, manifests, page)
        if phrases:
            found = contracts.read(phrases.file("phrases.parquet"), contracts.PHRASES)
            spreadsheet.write(report_tables.phrases(found), folder / names.PHRASES)
        if aligned:
            (folder / names.ALIGNED_VECTORS).mkdir()
            _write_vectors(folder / names.ALIGNED_VECTORS, aligned.vectors)
        seal = certificate.write(certificate.certify(config, stages, folder), folder)
        run.files(folder)
        logged = [log_epoch(run, config, epoch, vectors, curve, judged, folder) for epoch in tables.kept(vectors)]
        words = curve[-1]["words"] if logged else 0  # MLflow shows a single value at step 0 as a bar
        place = folder / (names.ALIGNED_VECTORS if aligned else names.VECTORS)
        model = models.log_model(run, place, parameters(config), step=words)
    found = recorded(EvaluationFacts, judged)
    logged.append(LoggedEpoch(model, words, found["metrics"]))
    log_metrics(run, logged, curve, vectors, held_out, judged)
    if aligned:
        run.metrics({names.COSINE_BEFORE: aligned.before, names.COSINE_AFTER: aligned.after}, 0)
    tags = {names.RUN: run.id, names.CONFIG: config.name, names.VECTORS_DIGEST: vectors.digest}
    tags |= {names.ALIGNED: aligned.to} if aligned else {}
    version = models.register(run, model, name, tags, _described(run, report_tables.headline(config, manifests)))

    wrong = learning.faults(found, config.promotion)
    if wrong and not config.promotion.automatic and not {names.RESULT, names.PARENT} & run.record.data.tags.keys():
        notifications.tell(config.notify, notifications.of_no_learning(config.name, "; ".join(wrong), run))

    columns.renew(run.uri, run.record.info.experiment_id)
    artifacts.announce(run, report_tables.scores(found["metrics"]), page)
    run.tag(
        {
            names.NOTE: "\n\n".join([*_nights(run), page]),
            names.VECTORS_DIGEST: vectors.digest,
            **seal,
            names.MODEL_VERSION: f"{name}/{version}",
            **({names.NOTHING_LEARNT: "; ".join(wrong)} if wrong else {}),
            names.RESULT: evaluation.key,
        }
    )


def _described(run: Run, headline: str) -> str:
    """Return the description of a version: who made it, in which run, what it is."""
    tags, name = run.record.data.tags, run.record.info.run_name
    user, code = markdown.text(tags.get(names.USER, "")), tags.get(names.W2V_VERSION, "")
    return f"{headline}\n\nMade by {user} with w2v {code}, in the run {markdown.text(name)}."


def _nights(run: Run) -> list[str]:
    """Return a link to the page of nights for MLflow's own page, unless the run is no night."""
    place = artifacts.link(run, names.NIGHTS)
    beside = {names.PARENT, names.REPRODUCES} & run.record.data.tags.keys()
    return [] if beside else [markdown.link("The versions in time", place[place.index("#") :])]


def log_epoch(
    run: Run, config: Config, epoch: int, vectors: Dataset, curve: Rows, judged: Manifest, folder: Path
) -> LoggedEpoch:
    """Log the vectors of an earlier epoch as a model of their own; one at a time is in memory and in the folder."""
    end = min(curve, key=lambda point: abs(point["epoch"] - epoch))  # every end of an epoch has a point
    with TemporaryDirectory(dir=folder) as place:
        _write_table(Path(place), tables.load(vectors, epoch))
        model = models.log_model(run, Path(place), parameters(config), epoch=epoch, step=end["words"])
    return LoggedEpoch(model, end["words"], recorded(EvaluationFacts, judged)["epochs"][str(epoch)])


def log_metrics(
    run: Run, logged: list[LoggedEpoch], curve: Rows, vectors: Dataset, held_out: Dataset, judged: Manifest
) -> None:
    """Log the curves of the training, then the scores, each linked to its model and to the digest of its dataset."""
    log_curve(run, curve, recorded(VectorsFacts, vectors)["speed"]["curve"])
    judges = dict.fromkeys(("held_out", "held_out_per_pair", *SESSION_SETS), ("held-out", held_out.digest))
    judges["mean_cosine"] = ("vectors", vectors.digest)
    judges |= {name: (name, digest) for name, digest in judged.inputs["outside"].items()}
    for each in logged:
        for metric, value in each.metrics.items():
            name, digest = judges[metric.split("/")[1].split(".")[0]]
            # a score with a curve is its last point
            step = each.words or (curve[-1]["words"] if metric in CURVES.values() else 0)
            run.metrics({metric: value}, step, model_id=each.model, dataset_name=name, dataset_digest=digest)


def write_artifacts(
    folder: Path,
    config: Config,
    learnt: WordVectors,
    vectors: Dataset,
    evaluation: Dataset,
    manifests: dict[str, Manifest],
    page: str,
) -> None:
    """Write the files of the run, in folders: vectors, figures, scores, manifests."""
    for name in (names.VECTORS, names.FIGURES, names.SCORES, names.MANIFESTS):
        (folder / name).mkdir()
    _write_vectors(folder / names.VECTORS, learnt)
    curve = contracts.read(vectors.path / "curve.parquet", contracts.CURVE)
    figures.loss(curve).savefig(folder / names.FIGURES / "loss.png")
    figures.word_map(learnt.words, learnt.table).savefig(folder / names.FIGURES / "words.png")

    shutil.copy(evaluation.path / "evaluation.parquet", folder / names.SCORES)  # needed for paired comparisons
    items = contracts.read(evaluation.path / "evaluation.parquet", contracts.EVALUATION)
    judged = recorded(EvaluationFacts, manifests["evaluation"])
    spreadsheet.write(report_tables.sections(items), folder / names.SCORES / "analogies.csv")
    spreadsheet.write(report_tables.neighbors(judged["neighbors"]), folder / names.SCORES / "neighbors.csv")
    spreadsheet.write(report_tables.bands(judged["bands"]), folder / names.SCORES / "bands.csv")
    for name, manifest in manifests.items():
        (folder / names.MANIFESTS / f"{name}.json").write_text(manifest.model_dump_json(indent=1), encoding="utf-8")
    (folder / names.CONFIG_FILE).write_text(json.dumps(config.model_dump(mode="json"), indent=1), encoding="utf-8")
    (folder / names.ENVIRONMENT).write_text(json.dumps(environment.describe(), indent=1), encoding="utf-8")
    (folder / names.REPORT).write_text(page, encoding="utf-8")


def _write_vectors(folder: Path, learnt: WordVectors) -> None:
    _write_table(folder, learnt)
    if not formats.holds_all(learnt.words):  # such as phrases
        log.warning("⚠ words with white space: word2vec's formats cannot store them, so the run has only vectors.npy")
        return
    formats.write_text(folder / "vectors.txt.gz", *learnt[:4])
    formats.write_binary(folder / "vectors.bin", *learnt[:4])


def _write_table(folder: Path, learnt: WordVectors) -> None:
    np.save(folder / "vectors.npy", learnt.table, allow_pickle=False)
    words = pa.table({"word": learnt.words, "count": learnt.counts})
    kept = {KEY: learnt.rules.dumps().encode()} if learnt.rules else None
    pq.write_table(words.replace_schema_metadata(kept), folder / "vocabulary.parquet")
    if learnt.subwords:
        tables.write_mapped_subwords(folder, learnt.subwords)
