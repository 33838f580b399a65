"""`w2v promote`, `w2v rollback` and `w2v history`: who is champion, by whose decision, and why."""

from pathlib import Path

from rich.console import Console

from configs import migrations
from configs.schema import Config
from flows.cli.tables import say, table
from tasks import notifications
from tasks.errors import InputError
from tasks.promotion import decision as promotion_decision
from tasks.tracking import registry, session
from tasks.tracking.registry import CHALLENGER, CHAMPION, Decision, Model
from tasks.tracking.run import Run


def promote(console: Console, workspace: Path, name: str, wanted: str, accept_drift: bool, because: str) -> int:
    """Decide by the rule in the config of the version's run, which it was registered with; 1 if it is kept back.

    A decision whose process was killed is recorded to its end first, and is the answer if it was asked the same.
    """
    uri = session.runs_of(workspace)
    with promotion_decision.alone(workspace):
        model, decision = _go_on(workspace, uri, name)
        if decision is None or not _answers(decision, model, wanted, because):
            version = model.version(wanted)
            run = Run(uri, version.run_id)
            if original := run.record.data.tags.get(session.REPRODUCES):
                raise InputError(
                    f"version {version.number} is a reproduction of run {original}\nPromote that one instead."
                )
            rule = _config(run).promotion
            decision = promotion_decision.decide(model, version, rule, accept_drift=accept_drift, because=because)
            promotion_decision.record(workspace, model, decision)
    _tell(console, model, decision)
    return int(decision.verdict == "kept back")


def rollback(console: Console, workspace: Path, name: str, because: str) -> None:
    uri = session.runs_of(workspace)
    with promotion_decision.alone(workspace):
        model, decision = _go_on(workspace, uri, name)
        if decision is None or decision.verdict != "restored":
            decision = promotion_decision.restore(model, because)
            promotion_decision.record(workspace, model, decision)
    _tell(console, model, decision)


def _go_on(workspace: Path, uri: str, name: str) -> tuple[Model, Decision | None]:
    """The model, and the decision about it that was interrupted, which is recorded now."""
    model = registry.model(uri, name)
    if decision := promotion_decision.interrupted(model):
        promotion_decision.record(workspace, model, decision)
        model = registry.model(uri, name)
    return model, decision


def _answers(decision: Decision, model: Model, wanted: str, because: str) -> bool:
    """Whether `w2v promote` has asked for this decision, before it was killed."""
    if wanted == CHALLENGER and CHALLENGER not in model.aliases:  # a challenger is none when it is champion
        return decision.verdict == "promoted"
    kept_back = decision.verdict == "kept back" and not because
    return model.aliases.get(wanted, wanted) == decision.version and (decision.verdict == "promoted" or kept_back)


def _tell(console: Console, model: Model, decision: Decision) -> None:
    config = _config(Run(model.uri, decision.run_id))
    notifications.tell(config.notify, notifications.of_decision(config.promotion, model, decision))
    show(console, decision)


def history(console: Console, workspace: Path, name: str) -> None:
    """A line a decision, the oldest first; then who is who now."""
    model = registry.model(session.runs_of(workspace), name)
    if not model.history:
        say(
            console,
            f"Nothing was decided about the model {name!r} yet: each retraining is, when it ends, and "
            "`w2v promote VERSION` decides by hand.",
        )
        return
    decisions = [
        [each.when[:19].replace("T", " "), each.version, each.verdict, each.against or "–", each.who, each.why]
        for each in model.history
    ]
    console.print(table(["when (UTC)", "version", "", "champion then", "by", "why"], decisions))
    console.print()
    _show_aliases(console, model)


def show(console: Console, decision: Decision) -> None:
    if decision.figures:
        console.print(table(promotion_decision.HEAD, promotion_decision.rows(decision.figures)))
        say(console, f"\n{promotion_decision.said_of_the_space(decision.figures)}\n")
    say(console, decision.sentence)


def _config(run: Run) -> Config:
    return migrations.read(run.text("config.json"), f"config.json of run {run.id}")


def _show_aliases(console: Console, model: Model) -> None:
    for alias in (CHAMPION, CHALLENGER):
        if number := model.aliases.get(alias):
            say(console, f"{alias:<11} version {number}, run {model.version(number).run_id}")
