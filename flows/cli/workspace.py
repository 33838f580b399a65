"""Commands that maintain the workspace: deployment, MLflow's pages, garbage collection, retention, diagnosis."""

from pathlib import Path
from typing import Annotated

import typer

from configs import remotes
from configs.experiments import QUICKSTART
from configs.workspaces import placed
from flows.cli.app import ConfigFile, Json, Placed, Settings, Workspace, app, enter, load, loading, serve
from tasks.engine.waiting import announced


@app.command()
def deploy(config: ConfigFile = QUICKSTART, settings: Settings = None, workspace: Placed = None) -> None:
    """Deploy the flows and their schedule to a Prefect server.

    The server is that of PREFECT_API_URL. Run the command again to update the deployments. The schedule is [schedule]
    in CONFIG; the rest is in prefect.yaml.
    """
    load(config, settings, workspace)
    with loading():
        from flows.deployment.deploy import POOL, deploy

    with announced("the flows", "deploying"):
        names = deploy(config, placed(settings or [], workspace))
    for name in names:
        print(f"✓ {name}")
    print(f"\nStart a worker on the machine that has the text:  prefect worker start --pool {POOL}")


@app.command()
def ui(
    port: Annotated[int, typer.Option(min=1, max=65535, help="The port of MLflow's server.")] = 5000,
    workspace: Workspace = Path("workspace"),
) -> None:
    """Show the workspace's runs in MLflow's pages, until Ctrl-C.

    Listens on 127.0.0.1. If `w2v up` is running, prints the address of its MLflow server.
    """
    from flows.servers import mlflow_ui
    from flows.service.state import Place

    place = Place(workspace)
    if state := place.state:
        print(f"MLflow is up: {place.links(state)['mlflow']}")
        return
    mlflow_ui.mlflow_ui(workspace, port)


@app.command()
def gc(
    last: Annotated[int, typer.Option(min=0, metavar="N", help="Keep what the last N runs use.")] = 5,
    days: Annotated[
        float, typer.Option(min=0, metavar="DAYS", help="Keep what runs use that ended in the last DAYS days.")
    ] = 30,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only list what would be deleted, and its size.")] = False,
    workspace: Workspace = Path("workspace"),
) -> None:
    """Delete stage outputs and checkpoints that no kept run uses.

    Abandoned attempts are deleted too. Always kept: everything used by running runs and by runs whose registered model
    has an alias (such as `champion`), and the vectors of the last retraining. MLflow's runs and their files are not
    touched.
    """
    with loading():
        from flows import retention

    with announced("the store, and at what runs use of it", "looking at"):
        found = retention.collect(workspace, last, days, dry_run=dry_run)
    for collected in found:
        for line in retention.lines(workspace, collected, dry_run):
            print(line)


@app.command()
def retain(
    config: ConfigFile = QUICKSTART,
    settings: Settings = None,
    workspace: Placed = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only list what would be deleted, and its size.")] = False,
) -> None:
    """Delete the runs and outputs that [retention] does not keep.

    These are MLflow runs with their files, Prefect's flow runs, and stage outputs. Always kept: running runs, runs
    whose registered model has an alias or was champion before, runs with the tag `keep`, and the parents and children
    of these.
    """
    loaded = load(config, settings, workspace)
    from tasks.tracking import address

    address.runs_of_config(loaded)
    serve()
    with loading():
        from flows import retain

    with announced("runs and outputs", "looking at"):
        done = retain.delete(loaded, dry_run=dry_run)
    for line in retain.lines(loaded, done, dry_run):
        print(line)


@app.command()
def reconcile(config: ConfigFile = QUICKSTART, settings: Settings = None, workspace: Placed = None) -> None:
    """Close runs whose process is dead or sends no heartbeat.

    They are closed in MLflow and in Prefect, and a notification is sent for each. runtime.lost_after sets how long a
    run on another host may go without a heartbeat.
    """
    loaded = load(config, settings, workspace)
    from tasks.tracking import address

    address.runs_of_config(loaded)
    serve()
    from flows import reconcile
    from flows.cli.output import outcomes, tables

    outcomes.show_closed(tables.console, reconcile.reconcile.fn(loaded))


@app.command()
def alarms(config: ConfigFile = QUICKSTART, settings: Settings = None, workspace: Placed = None) -> None:
    """Set up alarms in Prefect's server, and send test messages.

    The server then notifies about late runs and missing heartbeats, even while every worker is down.
    """
    loaded = load(config, settings, workspace)
    from flows.deployment import automations

    raise typer.Exit(automations.show(loaded))


@app.command()
def sync(workspace: Workspace = Path("workspace")) -> None:
    """Upload what was kept while MLflow or the shared store could not be reached.

    A retraining keeps its result in this way if tracking.required = false. After each upload, decide about promotion
    as the retraining would have.
    """
    enter(workspace)
    with loading():
        from flows import outbox
        from tasks.engine.outputs import readiness

    runs = outbox.sync(workspace)
    print(f"{len(runs)} uploaded" if runs else f"nothing to upload in {workspace / outbox.FOLDER}")
    if outputs := outbox.share(workspace):
        print(f"{outputs} outputs put into {readiness.address_of(workspace)}")


@app.command()
def close(
    run: Annotated[str, typer.Argument(help="An MLflow run id or its first characters.")],
    workspace: Workspace = Path("workspace"),
) -> None:
    """Mark RUN as KILLED if its process died on another host.

    Such a run stays RUNNING otherwise. `w2v reconcile` closes all of them.
    """
    from flows import retention

    run_id = retention.close(workspace, run)
    print(f"run {run_id} is KILLED; a retraining with the same config, data and code continues it")


@app.command()
def doctor(
    workspace: Workspace = Path("workspace"),
    remote: Annotated[
        str, typer.Option(metavar="ADDRESS", help="A store to share; by default the one that the workspace uses.")
    ] = "",
    as_json: Json = False,
) -> None:
    """Check this machine, and print details for a bug report.

    Prints versions, servers, disk, cores and BLAS, and checks that the shared store is fit for it. The exit code is 1
    if something must be fixed.
    """
    from flows.cli.output import doctor

    try:
        address = remotes.address(remote)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--remote") from None
    raise typer.Exit(doctor.examine(workspace, address, as_json))
