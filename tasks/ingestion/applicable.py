"""Refuse ingestion settings that would have no effect on the given sources: they show that another source was meant."""

import zipfile
from collections.abc import Iterator, Sequence

from configs.schema import Ingestion
from tasks.errors import InputError
from tasks.ingestion.s3 import S3
from tasks.ingestion.sources import INSTALLED_DOCS, Source, named
from tasks.readers.archives import clear_errors
from tasks.readers.formats import COMPRESSED, ZIP, by_name, is_text, suffix
from tasks.readers.reading import kind_of
from tasks.readers.rows import columns

UNKNOWN = "?"  # a format known only after reading the whole file
ROW_KINDS = {"json lines", "json", "csv", "tsv", "parquet", "arrow"}
ROWS = "JSON, CSV, TSV, Parquet or Arrow"


def check_applicable(config: Ingestion, found: Sequence[Source]) -> None:
    """Raises InputError, naming the key, if a setting applies to none of the sources."""
    entries = [config.source] if isinstance(config.source, str) else config.source
    if config.sha256 and not any("://" in entry and not entry.startswith(S3) for entry in entries):
        raise _idle("sha256", config.sha256, "a URL, http:// or https://", config)
    if config.distributions and INSTALLED_DOCS not in entries:
        raise _idle("distributions", config.distributions, f'source = "{INSTALLED_DOCS}"', config)
    if config.text_documents == "line" and _none(found, {"text"}):
        raise _idle("text_documents", "line", "a file of text, such as .txt", config)
    for key, value in columns(config).items():
        if (key, value) != ("text_column", "text") and _none(found, ROW_KINDS):
            raise _idle(key, value, f"rows: {ROWS}", config)


def _none(found: Sequence[Source], kinds: set[str]) -> bool:
    return not any(kind in kinds or kind == UNKNOWN for source in found for kind in _kinds(source))


def _kinds(source: Source) -> Iterator[str]:
    """Yield the format of a file, or of each member of an archive."""
    name = source.name
    if source.url and suffix(name) == ZIP:
        yield UNKNOWN
    elif suffix(name) == ZIP:
        with clear_errors(name), zipfile.ZipFile(source.path) as archive:
            yield from (by_name(each) or UNKNOWN for each in archive.namelist() if is_text(each))
    elif (kind := by_name(name)) or source.url or suffix(name) in COMPRESSED:
        yield kind or UNKNOWN
    else:
        with clear_errors(name), open(source.path, "rb") as file:
            yield kind_of(file, name)


def _idle(key: str, value: object, wanted: str, config: Ingestion) -> InputError:
    return InputError(
        f"ingestion.{key} = {value!r} applies to nothing in {named(config)}\nexpected  {wanted}\n"
        f"found     no such source\nRemove ingestion.{key}, or name the source that it is for."
    )
