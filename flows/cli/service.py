"""Commands for the service of one machine: up, down, status, and unit, which starts it at boot."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from configs.experiments import QUICKSTART
from configs.workspaces import placed
from flows.cli.app import ConfigFile, Json, Placed, Settings, Workspace, app, load, loading

if TYPE_CHECKING:
    from configs.schema import Config
    from flows.service.components import Service

PrefectPort = Annotated[int, typer.Option(min=1, max=65535, help="The port of Prefect's server.")]
MLflowPort = Annotated[int, typer.Option("--mlflow-port", min=1, max=65535, help="The port of MLflow's server.")]
Expose = Annotated[
    str,
    typer.Option(
        metavar="ADDRESS", help="Listen at this address of the machine, or at 0.0.0.0 (all of them); needs passwords."
    ),
]
Patience = Annotated[
    float, typer.Option(min=1, metavar="SECONDS", help="Restart a part that has not answered for this long.")
]
LOOPBACK = "127.0.0.1"


class Manager(StrEnum):
    systemd = "systemd"
    compose = "compose"


@app.command()
def up(
    config: ConfigFile = QUICKSTART,
    settings: Settings = None,
    workspace: Placed = None,
    prefect_port: PrefectPort = 4200,
    mlflow_port: MLflowPort = 5000,
    expose: Expose = LOOPBACK,
    patience: Patience = 300,
    foreground: Annotated[
        bool, typer.Option("--foreground", help="Stay in the foreground, as systemd needs it.")
    ] = False,
) -> None:
    """Start Prefect, MLflow and a worker, and keep them running.

    The servers listen on 127.0.0.1. The worker retrains as [schedule] in CONFIG says.
    """
    loaded = load(config, settings, workspace)
    with loading():
        from flows.service import control
        from tasks.tracking import address

    service = _service(loaded, config, settings, prefect_port, mlflow_port, expose, patience)
    control.up(service, address.uri(loaded), foreground=foreground)


@app.command()
def down(workspace: Workspace = Path("workspace")) -> None:
    """Stop what `w2v up` has started.

    A running training writes its checkpoint first.
    """
    from flows.service import control

    control.down(workspace)


@app.command()
def status(as_json: Json = False, workspace: Workspace = Path("workspace")) -> None:
    """Show the service's parts, addresses, next and last runs.

    The exit code is 1 if a part is down.
    """
    from flows.service import status

    found = status.look(workspace)
    if as_json:
        from flows.cli.output.shapes import print_json

        print_json(found)
    else:
        status.show(found)
    raise typer.Exit(int(not found.up))


@app.command()
def unit(
    manager: Annotated[Manager, typer.Argument(help="The program that will run the service.")],
    config: ConfigFile = QUICKSTART,
    settings: Settings = None,
    workspace: Placed = None,
    prefect_port: PrefectPort = 4200,
    mlflow_port: MLflowPort = 5000,
    expose: Expose = LOOPBACK,
    patience: Patience = 300,
) -> None:
    """Print a file for systemd or Docker Compose to run `w2v up`.

    It runs `w2v up --foreground` with the options given here.
    """
    from flows.service import units

    loaded = load(config, settings, workspace)
    service = _service(loaded, config, settings, prefect_port, mlflow_port, expose, patience)
    print(units.UNITS[manager.value](service, loaded.notify.webhook))


def _service(
    loaded: "Config",
    config: Path,
    settings: list[str] | None,
    prefect_port: int,
    mlflow_port: int,
    expose: str,
    patience: float,
) -> "Service":
    from flows.service.components import Service

    workspace = Path(loaded.runtime.workspace).absolute()
    said = placed(settings or [], workspace)
    return Service(str(workspace), str(config.absolute()), said, expose, prefect_port, mlflow_port, patience)
