"""What the commands share: the app, their usual options, and how a config is read."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from configs.workspaces import VARIABLE, folder, placed

if TYPE_CHECKING:
    from configs.schema import Config


def _folder(text: str) -> Path:
    try:
        return folder(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def _typed(context: typer.Context, option: typer.CallbackParam, folder: Path | None) -> Path | None:
    """None for what the environment says, which --set has precedence over: `placed` looks there itself."""
    source = context.get_parameter_source(str(option.name))
    return folder if source and source.name == "COMMANDLINE" else None


app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode=None)
ConfigFile = Annotated[Path, typer.Argument(help="The experiment, a TOML file.", show_default="quickstart.toml")]
Settings = Annotated[
    list[str] | None, typer.Option("--set", metavar="SECTION.KEY=VALUE", help="Change one value; may be repeated.")
]
Run = Annotated[str | None, typer.Option(help="A run id or its start, or `champion`; by default the last retraining.")]
Epoch = Annotated[
    int | None, typer.Option(min=1, help="An earlier epoch that training.keep_epochs has kept; by default the end.")
]
RunId = Annotated[str, typer.Argument(help="An MLflow run id, its first six characters or more, or `champion`.")]
FOLDER = "The folder of the store and the tracking database."
Workspace = Annotated[
    Path,
    typer.Option(
        "--workspace", metavar="FOLDER", parser=_folder, envvar=VARIABLE, callback=lambda given: tidy(given),
        help=FOLDER,
    ),
]  # fmt: skip
Placed = Annotated[
    Path | None,
    typer.Option(
        "--workspace", metavar="FOLDER", parser=_folder, envvar=VARIABLE, callback=_typed,
        help=f"{FOLDER} It has precedence over runtime.workspace of CONFIG.",
    ),
]  # fmt: skip
Model = Annotated[str, typer.Option(help="The registered model: tracking.registered_model.")]
Many = Annotated[int, typer.Option("-k", min=1, help="How many.")]


def tidy(workspace: Path) -> Path:
    """The workspace, in which temporary files lie from now on."""
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
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Say which version this is.")
    ] = False,
) -> None:
    """Retrain word2vec: from raw text to compared, logged word vectors."""


def load(path: Path, settings: list[str] | None, workspace: Path | None = None) -> "Config":
    """The config of a file with its changes, and the surroundings it asks for."""
    from configs.loading import check_once

    check_once(settings or [])
    from configs.experiments import read

    config = read(path, placed(settings or [], workspace))
    prepare(config)
    return config


def enter(workspace: Path) -> None:
    """Use the workspace: its folders for Prefect and MLflow, and the servers of its service, if it is up."""
    from flows.servers.settings import settle
    from flows.service.state import join

    settle(workspace)
    join(workspace)


def prepare(config: "Config") -> None:
    """What has to be so before Prefect and NumPy are loaded, or this process starts again."""
    enter(Path(config.runtime.workspace))
    if config.runtime.portable:
        from tasks.engine import kernels

        kernels.pin()


def serve() -> None:
    """Have a Prefect server, before Prefect is loaded."""
    from flows.servers import ephemeral

    ephemeral.ensure_server()
