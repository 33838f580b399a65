"""A document: a text, its name, and where it was found; longer ones are cut, and nothing of them is lost.

Text is UTF-8. While it is read, any other byte is a lone surrogate, and a document that holds one has no text.
"""

import io
from collections.abc import Callable, Iterator
from typing import BinaryIO, NamedTuple

from configs.schema import Ingestion


class Document(NamedTuple):
    source: str  # `file.txt`, or `file.txt:12` for its twelfth row, or what the row's id says
    text: str | None  # None: not UTF-8, or binary
    place: str  # where in the file it begins, or where it cannot be decoded
    piece: int = 1  # of a text that was cut

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
            source = f"{name}:{line}" if lines else name
            if (flaw := _flaw(text)) is not None:
                yield Document(source, None, f"byte {offset + _bytes(text[:flaw]):,}", piece)
            elif text.strip() or not (lines or offset):  # what else is blank only separates
                yield Document(source, text.removesuffix("\n"), f"byte {offset:,}", piece)
            offset += _bytes(text)
            line, piece = (line + 1, 1) if lines and text.endswith("\n") else (line, piece + 1)


def row(source: str, text: str, place: str, config: Ingestion) -> Iterator[Document]:
    """A row that was found at `place`; its text is decoded as a whole or not at all."""
    if _flaw(text) is not None:
        yield Document(source, None, place)
        return
    for piece, part in enumerate(cut(io.StringIO(text).read, config.document_length), start=1):
        yield Document(source, part, place, piece)


def _last_space(text: str, length: int) -> int:
    return next((end for end in range(length, 0, -1) if text[end].isspace() or text[end - 1].isspace()), length)


def _flaw(text: str) -> int | None:
    """The first place that is no text: a byte that was not UTF-8, or the zero byte of a binary file."""
    zero = text.find("\0")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        return error.start if zero < 0 else min(error.start, zero)
    return None if zero < 0 else zero


def _bytes(text: str) -> int:
    return len(text.encode("utf-8", "surrogateescape"))
