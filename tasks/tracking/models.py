"""The models of a run: packed as code and data, linked to the run, and the final one registered as a version.

MLflow's own `log_model` works on the thread's active run, and opens one if there is none; here each step names the
run. A step that was done before is not repeated, so that publishing again creates no second model.
"""

import json
import warnings
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np

from tasks.engine import environment
from tasks.text import normalization, plain
from tasks.tracking.client import already_exists, reached
from tasks.tracking.database_paths import artifact_address
from tasks.tracking.names import MODEL_VERSIONS
from tasks.tracking.run import Run, fetched
from tasks.vectors import tables
from tasks.vectors.tables import WordVectors

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import LoggedModel
    from mlflow.models import ModelSignature

CODE, DOCUMENTS = Path(__file__).with_name("pyfunc.py"), environment.SOURCE / "w2v_core" / "measures" / "documents.py"
FORMER_CODE = "_pyfunc.py"  # name of the code file in models of version 0.1
DATA, FILES = "artifacts", ("vectors.npy", "vocabulary.parquet")  # folder and files of a packed model
NAME = "word-vectors"  # not the name of a folder of the run: MLflow would look for that folder in the model
EARLIER = "word-vectors-epoch-{:03d}"
DESCRIPTION = (
    "Word vectors: `predict` takes a column `word` and returns neighbours; with `what=vectors` the vectors; with "
    "`what=analogies` the words that complete three words, such as `man king woman`; with `what=documents` the vectors "
    "of texts."
)


def log_model(run: Run, vectors: Path, parameters: dict[str, str], *, epoch: int | None = None, step: int = 0) -> str:
    """Pack the folder's vectors.npy and vocabulary.parquet with the code that serves them; return the model's id.

    It is the model of an earlier `epoch`, or the final one if None. `step` is the step of its scores.
    """
    with reached(run.uri) as client:
        model = find(client, run, epoch) or client.create_logged_model(
            run.record.info.experiment_id, _name(epoch), source_run_id=run.id, params=parameters, model_type="word2vec"
        )
        sizes = {"vectors.npy": (vectors / "vectors.npy").stat().st_size}
        if model.status != "READY" or not whole(client, model, sizes):
            with TemporaryDirectory(dir=vectors.parent) as folder:
                _pack(Path(folder) / "model", model, run.id, vectors)
                client.log_model_artifacts(model.model_id, str(Path(folder) / "model"))
            if model.status != "READY":  # otherwise only its files were lost
                _link(client, run, model, step)
                client.finalize_logged_model(model.model_id, "READY")
    model_id: str = model.model_id
    return model_id


def register(run: Run, model_id: str, name: str, tags: dict[str, str], description: str = "") -> str:
    """Register the run's model under the name, and return the version; an existing version is returned again."""
    from mlflow.exceptions import MlflowException

    with reached(run.uri) as client:
        try:
            client.create_registered_model(name, description=DESCRIPTION)
        except MlflowException as error:
            if not already_exists(error):
                raise
        model = client.get_logged_model(model_id)
        for version in versions(client, run, name, model):
            return version
        source = model.artifact_location  # MLflow would look for `models:/…` in another store
        about: dict[str, Any] = {"tags": tags, "model_id": model_id, "description": description}
        number = str(client.create_model_version(name, source, run.id, **about).version)
        client.set_logged_model_tags(model_id, {MODEL_VERSIONS: json.dumps([{"name": name, "version": number}])})
    return number


def earlier(run: Run, epoch: int) -> tuple[WordVectors, dict[str, float]]:
    """Return the vectors of an earlier epoch, mapped from the file, and its scores.

    Raises InputError, which names the epochs that are kept, if this epoch is not kept.
    """
    with reached(run.uri) as client:
        if (model := find(client, run, epoch)) is None:
            kept = tables.epochs(each.name for each in _models(client, run))
            raise tables.not_kept(f"run {run.id}", epoch, kept)
    with fetched(run.uri, model.artifact_location, DATA) as found:
        return tables.mapped(found), {metric.key: metric.value for metric in model.metrics or []}


def _models(client: "MlflowClient", run: Run, only: str = "") -> "list[LoggedModel]":
    wanted = f"source_run_id = '{run.id}'" + (f" AND name = '{only}'" if only else "")
    return list(client.search_logged_models([run.record.info.experiment_id], wanted))


