"""text → documents: read what is new in the sources, drop copies, and count what is left out by reason.

Files are read in batches. Each batch is an output of its own, keyed by the digests of its files, and may be shared by
many corpora: when a corpus grows, only new batches are read. The result does not depend on that history: it is the same
as if everything was read at once.
"""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from configs.schema import Ingestion
from tasks.datasets import contracts
from tasks.datasets.files import digest_of
from tasks.engine import progress
from tasks.engine.facts import BatchFacts, DocumentsFacts, recorded
from tasks.engine.stage import Context, stage
from tasks.engine.store import Account, Dataset, Draft, FrozenModel, joined
from tasks.errors import InputError
from tasks.ingestion import copies
from tasks.ingestion.applicable import check_applicable
from tasks.ingestion.deduplication import Losses, Sieve, check
from tasks.ingestion.downloads import fetched
from tasks.ingestion.sessions import grouped
from tasks.ingestion.sources import Source, batches, named, source_digests, sources
from tasks.ingestion.unread import summary, unread_files
from tasks.readers.archives import clear_errors
from tasks.readers.documents import Document
from tasks.readers.reading import read, read_installed

REPORT_DOCUMENTS = 500  # documents between two progress reports


@stage("ingestion", outside=source_digests)
def ingestion(config: Ingestion, draft: Draft, context: Context) -> Account:
    """Write one row per document or piece, in the order of the sources, numbered within its part."""
    planned = sources(config)
    check_applicable(config, planned)
    if digest_of(ingestion.inputs(config=config)) != draft.path.name:
        raise InputError(_changed(named(config)))
    cut = batches(planned, config)
    each = ({"files": files, "config": _alone(config)} for files in cut)
    found = _batch.parts(each, [_size(files) for files in cut], draft, context)
    for batch in found:
        batch.file(copies.FILE)  # fetched, if another machine has made the batch
    repeated = copies.repeated([batch.path for batch in found])
    pruned = [
        {"documents": batch, "repeated": RowNumbers.of(rows)}
        for batch, rows in zip(found, repeated, strict=True)
        if rows
    ]
    shorter = iter(_without.parts(pruned, [1] * len(pruned), draft, context))
    draft.parts = [next(shorter) if rows else batch for batch, rows in zip(found, repeated, strict=True)]

    account, kept = joined(found), joined(draft.parts).written
    account.left_out["duplicate"] += account.written - kept
    account = account.model_copy(update={"written": kept})
    characters, before = (
        sum(recorded(BatchFacts, part)["characters"] for part in each) for each in (draft.parts, found)
    )
    first, original = _first(found, repeated)
    again = Losses(characters={"duplicate": before - characters}, first=first)
    losses = sum((_losses(batch) for batch in found), again)
    check(config, account, losses, characters, original)
    besides = unread_files(config, planned, Path(context.runtime.workspace))
    told = [*filter(None, (losses.summary(), summary(besides), _repetitions(found)))]
    draft.facts.update(
        DocumentsFacts(files=len(planned), characters=characters, losses=losses.facts, unread=len(besides), told=told)
    )
    for text in told:
        progress.note("ingestion", text)
    return account


def new_share(config: Ingestion, context: Context) -> float:
    """Return the share of the sources' bytes that no earlier ingestion has read."""
    found = [
        (_size(files), _batch.find(context=context, files=files, config=_alone(config)))
        for files in batches(sources(config), config)
    ]
    return sum(size for size, batch in found if batch is None) / sum(size for size, _ in found)


class RowNumbers(FrozenModel):
    """Row numbers of a dataset, of which only the digest enters the key."""

    digest: str
    rows: list[int] = Field(exclude=True)

    @classmethod
    def of(cls, rows: list[int]) -> "RowNumbers":
        return cls(digest=digest_of(rows), rows=rows)


@stage("ingestion")
def _batch(files: list[Source], config: Ingestion, draft: Draft, context: Context) -> Account:
    """Read some files, keep each text once among them, and store digests to find its copies in other batches."""
    sieve = Sieve(config)
    with open(draft.file(copies.FILE), "wb") as digests:

        def kept() -> Iterator[Document]:
            found = _read_all(files, config, draft, context)
            for document, digest in sieve(grouped(found, _size(files)) if config.session_column else found):
                digests.write(digest)
                yield document

        _write(_shards(kept(), config.shard_mb * 1_000_000), draft)
    if changed := [file.name for file in files if file.changed]:
        raise InputError(_changed(", ".join(changed[:5])))
    draft.facts.update(losses=sieve.losses.facts, repeated=sieve.repeated.hex())
    return sieve.account


