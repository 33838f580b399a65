"""Decide which documents are kept: not the empty, undecodable or duplicate ones, which are counted by reason."""

from collections import Counter
from collections.abc import Iterable, Iterator
from hashlib import blake2b

from pydantic import Field

from configs.schema import Ingestion
from tasks.engine.facts import LossesFacts
from tasks.engine.store import Account, FrozenModel
from tasks.errors import InputError
from tasks.ingestion.sources import named
from tasks.readers.documents import Document

DIGEST = 16  # bytes
ANY = bytes(DIGEST)  # placeholder for the digest of a text that is not deduplicated
ENCODED = "to convert another encoding, for instance: iconv -f CP1252 -t UTF-8 FILE > NEW"
COPIES = {"file", "docstring"}  # units whose repetition means a copy


class Losses(FrozenModel):
    """Characters and words that were left out, and where."""

    characters: dict[str, int] = Field({})  # by reason, in whole documents and damaged words
    damaged: int = 0  # words with bytes that are not UTF-8
    first: dict[str, str] = Field({})  # reason → place of its first occurrence

    def __add__(self, other: "Losses") -> "Losses":
        characters = Counter(self.characters)
        characters.update(other.characters)
        return Losses(
            characters=dict(characters), damaged=self.damaged + other.damaged, first={**other.first, **self.first}
        )

    @property
    def facts(self) -> LossesFacts:
        """Return what the manifest records."""
        return LossesFacts(characters=self.characters, damaged=self.damaged, first=self.first)

    def summary(self) -> str:
        """Return the damage as one line; empty if there was none."""
        if not self.damaged:
            return ""
        words = "word" if self.damaged == 1 else "words"
        lost = self.characters.get("undecodable", 0)
        return (
            f"{self.damaged:,} {words} with bytes that are not UTF-8 left out ({lost:,} characters), the first in "
            + (self.first["damaged"] + f" ({ENCODED})")
        )


class Sieve:
    """Pass on the documents to keep, with their digests, and count the others by reason."""

    def __init__(self, config: Ingestion) -> None:
        self._choice = config.duplicates
        self._read = 0
        self._left_out = {"undecodable": 0, "empty": 0, "duplicate": 0}
        self._lost = dict.fromkeys(self._left_out, 0)
        self._damaged = 0
        self._first: dict[str, str] = {}
        self.repeated = b""  # the digest of the first duplicate
        self._seen: set[bytes] = set()

    def __call__(self, documents: Iterable[Document]) -> Iterator[tuple[Document, bytes]]:
        for document, digest in _digested(documents):
            self._read += 1
            self._damaged += document.damaged
            self._lost["undecodable"] += document.lost
            if document.damaged:
                self._first.setdefault("damaged", f"{document.name}, {document.flaw}")
            drops = self._choice == "drop" or (self._choice is None and document.unit in COPIES)
            if reason := self._reason(document, digest, drops=drops):
                self._left_out[reason] += 1
                self._lost[reason] += len(document.text or "")
                self._first.setdefault(reason, _place(document))
            elif drops:
                self._seen.add(digest)
                yield document, digest
            else:
                yield document, ANY

    @property
    def account(self) -> Account:
        rejected = sum(self._left_out.values())
        return Account(unit="documents", read=self._read, written=self._read - rejected, left_out=self._left_out)

    @property
    def losses(self) -> Losses:
        return Losses(characters=self._lost, damaged=self._damaged, first=self._first)

    def original(self, again: Iterable[Document]) -> str:
        """Return the place of the text that the first duplicate repeats, found by reading the documents again."""
        found = (_place(document) for document, digest in _digested(again) if digest == self.repeated)
        return next(found) if self.repeated else ""

    def _reason(self, document: Document, digest: bytes, *, drops: bool) -> str:
        if document.text is None:
            return "undecodable"
        if not digest:
            return "empty"
        if drops and digest in self._seen:
            self.repeated = self.repeated or digest
            return "duplicate"
        return ""


def check(config: Ingestion, account: Account, losses: Losses, kept: int, original: str) -> None:
    """Raises InputError if nothing was kept, or if the share of documents or characters left out is too large.

    `kept` counts the characters that were kept; `original` is what the first duplicate repeats. Duplicates that the
    config says to drop are not counted as lost, nor is a document without a text, such as a redirect.
    """
    counted = {"undecodable"} | ({"duplicate"} if config.duplicates is None else set())
    rejected = sum(count for reason, count in account.left_out.items() if reason in counted)
    lost = sum(count for reason, count in losses.characters.items() if reason in counted)
    share = max(rejected / max(1, account.read), lost / max(1, lost + kept))
    if account.written and share <= config.max_rejected_fraction:
        return
    raise InputError(
        f"{named(config)}: {_what(account, rejected, lost / max(1, lost + kept))}\n"
        f"expected  some text, at most {config.max_rejected_fraction:.0%} of it not UTF-8 or repeated\n"
        f"found     {_reasons(account, losses, original)}\n{_way(config, account, losses)}"
    )


def _what(account: Account, rejected: int, share: float) -> str:
    if not account.read:
        return "there are no documents"
    characters = f"{share:.1%} of the characters"
    if not rejected:
        return f"{characters} were rejected, though no whole document" if share else "no document has a text"
    return f"{rejected:,} of {account.read:,} documents{f' with {characters}' if share else ''} were rejected"


def _reasons(account: Account, losses: Losses, original: str) -> str:
    first = losses.first
    found = [f"{n:,} {reason}, the first in {first[reason]}" for reason, n in account.left_out.items() if n]
    if original:
        found[-1] += f", which repeats {original}"
    return "\n          ".join([*found, *filter(None, [losses.summary()])]) or "nothing"


def _way(config: Ingestion, account: Account, losses: Losses) -> str:
    more = ", or raise ingestion.max_rejected_fraction" if account.written else ""
    ways = [f"Correct these files or leave them out of ingestion.source{more}."]
    if losses.characters.get("undecodable") or account.left_out.get("undecodable"):
        ways.append(f"{ENCODED[0].upper()}{ENCODED[1:]} (CP1252 stands for the encoding of the file).")
    if account.left_out.get("duplicate"):
        ways.append(
            'Set ingestion.duplicates = "keep" to keep repeated texts, or "drop" to drop them without counting a loss.'
        )
    return "\n".join(ways)


def _digested(documents: Iterable[Document]) -> Iterator[tuple[Document, bytes]]:
    """Yield each document with the digest of its text, or with an empty one if it has no text.

    The digest of a later piece covers all earlier pieces of its text, so that a piece counts as a duplicate only if all
    pieces before it are the same.
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
