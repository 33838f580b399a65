"""Files whose names promise something else than their first bytes: for every way on which a file arrives."""

import gzip
import io
import zipfile

import pyarrow as pa
import pyarrow.parquet as pq

TEXT = b"some words of a text"


def _parquet() -> bytes:
    file = io.BytesIO()
    pq.write_table(pa.table({"text": [TEXT.decode()]}), file)
    return file.getvalue()


def _zip() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a.txt", TEXT)
    return file.getvalue()


MISNAMED = {
    "pdf.txt": (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n", "PDF"),
    "zip.txt": (_zip(), "a zip archive"),
    "parquet.txt": (_parquet(), "Parquet"),
    "packed.txt": (gzip.compress(TEXT), "a gzip file"),
    "plain.txt.gz": (TEXT, "text"),
    "text.parquet": (TEXT, "text"),
}  # name: content, and what it is
RIGHT = {"a.txt": TEXT, "b.txt.gz": gzip.compress(TEXT), "c.parquet": _parquet(), "d.zip": _zip()}
