"""Read JSON lines, or JSON objects in an array or in any layout, with one object in memory at a time."""

import codecs
import json
from collections import Counter
from collections.abc import Iterator
from typing import Any, BinaryIO

from configs.schema import Ingestion
from tasks.errors import InputError
from tasks.readers.documents import Document, broken
from tasks.readers.rows import LONGEST_ROW, columns, decoded, document, lines, too_long

BLOCK = 1 << 18  # bytes read at a time where objects do not end with lines
SPACE = " \t\r\n"
SEVERAL_LINES = "valid JSON, but one object over several lines"
Line = tuple[int, bytes]  # the offset of its end in bytes, and its content


class Twice(dict[str, Any]):
    """An object with duplicate names."""

    names: frozenset[str]


def json_lines(stream: BinaryIO, name: str, config: Ingestion) -> Iterator[Document]:
    """Yield a document per line that holds an object. Invalid lines count as damage; an invalid first line raises."""
    start, first = 0, True
    for number, ((end, line), (_, after)) in enumerate(_with_next(lines(stream, name)), start=1):
        source, place, start = f"{name}:{number}", start, end
        if not line.strip():
            continue
        text = decoded(line)
        try:
            fields = json.loads(text, object_pairs_hook=_object)
        except (ValueError, RecursionError) as error:
            cause = _cause(text) if first else ""
            if cause and not (cause == SEVERAL_LINES and after.lstrip().startswith(b"{")):  # else it is cut short
                raise _not_lines(f"{source} (byte {place:,})", cause) from None
            inside = len(text[: getattr(error, "pos", 0)].encode("utf-8", "surrogateescape"))
            yield broken(source, f"byte {place + inside:,}", len(text))
        else:
            yield from _row(fields, source, f"byte {place:,}", config, first=first)
        first = False


def json_values(stream: BinaryIO, name: str, config: Ingestion) -> Iterator[Document]:
    """Yield a document per object of an array, or of objects one after another, in any layout."""
    for number, fields in enumerate(_values(stream, name), start=1):
        yield from _row(fields, f"{name}:{number}", f"object {number:,}", config, first=True)


def _row(fields: Any, source: str, place: str, config: Ingestion, *, first: bool) -> Iterator[Document]:
    if config.kind == "items" and isinstance(fields, list):
        fields = {config.text_column: fields}
    if not isinstance(fields, dict):
        kind = "an array" if isinstance(fields, list) else f"{fields!r:.40}"
        raise _not_lines(f"{source} ({place})", f"valid JSON, but {kind} instead of an object")
    if isinstance(fields, Twice) and (twice := {*columns(config).values()} & fields.names):
        raise InputError(
            f"{source} ({place}): the object has {min(map(str, twice))!r} twice\nexpected  each name once\n"
            "found     two values, and no way to choose one\nCorrect the program that writes the file."
        )
    return document(fields, source, place, config)


def _with_next(found: Iterator[Line]) -> Iterator[tuple[Line, Line]]:
    """Yield each line with the next one, which is empty at the end."""
    before = next(found, None)
    for line in found:
        if before:
            yield before, line
        before = line
    if before:
        yield before, (before[0], b"")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) == len(pairs):
        return found
    twice = Twice(found)
    twice.names = frozenset(name for name, count in Counter(name for name, _ in pairs).items() if count > 1)
    return twice


def _cause(line: str) -> str:
    """Return which other layout of valid JSON this line belongs to; empty if it is not JSON."""
    line = line.strip(SPACE)
    if line == "[" or line.startswith(("[{", "[ {")):
        return "valid JSON, but an array of objects over several lines"
    try:
        _, end = json.JSONDecoder().raw_decode(line)
    except (ValueError, RecursionError):
        return SEVERAL_LINES if line.startswith("{") and line[-1] in "{[,:" else ""
    rest = line[end:].lstrip(SPACE)
    if rest == ",":
        return "one object a line, but with a comma at the end of the line"
    return "valid JSON, but several objects in one line" if rest.startswith("{") else ""


def _not_lines(where: str, cause: str) -> InputError:
    jq = "jq -c '.[]'" if "array" in cause else "jq -c ."
    way = f"Name it .json, where any layout of objects is read, or: {jq} FILE > NEW.jsonl"
    if "comma" in cause:
        way = "Remove the commas: sed 's/,[[:space:]]*$//' FILE > NEW.jsonl"
    return InputError(f"{where} is {cause}\nexpected  one object a line\nfound     {cause}\n{way}")


def _values(stream: BinaryIO, name: str) -> Iterator[Any]:
    """Yield each value at the top level, or each item of an array there."""
    text = _Text(stream, name)
    array = text.next() == "["
    if array:
        text.at += 1
    first = True
    while (sign := text.next()) and not (array and sign == "]"):
        if array and not first:
            if sign != ",":
                raise text.wrong("a comma or ] was expected")
            text.at += 1
        yield text.value()
        first = False
    if array:
        if not sign:
            raise text.wrong("the array is not closed")
        text.at += 1
        if text.next():
            raise text.wrong("something follows the array")


class _Text:
    """A JSON text that is read further when a value does not end within the buffer."""

    def __init__(self, stream: BinaryIO, name: str) -> None:
        self._stream, self._name = stream, name
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")("surrogateescape")
        self._json = json.JSONDecoder(object_pairs_hook=_object)
        self._text, self._done, self._before = "", False, 0
        self.at = 0

    def next(self) -> str:
        """Move to the next character that is not white space and return it; empty at the end."""
        while True:
            while self.at < len(self._text) and self._text[self.at] in SPACE:
                self.at += 1
            if self.at < len(self._text) or not self._more(BLOCK):
                return self._text[self.at : self.at + 1]

    def value(self) -> Any:
        """Parse the value at the current position and move past it."""
        self.next()
        size = BLOCK
        while True:
            try:
                found, end = self._json.raw_decode(self._text, self.at)
                if end < len(self._text) or not self._more(size):  # otherwise a number may continue in the next block
                    self.at = end
                    return found
            except RecursionError:
                raise self.wrong("it is nested too deeply") from None
            except ValueError as error:
                if len(self._text) - self.at > LONGEST_ROW:
                    raise too_long(self._name, f"the object at character {self._before + self.at:,}") from None
                if not self._more(size):
                    raise self.wrong(getattr(error, "msg", str(error)), getattr(error, "pos", self.at)) from None
            size *= 4

    def wrong(self, what: str, at: int | None = None) -> InputError:
        place = self._before + (self.at if at is None else at)
        return InputError(
            f"{self._name} is not JSON at character {place:,}: {what}\nexpected  an array of objects, or objects one "
            "after another\nThe file is damaged or cut short: repair it, or leave it out of ingestion.source."
        )

    def _more(self, size: int) -> bool:
        """Read the next block and discard the text before the current position."""
        if self._done:
            return False
        block = self._stream.read(size)
        self._done = not block
        self._before += self.at
        self._text = self._text[self.at :] + self._decoder.decode(block, final=self._done)
        self.at = 0
        return True
