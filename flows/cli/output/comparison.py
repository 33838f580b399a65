"""Compare finished runs: a table for the terminal, and one HTML page, which is also logged with each run."""

from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console

from flows.cli.output import shapes
from flows.cli.output.tables import say, table
from tasks.comparison import page as pages
from tasks.comparison import published
from tasks.comparison import runs as comparisons
from tasks.comparison.runs import Against, Comparison
from tasks.datasets import outputs
from tasks.display import markdown
from tasks.errors import InputError
from tasks.orchestration import artifacts
from tasks.reports.tables import Row, scores
from tasks.tracking import address, registry
from tasks.tracking.names import COMPARISONS
from tasks.tracking.run import Run

OURS = "<title>w2v compare: "  # marks a page of ours, which may be overwritten
MOVED = 8  # words shown in the terminal


def compare(workspace: Path, run_ids: list[str], output: Path | None) -> tuple[Comparison, Path]:
    """published runs → comparison → one page, in the workspace and with each run"""
    if output:
        outputs.check([output], "--output", ours=OURS)
    uri = address.runs_of(workspace)
    found = [registry.run_id(uri, run_id) for run_id in run_ids]
    if len(set(found)) < len(found):
        raise InputError(f"{' '.join(run_ids)} are not {len(found)} different runs\nfound     {', '.join(found)}")
    comparison = comparisons.compare([published.load(uri, run_id) for run_id in found])
    page = pages.html(comparison)
    name = "-".join(run.id[:8] for run in comparison.runs) + ".html"
    target = output or workspace / COMPARISONS / name
    outputs.place_text(target, page)
    with TemporaryDirectory() as folder:
        (Path(folder) / COMPARISONS).mkdir()
        (Path(folder) / COMPARISONS / name).write_text(page, encoding="utf-8")
        for run in comparison.runs:
            Run(run.uri, run.id).files(Path(folder))
    kept = artifacts.link(Run(uri, found[0]), f"{COMPARISONS}/{name}")
    artifacts.announce_page(_summary(comparison, kept), "comparison", "Which run is better, and how sure that is")
    return comparison, target


def shape(comparison: Comparison, page: Path) -> shapes.Comparison:
    """Return a comparison as `w2v compare --json` prints it."""
    columns = {run.id: {row["score"]: row for row in scores(run.metrics)} for run in comparison.runs}
    later = list(zip(comparison.runs[1:], comparison.against, strict=True))
    rows = []
    for name in dict.fromkeys(name for column in columns.values() for name in column):
        sides = {run: shapes.Side(**_bounds(column[name])) for run, column in columns.items() if name in column}
        gaps = []
        for run, against in later:
            if each := against.verdicts.get(name):
                value, low, high, better = each.difference.value, *each.difference[-3:]
                gaps.append(
                    shapes.Difference(run=run.id, value=value, low=low, high=high, better=better, items=each.items)
                )
        rows.append(shapes.Score(score=name, runs=sides, differences=gaps))
    return shapes.Comparison(
        runs=[shapes.Compared(run=run.id, name=run.name) for run in comparison.runs],
        parameters=comparison.differing,
        scores=rows,
        spaces=[_space(run.id, against) for run, against in later],
        page=str(page.absolute()),
    )


def _bounds(row: Row) -> dict[str, float | None]:
    return {name: row[name] for name in ("value", "low", "high")}


def _space(run: str, against: Against) -> shapes.Space:
    space = against.space
    return shapes.Space(
        run=run,
        shared=space.shared,
        gained=len(space.gained),
        lost=len(space.lost),
        overlap=space.overlap,
        cosine=space.cosine,
        moved=[word.word for word in space.moved],
        notes=against.notes,
    )


def show(console: Console, comparison: Comparison, page: Path) -> None:
    """Print the differing parameters, the scores with their certainty, the words that moved, and the page's path."""
    for letter, run in zip(comparison.letters, comparison.runs, strict=True):
        say(console, (letter, "bold"), f"  {run.name}  ", (run.id, "dim"))
    console.print()
    if comparison.differing:
        rows = [[key, *values] for key, values in comparison.differing.items()]
        console.print(table(["parameter", *comparison.letters], rows))
        console.print()
    console.print(table(*_scores(comparison)))
    for letter, against in zip(comparison.letters[1:], comparison.against, strict=True):
        for note in against.notes:
            say(console, (f"{letter} and A: {note}", "dim"))
        _show_space(console, letter, against)
    say(console, f"\npage  {page.absolute()}")


def _summary(comparison: Comparison, link: str) -> str:
    """Return the comparison as Markdown, for Prefect's page."""
    named = zip(comparison.letters, comparison.runs, strict=True)
    runs = "\n".join(f"- {letter}: {markdown.text(run.name)}, run `{run.id}`" for letter, run in named)
    return "\n\n".join(
        [
            runs,
            markdown.tabular(*_scores(comparison)),
            f"{markdown.link('The whole comparison', link)}, kept with each of the runs",
        ]
    )


def _scores(comparison: Comparison) -> tuple[list[str], list[list[str]]]:
    """Return a head and a row a score: each run's value, then the later runs' differences from A on shared items."""
    columns = [{row["score"]: row for row in scores(run.metrics)} for run in comparison.runs]
    head = ["score", *comparison.letters]
    head += [title for letter in comparison.letters[1:] for title in (f"{letter} − A", f"P({letter} better)", "items")]
    rows = []
    for name in dict.fromkeys(name for column in columns for name in column):
        cells = [name, *(f"{column[name]['value']:.4g}" if name in column else "" for column in columns)]
        for against in comparison.against:
            if each := against.verdicts.get(name):
                gap = each.difference
                cells += [
                    f"{gap.value:+.3f}: {gap.low:+.3f} … {gap.high:+.3f}",
                    f"{gap.better:.1%}",
                    f"{each.items:,}",
                ]
            else:
                cells += ["", "", ""]
        rows.append(cells)
    return head, rows


def _show_space(console: Console, letter: str, against: Against) -> None:
    space = against.space
    words = f"{space.shared:,} words shared, {len(space.gained):,} gained, {len(space.lost):,} lost"
    kept = f"the first {space.judged:,} keep {space.overlap:.0%} of their neighbours, mean cosine {space.cosine:.3f}"
    say(console, (f"\nA → {letter}", "bold"), f"  {words}; {kept} after alignment")
    moved = [
        [word.word, f"{word.distance:.2f}", " ".join(word.before[:4]), " ".join(word.after[:4])]
        for word in space.moved[:MOVED]
    ]
    console.print(table(["moved most", "1 − cos", "neighbours in A", f"in {letter}"], moved))
