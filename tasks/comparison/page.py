"""Render a comparison as one self-contained HTML file: no server, network or second file."""

import io
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from matplotlib.figure import Figure

from tasks.comparison.published import CURVES
from tasks.comparison.runs import Comparison
from tasks.comparison.trace import Trace
from tasks.engine.facts import Band
from tasks.reports import figures
from tasks.reports.tables import scores
from w2v_core.measures.procrustes import align
from w2v_core.measures.similarity import Vectors

MAPPED = 3_000  # words on the map, besides the probes and those that moved most
SHORTEST = 3  # letters of a word that is likely to be informative
NAMED = 8  # neighbours shown at the pointer


def html(comparison: Comparison) -> str:
    """Return the HTML page of a comparison."""
    return _template("comparison.html").render(
        runs=list(zip(comparison.letters, figures.PALETTE, comparison.runs, strict=False)),
        differing=comparison.differing,
        scores=_scores(comparison),
        bands=_bands(comparison),
        against=list(zip(comparison.letters[1:], comparison.against, strict=True)),
        curves=_curves(comparison),
        map=_map(comparison),
    )


def traced(found: Trace) -> str:
    """Return the HTML page of words that are followed through periods."""
    return _template("trace.html").render(found=found, pictures={word: _path(found, word) for word in found.paths})


def _template(name: str) -> Template:
    loader = PackageLoader("tasks.comparison", "templates")
    page = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return page.get_template(name)


def _scores(comparison: Comparison) -> list[dict[str, Any]]:
    """Return a row per score: each run's value with its interval, and each later run's verdict against the first."""
    columns = [{row["score"]: row for row in scores(run.metrics)} for run in comparison.runs]
    names = dict.fromkeys(name for column in columns for name in column)
    return [
        {
            "name": name,
            "values": [column.get(name) for column in columns],
            "verdicts": [against.verdicts.get(name) for against in comparison.against],
        }
        for name in names
    ]


def _bands(comparison: Comparison) -> dict[tuple[str, str], list[Band | None]]:
    """Return for each (score, band) the values of the runs."""
    columns = [{(row["score"], row["band"]): row for row in run.facts["bands"]} for run in comparison.runs]
    return {key: [column.get(key) for column in columns] for key in dict.fromkeys(k for c in columns for k in c)}


def _curves(comparison: Comparison) -> str:
    """Return the curves of all runs in one figure, as SVG."""
    drawn = [metric for metric in CURVES if any(run.curves[metric].words for run in comparison.runs)]
    if not drawn:
        return ""
    figure = figures.blank(10, 3.4)
    for number, metric in enumerate(drawn, 1):
        panel = figure.add_subplot(1, len(drawn), number)
        for letter, color, run in zip(comparison.letters, figures.PALETTE, comparison.runs, strict=False):
            words, values = run.curves[metric]
            panel.plot(np.array(words) / 1e6, values, color=color, lw=1.6, label=letter)
        panel.set_title(CURVES[metric], loc="left", fontsize=11, color=figures.INK)
        panel.set_xlabel("million words read", color=figures.FAINT)
        panel.legend(frameon=False)
        figures.tidy(panel)
    return _svg(figure)


def _svg(figure: Figure) -> str:
    stream = io.StringIO()
    figure.savefig(stream, format="svg")
    return stream.getvalue().partition("<svg")[1] + stream.getvalue().partition("<svg")[2]


def _path(found: Trace, word: str) -> str:
    """Return the path of a word among its neighbours, on two principal axes, as SVG."""
    drawn = found.drawn[word]
    figure = figures.blank(9, 5.2)
    axes = figure.add_subplot()
    axes.set_axis_off()
    axes.margins(0.2, 0.1)
    for name, (x, y) in zip(drawn.words, drawn.near, strict=True):
        axes.text(x, y, name, color=figures.FAINT, size=9, ha="center", va="center", parse_math=False, in_layout=False)
    axes.scatter(*drawn.near.T, alpha=0)  # for the limits: texts have none
    axes.plot(*drawn.path.T, color=figures.PALETTE[0], lw=1.4, marker="o", ms=4)
    for stop, place in zip(found.paths[word], drawn.path, strict=True):
        axes.annotate(
            stop.period,
            place,
            xytext=(5, 5),
            textcoords="offset points",
            color=figures.PALETTE[0],
            size=9,
            parse_math=False,
            in_layout=False,
        )
    return _svg(figure)


def _map(comparison: Comparison) -> dict[str, Any]:
    """Return the words that all runs know: their place in the aligned spaces, how far they moved, their neighbours."""
    known = [{word.word: word for word in against.space.words} for against in comparison.against]
    shared = [word for word in known[0] if all(word in each for each in known)]
    telling = sorted(shared, key=lambda word: len(word) < SHORTEST or word.isdigit())[:MAPPED]
    wanted = {word.word for against in comparison.against for word in against.space.moved}
    wanted |= {probe for run in comparison.runs for probe in run.facts["neighbors"]}
    chosen = list(dict.fromkeys(telling + [word for word in shared if word in wanted]))

    tables = [_rows(run.vectors.words, run.vectors.table, shared) for run in comparison.runs]
    spaces = [tables[0], *(align(table, tables[0]) for table in tables[1:])]
    size = max(space.shape[1] for space in spaces)
    mean = sum(np.pad(space, [(0, 0), (0, size - space.shape[1])]) for space in spaces)
    row = {word: number for number, word in enumerate(shared)}
    unit = Vectors(np.asarray(mean, np.float32)[[row[word] for word in chosen]]).unit
    return {
        "letters": comparison.letters,
        "words": [
            {
                "word": word,
                "place": [round(float(each), 4) for each in place],
                "moved": [round(each[word].distance, 3) for each in known],
                "near": [known[0][word].before[:NAMED], *(each[word].after[:NAMED] for each in known)],
            }
            for word, place in zip(chosen, figures.layout(unit), strict=True)
        ],
    }


def _rows(words: list[str], table: Any, wanted: list[str]) -> Any:
    row = {word: number for number, word in enumerate(words)}
    return Vectors(table[[row[word] for word in wanted]]).unit
