"""Retrain, and what is like it: sweep, plan, reproduce, verify."""

import os
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from configs.experiments import QUICKSTART
from flows.cli.app import ConfigFile, Placed, RunId, Settings, Workspace, app, load, prepare, serve

LOSS = "loss/held_out"  # MLflow's name of J(θ)


@app.command()
def retrain(
    config: ConfigFile = QUICKSTART,
    settings: Settings = None,
    workspace: Placed = None,
    seeds: Annotated[int, typer.Option(min=1, help="Train as many seeds, and say how far luck puts scores apart.")] = 1,
) -> None:
    """Retrain: ingest, tokenize, build the vocabulary, draw windows, train, evaluate, and log one MLflow run."""
    loaded = load(config, settings, workspace)
    from flows.cli import report
    from flows.planning import foresight, plan, warm_start

    begun = warm_start.chosen(loaded).config
    planned = plan.plan(begun)
    report.warn(foresight.foresee(begun, planned))  # what is wrong is said now, not after a server has started
    if seeds > 1:
        serve()
        from flows import seeds as variants
        from flows.cli import outcomes

        outcomes.show_seeds(report.console, variants.retrain_seeds(loaded, seeds))
        return
    # a server of one's own is told of every retraining; a temporary one is not started to be told of nothing
    done = None if os.environ.get("PREFECT_API_URL") else plan.already_done(begun, planned)
    if done:
        report.show_reused(planned, done)
    else:
        serve()
        from flows import retrain

        done = retrain.retrain(loaded)
    report.show(loaded, done)


@app.command()
def sweep(
    grid: Annotated[
        list[str],
        typer.Option(metavar="SECTION.KEY=V,V…", help="Values of one key, or with --random a range A..B; repeatable."),
    ],
    config: ConfigFile = QUICKSTART,
    settings: Settings = None,
    workspace: Placed = None,
    random: Annotated[
        int | None, typer.Option(min=2, metavar="N", help="Draw N candidates instead of all combinations.")
    ] = None,
    by: Annotated[str, typer.Option(help="The score to rank by: J(θ) on held-out windows, or another.")] = LOSS,
    keep_one_in: Annotated[
        int, typer.Option(min=1, help="One in so many trains on, so many times as long; 1 trains all to the end.")
    ] = 3,
    output: Annotated[Path | None, typer.Option(help="The best config; by default in WORKSPACE/sweeps.")] = None,
) -> None:
    """Train the candidates of a grid, the better ones to the end; write the best config.

    What they have in common is prepared once. Interrupted and started again, the sweep goes on.
    """
    loaded = load(config, settings, workspace)
    from flows.cli import report
    from flows.planning import candidates, foresight, plan, warm_start

    loaded = warm_start.chosen(loaded).config
    candidates.candidates(
        loaded, grid, random, by, output
    )  # what is wrong with the grid is said before a server has started
    report.warn(foresight.foresee(loaded, plan.plan(loaded)))
    serve()
    from flows import sweep as sweeps
    from flows.cli import outcomes

    outcomes.show_swept(report.console, loaded, sweeps.sweep(loaded, grid, random, by, keep_one_in, output))


@app.command()
def backfill(
    first: Annotated[datetime, typer.Option("--from", formats=["%Y-%m-%d"], help="The first day.")],
    last: Annotated[datetime, typer.Option("--to", formats=["%Y-%m-%d"], help="The last day.")],
    config: ConfigFile = QUICKSTART,
    settings: Settings = None,
    workspace: Placed = None,
    alone: Annotated[
        bool, typer.Option("--alone", help="Learn from each partition alone, not from all so far.")
    ] = False,
    skip_missing: Annotated[
        bool, typer.Option("--skip-missing", help="Leave out partitions that are missing.")
    ] = False,
) -> None:
    """Retrain once for each partition of a corpus by date: ingestion.source=corpus/%Y-%m-%d/*.txt (strftime's codes).

    Each learns from all partitions from the first to its own. Interrupted and started again, it goes on.
    """
    loaded = load(config, settings, workspace)
    from flows import backfill
    from flows.cli import outcomes, report

    wanted = backfill.partitions(loaded, first.date(), last.date(), skip_missing=skip_missing)
    outcomes.show_filled(report.console, backfill.backfill(loaded, wanted, alone=alone, serve=serve))


@app.command()
def plan(config: ConfigFile = QUICKSTART, settings: Settings = None, workspace: Placed = None) -> None:
    """Say what would run, what is reused, and the order of magnitude of what it takes."""
    loaded = load(config, settings, workspace)
    from flows.cli import report
    from flows.planning import plan, warm_start

    start = warm_start.chosen(loaded)
    report.show_plan(start.config, plan.plan(start.config))
    if start.tags:
        print(f"warm start: {start.tags[warm_start.CHOSEN]}")


@app.command()
def reproduce(run: RunId, settings: Settings = None, workspace: Workspace = Path("workspace")) -> None:
    """Rebuild RUN from what it logged, in a fresh workspace, and say if it is identical or what differs; then exit 1.

    The new run is logged beside RUN and names it. What RUN was made of and is not the same any more (data, config,
    code, packages, kernels, CPU) is said first. `--set runtime.workspace=FOLDER` says where it is rebuilt.
    """
    from flows import reproduce
    from flows.service.state import join

    join(workspace)
    original = reproduce.find(run, workspace, settings or [])
    prepare(original.config)
    reproduce.show_foreseen(original, reproduce.foreseen(original))
    serve()
    raise typer.Exit(reproduce.show(original, reproduce.reproduce(original)))


@app.command()
def verify(run: RunId, workspace: Workspace = Path("workspace")) -> None:
    """Hold every file, figure and stage output of RUN against its certificate; exit 1 if anything differs."""
    from flows.cli import verify

    raise typer.Exit(verify.examine(workspace, run))
