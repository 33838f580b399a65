"""Who is champion: promote, roll back, history."""

from pathlib import Path
from typing import Annotated

import typer

from flows.cli.app import Model, Workspace, app, enter


@app.command()
def promote(
    version: Annotated[str, typer.Argument(help="A version of the model.")] = "challenger",
    accept_drift: Annotated[bool, typer.Option("--accept-drift", help="However far the space has moved.")] = False,
    because: Annotated[str, typer.Option(metavar="REASON", help="Against the rule, for this reason.")] = "",
    model: Model = "vectors",
    workspace: Workspace = Path("workspace"),
) -> None:
    """Make VERSION the champion if the rule of its config lets it; exit 1 if it is kept back."""
    enter(workspace)
    from flows.cli import promotion, report

    raise typer.Exit(promotion.promote(report.console, workspace, model, version, accept_drift, because))


@app.command()
def rollback(
    because: Annotated[str, typer.Option(metavar="REASON", help="Is recorded.")] = "",
    model: Model = "vectors",
    workspace: Workspace = Path("workspace"),
) -> None:
    """Make the version champion again that was it before."""
    enter(workspace)
    from flows.cli import promotion, report

    promotion.rollback(report.console, workspace, model, because)


@app.command()
def history(model: Model = "vectors", workspace: Workspace = Path("workspace")) -> None:
    """Every decision about who is champion: when, by whom, and why."""
    from flows.cli import promotion, report

    promotion.history(report.console, workspace, model)
