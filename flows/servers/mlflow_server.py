"""MLflow's server behind our guard: `mlflow server --app-name w2v`, an entry point of pyproject.toml.

`flows.access.guard.told` is its environment. Without a lock there, MLflow asks for the passwords of its own users.
"""

from importlib.metadata import entry_points

from flows.access.guard import Guard, guarded, is_locked
from tasks.errors import PipelineError

GROUP, NAME = "mlflow.app", "w2v"
LIMITED = "--http flows.access.strangers:Wary --ws flows.access.strangers:WarySocket"
OPTIONS = f"--log-level warning {LIMITED} --backlog 64"  # of uvicorn


def create_app() -> Guard:
    """What MLflow has uvicorn serve, with OPTIONS."""
    from flows.access import strangers

    strangers.make_room()
    if not is_locked():
        from mlflow.server import auth

        return guarded(auth.create_app(), health="/health")
    from mlflow.server.fastapi_app import app

    return guarded(app, health="/health")


def app_name() -> str:
    """Raises PipelineError if the package was installed before it had the entry point: nothing is served unguarded."""
    if entry_points(group=GROUP, name=NAME):
        return NAME
    raise PipelineError(
        f"MLflow cannot be guarded\nexpected  the entry point {NAME!r} of {GROUP}\n"
        "found     this package as it was installed before that was added\n"
        "Run `make .venv/ready`, or `pip install --no-deps --no-build-isolation --editable .` where the source is."
    )