def find(client: "MlflowClient", run: Run, epoch: int | None) -> "LoggedModel | None":
    """Return the run's logged model of an epoch, or the final one if `epoch` is None; None if there is none."""
    return next(iter(_models(client, run, _name(epoch))), None)


def whole(client: "MlflowClient", model: "LoggedModel", sizes: Mapping[str, int | None]) -> bool:
    """Return True if all files of the model exist, and its data have these sizes in bytes, where they are given."""
    if model.status != "READY":
        return False
    top = {each.path for each in client.list_logged_model_artifacts(model.model_id)}
    data = {Path(each.path).name: each.file_size for each in client.list_logged_model_artifacts(model.model_id, DATA)}
    return (
        top >= {"MLmodel", DATA}
        and bool(top & {CODE.name, FORMER_CODE})
        and all(name in data and (data[name] or 0) > 0 and sizes.get(name) in (None, data[name]) for name in FILES)
    )


def versions(client: "MlflowClient", run: Run, name: str, model: "LoggedModel") -> list[str]:
    """Return the run's versions under this name that are of this model, and not of a deleted one."""
    found = client.search_model_versions(f"name = '{name}' and run_id = '{run.id}'")
    return [str(each.version) for each in found if model.model_id in str(each.source)]


def _name(epoch: int | None) -> str:
    return EARLIER.format(epoch) if epoch else NAME


def _link(client: "MlflowClient", run: Run, model: "LoggedModel", step: int) -> None:
    from mlflow.entities import LoggedModelOutput

    client.log_outputs(run.id, [LoggedModelOutput(model.model_id, step)])


def _pack(folder: Path, model: "LoggedModel", run_id: str, vectors: Path) -> None:
    learnt = tables.mapped(vectors)
    rules = learnt.rules
    special = rules is not None and bool(rules.pattern or rules.segmenter)  # only pyarrow and ICU can cut such words
    more = ["pyarrow", *(["icu4py"] if rules and rules.segmenter else [])] if special else []
    words = folder.with_name("words.json")
    known = {"word": learnt.words, "count": learnt.counts.tolist(), "rules": rules and rules.dumps()}
    known |= {"grams": learnt.subwords.grams._asdict()} if learnt.subwords else {}
    words.write_text(json.dumps(known, ensure_ascii=False), encoding="utf-8")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # MLflow warns of its own type hints when it is imported
        from mlflow import pyfunc
        from mlflow.models import Model

        pyfunc.save_model(
            path=folder,
            python_model=str(CODE),
            artifacts={
                "vectors": artifact_address(vectors / "vectors.npy"),
                "vocabulary": artifact_address(vectors / "vocabulary.parquet"),
                "words": artifact_address(words),
                "forms": artifact_address(Path(normalization.__file__ if special else plain.__file__)),
                "documents": artifact_address(DOCUMENTS),
                **_subwords(vectors, learnt, folder.with_name("buckets.npy")),
            },
            signature=_signature(),
            pip_requirements=environment.requirements("mlflow-skinny", "numpy", "pandas", *more),
            mlflow_model=Model(run_id=run_id, model_uuid=model.model_id, model_id=model.model_id),
        )


def _subwords(vectors: Path, learnt: WordVectors, buckets: Path) -> dict[str, str]:
    """Return the artifacts of which the model makes vectors of unseen words; none for vectors of whole words."""
    if learnt.subwords is None:
        return {}
    np.save(buckets, learnt.subwords.bucket, allow_pickle=False)  # the model reads no Parquet
    rows, ngrams = (vectors / name for name in tables.MAPPED)
    files = {"subwords": tables.SUBWORDS_CODE, "rows": rows, "ngrams": ngrams, "buckets": buckets}
    return {name: artifact_address(file) for name, file in files.items()}


def _signature() -> "ModelSignature":
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, DataType, ParamSchema, ParamSpec, Schema
    from mlflow.types.schema import Array

    words, numbers = Array(DataType.string), Array(DataType.double)
    return ModelSignature(
        inputs=Schema([ColSpec(DataType.string, "word")]),
        outputs=Schema(
            [
                ColSpec(DataType.string, "word"),
                ColSpec(DataType.boolean, "known"),
                ColSpec(words, "neighbors", required=False),
                ColSpec(numbers, "similarities", required=False),
                ColSpec(numbers, "vector", required=False),
            ]
        ),
        params=ParamSchema([ParamSpec("k", DataType.long, 10), ParamSpec("what", DataType.string, "neighbors")]),
    )
