"""text → documents: read every source as a stream, keep each text once, and count what is left out by reason."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from configs.schema import Ingestion
from tasks import _contracts
from tasks._archives import clear_errors
from tasks._documents import Document
from tasks._downloads import fetch
from tasks._errors import InputError
from tasks._reading import read
from tasks._sieve import Sieve
from tasks._sources import Source, named, source_digests, sources
from tasks._stage import Context, stage
from tasks._store import Account, Draft, digest_of

REPORT_DOCUMENTS = 500  # between two reports


@stage(outside=source_digests)
def ingestion(config: Ingestion, draft: Draft, context: Context) -> Account:
    """One row a document, in the order of the sources; a text that is cut is several documents."""
    planned = sources(config)
    sieve = Sieve()
    written = characters = 0
    documents = sieve(_read_all(planned, config, draft, context))
    for number, shard in enumerate(_shards(documents, config.shard_mb * 1_000_000)):
        ids = pa.array(range(written, written + len(shard)), pa.int64())
        file = draft.file(f"part-{number:05d}.parquet")
        written += _contracts.write(file, _contracts.DOCUMENTS, shard.add_column(0, "document", ids))
        characters += pc.sum(pc.utf8_length(shard["text"])).as_py()
    _check_unchanged(planned, config, draft)
    sieve.check(config, again=_read_all(planned, config, draft, context))
    draft.facts.update(files=len(planned), characters=characters, first_left_out=sieve.first)
    return Account(unit="documents", read=sieve.read, written=written, left_out=sieve.left_out)


def _read_all(planned: list[Source], config: Ingestion, draft: Draft, context: Context) -> Iterator[Document]:
    """The documents of all files, reporting the share of bytes read."""
    documents, done, total = 0, 0, sum(source.size for source in planned) or 1
    for source in planned:
        path = source.path
        if source.url:
            path = Path(context.runtime.workspace) / path
            fetch(source.url, source.digest, path, draft.report)
            total += path.stat().st_size
        with clear_errors(source.name), open(path, "rb") as file:
            for document in read(file, source.name, config):
                yield document
                documents += 1
                if documents % REPORT_DOCUMENTS == 0:
                    draft.report(done + file.tell(), total, f"{documents:,} documents, {source.name}")
        done += path.stat().st_size


def _shards(documents: Iterable[Document], size: int) -> Iterator[pa.Table]:
    """The documents in tables of about `size` bytes of text."""
    waiting: list[Document] = []
    waiting_bytes = 0
    for document in documents:
        waiting.append(document)
        waiting_bytes += len((document.text or "").encode())
        if waiting_bytes >= size:
            yield _table(waiting)
            waiting, waiting_bytes = [], 0
    if waiting:
        yield _table(waiting)


def _table(documents: list[Document]) -> pa.Table:
    names = pa.array([document.name for document in documents])
    return pa.table({"source": names, "text": pa.array([document.text for document in documents], pa.large_string())})


def _check_unchanged(planned: list[Source], config: Ingestion, draft: Draft) -> None:
    """The key tells what was to be read; raises InputError if that is not what lies there now."""
    if digest_of(ingestion.inputs(config=config)) == draft.path.name:
        return
    changed = sorted({source.name for source in set(planned) ^ set(sources(config))})
    raise InputError(
        f"{', '.join(changed[:5]) or named(config)} changed while being read\n"
        "expected  sources that keep still during ingestion\nRun the command again, on a finished copy if need be."
    )
