"""Group the events of a long table into sessions, on disk: a table may be larger than memory.

    events ──by a hash of the session──► buckets ──each sorted in memory──► sessions ──merged──► by their first event

A bucket holds all events of its sessions. Within a session events are in the order of their times, and of the table
where times are equal or missing; so are the sessions, by their first event.
"""

import heapq
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from zlib import crc32

import numpy as np
import pyarrow as pa

from tasks.readers.documents import Document
from tasks.readers.items import BETWEEN

BUCKET = 64_000_000  # bytes of the table in one bucket, which is sorted in memory
MOST = 256  # buckets, each an open file
AT_ONCE = 4_096  # events of a bucket that are written together, and sessions that are read together
EVENT = pa.schema({"time": pa.float64(), "place": pa.int64(), "session": pa.string(), "item": pa.string()})
SESSION = pa.schema({"time": pa.float64(), "place": pa.int64(), "session": pa.string(), "items": pa.large_string()})

Event = tuple[float, int, str, str]  # its time, its place in the table, its session, its item
Session = tuple[float, int, str, str]  # those of its first event, and its items


def grouped(events: Iterable[Document], size: int) -> Iterator[Document]:
    """Yield a document per session of a table of about `size` bytes; events without a text pass through."""
    with TemporaryDirectory(prefix="sessions-") as folder:
        buckets = [Path(folder, str(number)) for number in range(max(1, min(MOST, -(-size // BUCKET))))]
        yield from _scattered(events, buckets)
        ordered = [_sorted(bucket) for bucket in buckets]
        for _, place, session, items in heapq.merge(*map(_sessions, ordered)):
            yield Document(session, items, f"event {place + 1:,}")


def _scattered(events: Iterable[Document], buckets: list[Path]) -> Iterator[Document]:
    """Write each event to the bucket of its session; yield those that have no text."""
    waiting: list[list[Event]] = [[] for _ in buckets]
    with ExitStack() as stack:
        files = [stack.enter_context(pa.ipc.new_stream(str(bucket), EVENT)) for bucket in buckets]
        for place, event in enumerate(events):
            if event.text is None:
                yield event
                continue
            number = crc32(event.source.encode()) % len(buckets)
            waiting[number].append((event.time, place, event.source, event.text))
            if len(waiting[number]) == AT_ONCE:
                files[number].write_batch(_batch(waiting[number], EVENT))
                waiting[number] = []
        for file, rest in zip(files, waiting, strict=True):
            file.write_batch(_batch(rest, EVENT))


def _sorted(bucket: Path) -> Path:
    """Replace the events of a bucket by a file of its sessions, in the order of their first events."""
    with pa.ipc.open_stream(str(bucket)) as stream:
        events = stream.read_all()
    time, place = events["time"].to_numpy(), events["place"].to_numpy()
    session = events["session"].combine_chunks().dictionary_encode()
    code = session.indices.to_numpy()
    order = np.lexsort((place, time, code))
    items = events["item"].take(order).to_pylist()
    starts = np.flatnonzero(np.diff(code[order], prepend=-1))
    ends = np.append(starts[1:], len(order))
    first = order[starts]
    made = bucket.with_suffix(".sessions")
    with pa.ipc.new_stream(str(made), SESSION) as file:
        by_first = np.lexsort((place[first], time[first]))
        for start in range(0, len(by_first), AT_ONCE):
            chosen = by_first[start : start + AT_ONCE]
            joined = [BETWEEN.join(items[starts[each] : ends[each]]) for each in chosen]
            names = session.dictionary.take(code[first[chosen]]).to_pylist()
            rows = zip(time[first[chosen]].tolist(), place[first[chosen]].tolist(), names, joined, strict=True)
            file.write_batch(_batch(list(rows), SESSION))
    bucket.unlink()  # it is mapped into memory, so it cannot be overwritten
    return made


def _sessions(bucket: Path) -> Iterator[Session]:
    with pa.ipc.open_stream(str(bucket)) as stream:
        for batch in stream:
            yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)


def _batch(rows: list[Event] | list[Session], schema: pa.Schema) -> pa.RecordBatch:
    columns = list(zip(*rows, strict=True)) if rows else [() for _ in schema]
    return pa.record_batch([pa.array(each, field.type) for each, field in zip(columns, schema, strict=True)], schema)
