"""Which documents are kept: each text once, nothing empty and nothing undecodable; the rest is counted by reason."""

from collections.abc import Iterable, Iterator
from hashlib import blake2b

from configs.schema import Ingestion
from tasks._documents import Document
from tasks._errors import InputError
from tasks._sources import named


class Sieve:
    """Lets each text through once, and counts what it holds back by reason."""

    def __init__(self) -> None:
        self.read = 0
        self.left_out = {"undecodable": 0, "empty": 0, "duplicate": 0}
        self.first: dict[str, str] = {}  # reason → where it was met first
        self._seen: set[bytes] = set()  # digests of 16 bytes
        self._repeated = b""  # the digest of the first duplicate

    def __call__(self, documents: Iterable[Document]) -> Iterator[Document]:
        for document, digest in _digested(documents):
            self.read += 1
            if reason := self._reason(document, digest):
                self.left_out[reason] += 1
                self.first.setdefault(reason, _place(document))
            else:
                self._seen.add(digest)
                yield document

    def check(self, config: Ingestion, again: Iterable[Document]) -> None:
        """Raises InputError if nothing has passed, or too little; `again` gives the same documents once more.

        Where the original of a duplicate was is sought there, rather than remembered of every document.
        """
        rejected = sum(self.left_out.values())
        if rejected < self.read and rejected <= config.max_rejected_fraction * self.read:
            return
        reasons = [f"{n:,} {reason}, the first in {self.first[reason]}" for reason, n in self.left_out.items() if n]
        if self._repeated:
            original = next(document for document, digest in _digested(again) if digest == self._repeated)
            reasons[-1] += f", which repeats {_place(original)}"
        what = f"{rejected:,} of {self.read:,} documents were rejected" if self.read else "there is no document"
        found = "\n          ".join(reasons) or "nothing"
        raise InputError(
            f"{named(config)}: {what}\n"
            f"expected  some text, at most {config.max_rejected_fraction:.0%} of it not UTF-8, empty or repeated\n"
            f"found     {found}\n"
            "Mend these files or leave them out of ingestion.source, or raise ingestion.max_rejected_fraction."
        )

    def _reason(self, document: Document, digest: bytes) -> str:
        if document.text is None:
            return "undecodable"
        if not digest:
            return "empty"
        if digest in self._seen:
            self._repeated = self._repeated or digest
            return "duplicate"
        return ""


def _digested(documents: Iterable[Document]) -> Iterator[tuple[Document, bytes]]:
    """Each document with the digest of its text, none where there is no text.

    A further piece repeats another only if all before it does: no part of a long text is lost to its likeness.
    """
    before = b""
    for document in documents:
        if document.text is None or not document.text.strip():
            yield document, b""
            continue
        key = before if document.piece > 1 else b""
        before = blake2b(document.text.encode(), key=key, digest_size=16).digest()
        yield document, before


def _place(document: Document) -> str:
    return f"{document.name}, {document.place}"
