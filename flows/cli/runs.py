"""Commands that find a run and read about it: runs, show, logs, open."""

from pathlib import Path
from typing import Annotated

import typer

from flows.cli import completion
from flows.cli.app import Json, RunId, Workspace, app, enter

RUN = "A run id or its first characters, or `champion`; by default "
OneRun = Annotated[str | None, typer.Argument(help=f"{RUN}the newest run.", autocompletion=completion.runs)]
AnyRun = Annotated[str | None, typer.Argument(help=f"{RUN}all runs.", autocompletion=completion.runs)]


@app.command()
def runs(
    last: Annotated[int, typer.Option(min=1, metavar="N", help="List the newest N runs.")] = 20,
    as_json: Json = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV, with a column for each score.")] = False,
    workspace: Workspace = Path("workspace"),
) -> None:
    """List runs: state, version, champion and scores, newest first."""
    if as_json and as_csv:
        raise typer.BadParameter("print either JSON or CSV", param_hint="--json --csv")
    enter(workspace)
    from flows.cli.output import found, tables
    from flows.query import listing
    from tasks.tracking import address

    rows = listing.listed(address.runs_of(workspace), last)
    if as_json:
        found.print_runs_json(rows)
    elif as_csv:
        found.print_runs_csv(rows)
    else:
        found.show_runs(tables.console, rows)


@app.command()
def show(run: RunId, as_json: Json = False, workspace: Workspace = Path("workspace")) -> None:
    """Tell about RUN: state, version, decision, scores, settings."""
    enter(workspace)
    from flows.cli.output import found, shapes, tables
    from flows.query import listing
    from tasks.tracking import address

    told = listing.details(address.runs_of(workspace), run)
    if as_json:
        shapes.print_json(told)
    else:
        found.show_run(tables.console, told)


@app.command()
def logs(run: OneRun = None, workspace: Workspace = Path("workspace")) -> None:
    """Print the log of RUN, as Prefect keeps it.

    The log of the service itself is WORKSPACE/service/log.
    """
    enter(workspace)
    from flows.cli.output import found

    raise typer.Exit(found.print_log(workspace, run))


@app.command(name="open")
def open_(run: AnyRun = None, workspace: Workspace = Path("workspace")) -> None:
    """Print the pages of RUN in MLflow and Prefect, and open them.

    Without RUN, these are the tables of all runs. They are opened where there is a browser and the output is a
    terminal. It needs the servers of `w2v up`, or your own.
    """
    enter(workspace)
    from flows.cli.output import found

    found.open_run(workspace, run)
