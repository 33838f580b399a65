"""MLflow's server behind our guard: `mlflow server --app-name w2v`, an entry point in pyproject.toml.

Its environment is that of `guard_environment`. Without a lock there, MLflow checks its users' passwords itself.
"""

from importlib.metadata import entry_points

from flows.access.guard import Guard, guarded, is_locked
from flows.servers.front import Front
from tasks.errors import PipelineError

GROUP, NAME = "mlflow.app", "w2v"
LIMITED = "--http flows.access.strangers:Wary --ws flows.access.strangers:WarySocket"
OPTIONS = f"--log-level warning {LIMITED} --backlog 64"  # for uvicorn


def create_app() -> Guard:
    """Return the guarded application, which MLflow lets uvicorn serve with OPTIONS."""
    from flows.access import strangers

    strangers.make_room()
    if not is_locked():
        from mlflow.server import auth

        return guarded(Front(auth.create_app()), health="/health")
    from mlflow.server.fastapi_app import app

    return guarded(Front(app), health="/health")


def app_name() -> str:
    """Return the name of the entry point. Raises PipelineError if the installed package is too old to have it."""
    if entry_points(group=GROUP, name=NAME):
        return NAME
    raise PipelineError(
        f"MLflow cannot be guarded\nexpected  the entry point {NAME!r} of {GROUP}\n"
        "found     an installation of this package from before it was added\n"
        "Run `make .venv/ready`, or `pip install --no-deps --no-build-isolation --editable .` where the source is."
    )
