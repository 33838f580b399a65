"""What a source amounts to, seen from its beginning with the ingestion's own readers, before anything starts."""

from math import ceil
from pathlib import Path
from typing import BinaryIO, NamedTuple

import pyarrow.parquet as pq

from configs.schema import Ingestion
from tasks._archives import clear_errors, suffix
from tasks._documents import Document
from tasks._objects import opened
from tasks._reading import read
from tasks._sieve import Sieve, check
from tasks._sources import Source, sources

FILES = 50  # looked into, evenly apart in the order of the sources
ENOUGH = 8_000_000  # characters read in all; of the files after that, only the first document
ROW = 100  # characters that a row costs beside its text


class Corpus(NamedTuple):
    """How much text there is to learn from."""

    documents: float
    characters: float


def sample(config: Ingestion, workspace: Path) -> Corpus | None:
    """What ingestion is expected to find: exact where it is little, else as if the rest were like the beginning.

    None if a download has not been fetched yet. Raises InputError where ingestion would: for what cannot be read,
    columns that are not there and, if everything was seen, too much that is no text.
    """
    planned = [_fetched(source, workspace) for source in sources(config)]
    there = [source for source in planned if not source.url or source.on_s3 or source.path.exists()]
    sieve = Sieve()
    seen: list[Document] = []
    whole = len(there) == len(planned) <= FILES
    documents = characters = size = 0.0
    budget: float = ENOUGH
    for source in there[:: max(1, ceil(len(there) / FILES))]:
        found, share, cost = _beginning(source, config, budget)
        kept = [document for document, _ in sieve(found)]
        if budget > 0:  # a single document says little of its file
            documents += len(kept) / share
            characters += sum(len(document.text or "") for document in kept) / share
            size += source.size
        budget -= cost
        whole = whole and share == 1
        seen += found
    if whole:
        check(config, sieve.account, sieve.first, sieve.original(seen))
    if len(there) < len(planned):
        return None
    growth = sum(source.size for source in there) / size if size else 0.0
    return Corpus(documents * growth, characters * growth)


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
        for document in read(file, source.name, config):
            found.append(document)
            cost += ROW + (config.document_length if document.text is None else len(document.text))
            if cost >= budget:
                if suffix(source.name) == ".parquet":  # its rows are counted; where the file is read says nothing
                    rows = pq.ParquetFile(file).metadata.num_rows
                    return found, sum(document.piece == 1 for document in found) / rows, cost
                return found, file.tell() / source.size, cost
    return found, 1.0, cost
