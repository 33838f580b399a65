"""Damage whole files at random and read them, and print what became of them.

python -m tests.support.damage KIND COUNT SEED

refused   an InputError, which says what is wrong
counted   read, and what was lost is counted
changed   read as other words, where nothing in the format could tell
same      read as if nothing had been
"""

import bz2
import csv
import gzip
import io
import json
import lzma
import random
import sys
import time
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import zstandard

from configs.schema import Ingestion
from tasks.errors import InputError
from tasks.readers.documents import Document
from tasks.readers.reading import read

WORDS = [
    "the",
    "miller",
    "cleans",
    "kettle",
    "Größe",
    "Maß",
    ",",
    "здравствуй",
    "市长江大桥",
    "🐍",
    '"no"',
    ";",
    "it's",
]
TEXTS = [" ".join(random.Random(number).choices(WORDS, k=5 + number % 30)) for number in range(120)]


def text() -> bytes:
    return "\n".join(TEXTS).encode()


def json_lines() -> bytes:
    return "".join(
        json.dumps({"id": n, "text": t}, ensure_ascii=n % 2 == 0) + "\n" for n, t in enumerate(TEXTS)
    ).encode()


def json_array() -> bytes:
    return json.dumps([{"id": n, "text": t} for n, t in enumerate(TEXTS)], indent=1).encode()


def table(dialect: str) -> bytes:
    file = io.StringIO(newline="")
    csv.writer(file, dialect=dialect).writerows([("id", "text"), *enumerate(TEXTS)])
    return file.getvalue().encode()


def rows() -> pa.Table:
    return pa.table({"id": range(len(TEXTS)), "text": TEXTS})


def parquet(**settings: object) -> bytes:
    file = io.BytesIO()
    pq.write_table(rows(), file, row_group_size=50, **settings)
    return file.getvalue()


def arrow(new: Callable[..., Any], compression: str | None) -> bytes:
    file = io.BytesIO()
    with new(file, rows().schema, options=pa.ipc.IpcWriteOptions(compression=compression)) as writer:
        writer.write_table(rows(), max_chunksize=50)
    return file.getvalue()


def zipped() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.txt", text())
        archive.writestr("b.jsonl", json_lines())
    return file.getvalue()


WHOLE: dict[str, Callable[[], bytes]] = {
    "a.txt": text,
    "a.jsonl": json_lines,
    "a.json": json_array,
    "a.csv": lambda: table("excel"),
    "a.tsv": lambda: table("excel-tab"),
    "a.parquet": lambda: parquet(write_page_checksum=True),
    "b.parquet": lambda: parquet(compression="zstd", use_dictionary=False, data_page_version="2.0"),
    "a.arrow": lambda: arrow(pa.ipc.new_file, None),
    "a.feather": lambda: arrow(pa.ipc.new_file, "lz4"),
    "a.arrows": lambda: arrow(pa.ipc.new_stream, "zstd"),
    "a.txt.gz": lambda: gzip.compress(text()),
    "a.jsonl.bz2": lambda: bz2.compress(json_lines()),
    "a.csv.xz": lambda: lzma.compress(table("excel")),
    "a.txt.zst": lambda: zstandard.ZstdCompressor(write_checksum=True).compress(text()),
    "a.parquet.gz": lambda: gzip.compress(parquet()),
    "a.zip": zipped,
}
CHECKED = {
    "a.parquet",
    "a.txt.gz",
    "a.jsonl.bz2",
    "a.csv.xz",
    "a.txt.zst",
    "a.parquet.gz",
    "a.zip",
}  # by sums of their own


def damaged(whole: bytes, draw: random.Random) -> bytes:
    """Return the bytes with one or two kinds of damage."""
    content = bytearray(whole)
    for _ in range(draw.choice([1, 1, 2])):
        place, size = draw.randrange(1, len(content)), draw.choice([1, 1, 8, 512])  # of no bytes, nothing is said
        match draw.choice(["change", "flip", "take", "double", "cut", "zeros"]):
            case "change":
                content[place] = draw.randrange(256)
            case "flip":
                content[place] ^= 1 << draw.randrange(8)
            case "take":
                del content[place : place + size]
            case "double":
                content[place:place] = content[place : place + size]
            case "cut":
                del content[place:]
            case "zeros":
                content[place : place + size] = bytes(len(content[place : place + size]))
        if len(content) < 2:
            break
    return bytes(content)


def documents(content: bytes, name: str) -> list[Document]:
    return list(read(io.BytesIO(content), name, Ingestion(source="-")))


def outcome(content: bytes, name: str, whole: list[Document]) -> str:
    try:
        found = documents(content, name)
    except InputError:
        return "refused"
    if [each.text for each in found] == [each.text for each in whole]:
        return "same"
    return "counted" if any(each.damaged or each.text is None for each in found) else "changed"


def main(kind: str, count: int, seed: int) -> dict[str, float]:
    """Print the outcomes of `count` damaged files, and the largest memory and time for one."""
    whole = WHOLE[kind]()
    expected = documents(whole, kind)
    counts: Counter[str] = Counter(refused=0, counted=0, changed=0, same=0)
    slowest = 0.0
    for number in range(count):
        draw = random.Random(f"{kind} {seed} {number}")
        before = time.process_time()
        counts[outcome(damaged(whole, draw), kind, expected)] += 1
        slowest = max(slowest, time.process_time() - before)
    status = Path("/proc/self/status").read_text()
    peak = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))
    return {**counts, "peak_mb": peak // 1000, "slowest": round(slowest, 2)}


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))))
