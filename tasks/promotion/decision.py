"""Decide on a promotion and record it, for retraining and for `w2v promote`."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from configs.schema import Promotion
from tasks.comparison import published
from tasks.display import markdown
from tasks.display.markdown import tabular
from tasks.engine import environment
from tasks.engine.file_lock import Held
from tasks.errors import InputError, TrackingError
from tasks.evaluation import learning
from tasks.orchestration import artifacts
from tasks.promotion.rule import measure, merits, objections
from tasks.tracking import registry
from tasks.tracking.client import reached
from tasks.tracking.names import DECISIONS, VERDICT
from tasks.tracking.registry import CHAMPION, Decision, Figures, RegisteredModel, Version
from tasks.tracking.run import Run, gathered


def lock_of_promotions(workspace: Path) -> Held:
    """Return the lock of promotions: of two decisions at once, the second sees the result of the first."""
    workspace.mkdir(parents=True, exist_ok=True)
    return Held(workspace / "promotion.lock")


def decide(
    model: RegisteredModel, version: Version, rule: Promotion, *, accept_drift: bool = False, because: str = ""
) -> Decision:
    """Judge the version by the absolute limits and against the champion, if any; a given reason overrides the rule.

    Raises InputError if the version is the champion already, TrackingError if its run cannot be loaded.
    """
    champion = model.champion
    if champion and champion.number == version.number:
        raise InputError(f"version {version.number} of {model.name!r} is the champion already.")
    challenger = published.load(model.uri, version.run_id)
    faults = learning.faults(challenger.facts, rule)
    figures, against, reasons = None, faults, ["there is no champion yet"]
    if champion:
        try:
            figures = measure(challenger, published.load(model.uri, champion.run_id), rule.gates)
            against = faults + objections(figures, rule, accept_drift=accept_drift)
            reasons = merits(figures)
        except TrackingError as error:
            against = [*faults, f"the champion cannot be compared: {str(error).splitlines()[0]}"]
    if because:
        verdict, why = "promoted", "; against the rule: ".join([because, *against])
    elif against or not reasons:
        verdict, why = "kept back", "; ".join(against) or "no gate is better, and its data are not newer"
    else:
        verdict, why = "promoted", "; ".join(reasons)
    return _decision(version, champion, verdict, why, figures, faults)


def restore(model: RegisteredModel, because: str) -> Decision:
    """Return the decision to restore the previous champion. Raises InputError if there is none."""
    before = registry.predecessor(model)
    return _decision(before, model.version(CHAMPION), "restored", because or "no reason was given")


def interrupted(model: RegisteredModel) -> Decision | None:
    """Return the newest decision if its record is incomplete; the next decision completes it first."""
    if not model.history:
        return None
    last = model.history[-1]
    run = Run(model.uri, last.run_id)
    with reached(model.uri) as client:
        files = {file.path for file in client.list_artifacts(run.id, DECISIONS)}
    whole = files >= {f"{DECISIONS}/{_name(last)}.{kind}" for kind in ("json", "md")}
    return None if whole and run.record.data.tags.get(VERDICT) == last.verdict else last


def record(workspace: Path, model: RegisteredModel, decision: Decision) -> None:
    """Record the decision in the registry, in the version's MLflow run, and as a Prefect artifact."""
    registry.settle(model, decision)
    run, text = Run(model.uri, decision.run_id), page(model, decision)
    with gathered(workspace, run.id) as folder:
        (folder / DECISIONS).mkdir()
        (folder / DECISIONS / f"{_name(decision)}.json").write_text(
            decision.model_dump_json(indent=1), encoding="utf-8"
        )
        (folder / DECISIONS / f"{_name(decision)}.md").write_text(text, encoding="utf-8")
        run.files(folder)
    run.tag({VERDICT: decision.verdict})
    artifacts.announce_page(text, "promotion", markdown.text(decision.sentence))


def _name(decision: Decision) -> str:
    """Return the name of the decision's files, by its time."""
    return decision.when.replace(":", "")


def page(model: RegisteredModel, decision: Decision) -> str:
    """Return the decision as Markdown."""
    parts = [
        f"{markdown.code(model.name)} {markdown.text(decision.sentence)}.",
        f"Decided by {markdown.text(decision.who)} at {decision.when}; run `{decision.run_id}`.",
    ]
    if decision.figures:
        parts += [tabular(HEAD, rows(decision.figures)), drift_sentence(decision.figures)]
    return "\n\n".join(parts)


HEAD = ["gate", "champion", "challenger", "difference, 95% interval", "P(better)", "items", "coverage"]


def rows(figures: Figures) -> list[list[str]]:
    """Return a row per gate, with the columns of HEAD."""
    return [
        [
            gate.score,
            f"{gate.champion:.4g}",
            f"{gate.challenger:.4g}",
            f"{gate.challenger - gate.champion:+.3f}: {gate.low:+.3f} … {gate.high:+.3f}",
            f"{gate.better:.1%}",
            f"{gate.items:,}",
            f"{gate.coverage:.1%}",
        ]
        for gate in figures.gates
    ]


def drift_sentence(figures: Figures) -> str:
    """Return a sentence on the drift of the space."""
    return (
        f"The space has drifted by {figures.drift:.3f} (1 − mean cosine after alignment), and "
        f"{figures.overlap:.0%} of the nearest neighbours are the same."
    )


def _decision(
    version: Version,
    champion: Version | None,
    verdict: str,
    why: str,
    figures: Figures | None = None,
    faults: Sequence[str] = (),
) -> Decision:
    return Decision.model_validate(
        {
            "version": version.number,
            "run_id": version.run_id,
            "verdict": verdict,
            "against": champion and champion.number,
            "why": why,
            "who": environment.user(),
            "when": datetime.now(UTC)
            .isoformat(timespec="milliseconds")
            .replace("+00:00", "Z"),  # tags allow no plus sign
            "faults": faults,
            "figures": figures,
        }
    )
