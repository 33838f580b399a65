"""The models a run leaves behind: packed as code and data, linked to the run; the final one registered as a version.

MLflow's own `log_model` works on the thread's active run and opens one where there is none; here each step names the
run. A step done before is found and not repeated, so that publishing again makes no second model.
"""

import json
import warnings
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pyarrow.parquet as pq

from tasks.engine import environment
from tasks.text import normalization
from tasks.text.normalization import Rules
from tasks.tracking.client import already_exists, reached
from tasks.tracking.database_paths import artifact_address
from tasks.tracking.run import Run, fetched
from tasks.vectors import tables
from tasks.vectors.tables import Vectors

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import LoggedModel
    from mlflow.models import ModelSignature

CODE, NORMALIZATION = Path(__file__).with_name("pyfunc.py"), Path(normalization.__file__)
FORMER_CODE = "_pyfunc.py"  # what the code was called in models of version 0.1
VERSIONS = "mlflow.modelVersions"  # the tag by which MLflow's page of a logged model shows its versions
DATA, FILES = "artifacts", ("vectors.npy", "vocabulary.parquet")  # where a packed model has them
NAME = "word-vectors"  # not the name of a folder of the run: MLflow would look for that folder in the model
EARLIER = "word-vectors-epoch-{:03d}"
DESCRIPTION = (
    "Word vectors: `predict` takes a column `word` and gives neighbours; vectors with `what=vectors`; with "
    "`what=analogies` what completes three words, such as `man king woman`."
)


def log_model(run: Run, vectors: Path, parameters: dict[str, str], *, epoch: int | None = None, step: int = 0) -> str:
    """Pack the folder's vectors.npy and vocabulary.parquet with the code that serves them; the model's id.

    It is the final one, or that of an earlier epoch; `step` is where its scores lie.
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
            if model.status != "READY":  # else its files alone were lost
                _link(client, run, model, step)
                client.finalize_logged_model(model.model_id, "READY")
    model_id: str = model.model_id
    return model_id


def register(run: Run, model_id: str, name: str, tags: dict[str, str]) -> str:
    """The version of the registered model that is this run's: an earlier one, or a new one."""
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
        source = model.artifact_location  # `models:/…` is sought in another store
        number = str(client.create_model_version(name, source, run.id, tags=tags, model_id=model_id).version)
        client.set_logged_model_tags(model_id, {VERSIONS: json.dumps([{"name": name, "version": number}])})
    return number


def earlier(run: Run, epoch: int) -> tuple[Vectors, dict[str, float]]:
    """The vectors of an earlier epoch, mapped and not read, and its scores.

    Raises InputError, which names the epochs that are kept, if this one is not.
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
    return next(iter(_models(client, run, _name(epoch))), None)


def whole(client: "MlflowClient", model: "LoggedModel", sizes: Mapping[str, int | None]) -> bool:
    """Whether its files are all there, and the data of these sizes, where they are known."""
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
    """The run's versions under this name that are this model; those of a model that was deleted are not."""
    found = client.search_model_versions(f"name = '{name}' and run_id = '{run.id}'")
    return [str(each.version) for each in found if model.model_id in str(each.source)]


def _name(epoch: int | None) -> str:
    return EARLIER.format(epoch) if epoch else NAME


def _link(client: "MlflowClient", run: Run, model: "LoggedModel", step: int) -> None:
    from mlflow.entities import LoggedModelOutput

    client.log_outputs(run.id, [LoggedModelOutput(model.model_id, step)])


def _pack(folder: Path, model: "LoggedModel", run_id: str, vectors: Path) -> None:
    rules = Rules.read(pq.read_schema(vectors / "vocabulary.parquet").metadata)
    segmenter = ["icu4py"] if rules and rules.segmenter else []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # about MLflow's own type hints, when it is imported
        from mlflow import pyfunc
        from mlflow.models import Model

        pyfunc.save_model(
            path=folder,
            python_model=str(CODE),
            artifacts={
                "vectors": artifact_address(vectors / "vectors.npy"),
                "vocabulary": artifact_address(vectors / "vocabulary.parquet"),
                "normalization": artifact_address(NORMALIZATION),
            },
            signature=_signature(),
            pip_requirements=environment.requirements("mlflow", "numpy", "pandas", "pyarrow", *segmenter),
            mlflow_model=Model(run_id=run_id, model_uuid=model.model_id, model_id=model.model_id),
        )


def _signature() -> "ModelSignature":
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, DataType, ParamSchema, ParamSpec, Schema
    from mlflow.types.schema import Array

    words, numbers = Array(DataType.string), Array(DataType.double)
    return ModelSignature(
        inputs=Schema([ColSpec(DataType.string, "word")]),
        outputs=Schema([
            ColSpec(DataType.string, "word"),
            ColSpec(DataType.boolean, "known"),
            ColSpec(words, "neighbors", required=False),
            ColSpec(numbers, "similarities", required=False),
            ColSpec(numbers, "vector", required=False),
        ]),
        params=ParamSchema([ParamSpec("k", DataType.long, 10), ParamSpec("what", DataType.string, "neighbors")]),
    )  # fmt: skip
