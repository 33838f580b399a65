"""Print the result of a retraining, and the plan before one."""

import logging
import os
import shlex
from pathlib import Path

from configs.addresses import shown
from configs.schema import Config
from flows.cli.tables import console, say, show_neighbors, table
from flows.planning import cost, foresight
from flows.planning.pipeline import Retrained
from flows.planning.plan import Plan
from tasks.engine import progress
from tasks.engine.facts import DocumentsFacts, EvaluationFacts, recorded
from tasks.engine.stage import Context
from tasks.ingestion.stage import new_share
from tasks.text import patterns
from tasks.tracking import address
from tasks.tracking.names import GROUPS
from tasks.tracking.session import Tracker
from tasks.training import workers

log = logging.getLogger("w2v")
WORDS = 12  # shown of each sampled document in the plan
UNJUDGED = (
    "These vectors were not evaluated on any word set, so no later version can replace the champion automatically: "
    "name a set, such as --set \"evaluation.similarity=['wordsim353.tsv']\", or decide with `w2v promote`."
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
        say(console, f"\n{UNJUDGED}")

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


def show_plan(config: Config, tracker: Tracker, planned: Plan) -> None:
    """Print one line a stage: reused, with its summary, or the expected rows, disk, memory and time."""
    foreseen = foresight.foresee(config, tracker, planned)
    if not planned.text_to_come:
        for text in recorded(DocumentsFacts, planned.outputs.trained.documents).get("told", []):
            progress.note("ingestion", text)
    news = new_share(config.ingestion, Context(runtime=config.runtime)) if planned.text_to_come else 1.0
    rows = []
    for step in planned.steps:
        wanted = foresight.of_stage(foreseen.expected, step.label)
        if step.output:
            away = step.output.absent
            where = f", from the remote ({away / 1e6:,.1f} MB)" if away else ""
            rows.append([f"= {step.label}", f"reused: {progress.summary(step.output)}{where}"])
        elif wanted:
            share = news if step.label in ("ingestion", "tokenization") else 1.0
            rows.append([
                f"+ {step.label}", "runs" if share == 1 else f"runs on the new part, {share:.0%}",
                f"~{share * wanted.rows:,.0f}", f"~{share * wanted.disk / 1e6:,.0f} MB",
                f"~{wanted.memory / 1e6:,.0f} MB", f"~{share * wanted.seconds:,.0f} s",
            ])  # fmt: skip
        else:
            rows.append([f"+ {step.label}", "runs"])
    if foreseen.expected and not planned.nothing_to_do:
        about = {"publication": cost.PUBLICATION}
        if not os.environ.get("PREFECT_API_URL"):
            about = {"Prefect's server": cost.SERVER, **about}
        rows += [[f"+ {name}", "runs", "", "", "", f"~{seconds:,.0f} s"] for name, seconds in about.items()]
    titles = ["rows", "disk", "memory", "time"]
    console.print(table(["stage", "", *titles], rows, right=titles))
    if config.training.replicas > 1:
        say(console, f"\ntraining  {workers.described(config.training, config.runtime)}")
    for warned in patterns.warnings(config.tokenization.pattern):
        say(console, (f"\n⚠ {warned}", "bold yellow"))
    if not foreseen.expected:
        say(console, "\nThe expected time and size are known once the text has been downloaded.")
    if texts := foresight.sampled(config):
        say(console, "\nthe first documents, as words:")
        console.print(table([], [[name, " ".join(words[:WORDS]) or "(no word)"] for name, words in texts]))
    for warned in foreseen.warnings:
        say(console, (f"⚠ {warned}", "bold yellow"))
    say(console, f"\nstore  {Path(config.runtime.workspace).absolute() / 'store'}")
    if foreseen.engine and not planned.nothing_to_do:
        say(console, f"engine {foreseen.engine.described}")
    if config.runtime.remote:
        say(console, f"remote {config.runtime.remote}")
    if planned.nothing_to_do:
        say(console, "nothing to do: `w2v retrain` would only print the run that already holds this result")
