"""The certificate of a run, `reproducibility.json`: its inputs, its environment and its results.

    config      the settings that affect the result, as in the run's parameters
    data        by stage, the digests of inputs that no stage wrote
    code        by stage, the digest of its source; the commit; the lock of the packages
    packages    versions, including Python's           }
    system      the platform and the CPU               } of the training, even if another process publishes it
    kernels     those of BLAS and of NumPy's loops     }
    stages      the digest of each stage's output
    store       the place of each output in the store
    tables      the digests of the words with their counts, and of both tables, in any file format
    scores      as in the run's metrics
    epochs      tables and scores of earlier epochs, if kept
    artifacts   the digest of each file of the run
    sizes       the size of each file in bytes

A tag of the run has the digest of the certificate itself.
"""

import json
from collections.abc import Iterator, Mapping
from hashlib import blake2b
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from configs.schema import Config
from tasks.datasets.files import digest_of, digest_of_file
from tasks.engine.facts import EvaluationFacts, VectorsFacts, recorded
from tasks.engine.store import Dataset
from tasks.errors import TrackingError
from tasks.tracking.contents.parameters import parameters
from tasks.tracking.names import CERTIFICATE, CERTIFICATE_DIGEST
from tasks.tracking.run import Run
from tasks.vectors import tables
from tasks.vectors.tables import WordVectors

VERSION = 1
INGREDIENTS = ("config", "data", "code", "packages", "kernels", "system")
OUTCOME = ("tables", "scores", "epochs")
Certificate = dict[str, Any]


class Mismatch(NamedTuple):
    """A value that differs between two certificates."""

    what: str  # section and name of the value
    before: Any
    now: Any


def certify(config: Config, stages: Mapping[str, Dataset], artifacts: Path) -> Certificate:
    """Return the certificate of these outputs, by their names in the run, and of the files in the folder."""
    manifests = {name: dataset.manifest for name, dataset in stages.items()}
    judged = recorded(EvaluationFacts, manifests["evaluation"])
    environment = recorded(VectorsFacts, manifests["vectors"])["environment"]
    return {
        "version": VERSION,
        **ingredients(config, {each.stage: each.inputs for each in manifests.values()}, environment),
        "stages": {name: each.digest for name, each in stages.items()},
        "store": {name: f"{each.stage}/{each.key}" for name, each in stages.items()},
        "tables": _tables(stages["vectors"]),
        "scores": judged["metrics"],
        "epochs": {
            str(epoch): {
                "tables": _tables(stages["vectors"], epoch),
                "scores": judged["epochs"][str(epoch)],
            }
            for epoch in tables.kept(stages["vectors"])
        },
        "artifacts": digests(artifacts),
        "sizes": {path.relative_to(artifacts).as_posix(): path.stat().st_size for path in _files(artifacts)},
    }


def ingredients(config: Config, inputs: Mapping[str, Mapping[str, Any]], environment: Mapping[str, Any]) -> Certificate:
    """Return the sections on what a result is made of; `inputs` are those of each stage's key."""
    return {
        "config": parameters(config),
        "data": {stage: each["outside"] for stage, each in inputs.items() if each["outside"]},
        "code": {stage: each["code"] for stage, each in inputs.items()}
        | environment["git"]
        | {"lock": environment["lock"]},
        "packages": {"python": environment["python"], **environment["packages"]},
        "kernels": {**environment["kernels"], "libraries": environment["blas"]},
        "system": {"platform": environment["platform"], "cpu": environment["cpu"]},
    }


def digests(folder: Path) -> dict[str, str]:
    """Return the digest of every file below the folder, by its relative name."""
    return {path.relative_to(folder).as_posix(): digest_of_file(path) for path in _files(folder)}


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def write(certificate: Certificate, folder: Path) -> dict[str, str]:
    """Write the certificate beside the other files; return the tag with its digest."""
    (folder / CERTIFICATE).write_text(json.dumps(certificate, indent=1), encoding="utf-8")
    return {CERTIFICATE_DIGEST: digest_of_file(folder / CERTIFICATE)}


def read(run: Run) -> Certificate:
    """Return a run's certificate. Raises TrackingError if the run is unknown, or its certificate missing or wrong."""
    if CERTIFICATE_DIGEST not in run.record.data.tags:
        raise TrackingError(
            f"run {run.id} has no certificate ({CERTIFICATE})\nIt was not finished, or logged by an older version: "
            "use a finished run, or retrain with its config.json."
        )
    with run.fetched(CERTIFICATE) as path:
        content = path.read_bytes()
    if blake2b(content, digest_size=16).hexdigest() != run.record.data.tags[CERTIFICATE_DIGEST]:
        raise TrackingError(
            f"run {run.id}: {CERTIFICATE} does not match the run's tag {CERTIFICATE_DIGEST}\n"
            "The certificate was changed after the run, so nothing can be compared with it."
        )
    certificate: Certificate = json.loads(content)
    if certificate["version"] != VERSION:
        raise TrackingError(
            f"run {run.id}: {CERTIFICATE} has version {certificate['version']}, but this program reads {VERSION}\n"
            f"Check out the commit {certificate['code'].get('commit', 'it was made with')} to read it."
        )
    return certificate


def differences(before: Certificate, now: Certificate, sections: tuple[str, ...]) -> list[Mismatch]:
    """Return every value that differs; for lists, the entries that only one of them has."""
    found = []
    for section in sections:
        old, new = (dict(_flat(section, each.get(section, {}))) for each in (before, now))
        for name in sorted(old.keys() | new.keys()):
            if old.get(name) != new.get(name):
                found.append(Mismatch(name, *_only(old.get(name), new.get(name))))
    return found


def of_learnt(learnt: WordVectors) -> dict[str, str]:
    """Return the digests of the words with their counts, and of the input vectors."""
    words = {"word": learnt.words, "count": learnt.counts.tolist()}
    subwords = {"subwords": _numbers(learnt.subwords.table)} if learnt.subwords else {}
    return {"words": digest_of(words), "input": _numbers(learnt.table), **subwords}


def _tables(vectors: Dataset, epoch: int | None = None) -> dict[str, str]:
    output = _numbers(tables.matrix(tables.read(vectors, ["output"], epoch)["output"]))
    return of_learnt(tables.load(vectors, epoch)) | {"output": output}  # only one table at a time in memory


def _numbers(table: NDArray[np.float32]) -> str:
    return blake2b(table.reshape(-1).astype("<f4", copy=False).data, digest_size=16).hexdigest()


def _flat(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, each in value.items():
            yield from _flat(f"{name} {key}", each)
    elif isinstance(value, list) and any(isinstance(each, dict) for each in value):
        for number, each in enumerate(value, 1):
            yield from _flat(f"{name} {number}", each)
    else:
        yield name, value


def _only(before: Any, now: Any) -> tuple[Any, Any]:
    if isinstance(before, list) and isinstance(now, list):
        return [each for each in before if each not in now], [each for each in now if each not in before]
    return before, now
