"""text → documents: read every source as a stream, keep each text once, and count what is left out by reason."""

from collections.abc import Callable, Iterable, Iterator
from hashlib import blake2b
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
import pyarrow.compute as pc

from configs.schema import Ingestion
from tasks import _contracts
from tasks._archives import clear_errors, inflated, members, suffix
from tasks._documents import Document, texts
from tasks._downloads import fetch
from tasks._errors import InputError
from tasks._installed_docs import docstrings
from tasks._rows import csv_rows, json_lines, parquet_rows
from tasks._sources import Source, source_digests, sources
from tasks._stage import Context, stage
from tasks._store import Account, Draft, digest_of

Reader = Callable[[BinaryIO, str, Ingestion], Iterator[Document]]
READERS: dict[str, Reader] = {".jsonl": json_lines, ".csv": csv_rows, ".parquet": parquet_rows, ".py": docstrings}
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
    sieve.check(config)
    draft.facts.update(files=len(planned), characters=characters, first_left_out=sieve.first)
    return Account(unit="documents", read=sieve.read, written=written, left_out=sieve.left_out)


class Sieve:
    """Lets each text through once, and counts what it holds back by reason."""

    def __init__(self) -> None:
        self.read = 0
        self.left_out = {"undecodable": 0, "empty": 0, "duplicate": 0}
        self.first: dict[str, str] = {}  # reason → where it was met first
        self._seen: set[bytes] = set()  # digests of 16 bytes
        self._digest = b""  # of the last document

    def __call__(self, documents: Iterable[Document]) -> Iterator[Document]:
        for document in documents:
            self.read += 1
            if reason := self._reason(document):
                self.left_out[reason] += 1
                self.first.setdefault(reason, f"{document.name}, {document.place}")
            else:
                yield document

    def check(self, config: Ingestion) -> None:
        """Raises InputError if nothing has passed, or too little."""
        rejected = sum(self.left_out.values())
        if rejected < self.read and rejected <= config.max_rejected_fraction * self.read:
            return
        reasons = [f"{n:,} {reason}, the first in {self.first[reason]}" for reason, n in self.left_out.items() if n]
        what = f"{rejected:,} of {self.read:,} documents were rejected" if self.read else "there is no document"
        found = "\n          ".join(reasons) or "nothing"
        raise InputError(
            f"{_named(config)}: {what}\n"
            f"expected  UTF-8 text, at most {config.max_rejected_fraction:.0%} of it undecodable, empty or repeated\n"
            f"found     {found}\n"
            "Mend these files or leave them out of ingestion.source, or raise ingestion.max_rejected_fraction."
        )

    def _reason(self, document: Document) -> str:
        if document.text is None:
            return "undecodable"
        if not document.text.strip():
            return "empty"
        # a further piece repeats another only if all before it does: no part of a long text is lost to its likeness
        before = self._digest if document.piece > 1 else b""
        self._digest = blake2b(document.text.encode(), key=before, digest_size=16).digest()
        if self._digest in self._seen:
            return "duplicate"
        self._seen.add(self._digest)
        return ""


def read(file: BinaryIO, name: str, config: Ingestion) -> Iterator[Document]:
    """The documents of one file, in order. Raises InputError if it is damaged or lacks the columns named."""
    with clear_errors(name):
        for packed, member in members(file, name) if suffix(name) == ".zip" else [(file, name)]:
            stream, inner = inflated(packed, member)
            yield from READERS.get(suffix(inner), texts)(stream, member, config)


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
        f"{', '.join(changed[:5]) or _named(config)} changed while being read\n"
        "expected  sources that keep still during ingestion\nRun the command again, on a finished copy if need be."
    )


def _named(config: Ingestion) -> str:
    return config.source if isinstance(config.source, str) else ", ".join(config.source)
