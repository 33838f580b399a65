"""Print the result of a retraining."""

import logging
import shlex

from configs.addresses import shown
from configs.schema import Config
from flows.cli.output.tables import console, say, show_neighbors, table
from flows.planning import foresight
from flows.planning.pipeline import Retrained
from flows.planning.plan import Plan
from tasks.engine import progress
from tasks.engine.facts import EvaluationFacts, recorded
from tasks.tracking import address
from tasks.tracking.names import GROUPS

log = logging.getLogger("w2v")
UNJUDGED = (
    "These vectors were not evaluated on any word set, so no later version can replace the champion automatically: "
    "name a set, such as --set \"evaluation.similarity=['wordsim353.tsv']\", or decide with `w2v promote`."
)
NO_SESSIONS = (
    "No session was held out, so these vectors have no score, and no later version can replace the champion "
    "automatically: raise windows.held_out_fraction, or decide with `w2v promote`."
)


def show(config: Config, done: Retrained) -> None:
    """Print neighbours, scores, warnings, where the results are, and which commands to try next."""
    from tasks import notes
    from tasks.evaluation import learning
    from tasks.reports import tables

    judged = recorded(EvaluationFacts, done.outputs.evaluation)
    show_neighbors(judged["neighbors"])
    console.print()
    console.print(table([], [[name, f"{value:.4g}"] for name, value in sorted(judged["metrics"].items())]))
    if "epochs" in judged:
        console.print()
        console.print(table(*tables.by_epoch(judged["epochs"], judged["metrics"])))
    if warned := learning.warning(judged, config.promotion):
        say(console, (f"\n⚠ {warned}", "bold yellow"))
    for note in notes.notes(done.outputs.named):
        say(console, f"\n{note}")
    if config.promotion.automatic and not any(name.split("/")[0] in GROUPS for name in judged["metrics"]):
        say(console, f"\n{NO_SESSIONS if config.tokenization.kind == 'items' else UNJUDGED}")

    workspace = config.runtime.workspace
    option = "" if workspace == "workspace" else f" --workspace {shlex.quote(workspace)}"
    run = f"{done.run_id}  in" if done.run_id else f"not uploaded yet: `w2v sync{option}` uploads it to"
    say(console, f"\nMLflow run   {run} {shown(address.uri(config))}")
    say(console, f"vectors      {done.outputs.trained.vectors.file('vectors.parquet')}")
    say(console, f"look at it   w2v ui{option}     neighbours   w2v neighbors{option} WORD…")


def show_reused(planned: Plan, done: Retrained) -> None:
    """Print why nothing was done: each stage's output is in the store, and a run holds the result."""
    for step in planned.steps:
        if step.label == "training":
            progress.drawn(done.outputs.trained.draws, reused=True)
        if step.output:
            progress.reused(step.label, step.output)
    log.info("nothing to do: run %s already holds this result", done.run_id)


def warn(foreseen: foresight.Foreseen) -> None:
    """Print the warnings about time, memory and disk before the work starts."""
    for text in foreseen.warnings:
        progress.warn(text)
