"""`w2v promote`, `w2v rollback` and `w2v history`: change the champion, and list the decisions about it."""

import re
from pathlib import Path

from rich.console import Console

from configs import migrations
from configs.schema import Config
from flows.cli.output.shapes import Entry, History, print_json
from flows.cli.output.tables import say, table
from tasks import notifications
from tasks.comparison import nights
from tasks.errors import InputError
from tasks.promotion import decision as decisions
from tasks.tracking import address, registry
from tasks.tracking.names import CONFIG_FILE, MODEL_VERSION, REPRODUCES
from tasks.tracking.registry import CHALLENGER, CHAMPION, Decision, RegisteredModel
from tasks.tracking.run import START, Run, full_id

RUN_ID = re.compile("[0-9a-f]{32}")


def promote(console: Console, workspace: Path, name: str, wanted: str, accept_drift: bool, because: str) -> int:
    """Decide about a version by the promotion rule in its run's config; return 1 if it is kept back, else 0.

    A decision whose process was killed is finished first. It is the answer if it was about the same question.
    Raises InputError if the version is a reproduction of another run.
    """
    uri = address.runs_of(workspace)
    name, wanted = named(uri, name, wanted)
    with decisions.lock_of_promotions(workspace):
        model, decision = _go_on(workspace, uri, name)
        if decision is None or not _answers(decision, model, wanted, because):
            version = model.version(wanted)
            run = Run(uri, version.run_id)
            if original := run.record.data.tags.get(REPRODUCES):
                raise InputError(
                    f"version {version.number} is a reproduction of run {original}\nPromote that one instead."
                )
            rule = _config(run).promotion
            decision = decisions.decide(model, version, rule, accept_drift=accept_drift, because=because)
            decisions.record(workspace, model, decision)
    _tell(console, workspace, model, decision)
    return int(decision.verdict == "kept back")


def rollback(console: Console, workspace: Path, name: str, because: str) -> None:
    """Make the previous champion the champion again; a rollback whose process was killed is finished first."""
    uri = address.runs_of(workspace)
    name = name or registry.only_model(uri)
    with decisions.lock_of_promotions(workspace):
        model, decision = _go_on(workspace, uri, name)
        if decision is None or decision.verdict != "restored":
            decision = decisions.restore(model, because)
            decisions.record(workspace, model, decision)
    _tell(console, workspace, model, decision)


def named(uri: str, name: str, wanted: str) -> tuple[str, str]:
    """Return the model, and its version by number or alias, of VERSION, MODEL/VERSION, MODEL@ALIAS or a run.

    Raises InputError if the version belongs to another model than the one that is named.
    """
    version = wanted
    if START.fullmatch(wanted) or RUN_ID.fullmatch(wanted):
        version = Run(uri, full_id(uri, wanted)).record.data.tags.get(MODEL_VERSION, "")
        if not version:
            raise InputError(
                f"run {wanted} has no version of a model\nexpected  a run that was completed\n"
                "found     one that was not, or the parent of others\n`w2v runs` lists runs with their versions."
            )
    of, _, number = version.replace("@", "/").rpartition("/")
    if of and name and of != name:
        raise InputError(
            f"version {number} of the model {of!r} cannot replace the champion of {name!r}\n"
            f"expected  a version of {name!r}\nfound     one of {of!r}, another config's: their texts differ\n"
            f"`w2v promote {number} --model {of}` decides within {of!r}. If two configs should compete, give both the "
            "same tracking.registered_model."
        )
    return of or name or registry.only_model(uri), number


def _go_on(workspace: Path, uri: str, name: str) -> tuple[RegisteredModel, Decision | None]:
    """Record an interrupted decision about the model; return the model, and that decision if there was one."""
    model = registry.model(uri, name)
    if decision := decisions.interrupted(model):
        decisions.record(workspace, model, decision)
        model = registry.model(uri, name)
    return model, decision


def _answers(decision: Decision, model: RegisteredModel, wanted: str, because: str) -> bool:
    """Return True if an interrupted `w2v promote` with these arguments made this decision."""
    if wanted == CHALLENGER and CHALLENGER not in model.aliases:  # the alias is removed when it becomes champion
        return decision.verdict == "promoted"
    kept_back = decision.verdict == "kept back" and not because
    return model.aliases.get(wanted, wanted) == decision.version and (decision.verdict == "promoted" or kept_back)


def _tell(console: Console, workspace: Path, model: RegisteredModel, decision: Decision) -> None:
    config = _config(Run(model.uri, decision.run_id))
    notifications.tell(config.notify, notifications.of_decision(config.promotion, model, decision))
    nights.remake(workspace, model.uri, model.name)
    show(console, decision)


def history(console: Console, workspace: Path, name: str, as_json: bool = False) -> None:
    """Print one line a decision, oldest first, then the current champion and challenger."""
    uri = address.runs_of(workspace)
    model = registry.model(uri, name or registry.only_model(uri))
    if as_json:
        print_json(of_model(model))
        return
    if not model.history:
        say(
            console,
            f"No decision about the model {model.name!r} yet: one is made at the end of each retraining, or by hand "
            "with `w2v promote VERSION`.",
        )
        return
    rows = [
        [each.when[:19].replace("T", " "), each.version, each.verdict, each.against or "–", each.who, each.why]
        for each in model.history
    ]
    console.print(table(["when (UTC)", "version", "", "champion then", "by", "why"], rows))
    console.print()
    _show_aliases(console, model)


def show(console: Console, decision: Decision) -> None:
    """Print the figures of a decision, and its verdict in a sentence."""
    if decision.figures:
        console.print(table(decisions.HEAD, decisions.rows(decision.figures)))
        say(console, f"\n{decisions.drift_sentence(decision.figures)}\n")
    say(console, decision.sentence)


def _config(run: Run) -> Config:
    return migrations.read(run.text(CONFIG_FILE), f"{CONFIG_FILE} of run {run.id}")


def _show_aliases(console: Console, model: RegisteredModel) -> None:
    say(console, f"{'model':<11} {model.name}")
    for alias in (CHAMPION, CHALLENGER):
        if number := model.aliases.get(alias):
            say(console, f"{alias:<11} version {number}, run {model.version(number).run_id}")


def of_model(model: RegisteredModel) -> History:
    """Return the history of a model as `w2v history --json` prints it."""
    entries = {
        alias: Entry(version=number, run=model.version(number).run_id) for alias, number in model.aliases.items()
    }
    return History(
        model=model.name,
        champion=entries.get(CHAMPION),
        challenger=entries.get(CHALLENGER),
        decisions=[each.model_dump(mode="json") for each in model.history],
    )
