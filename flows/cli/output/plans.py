"""`w2v plan`: what a retraining would do and cost, for people and as JSON."""

import os
from pathlib import Path

from configs.schema import Config
from flows.cli.output.shapes import Plan as Shape
from flows.cli.output.shapes import Stage
from flows.cli.output.tables import console, say, table
from flows.planning import cost, foresight
from flows.planning.plan import Plan
from tasks.engine import progress
from tasks.engine.facts import DocumentsFacts, recorded
from tasks.engine.stage import Context
from tasks.ingestion.stage import new_share
from tasks.text import patterns
from tasks.tracking.session import Tracker
from tasks.training import workers

WORDS = 12  # shown of each sampled document
TITLES = ["rows", "disk", "memory", "time"]


def shape(config: Config, tracker: Tracker, planned: Plan, start: str) -> tuple[Shape, foresight.Foreseen]:
    """Return the plan as `w2v plan --json` prints it, and what it was made of."""
    foreseen = foresight.foresee(config, tracker, planned)
    news = new_share(config.ingestion, Context(runtime=config.runtime)) if planned.text_to_come else 1.0
    stages = []
    for step in planned.steps:
        wanted = foresight.of_stage(foreseen.expected, step.label)
        share = news if step.label in ("ingestion", "tokenization") else 1.0
        if step.output:
            away = step.output.absent
            where = f", from the remote ({away / 1e6:,.1f} MB)" if away else ""
            stages.append(Stage(stage=step.label, reused=True, about=f"{progress.summary(step.output)}{where}"))
        elif wanted:
            stages.append(
                Stage(
                    stage=step.label,
                    reused=False,
                    about="" if share == 1 else f"on the new part, {share:.0%}",
                    rows=share * wanted.rows,
                    disk=share * wanted.disk,
                    memory=wanted.memory,
                    seconds=share * wanted.seconds,
                )
            )
        else:
            stages.append(Stage(stage=step.label, reused=False, about=""))
    if foreseen.expected and not planned.nothing_to_do:
        about = {"publication": cost.PUBLICATION}
        if not os.environ.get("PREFECT_API_URL"):
            about = {"Prefect's server": cost.SERVER, **about}
        stages += [Stage(stage=name, reused=False, about="", seconds=seconds) for name, seconds in about.items()]
    plan = Shape(
        nothing_to_do=planned.nothing_to_do,
        stages=stages,
        warnings=[*patterns.warnings(config.tokenization.pattern), *foreseen.warnings],
        warm_start=start,
        store=str(Path(config.runtime.workspace).absolute() / "store"),
        remote=config.runtime.remote,
    )
    return plan, foreseen


def show(config: Config, planned: Plan, plan: Shape, foreseen: foresight.Foreseen) -> None:
    """Print one line a stage: reused, with its summary, or the expected rows, disk, memory and time."""
    if not planned.text_to_come:
        for text in recorded(DocumentsFacts, planned.outputs.trained.documents).get("told", []):
            progress.note("ingestion", text)
    console.print(table(["stage", "", *TITLES], map(_row, plan.stages), right=TITLES))
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
    say(console, f"\nstore  {plan.store}")
    if foreseen.engine and not plan.nothing_to_do:
        say(console, f"engine {foreseen.engine.described}")
    if plan.remote:
        say(console, f"remote {plan.remote}")
    if plan.nothing_to_do:
        say(console, "nothing to do: `w2v retrain` would only print the run that already holds this result")
    if plan.warm_start:
        say(console, f"warm start: {plan.warm_start}")


def _row(stage: Stage) -> list[str]:
    if stage.reused:
        return [f"= {stage.stage}", f"reused: {stage.about}"]
    cells = [f"+ {stage.stage}", f"runs {stage.about}".strip()]
    if stage.seconds is None:
        return cells
    if stage.rows is None or stage.disk is None or stage.memory is None:
        return [*cells, "", "", "", f"~{stage.seconds:,.0f} s"]
    disk, memory = f"~{stage.disk / 1e6:,.0f} MB", f"~{stage.memory / 1e6:,.0f} MB"
    return [*cells, f"~{stage.rows:,.0f}", disk, memory, f"~{stage.seconds:,.0f} s"]
