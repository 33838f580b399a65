"""Commands that train or check runs: retrain, sweep, backfill, plan, reproduce, verify."""

import os
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from configs.experiments import QUICKSTART
from flows.cli.app import ConfigFile, Json, Placed, RunId, Settings, Workspace, app, load, loading, prepare, serve
from tasks.engine.waiting import announced
from tasks.tracking.names import LOSS

AHEAD = "the text and at what is there already"  # what is looked at before the work


@app.command()
def retrain(
    config: ConfigFile = QUICKSTART,
    settings: Settings = None,
    workspace: Placed = None,
    seeds: Annotated[
        int, typer.Option(min=1, help="Train with this many seeds, and report how much the scores vary.")
    ] = 1,
) -> None:
    """Train word vectors from text, and log one MLflow run.

    The stages: ingest, tokenize, build the vocabulary, draw windows, train, evaluate. A stage whose inputs have not
    changed is reused. An interrupted command, run again, continues where it stopped.
    """
    loaded = load(config, settings, workspace)
    with loading():
        from flows.cli.output import report
        from flows.planning import foresight, plan, warm_start
        from tasks.tracking.session import Tracker

    tracker = Tracker(loaded)
    with announced(AHEAD, "looking at"):
        begun = warm_start.chosen(loaded, tracker).config
        planned = plan.plan(begun)
        foreseen = foresight.foresee(begun, tracker, planned)  # report errors now, not after a server has started
    report.warn(foreseen)
    if seeds > 1:
        serve()
        from flows import seeds as variants
        from flows.cli.output import outcomes, tables

        outcomes.show_seeds(tables.console, variants.retrain_seeds(loaded, seeds))
        return
    # always record the run on a permanent server; do not start a temporary one just to record a no-op
    done = None if os.environ.get("PREFECT_API_URL") else plan.already_done(begun, tracker, planned)
    if done:
        report.show_reused(planned, done)
    else:
        serve()
        with loading():
            from flows import retrain

        done = retrain.retrain(loaded)
    report.show(loaded, done)


@app.command()
def sweep(
    grid: Annotated[
        list[str],
        typer.Option(
            metavar="SECTION.KEY=V,V…", help="Values to try for one key, or with --random a range A..B; repeatable."
        ),
    ],
    config: ConfigFile = QUICKSTART,
    settings: Settings = None,
    workspace: Placed = None,
    random: Annotated[
        int | None, typer.Option(min=2, metavar="N", help="Draw N candidates at random instead of all combinations.")
    ] = None,
    by: Annotated[str, typer.Option(help="The score to rank by; the default is J(θ) on held-out windows.")] = LOSS,
    keep_one_in: Annotated[
        int,
        typer.Option(
            metavar="N",
            min=1,
            help="After each round train only the best 1 in N further, N times as long; 1 trains all.",
        ),
    ] = 3,
    output: Annotated[
        Path | None, typer.Option(help="The file for the best config; by default in WORKSPACE/sweeps.")
    ] = None,
) -> None:
    """Train the candidates of a grid, and write the best config.

    Only the better candidates are trained to the end. Stages that they share run once. An interrupted sweep, run again,
    continues where it stopped.
    """
    loaded = load(config, settings, workspace)
    with loading():
        from flows.cli.output import report
        from flows.planning import candidates, foresight, plan, warm_start
        from tasks.tracking.session import Tracker

    tracker = Tracker(loaded)
    with announced(AHEAD, "looking at"):
        loaded = warm_start.chosen(loaded, tracker).config
        candidates.candidates(loaded, grid, random, by, output)  # report errors in the grid before a server has started
        foreseen = foresight.foresee(loaded, tracker, plan.plan(loaded))
    report.warn(foreseen)
    serve()
    with loading():
        from flows import sweep as sweeps
        from flows.cli.output import outcomes, tables

    outcomes.show_swept(tables.console, loaded, sweeps.sweep(loaded, grid, random, by, keep_one_in, output))


@app.command()
def backfill(
    first: Annotated[datetime, typer.Option("--from", formats=["%Y-%m-%d"], help="The first day.")],
    last: Annotated[datetime, typer.Option("--to", formats=["%Y-%m-%d"], help="The last day.")],
    config: ConfigFile = QUICKSTART,
    settings: Settings = None,
    workspace: Placed = None,
    alone: Annotated[
        bool, typer.Option("--alone", help="Train on each partition alone, not on all partitions up to it.")
    ] = False,
    skip_missing: Annotated[bool, typer.Option("--skip-missing", help="Skip partitions that do not exist.")] = False,
) -> None:
    """Retrain once for each partition of a corpus by date.

    The source holds the date as strftime codes, such as ingestion.source=corpus/%Y-%m-%d/*.txt. Each run trains on all
    partitions from the first to its own. An interrupted backfill, run again, continues where it stopped.
    """
    loaded = load(config, settings, workspace)
    with loading():
        from flows import backfill
        from flows.cli.output import outcomes, tables

    wanted = backfill.partitions(loaded, first.date(), last.date(), skip_missing=skip_missing)
    outcomes.show_filled(tables.console, backfill.backfill(loaded, wanted, alone=alone, serve=serve))


@app.command()
def plan(
    config: ConfigFile = QUICKSTART, settings: Settings = None, as_json: Json = False, workspace: Placed = None
) -> None:
    """Show which stages would run or be reused, and the rough cost.

    The cost is the expected time, memory and disk space. Nothing is run.
    """
    loaded = load(config, settings, workspace)
    with loading():
        from flows.cli.output import plans, shapes
        from flows.planning import plan, warm_start
        from tasks.tracking.names import START
        from tasks.tracking.session import Tracker

    tracker = Tracker(loaded)
    with announced(AHEAD, "looking at"):
        start = warm_start.chosen(loaded, tracker)
        planned = plan.plan(start.config)
        found, foreseen = plans.shape(start.config, tracker, planned, start.tags.get(START, ""))
    if as_json:
        shapes.print_json(found)
    else:
        plans.show(start.config, planned, found, foreseen)


@app.command()
def reproduce(run: RunId, settings: Settings = None, workspace: Workspace = Path("workspace")) -> None:
    """Rebuild RUN from what it logged, and compare bit by bit.

    The exit code is 1 if anything differs. First, changes since RUN are listed: data, config, code, packages, kernels,
    CPU. The new run is logged beside RUN, with a tag that names RUN. It is rebuilt in a new folder of the workspace;
    choose another with `--set runtime.workspace=FOLDER`.
    """
    with loading():
        from flows import reproduce
        from flows.service.state import join
        from tasks.display.terminal import visible

    join(workspace)
    with announced("what the run was made of, and at what there is now", "looking at"):
        original = reproduce.find(run, workspace, settings or [])
        prepare(original.config)
        found = reproduce.foreseen(original)
    for line in reproduce.changed(original, found):
        print(line)
    print(flush=True)
    serve()
    done = reproduce.reproduce(original)
    print(visible(f"\n{reproduce.verdict(original, done)}"))
    raise typer.Exit(int(not done.identical))


@app.command()
def verify(run: RunId, workspace: Workspace = Path("workspace")) -> None:
    """Check RUN's files, figures and outputs against its certificate.

    The exit code is 1 if anything differs.
    """
    with loading():
        from flows.cli.output import verify

    raise typer.Exit(verify.examine(workspace, run))
