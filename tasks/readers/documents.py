"""A document: a text, its name, and where it was found; longer ones are cut, and nothing of them is lost.

Text is UTF-8. While it is read, any other byte is a lone surrogate. A word that holds one, or a zero byte, is left out
and counted: that is the damage, and what is around it is sound.
"""

import codecs
import io
import re
from collections.abc import Callable, Iterator
from typing import BinaryIO, Literal, NamedTuple

from configs.schema import Ingestion

# a word: what damage reaches as far as, up to white space or punctuation of any script's, but what joins within words
WORD = re.compile(r"[^\s!-&(-,./:-@\[-^`{-~\u2010-\u2018\u201a-\u205e\u3000-\u303f\uff01-\uff0f]+")
FLAW = re.compile("[\0\ud800-\udfff]")


class Document(NamedTuple):
    source: str  # `file.txt`, or `file.txt:12` for its twelfth row, or what the row's id says
    text: str | None  # None: not UTF-8, or binary
    place: str  # where in the file it begins, or where it cannot be decoded
    piece: int = 1  # of a text that was cut
    unit: Literal["file", "line", "row", "docstring"] = "row"  # what its text is in the place that it is from
    damaged: int = 0  # words that were left out
    lost: int = 0  # characters of these
    flaw: str = ""  # where the first of them is

    @property
    def name(self) -> str:
        return self.source if self.piece == 1 else f"{self.source}#{self.piece}"


def cut(take: Callable[[int], str], length: int) -> Iterator[str]:
    """What `take` gives, in pieces of at most `length` characters and a line's end; joined, they are the whole.

    `take(n)` gives n characters, or fewer where a text or a line ends. A longer one is cut at its last white space;
    where there is none, in the middle of a word. An empty text is one empty piece.
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
    """The file as one document, or each line that is not blank; the stream is closed."""
    lines = config.text_documents == "line"
    offset, line, piece = 0, 1, 1
    with io.TextIOWrapper(stream, "utf-8", "surrogateescape", newline="\n") as file:
        for text in cut(file.readline if lines else file.read, config.document_length):
            if not offset and text.startswith("\ufeff"):  # a byte order mark is no letter
                text, offset = text[1:], len(codecs.BOM_UTF8)
            source = f"{name}:{line}" if lines else name
            if text.strip() or not (lines or offset):  # what else is blank only separates
                found = Document(
                    source, text.removesuffix("\n"), f"byte {offset:,}", piece, "line" if lines else "file"
                )
                yield _mended(found, offset)
            offset += _bytes(text)
            line, piece = (line + 1, 1) if lines and text.endswith("\n") else (line, piece + 1)


def row(
    source: str, text: str, place: str, config: Ingestion, unit: Literal["row", "docstring"] = "row"
) -> Iterator[Document]:
    """A row that was found at `place`."""
    if len(text) <= config.document_length:
        yield _mended(Document(source, text, place, 1, unit))
        return
    for piece, part in enumerate(cut(io.StringIO(text, newline="\n").read, config.document_length), start=1):
        yield _mended(Document(source, part, place, piece, unit))


def broken(source: str, place: str, lost: int) -> Document:
    """A row that cannot be told from what is around it, of so many characters."""
    return Document(source, None, place, lost=lost, flaw=place)  # no word of it is known


def _mended(document: Document, offset: int | None = None) -> Document:
    """The document without its damaged words, or without a text if nothing is left; it begins at byte `offset`."""
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
