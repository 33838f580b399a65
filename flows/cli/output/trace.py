"""Trace words through periods: a table for the terminal, and one HTML page."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from flows.cli.output import shapes
from flows.cli.output.tables import say, table
from tasks.comparison import page, published
from tasks.comparison import trace as traces
from tasks.comparison.trace import Apart, Trace
from tasks.datasets import outputs
from tasks.tracking import address, registry
from tasks.tracking.names import COMPARISONS

OURS = "<title>w2v trace: "  # marks a page of ours, which may be overwritten
NEAREST = 5  # neighbours shown in the terminal
LONGEST = 40  # letters of a word in the file's name
LISTED = 8  # words of a list in the terminal


def trace(
    workspace: Path, words: Sequence[str], runs: Sequence[str], model: str | None, last: int, output: Path | None
) -> tuple[Trace, Path]:
    """published runs → paths of the words → one page in the workspace"""
    if output:
        outputs.check([output], "--output", ours=OURS)
    uri = address.runs_of(workspace)
    if runs:
        ids = [registry.run_id(uri, run) for run in runs]
    else:
        of = registry.model(uri, model or registry.only_model(uri))
        if not of.versions:
            of.version("1")  # raises an InputError that lists what there is
        ids = [of.versions[number].run_id for number in sorted(of.versions, key=int)[-last:]]
    found = traces.trace([published.load(uri, run) for run in dict.fromkeys(ids)], words)
    name = "-".join(["trace", *("".join(filter(str.isalnum, word))[:LONGEST] for word in words[:3])]) + ".html"
    target = output or workspace / COMPARISONS / name
    outputs.place_text(target, page.traced(found))
    return found, target


def shape(found: Trace, target: Path) -> shapes.Trace:
    """Return a trace as `w2v trace --json` prints it."""
    return shapes.Trace(
        periods=[shapes.Period(name=each.name, runs=[run.id for run in each.runs]) for each in found.periods],
        shared=found.shared,
        words={
            word: [
                shapes.Stop(
                    period=stop.period,
                    count=stop.occurrences,
                    from_first=_shape(stop.from_first),
                    from_last=_shape(stop.from_last),
                    neighbors=stop.neighbors,
                )
                for stop in stops
            ]
            for word, stops in found.paths.items()
        },
        moved=[shapes.Shifted(**each._asdict()) for each in found.moved],
        still=[shapes.Shifted(**each._asdict()) for each in found.still],
        chance=found.chance,
        splits=found.splits,
        page=str(target.absolute()),
    )


def _shape(apart: Apart | None) -> shapes.Apart | None:
    return shapes.Apart(**apart._asdict()) if apart else None


def show(console: Console, found: Trace, target: Path) -> None:
    """Print the path of each word, the words that moved most and least, how sure that is, and the page's path."""
    head = ["period", "count", "from the first", "over the seeds", "from the last", "nearest"]
    for word, stops in found.paths.items():
        console.print()
        say(console, (word, "bold"))
        rows = []
        for stop in stops:
            first, last = stop.from_first, stop.from_last
            rows.append(
                [
                    stop.period,
                    f"{stop.occurrences:,}",
                    f"{first.value:.3f}" if first else "",
                    f"{first.low:.3f} … {first.high:.3f}" if first else "",
                    f"{last.value:.3f}" if last else "",
                    " · ".join(stop.neighbors[:NEAREST]),
                ]
            )
        console.print(table(head, rows, right=("count",)))
    sure = [each for each in found.moved if each.sure]
    lists = {"moved beyond chance": sure} if sure or found.chance is not None else {"moved most": found.moved}
    for title, chosen in (lists | {"moved least": found.still}).items():
        say(
            console, f"\n{title}  ", "  ".join(f"{each.word} {each.shift:.3f}" for each in chosen[:LISTED]) or "no word"
        )
    say(console, (f"{found.certainty}", "dim"))
    say(console, f"\npage  {target.absolute()}")
