"""Compare a corpus with the champion's before training, and log what is new."""

import logging
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from prefect import task
from prefect.cache_policies import NO_CACHE
from pydantic import ValidationError

from configs.schema import Config
from tasks.comparison import corpora
from tasks.comparison.corpora import CorpusCounts, News
from tasks.datasets import contracts
from tasks.engine.facts import VocabularyFacts, recorded
from tasks.engine.retries import may_pass
from tasks.engine.stage import Context
from tasks.engine.store import Dataset, Manifest
from tasks.errors import TrackingError, Unreachable
from tasks.tracking import registry
from tasks.tracking.names import CORPUS, DIVERGENCE, DOCUMENTS_ADDED, MANIFESTS, NEWS, OUTSIDE, TOKENS_ADDED, VECTORS
from tasks.tracking.run import Run

log = logging.getLogger("w2v")


@task(name="novelty", task_run_name="novelty", cache_policy=NO_CACHE, retry_condition_fn=may_pass)
def novelty(config: Config, documents: Dataset, tokens: Dataset, vocabulary: Dataset, context: Context) -> None:
    """Log metrics, `corpus.json` and a sentence to the run; do nothing without a champion, or a second time."""
    run = Run(context.tracking_uri, context.run_id)
    champion = registry.model(run.uri, config.tracking.registered_model).champion
    if champion is None or champion.run_id == run.id or NEWS in run.record.data.tags:
        return
    try:
        before = _of(Run(run.uri, champion.run_id))
    except Unreachable:
        raise
    except (TrackingError, ValidationError) as error:  # an older version, or deleted: train anyway
        log.warning("  %-12s unknown: the champion's corpus cannot be read: %s", "novelty", str(error).splitlines()[0])
        return
    table = contracts.read(vocabulary.file("vocabulary.parquet"), contracts.VOCABULARY, ["word", "count"])
    now = _corpus(documents.manifest, vocabulary.manifest, table)
    news = corpora.compare(champion.number, before, now, corpora.outside(tokens.files(), before.words))
    run.document(CORPUS, news.model_dump(mode="json"))
    run.metrics(_metrics(news), 0)
    run.tag({NEWS: news})
    log.info("  %-12s %s", "novelty", news)


def _of(run: Run) -> CorpusCounts:
    """Return the corpus of a published run."""
    with run.fetched(MANIFESTS) as manifests:
        documents, vocabulary = (_manifest(manifests / f"{name}.json") for name in ("documents", "vocabulary"))
    with run.fetched(f"{VECTORS}/vocabulary.parquet") as words:
        return _corpus(documents, vocabulary, pq.read_table(words))


def _manifest(file: Path) -> Manifest:
    return Manifest.model_validate_json(file.read_bytes())


def _corpus(documents: Manifest, vocabulary: Manifest, words: pa.Table) -> CorpusCounts:
    tokens = recorded(VocabularyFacts, vocabulary)["occurrences"]
    return CorpusCounts(documents.account.written, tokens, words["word"].to_pylist(), words["count"].to_numpy())


def _metrics(news: News) -> dict[str, float]:
    return {
        DOCUMENTS_ADDED: news.documents[1] - news.documents[0],
        TOKENS_ADDED: news.tokens[1] - news.tokens[0],
        OUTSIDE: news.outside,
        DIVERGENCE: news.divergence,
    }
