"""Estimate the size of a source from its beginning, with the ingestion's own readers, before any work starts."""

from collections.abc import Iterator
from math import ceil
from pathlib import Path
from typing import BinaryIO, NamedTuple

from configs.schema import Ingestion
from tasks.datasets import contracts
from tasks.engine import progress
from tasks.engine.facts import DocumentsFacts, recorded
from tasks.engine.store import Dataset
from tasks.ingestion.applicable import check_applicable
from tasks.ingestion.deduplication import ANY, Sieve, check
from tasks.ingestion.s3 import opened
from tasks.ingestion.sessions import grouped
from tasks.ingestion.sources import Source, sources
from tasks.ingestion.unread import summary, unread_files
from tasks.readers.archives import clear_errors
from tasks.readers.columnar_rows import row_count
from tasks.readers.documents import Document
from tasks.readers.formats import COMPRESSED, by_name, suffix
from tasks.readers.reading import read, read_installed

FILES = 50  # files that are sampled, at equal distances in the order of the sources
ENOUGH = 8_000_000  # characters read in all; after that, only the first document of each file
FIRST = 10_000  # characters of a file that are read to show its first documents
ROW = 100  # characters added for each row


class CorpusSize(NamedTuple):
    """The size of a corpus."""

    documents: float
    characters: float


class Seen(NamedTuple):
    """The part of a text that was read, and the size estimated from it."""

    corpus: CorpusSize | None  # None if a download is missing
    texts: list[str]  # of the documents that are kept
    whole: bool  # True if that is the whole text


def sample(config: Ingestion, workspace: Path) -> CorpusSize | None:
    """Return the size of the text that ingestion is expected to find; see `look`."""
    return look(config, workspace).corpus


def look(config: Ingestion, workspace: Path) -> Seen:
    """Return what ingestion is expected to find: exact for a small source, otherwise extrapolated from its beginning.

    The size is None if a download has not been fetched yet. Raises InputError where ingestion would: for unreadable
    files, missing columns and, if everything was read, too large a share that is not text.
    """
    every = sources(config)
    check_applicable(config, every)
    planned = [_fetched(source, workspace) for source in every]
    there = [source for source in planned if not source.url or source.on_s3 or source.path.exists()]
    sieve = Sieve(config)
    seen: list[Document] = []
    whole = len(there) == len(planned) <= FILES
    documents = characters = size = 0.0
    may_repeat: list[int] = []  # hashes of texts
    budget: float = ENOUGH
    texts: list[str] = []
    for source in there[:: max(1, ceil(len(there) / FILES))]:
        found, share, cost = _beginning(source, config, budget)
        if config.session_column:
            found = list(grouped(found, source.size))
        sifted = list(sieve(found))
        kept = [document for document, _ in sifted]
        may_repeat += [hash(document.text) for document, digest in sifted if digest == ANY]
        length = sum(len(document.text or "") for document in kept)
        texts += [document.text for document in kept if document.text]
        if budget > 0:  # a single document is too little to estimate its file
            documents += len(kept) / share
            characters += length / share
            size += source.size
        budget -= cost
        whole = whole and share == 1 and budget > 0  # otherwise the rest is still in the file's buffer
        seen += found
    unread = summary(unread_files(config, every, workspace))
    for text in filter(None, [*_repetitions(sieve, may_repeat), *_losses(sieve), unread]):
        progress.foretold("ingestion", text)
    if whole:
        check(config, sieve.account, sieve.losses, sum(map(len, texts)), sieve.original(seen))
    if len(there) < len(planned):
        return Seen(None, texts, whole=False)
    growth = sum(source.size for source in there) / size if size else 0.0
    return Seen(CorpusSize(documents * growth, characters * growth), texts, whole)


def stored(documents: Dataset) -> Seen:
    """Return the same for a text that was ingested already, reading its beginning from the store."""
    manifest = documents.manifest
    texts: list[str] = []
    for file in (file for part in documents.parts for file in part.files()):
        if sum(map(len, texts)) >= ENOUGH:
            break
        texts += contracts.read(file, contracts.DOCUMENTS, ["text"])["text"].to_pylist()
    return Seen(
        CorpusSize(manifest.account.written, recorded(DocumentsFacts, manifest)["characters"]),
        texts,
        len(texts) == manifest.account.written,
    )


def _repetitions(sieve: Sieve, may_repeat: list[int]) -> Iterator[str]:
    """Describe what happens to texts that repeat others, if any of the first do."""
    read, copies = sieve.account.read, sieve.account.left_out["duplicate"]
    repeated = len(may_repeat) - len(set(may_repeat))
    if repeated:
        share = f"{repeated:,} of the first {len(may_repeat):,} lines or rows"
        yield f"{share} repeat others and are kept (ingestion.duplicates=drop would leave them out)"
    if copies:
        share = f"{copies:,} of the first {read:,} documents"
        yield f"{share} repeat others and are left out (ingestion.duplicates=keep would keep them)"


def _losses(sieve: Sieve) -> Iterator[str]:
    """Describe which damage in the first documents will be left out."""
    yield sieve.losses.summary()
    if left := sieve.account.left_out["undecodable"]:
        place = sieve.losses.first["undecodable"]
        share = f"{left:,} of the first {sieve.account.read:,} documents"
        yield f"{share} cannot be read and are left out, the first in {place}"


def _fetched(source: Source, workspace: Path) -> Source:
    """Return a remote source with its local path, and its size if known."""
    if not source.url:
        return source
    path = workspace / source.path
    return source.model_copy(update={"path": path, "size": path.stat().st_size if path.exists() else source.size})


def _opened(source: Source) -> BinaryIO:
    """Open a source; of an object on S3, only the parts that are read are fetched."""
    return opened(source.url) if source.on_s3 and not source.path.exists() else open(source.path, "rb")


def _beginning(source: Source, config: Ingestion, budget: float) -> tuple[list[Document], float, float]:
    """Return the first documents of a file, their share of the file, and their cost against the budget."""
    found: list[Document] = []
    cost = 0
    with clear_errors(source.name), _opened(source) as file:
        for document in (read_installed if source.installed else read)(file, source.name, config):
            found.append(document)
            cost += ROW + (config.document_length if document.text is None else len(document.text))
            if cost >= budget:
                if by_name(source.name) == "parquet" and suffix(source.name) not in COMPRESSED:  # knows its row count
                    return found, sum(document.piece == 1 for document in found) / row_count(file), cost
                return found, file.tell() / source.size, cost
    return found, 1.0, cost


def first(config: Ingestion, workspace: Path, number: int) -> list[Document]:
    """Return the first `number` documents that have a text; downloads count only once they are fetched."""
    found: list[Document] = []
    for source in (_fetched(source, workspace) for source in sources(config)):
        if len(found) < number and (not source.url or source.on_s3 or source.path.exists()):
            beginning = _beginning(source, config, FIRST + config.document_length)[0]  # room for a damaged one
            beginning = list(grouped(beginning, source.size)) if config.session_column else beginning
            found += [document for document in beginning if document.text and document.text.strip()]
    return found[:number]
