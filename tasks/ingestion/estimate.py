"""What a source amounts to, seen from its beginning with the ingestion's own readers, before anything starts."""

from collections.abc import Iterator
from math import ceil
from pathlib import Path
from typing import BinaryIO, NamedTuple

from configs.schema import Ingestion
from tasks.datasets import contracts
from tasks.engine import progress
from tasks.engine.store import Dataset
from tasks.ingestion.applicable import check_applicable
from tasks.ingestion.deduplication import ANY, Sieve, check
from tasks.ingestion.s3 import opened
from tasks.ingestion.sources import Source, sources
from tasks.ingestion.unread import said, unread_files
from tasks.readers.archives import clear_errors
from tasks.readers.columnar_rows import row_count
from tasks.readers.documents import Document
from tasks.readers.formats import COMPRESSED, by_name, suffix
from tasks.readers.reading import read, read_installed

FILES = 50  # looked into, evenly apart in the order of the sources
ENOUGH = 8_000_000  # characters read in all; of the files after that, only the first document
FIRST = 10_000  # characters of a file, from which the first documents are shown
ROW = 100  # characters that a row costs beside its text


class Corpus(NamedTuple):
    """How much text there is to learn from."""

    documents: float
    characters: float


class Seen(NamedTuple):
    """What was read of the text."""

    corpus: Corpus | None  # None if a download has not been fetched yet
    texts: list[str]  # of the documents that are kept
    whole: bool  # these are all


def sample(config: Ingestion, workspace: Path) -> Corpus | None:
    """How much text ingestion is expected to find: `look` says the same, with the texts."""
    return look(config, workspace).corpus


def look(config: Ingestion, workspace: Path) -> Seen:
    """What ingestion is expected to find: exact where it is little, else as if the rest were like the beginning.

    There is no figure if a download has not been fetched yet. Raises InputError where ingestion would: for what cannot
    be read, columns that are not there and, if everything was seen, too much that is no text.
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
        sifted = list(sieve(found))
        kept = [document for document, _ in sifted]
        may_repeat += [hash(document.text) for document, digest in sifted if digest == ANY]
        length = sum(len(document.text or "") for document in kept)
        texts += [document.text for document in kept if document.text]
        if budget > 0:  # a single document says little of its file
            documents += len(kept) / share
            characters += length / share
            size += source.size
        budget -= cost
        whole = whole and share == 1 and budget > 0  # else what was left is in the file's buffer, and was not seen
        seen += found
    unread = said(unread_files(config, every, workspace))
    for text in filter(None, [*_repetitions(sieve, may_repeat), *_losses(sieve), unread]):
        progress.foretold("ingestion", text)
    if whole:
        check(config, sieve.account, sieve.losses, sum(map(len, texts)), sieve.original(seen))
    if len(there) < len(planned):
        return Seen(None, texts, whole=False)
    growth = sum(source.size for source in there) / size if size else 0.0
    return Seen(Corpus(documents * growth, characters * growth), texts, whole)


def stored(documents: Dataset) -> Seen:
    """The same of a text that has been ingested, of which the beginning is read."""
    manifest = documents.manifest
    texts: list[str] = []
    for file in documents.files():
        if sum(map(len, texts)) >= ENOUGH:
            break
        texts += contracts.read(file, contracts.DOCUMENTS, ["text"])["text"].to_pylist()
    return Seen(
        Corpus(manifest.account.written, manifest.facts["characters"]), texts, len(texts) == manifest.account.written
    )


def _repetitions(sieve: Sieve, may_repeat: list[int]) -> Iterator[str]:
    """What becomes of the texts that repeat others, if there are any among the first."""
    read, copies = sieve.account.read, sieve.account.left_out["duplicate"]
    repeated = len(may_repeat) - len(set(may_repeat))
    if repeated:
        share = f"{repeated:,} of the first {len(may_repeat):,} lines or rows"
        yield f"{share} repeat others and are kept (ingestion.duplicates=drop would leave them out)"
    if copies:
        share = f"{copies:,} of the first {read:,} documents"
        yield f"{share} repeat others and are left out (ingestion.duplicates=keep would keep them)"


def _losses(sieve: Sieve) -> Iterator[str]:
    """What of the first documents will be left out, as far as it is damage."""
    yield sieve.losses.told()
    if left := sieve.account.left_out["undecodable"]:
        place = sieve.losses.first["undecodable"]
        share = f"{left:,} of the first {sieve.account.read:,} documents"
        yield f"{share} cannot be read and are left out, the first in {place}"


def _fetched(source: Source, workspace: Path) -> Source:
    """A download where it will be, with its size if that is known."""
    if not source.url:
        return source
    path = workspace / source.path
    return source.model_copy(update={"path": path, "size": path.stat().st_size if path.exists() else source.size})


def _opened(source: Source) -> BinaryIO:
    """Of an object on S3, only what is read is fetched."""
    return opened(source.url) if source.on_s3 and not source.path.exists() else open(source.path, "rb")


def _beginning(source: Source, config: Ingestion, budget: float) -> tuple[list[Document], float, float]:
    """The first documents of a file, the share of the file that they are, and what they cost of the budget."""
    found: list[Document] = []
    cost = 0
    with clear_errors(source.name), _opened(source) as file:
        for document in (read_installed if source.installed else read)(file, source.name, config):
            found.append(document)
            cost += ROW + (config.document_length if document.text is None else len(document.text))
            if cost >= budget:
                if by_name(source.name) == "parquet" and suffix(source.name) not in COMPRESSED:  # its rows are counted
                    return found, sum(document.piece == 1 for document in found) / row_count(file), cost
                return found, file.tell() / source.size, cost
    return found, 1.0, cost


def first(config: Ingestion, workspace: Path, number: int) -> list[Document]:
    """The first documents that have a text, of each file at most so many; those of a download once it is there."""
    found: list[Document] = []
    for source in (_fetched(source, workspace) for source in sources(config)):
        if len(found) < number and (not source.url or source.on_s3 or source.path.exists()):
            beginning = _beginning(source, config, FIRST + config.document_length)[0]  # a damaged one costs as much
            found += [document for document in beginning if document.text and document.text.strip()]
    return found[:number]
