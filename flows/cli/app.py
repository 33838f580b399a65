"""Define what the commands share: the app, the common options, and how a config is read."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from configs.workspaces import VARIABLE, folder, placed
from flows.cli import completion
from flows.cli.groups import Grouped

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from configs.schema import Config


def _folder(text: str) -> Path:
    try:
        return folder(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def _typed(context: typer.Context, option: typer.CallbackParam, folder: Path | None) -> Path | None:
    """Return None for a value from the environment: --set outranks it, and `placed` reads it itself."""
    source = context.get_parameter_source(str(option.name))
    return folder if source and source.name == "COMMANDLINE" else None


app = typer.Typer(cls=Grouped, no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode=None)
ConfigFile = Annotated[Path, typer.Argument(help="The experiment's TOML file.", show_default="quickstart.toml")]
Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="SECTION.KEY=VALUE",
        help="Override one value of the config; repeatable.",
        autocompletion=completion.keys,
    ),
]
Run = Annotated[
    str | None,
    typer.Option(
        help="A run id or its first characters, or `champion`; by default the last retraining.",
        autocompletion=completion.runs,
    ),
]
Epoch = Annotated[
    int | None,
    typer.Option(min=1, help="An earlier epoch, kept by training.keep_epochs; by default the final vectors."),
]
RunId = Annotated[
    str,
    typer.Argument(
        help="An MLflow run id, its first six characters or more, or `champion`.", autocompletion=completion.runs
    ),
]
FOLDER = "The folder that holds stage outputs and the tracking database."
Workspace = Annotated[
    Path,
    typer.Option(
        "--workspace",
        metavar="FOLDER",
        parser=_folder,
        envvar=VARIABLE,
        callback=lambda given: tidy(given),
        help=FOLDER,
    ),
]
Placed = Annotated[
    Path | None,
    typer.Option(
        "--workspace",
        metavar="FOLDER",
        parser=_folder,
        envvar=VARIABLE,
        callback=_typed,
        help=f"{FOLDER} Overrides runtime.workspace of CONFIG.",
    ),
]
ModelName = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        help="The registered model, which bears the name of its config; by default the only one.",
        autocompletion=completion.models,
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON: docs/reference/json.md has its shape.")]
Many = Annotated[int, typer.Option("-k", min=1, help="The number of neighbours to show.")]


def tidy(workspace: Path) -> Path:
    """Return the workspace, and put temporary files there from now on."""
    from tasks.engine import scratch

    scratch.settle(workspace)
    return workspace


def _version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        print(f"w2v {version('w2v-retraining')}")
        raise typer.Exit


@app.callback()
def options(
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Retrain word2vec: from raw text to evaluated word vectors, each run logged in MLflow."""


def load(path: Path, settings: list[str] | None, workspace: Path | None = None) -> "Config":
    """Read a config file with its overrides, and prepare this process for it."""
    from configs.experiments import read
    from configs.loading import check_once

    check_once(settings or [])
    config = read(path, placed(settings or [], workspace))
    prepare(config)
    return config


def enter(workspace: Path) -> None:
    """Use the workspace's folders for Prefect and MLflow, and the servers of its service if that is running."""
    from flows.servers.settings import settle
    from flows.service.state import join

    settle(workspace)
    join(workspace)


def prepare(config: "Config") -> None:
    """Set what must be set before Prefect and NumPy are imported; restart this process if that is too late."""
    enter(Path(config.runtime.workspace))
    if config.runtime.portable:
        from tasks.engine import kernels

        kernels.pin()


def loading() -> "AbstractContextManager[None]":
    """Say that libraries are loaded, if the block takes long."""
    from tasks.engine.waiting import announced

    return announced("the libraries", "loading")


def serve() -> None:
    """Ensure that a Prefect server runs, before Prefect is imported."""
    from flows.servers import ephemeral

    ephemeral.ensure_server()
