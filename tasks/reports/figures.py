"""Plot a run: its loss curves, and a map of its frequent words."""

import functools
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import findfont, get_font, get_font_names
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits


class Fonts(NamedTuple):
    """The installed fonts that are used, and the characters they have."""

    families: list[str]
    characters: set[int]  # code points that one of them can draw


Places = NDArray[np.float64]  # (N, 2) in the unit square

INK, FAINT, GRID = "#22252a", "#8a9099", "#e6e8eb"
PALETTE = (
    "#2f6db5",
    "#d9722b",
    "#3a9456",
    "#b8404e",
    "#7a5bb0",
    "#8c6239",
    "#c45a9d",
    "#5e6670",
    "#8b8f20",
    "#1f93a6",
    "#a3541b",
    "#4a4fa8",
)

WORDS = 450  # words on the map
FIRST = 60  # rank of the first word: those before are function words, which form one cluster
FEWEST = 30  # words that t-SNE and k-means are worth; fewer are placed by principal components, in one colour
SHORTEST = 3  # letters of a word on the map
FAMILIES = ("DejaVu Sans", "Noto Sans CJK JP", "Noto Sans CJK SC", "Noto Sans Devanagari", "Noto Sans Thai")
LARGE, SMALL = 15.0, 7.5  # font sizes in points of the most and the least frequent word
STEPS = np.array([(0, 0), (0, 1), (0, -1), (1, 0), (-1, 0), (0, 2), (0, -2), (1, 1), (-1, 1), (1, -1), (-1, -1)])


def loss(curve: pa.Table) -> Figure:
    """Plot the training loss, and J(θ) on the held-out windows if measured, over the words read."""
    millions = curve["words"].to_numpy() / 1e6
    panels = {"training loss per pair": curve["loss"], "J(θ) on held-out windows": curve["held_out_loss"]}
    drawn = {title: column.to_numpy() for title, column in panels.items() if column.null_count < len(column)}
    figure = blank(9, 1 + 2.6 * len(drawn))
    for number, (title, values) in enumerate(drawn.items()):
        panel = figure.add_subplot(len(drawn), 1, number + 1)
        color, known = PALETTE[number], np.isfinite(values)
        panel.plot(millions[known], values[known], color=color, lw=1.8, marker="o" if known.sum() < 30 else "", ms=3.5)
        panel.set_title(title, loc="left", fontsize=11, color=INK)
        panel.set_xlabel("million words read" if number + 1 == len(drawn) else "", color=FAINT)
        tidy(panel)
    return figure


def word_map(words: list[str], table: NDArray[np.float32]) -> Figure:
    """Plot frequent words, near one another if their vectors are; larger if more frequent, coloured by cluster."""
    chosen = [row for row in range(min(FIRST, len(words) // 10), len(words)) if _legible(words[row])][:WORDS]
    figure = blank(15, 11)
    axes = figure.add_subplot()
    axes.set_axis_off()
    if len(chosen) > SHORTEST:
        unit = table[chosen] / np.maximum(np.linalg.norm(table[chosen], axis=1, keepdims=True), 1e-12)
        places, groups = layout(unit), clusters(unit)
        axes.set(xlim=_limits(places[:, 0]), ylim=_limits(places[:, 1]))
        sizes = np.geomspace(LARGE, SMALL, len(chosen))
        _label(axes, [words[row] for row in chosen], places, sizes, [PALETTE[group] for group in groups])
    return figure


def _legible(word: str) -> bool:
    return len(word) >= SHORTEST and not word.isdigit() and _fonts().characters.issuperset(map(ord, word))


@functools.cache
def _fonts() -> Fonts:
    installed = set(get_font_names())
    families = [family for family in FAMILIES if family in installed]
    return Fonts(families, {code for family in families for code in get_font(findfont(family)).get_charmap()})


def clusters(unit: NDArray[np.float32]) -> NDArray[np.int32]:
    """Return the index of each word's colour."""
    if len(unit) < FEWEST:
        return np.zeros(len(unit), np.int32)
    from sklearn.cluster import KMeans

    kmeans = KMeans(len(PALETTE), n_init=4, random_state=0)
    with threadpool_limits(1):  # on a busy machine, OpenMP threads wait for one another and take four times as long
        groups: NDArray[np.int32] = kmeans.fit_predict(unit)
    return groups


def layout(unit: NDArray[np.float32]) -> Places:
    """Return the position of each word in the unit square."""
    places = _tsne(unit) if len(unit) >= FEWEST else _principal_components(unit)
    ranks = places.argsort(axis=0).argsort(axis=0) / len(places)  # halfway to even spacing: fewer clumps and gaps
    span = np.ptp(places, axis=0)
    return np.asarray((ranks + (places - places.min(axis=0)) / np.maximum(span, 1e-12)) / 2, np.float64)


def _tsne(unit: NDArray[np.float32]) -> Places:
    from sklearn.manifold import TSNE

    # half of the usual steps, and coarser ones: as faithful here (1.28 of 1.28 KL) in 1.0 instead of 2.6 s of CPU
    cheap = {"max_iter": 500, "angle": 0.8}
    tsne = TSNE(perplexity=min(15, (len(unit) - 1) / 3), metric="cosine", init="random", random_state=0, **cheap)
    with threadpool_limits(1):
        places: Places = tsne.fit_transform(unit)
    return places


def _principal_components(unit: NDArray[np.float32]) -> Places:
    """Return the first two principal components; the second is 0 where there is but one."""
    places = np.zeros((len(unit), 2))
    components = np.linalg.svd(unit - unit.mean(axis=0), full_matrices=False)
    first = (components.U * components.S)[:, :2]
    places[:, : first.shape[1]] = first
    return places


def _label(axes: Axes, words: list[str], places: Places, sizes: NDArray[np.float64], colors: list[str]) -> None:
    """Write each word at its place or as near as it fits; omit one that fits nowhere."""
    canvas = axes.figure.canvas
    canvas.draw()
    taken = np.empty((0, 4))  # left, bottom, right, top of the labels so far, in pixels
    for word, place, size, color in zip(words, places, sizes, colors, strict=True):
        x, y = place
        text = axes.text(
            x, y, word, size=size, color=color, parse_math=False, ha="center", va="center", family=_fonts().families
        )
        left, bottom, right, top = text.get_window_extent().extents
        for step in STEPS * (0.6 * (right - left), top - bottom):
            box = np.array([left, bottom, right, top]) + np.tile(step, 2)
            if not ((taken[:, :2] < box[2:]) & (taken[:, 2:] > box[:2])).all(axis=1).any():
                taken = np.vstack([taken, box])
                x, y = axes.transData.inverted().transform(axes.transData.transform(place) + step)
                text.set_position((x, y))
                break
        else:
            text.remove()


def blank(width: float, height: float) -> Figure:
    """Return a figure that needs no display."""
    figure = Figure(figsize=(width, height), dpi=110, layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def _limits(values: NDArray[np.float64]) -> tuple[float, float]:
    return float(values.min()) - 0.03, float(values.max()) + 0.03


def tidy(axes: Axes) -> None:
    """Remove all decoration except a pale grid."""
    axes.grid(axis="y", color=GRID)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color(GRID)
    axes.tick_params(colors=FAINT, length=0)
