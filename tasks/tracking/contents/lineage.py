"""The datasets of a run as MLflow shows them: with the digest of their content, their schema and their size.

MLflow's own digests cover the first rows only; these cover every byte.
"""

import json
from collections.abc import Mapping, Sequence
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from tasks.datasets.files import digest_of
from tasks.engine.store import Dataset
from tasks.tracking.run import Input

if TYPE_CHECKING:
    from mlflow.types.schema import Array, DataType


def dataset(name: str, parts: Sequence[Dataset], context: str, files: str = "*.parquet") -> Input:
    """Return an input: one dataset, or the draws of all epochs as one. `files` is a pattern of the files with rows.

    `context` is the stage that reads it.
    """
    leaves = {leaf.path: leaf for part in parts for leaf in part.parts}
    digest = parts[0].digest if len(parts) == 1 else digest_of([part.digest for part in parts])
    held = {
        path / file.name: file
        for path, leaf in leaves.items()
        for file in leaf.manifest.files
        if fnmatch(file.name, files)
    }
    profile = {
        "rows": sum(file.rows or 0 for file in held.values()),
        "bytes": sum(file.bytes for file in held.values()),
        "files": len(held),
        "digests": [part.digest for part in parts],
    }
    first = next(iter(held))
    schema = pq.read_schema(leaves[first.parent].file(first.name))
    return _input(name, digest, parts[0].path, context, schema=_colspec(schema), profile=json.dumps(profile))


def evaluation_sets(files: Sequence[str], digests: Mapping[str, str]) -> list[Input]:
    """Return the evaluation sets as inputs; `files` and `digests` (name → digest) are in the same order."""
    pairs = zip(files, digests.items(), strict=True)
    return [_input(name, digest, Path(file).absolute(), "evaluation") for file, (name, digest) in pairs]


def _input(name: str, digest: str, path: Path, context: str, **details: str) -> Input:
    from mlflow.entities import Dataset as Entity

    return Input(Entity(name, digest, "local", json.dumps({"uri": str(path)}), **details), context)


def _colspec(schema: pa.Schema) -> str:
    from mlflow.types import ColSpec, Schema

    columns = Schema([ColSpec(_type(field.type), field.name) for field in schema])
    return json.dumps({"mlflow_colspec": columns.to_dict()})


def _type(kind: Any) -> "DataType | Array":
    from mlflow.types.schema import Array, DataType

    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        return Array(_type(kind.value_type))
    if pa.types.is_integer(kind):
        return DataType.long if kind.bit_width == 64 else DataType.integer
    if pa.types.is_floating(kind):
        return DataType.double if kind.bit_width == 64 else DataType.float
    return DataType.boolean if pa.types.is_boolean(kind) else DataType.string
