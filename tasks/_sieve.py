"""Which documents are kept: each text once, nothing empty and nothing undecodable; the rest is counted by reason."""

from collections.abc import Iterable, Iterator
from hashlib import blake2b

from configs.schema import Ingestion
from tasks._documents import Document
from tasks._errors import InputError
from tasks._sources import named
from tasks._store import Account

DIGEST = 16  # bytes


class Sieve:
    """Lets each text through once, with its digest, and counts what it holds back by reason."""

    def __init__(self) -> None:
        self._read = 0
        self._left_out = {"undecodable": 0, "empty": 0, "duplicate": 0}
        self.first: dict[str, str] = {}  # reason → where it was met first
        self.repeated = b""  # the digest of the first duplicate
        self._seen: set[bytes] = set()

    def __call__(self, documents: Iterable[Document]) -> Iterator[tuple[Document, bytes]]:
        for document, digest in _digested(documents):
            self._read += 1
            if reason := self._reason(document, digest):
                self._left_out[reason] += 1
                self.first.setdefault(reason, _place(document))
            else:
                self._seen.add(digest)
                yield document, digest

    @property
    def account(self) -> Account:
        rejected = sum(self._left_out.values())
        return Account(unit="documents", read=self._read, written=self._read - rejected, left_out=self._left_out)

    def original(self, again: Iterable[Document]) -> str:
        """Where the text of the first duplicate was met before; sought in the same documents, not remembered."""
        found = (_place(document) for document, digest in _digested(again) if digest == self.repeated)
        return next(found) if self.repeated else ""

    def _reason(self, document: Document, digest: bytes) -> str:
        if document.text is None:
            return "undecodable"
        if not digest:
            return "empty"
        if digest in self._seen:
            self.repeated = self.repeated or digest
            return "duplicate"
        return ""


def check(config: Ingestion, account: Account, first: dict[str, str], original: str) -> None:
    """Raises InputError if nothing was kept, or too little; `original` is what the first duplicate repeats."""
    rejected = sum(account.left_out.values())
    if account.written and rejected <= config.max_rejected_fraction * account.read:
        return
    reasons = [f"{n:,} {reason}, the first in {first[reason]}" for reason, n in account.left_out.items() if n]
    if original:
        reasons[-1] += f", which repeats {original}"
    what = f"{rejected:,} of {account.read:,} documents were rejected" if account.read else "there is no document"
    found = "\n          ".join(reasons) or "nothing"
    raise InputError(
        f"{named(config)}: {what}\n"
        f"expected  some text, at most {config.max_rejected_fraction:.0%} of it not UTF-8, empty or repeated\n"
        f"found     {found}\n"
        "Mend these files or leave them out of ingestion.source, or raise ingestion.max_rejected_fraction."
    )


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
        before = blake2b(document.text.encode(), key=key, digest_size=DIGEST).digest()
        yield document, before


def _place(document: Document) -> str:
    return f"{document.name}, {document.place}"
