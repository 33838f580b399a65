"""Look after the workspace: deployments, pages, retention, diagnosis."""

from pathlib import Path
from typing import Annotated

import typer

from configs.experiments import QUICKSTART
from configs.workspaces import placed
from flows.cli.app import ConfigFile, Placed, Settings, Workspace, app, enter, load, serve


@app.command()
def deploy(config: ConfigFile = QUICKSTART, settings: Settings = None, workspace: Placed = None) -> None:
    """Deploy retrain with its schedule, and what goes with it, to the Prefect server of PREFECT_API_URL.

    Done again, it changes what is deployed. The schedule is `[schedule]` in CONFIG; all else is in prefect.yaml.
    """
    load(config, settings, workspace)
    from flows.deployment import deploy as deployment_deploy

    for name in deployment_deploy.deploy(config, placed(settings or [], workspace)):
        print(f"✓ {name}")
    print(f"\nA worker runs them, where the text is:  prefect worker start --pool {deployment_deploy.POOL}")


@app.command()
def ui(port: Annotated[int, typer.Option(min=1, max=65535)] = 5000, workspace: Workspace = Path("workspace")) -> None:
    """Start MLflow's pages on the workspace's runs, on 127.0.0.1, until Ctrl-C."""
    from flows.servers import mlflow_ui
    from flows.service.state import Place

    place = Place(workspace)
    if state := place.state:
        print(f"MLflow is up: {place.links(state)['mlflow']}")
        return
    mlflow_ui.mlflow_ui(workspace, port)


@app.command()
def gc(
    last: Annotated[int, typer.Option(min=0, help="Keep what the last so many runs use.")] = 5,
    days: Annotated[float, typer.Option(min=0, help="Keep what runs use that ended within so many days.")] = 30,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only list what would go, and its size.")] = False,
    workspace: Workspace = Path("workspace"),
) -> None:
    """Remove abandoned attempts, and stage outputs and checkpoints that no kept run uses.

    Always kept: what runs at work use, what runs use whose registered model has an alias (such as `champion`), and the
    vectors of the last retraining. MLflow's runs and their files are left alone.
    """
    from flows import retention

    retention.collect(workspace, last, days, dry_run=dry_run)


@app.command()
def retain(
    config: ConfigFile = QUICKSTART,
    settings: Settings = None,
    workspace: Placed = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only list what would go, and its size.")] = False,
) -> None:
    """Remove what [retention] does not keep: MLflow runs with their files, Prefect's flow runs, stage outputs.

    Always kept: runs at work, runs whose registered model has an alias or was champion before, runs with the tag
    `keep`, and the parents and children of these.
    """
    loaded = load(config, settings, workspace)
    from tasks.tracking import session

    session.runs_of_config(loaded)
    serve()
    from flows import retain

    retain.retain.fn(loaded, dry_run)


@app.command()
def reconcile(config: ConfigFile = QUICKSTART, settings: Settings = None, workspace: Placed = None) -> None:
    """Close runs whose process is gone or has stopped beating, in MLflow and in Prefect, and tell of them.

    runtime.lost_after says how long a run of another host may be silent.
    """
    loaded = load(config, settings, workspace)
    from tasks.tracking import session

    session.runs_of_config(loaded)
    serve()
    from flows import reconcile
    from flows.cli import outcomes, report

    outcomes.show_closed(report.console, reconcile.reconcile.fn(loaded))


@app.command()
def alarms(config: ConfigFile = QUICKSTART, settings: Settings = None, workspace: Placed = None) -> None:
    """Have Prefect's server tell of runs that are late or have stopped beating, and send a test message each way."""
    loaded = load(config, settings, workspace)
    from flows.deployment import automations

    raise typer.Exit(automations.show(loaded))


@app.command()
def sync(workspace: Workspace = Path("workspace")) -> None:
    """Upload the results that wait for an MLflow that was away (tracking.required = false), and decide about each."""
    enter(workspace)
    from flows import outbox

    runs = outbox.sync(workspace)
    print(f"{len(runs)} uploaded" if runs else f"nothing waits in {workspace / outbox.FOLDER}")


@app.command()
def close(run: str, workspace: Workspace = Path("workspace")) -> None:
    """Mark RUN as KILLED, when it stays RUNNING because its process died on another host."""
    from flows import retention

    retention.close(workspace, run)


@app.command()
def doctor(workspace: Workspace = Path("workspace")) -> None:
    """Versions, servers, disk, cores and BLAS: what a report of a problem should contain."""
    from flows.cli import doctor

    raise typer.Exit(doctor.examine(workspace))
