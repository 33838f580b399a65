"""A document: a text, its name, and its place in the file. Longer texts are cut into pieces without loss.

Text is UTF-8. While reading, every invalid byte is kept as a lone surrogate. Words that contain one, or a zero byte,
are left out and counted; the words around them are kept.
"""

import codecs
import io
import re
from collections.abc import Callable, Iterator
from typing import BinaryIO, Literal, NamedTuple

from configs.schema import Ingestion

# a word, as the unit of damage: ends at white space or at punctuation of any script, but not at joiners within words
WORD = re.compile(r"[^\s!-&(-,./:-@\[-^`{-~\u2010-\u2018\u201a-\u205e\u3000-\u303f\uff01-\uff0f]+")
FLAW = re.compile("[\0\ud800-\udfff]")


class Document(NamedTuple):
    """A text or a piece of one, with its place, and the damage that was left out."""

    source: str  # `file.txt`, `file.txt:12` for its twelfth row, or the row's id
    text: str | None  # None: not UTF-8, or binary
    place: str  # where it begins in the file, or where decoding failed
    piece: int = 1  # number of the piece, from 1, of a text that was cut
    unit: Literal["file", "line", "row", "docstring"] = "row"  # what the text is in its file
    damaged: int = 0  # words that were left out
    lost: int = 0  # characters in those words
    flaw: str = ""  # place of the first of them
    time: float = 0.0  # of the event of a session, whose name is `source`
    integers: bool = False  # whether its items are, or strings

    @property
    def name(self) -> str:
        return self.source if self.piece == 1 else f"{self.source}#{self.piece}"


def cut(take: Callable[[int], str], length: int) -> Iterator[str]:
    """Yield the text from `take` in pieces of at most `length` characters and a newline; joined, they are the whole.

    `take(n)` returns n characters, or fewer where a text or a line ends. Longer text is cut at its last white space,
    or within a word if there is none. An empty text is one empty piece.
    """
    text = take(length + 1)
    while True:
        whole = len(text) <= length or text.endswith("\n")
        end = len(text) if whole else _last_space(text, length)
        yield text[:end]
        rest = text[end:]
        text = rest + take(length + 1 - len(rest))
        if not text:
            return


def texts(stream: BinaryIO, name: str, config: Ingestion) -> Iterator[Document]:
    """Yield the file as one document, or one per line that is not blank. Closes the stream."""
    lines = config.text_documents == "line"
    offset, line, piece = 0, 1, 1
    with io.TextIOWrapper(stream, "utf-8", "surrogateescape", newline="\n") as file:
        for text in cut(file.readline if lines else file.read, config.document_length):
            if not offset and text.startswith("\ufeff"):  # a byte order mark is not text
                text, offset = text[1:], len(codecs.BOM_UTF8)
            source = f"{name}:{line}" if lines else name
            if text.strip() or not (lines or offset):  # other blank pieces only separate
                found = Document(
                    source, text.removesuffix("\n"), f"byte {offset:,}", piece, "line" if lines else "file"
                )
                yield _mended(found, offset)
            offset += _bytes(text)
            line, piece = (line + 1, 1) if lines and text.endswith("\n") else (line, piece + 1)


def row(
    source: str, text: str, place: str, config: Ingestion, unit: Literal["row", "docstring"] = "row"
) -> Iterator[Document]:
    """Yield the document of a row found at `place`, in several pieces if it is long."""
    if len(text) <= config.document_length:
        yield _mended(Document(source, text, place, 1, unit))
        return
    for piece, part in enumerate(cut(io.StringIO(text, newline="\n").read, config.document_length), start=1):
        yield _mended(Document(source, part, place, piece, unit))


def broken(source: str, place: str, lost: int) -> Document:
    """Return a document without text for a row of `lost` characters whose words cannot be recovered."""
    return Document(source, None, place, lost=lost, flaw=place)


def _mended(document: Document, offset: int | None = None) -> Document:
    """Return the document without its damaged words, or with text None if none is left; it begins at byte `offset`."""
    text = document.text or ""
    if "\0" not in text and _encodes(text):
        return document
    first = FLAW.search(text)
    assert first
    place = document.place if offset is None else f"byte {offset + _bytes(text[: first.start()]):,}"
    bad = [match for match in WORD.finditer(text) if FLAW.search(match[0])]
    kept, end = [], 0
    for match in bad:
        kept.append(text[end : match.start()])
        end = match.end()
    rest = "".join([*kept, text[end:]])
    lost = len(text) - len(rest)
    if not re.search(r"\w", rest):
        return document._replace(text=None, place=place, damaged=len(bad), lost=lost, flaw=place)
    return document._replace(text=rest, damaged=len(bad), lost=lost, flaw=place)


def _encodes(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _last_space(text: str, length: int) -> int:
    return next((end for end in range(length, 0, -1) if text[end].isspace() or text[end - 1].isspace()), length)


def _bytes(text: str) -> int:
    return len(text.encode("utf-8", "surrogateescape"))
