"""Read CSV and TSV strictly: a row that does not fit the header is an error that gives its place."""

import csv
from collections.abc import Iterator, Sequence
from typing import BinaryIO

from configs.schema import Ingestion
from tasks.errors import InputError
from tasks.readers import rows
from tasks.readers.documents import Document
from tasks.readers.rows import decoded, document, lines, require, require_once

CAUSES = {
    "unexpected end of data": "a quotation mark is opened in it and never closed",
    "' expected after '": "a quotation mark is opened in it that ends before its field does",
    "new-line character": "a carriage return stands outside of quotation marks",
    "field larger": "a quotation mark is opened in it and not closed within {limit:,} bytes",
}  # by the beginning of the csv module's message


def csv_rows(stream: BinaryIO, name: str, config: Ingestion) -> Iterator[Document]:
    """Yield a document per row. The first row is the header; fields are separated by commas, quoted with `"`."""
    start = read = line = 0

    def each() -> Iterator[str]:
        nonlocal read
        for end, content in lines(stream, name):
            read = end
            if read - start > rows.LONGEST_ROW:
                raise csv.Error("field larger than the limit")
            yield decoded(content)

    csv.field_size_limit(rows.LONGEST_ROW)
    reader = csv.reader(each(), strict=True)
    header: list[str] | None = None
    number = 0
    try:
        for values in reader:
            if values and header is None:
                header = values
                _check(header, name, config)
                number = 1
            elif values and header:
                _fit(header, values, "texts with commas must be in quotation marks")
                yield from document(
                    dict(zip(header, values, strict=True)), f"{name}:{number}", f"byte {start:,}", config
                )
                number += 1
            start, line = read, reader.line_num
    except csv.Error as error:
        raise _not_csv(f"{name}: row {number:,}, line {line + 1:,}, byte {start:,}", str(error), "CSV") from error


def tsv_rows(stream: BinaryIO, name: str, config: Ingestion) -> Iterator[Document]:
    """Yield a document per line below the header; fields are separated by tabs. Outer quotation marks are removed."""
    header: list[str] | None = None
    start = number = 0
    for line, (end, content) in enumerate(lines(stream, name), start=1):
        values = [_unquoted(value) for value in decoded(content).rstrip("\r\n").split("\t")]
        blank = not content.strip(b"\r\n")
        if not blank and header is None:
            header = values
            _check(header, name, config)
            number = 1
        elif not blank and header:
            try:
                _fit(header, values, "a row is a line, and a text holds no tab")
            except csv.Error as error:
                raise _not_csv(f"{name}: row {number:,}, line {line:,}, byte {start:,}", str(error), "TSV") from None
            yield from document(dict(zip(header, values, strict=True)), f"{name}:{number}", f"byte {start:,}", config)
            number += 1
        start = end


def _unquoted(value: str) -> str:
    inside = value[1:-1]
    whole = len(value) > 1 and value[0] == value[-1] == '"' and '"' not in inside.replace('""', "")
    return inside.replace('""', '"') if whole else value


def _check(header: list[str], name: str, config: Ingestion) -> None:
    where = f"{name}: its header"
    if any("\udc80" <= sign <= "\udcff" for column in header for sign in column):
        raise InputError(f"{where} is not UTF-8\nIf it comes from Windows: iconv -f CP1252 -t UTF-8 FILE > NEW")
    other = next((what for sign, what in ((";", "semicolons"), ("\t", "tabs"), ("|", "bars")) if sign in header[0]), "")
    if len(header) == 1 and other and config.text_column not in header:
        raise InputError(
            f"{where} is separated by {other}\nexpected  commas in .csv, tabs in .tsv\nfound     {header[0]:.60}\n"
            + ("Name it .tsv." if other == "tabs" else "Write it with commas, and texts in quotation marks.")
        )
    require(header, name, config)
    require_once(header, name, config)


def _fit(header: Sequence[str], values: Sequence[str], hint: str) -> None:
    if len(values) != len(header):
        raise csv.Error(f"it has {len(values):,} fields where the header has {len(header):,}; {hint}")


def _not_csv(where: str, error: str, kind: str) -> InputError:
    cause = next((said for begin, said in CAUSES.items() if begin in error), error)
    return InputError(
        f"{where}: it is not {kind}: {cause.format(limit=rows.LONGEST_ROW)}\n"
        "expected  rows that fit the header; a quotation mark inside a quoted text is written twice\n"
        "Correct this row, or the program that writes the file: Python's csv and pandas write valid rows."
    )
