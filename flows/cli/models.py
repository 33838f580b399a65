"""Commands for the registered model: promote, rollback, history."""

from pathlib import Path
from typing import Annotated

import typer

from flows.cli.app import Json, ModelName, Workspace, app, enter, loading
from tasks.engine.waiting import announced


@app.command()
def promote(
    version: Annotated[
        str, typer.Argument(help="A version number, an alias, MODEL/NUMBER, MODEL@ALIAS, or a run.")
    ] = "challenger",
    accept_drift: Annotated[
        bool, typer.Option("--accept-drift", help="Promote however far the vectors have drifted.")
    ] = False,
    because: Annotated[str, typer.Option(metavar="REASON", help="Promote against the rule; REASON is recorded.")] = "",
    model: ModelName = "",
    workspace: Workspace = Path("workspace"),
) -> None:
    """Make VERSION the champion if the promotion rule allows it.

    The rule is [promotion] in the config of the version's run. The exit code is 1 if the version is kept back.
    """
    enter(workspace)
    with loading():
        from flows.cli.output import promotion, tables

    with announced("the version and the champion", "comparing"):
        code = promotion.promote(tables.console, workspace, model, version, accept_drift, because)
    raise typer.Exit(code)


@app.command()
def rollback(
    because: Annotated[str, typer.Option(metavar="REASON", help="The reason to record.")] = "",
    model: ModelName = "",
    workspace: Workspace = Path("workspace"),
) -> None:
    """Make the previous champion the champion again."""
    enter(workspace)
    from flows.cli.output import promotion, tables

    promotion.rollback(tables.console, workspace, model, because)


@app.command()
def history(model: ModelName = "", as_json: Json = False, workspace: Workspace = Path("workspace")) -> None:
    """List every decision about the champion: when, by whom, and why."""
    from flows.cli.output import promotion, tables

    promotion.history(tables.console, workspace, model, as_json)