@stage("ingestion")
def _without(documents: Dataset, repeated: RowNumbers, draft: Draft, context: Context) -> Account:
    """Write a batch without the texts that an earlier batch contains."""
    tables = (contracts.read(file, contracts.DOCUMENTS) for file in documents.files())
    kept = (table.filter(~np.isin(table["document"].to_numpy(), repeated.rows)) for table in tables)
    written = _write((table.drop_columns("document") for table in kept if len(table)), draft)
    left_out = {"duplicate": len(repeated.rows)}
    return Account(unit="documents", read=documents.manifest.account.written, written=written, left_out=left_out)


def _alone(config: Ingestion) -> Ingestion:
    """Return the settings that matter for reading a single file, without the list of sources."""
    return config.model_copy(update={"source": [], "sha256": None, "distributions": [], "max_rejected_fraction": 1.0})


def _size(files: Sequence[Source]) -> int:
    return sum(file.size for file in files) or 1


def _repetitions(found: Sequence[Dataset]) -> str:
    """Return a note that repeated texts were kept; empty if the user asked for that or none could repeat."""
    kept = any(copies.placeholders(copies.digests(batch.path)).any() for batch in found)
    return "lines and rows that repeat others are kept: ingestion.duplicates" if kept else ""


def _losses(batch: Dataset) -> Losses:
    return Losses.model_validate(recorded(BatchFacts, batch)["losses"])


def _first(found: Sequence[Dataset], repeated: Sequence[list[int]]) -> tuple[dict[str, str], str]:
    """Return the place of the first document left out for each reason, and what the first duplicate repeats."""
    first: dict[str, str] = {}
    digest = b""
    for batch, rows in zip(found, repeated, strict=True):
        noted = recorded(BatchFacts, batch)
        if "duplicate" not in first and (noted["repeated"] or rows):
            digest = bytes.fromhex(noted["repeated"]) or copies.digests(batch.path)[rows[0]].tobytes()
            if not noted["repeated"]:
                first["duplicate"] = _name(batch, rows[0])
        first = noted["losses"]["first"] | first
    if not digest:
        return first, ""
    wanted = np.frombuffer(digest, copies.HALVES)[0]
    rows_of = ((batch, np.flatnonzero(copies.digests(batch.path) == wanted)) for batch in found)
    return first, next(_name(batch, int(rows[0])) for batch, rows in rows_of if len(rows))


def _name(batch: Dataset, row: int) -> str:
    """Return the name of the document in a row."""
    names = pa.chunked_array(
        [contracts.read(file, contracts.DOCUMENTS, ["source"])["source"] for file in batch.files()]
    )
    return str(names[row])


def _read_all(files: Sequence[Source], config: Ingestion, draft: Draft, context: Context) -> Iterator[Document]:
    """Yield the documents of all files and report the share of bytes read."""
    documents, done, total = 0, 0, _size(files)
    for source in files:
        path = source.path
        if source.url:
            path = fetched(source, Path(context.runtime.workspace), draft.report)
            total += path.stat().st_size - source.size
        with clear_errors(source.name), open(path, "rb") as file:
            for document in (read_installed if source.installed else read)(file, source.name, config):
                yield document
                documents += 1
                if documents % REPORT_DOCUMENTS == 0:
                    draft.report(done + file.tell(), total, f"{documents:,} documents, {source.name}")
        done += path.stat().st_size


def _write(shards: Iterable[pa.Table], draft: Draft) -> int:
    """Number the documents, write them, a file per shard, and return their number."""
    written = characters = 0
    for number, shard in enumerate(shards):
        ids = pa.array(range(written, written + len(shard)), pa.int64())
        file = draft.file(f"part-{number:05d}.parquet")
        written += contracts.write(file, contracts.DOCUMENTS, shard.add_column(0, "document", ids))
        characters += pc.sum(pc.utf8_length(shard["text"])).as_py()
    draft.facts["characters"] = characters
    return written


def _shards(documents: Iterable[Document], size: int) -> Iterator[pa.Table]:
    """Group the documents into tables of about `size` bytes of text."""
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


def _changed(name: str) -> str:
    return (
        f"{name} changed while being read\nexpected  sources that do not change during ingestion\n"
        "Run the command again, if necessary on a copy that does not change."
    )
