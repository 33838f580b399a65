"""What the terminal says at the end, and before the start."""

import logging
import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table

from configs.schema import Config
from flows import expectations
from flows.pipeline import Retrained
from flows.plan import Plan
from flows.tables import table
from tasks import _progress, _tracking
from tasks._reach import shown
from tasks._stage import Context
from tasks.ingestion import new_share

log = logging.getLogger("w2v")
console = Console(highlight=False, width=None if sys.stdout.isatty() else 10_000)  # a line is a line in a file
Neighbors = dict[str, list[tuple[str, float]]]
UNJUDGED = (
    "No set judges these vectors, so no later version becomes champion by itself: "
    "name one, such as --set \"evaluation.similarity=['wordsim353.tsv']\", or decide with `w2v promote`."
)


def show(config: Config, done: Retrained) -> None:
    """What was learnt, how good it is, where it lies, and how to look at it."""
    from tasks import _report  # pandas takes a while, and the plan needs none

    facts = done.outputs.evaluation.manifest.facts
    show_neighbors(facts["neighbors"])
    scores = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    for name, value in sorted(facts["metrics"].items()):
        scores.add_row(name, f"{value:.4g}")
    console.print()
    console.print(scores)
    if "epochs" in facts:
        console.print()
        console.print(table(*_report.by_epoch(facts["epochs"], facts["metrics"])))
    if warned := _report.warning(facts["metrics"]):
        console.print(f"\n[bold yellow]⚠ {warned}[/]", soft_wrap=True)
    if config.promotion.automatic and not config.evaluation.sets:
        console.print(f"\n{UNJUDGED}", soft_wrap=True)

    workspace = config.runtime.workspace
    option = "" if workspace == "workspace" else f" --workspace {workspace}"
    run = f"{done.run_id}  in" if done.run_id else f"waits: `w2v sync{option}` uploads it to"
    console.print(f"\nMLflow run   {run} {shown(_tracking.uri(config))}", soft_wrap=True)
    console.print(f"vectors      {done.outputs.trained.vectors.path / 'vectors.parquet'}", soft_wrap=True)
    console.print(f"look at it   w2v ui{option}     neighbours   w2v neighbors{option} WORD…", soft_wrap=True)


def show_reused(planned: Plan, done: Retrained) -> None:
    """Why nothing was done: each stage is in the store, and this run holds the result."""
    for step in planned.steps:
        if step.label == "training":
            _progress.drawn(done.outputs.trained.draws, reused=True)
        if step.output:
            _progress.reused(step.label, step.output)
    log.info("nothing to do: run %s holds this very result", done.run_id)


def show_neighbors(neighbors: Neighbors) -> None:
    """A line a word: its neighbours, nearest first, with their cosine similarity."""
    console.print()
    lines = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    lines.add_column(style="bold", no_wrap=True)
    for word, near in neighbors.items():
        lines.add_row(word, "  ".join(f"{neighbor} [dim]{cosine:.2f}[/dim]" for neighbor, cosine in near))
    console.print(lines)


def show_plan(config: Config, planned: Plan) -> None:
    """A line a stage: reused with its account, or what running it is expected to take."""
    corpus = expectations.corpus(config, planned)
    expected = expectations.expect(config, corpus) if corpus else {}
    news = new_share(config.ingestion, Context(runtime=config.runtime)) if planned.text_to_come else 1.0
    lines = Table(box=None, padding=(0, 2, 0, 0))
    for column in ("stage", "", "rows", "disk", "memory", "time"):
        lines.add_column(column, justify="left" if column in ("stage", "") else "right")
    for step in planned.steps:
        wanted = expected.get(step.label) or expected.get(step.label.partition("-")[0])
        if step.output:
            lines.add_row(f"= {step.label}", f"reused: {_progress.summary(step.output)}")
        elif wanted:
            share = news if step.label in ("ingestion", "tokenization") else 1.0
            lines.add_row(
                f"+ {step.label}", "runs" if share == 1 else f"runs on what is new, {share:.0%}",
                f"~{share * wanted.rows:,.0f}", f"~{share * wanted.disk / 1e6:,.0f} MB",
                f"~{wanted.memory / 1e6:,.0f} MB", f"~{share * wanted.seconds:,.0f} s",
            )  # fmt: skip
        else:
            lines.add_row(f"+ {step.label}", "runs")
    console.print(lines)
    if corpus is None:
        console.print("\nWhat it takes is known when the text has been downloaded.")
    console.print(f"\nstore  {Path(config.runtime.workspace).absolute() / 'store'}", soft_wrap=True)
    if planned.nothing_to_do:
        console.print("nothing to do: `w2v retrain` would only name the run that holds this result")
