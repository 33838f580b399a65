"""docs/explanation/benchmarks.md, made anew from all that lies under results/."""

import json
import textwrap
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

HERE = Path(__file__).parent
PROJECT = HERE.parent
PAGE = PROJECT / "docs" / "explanation" / "benchmarks.md"
PEER, FASTTEXT, OURS = "gensim", "fastText", "ours"
CORE = """\
## The core alone

`make roofline`: {machine}; one thread, fed from memory.
A kept word (one window) takes {kiloflop:.1f} kFLOP in products and moves {kilobytes:.1f} kB of rows. Measured in the
same minute: large products {large:.0f} GFLOP/s, products of our shapes {small:.0f} GFLOP/s, copying {copy:.1f} GB/s.

{limits}

{parts}

Words of the text a second, of which {kept:.0%} are kept; median of {rounds}, in turns; the bits are the same:

{speed}
"""

AGREEMENT = """\
## Agreement with gensim

`make agreement`: {megabytes} MB, {epochs} epochs, means over {seeds} seeds ± their deviation; {machine}. *Alike* is
our core with all made equal to gensim that can be: documents in random order for both, windows not shortened, noise
words drawn for each pair, the same tree, the same beginning, batches of 16 without damping; for CBOW at the rate with
which the exact gradient does what gensim's does (`benchmarks/agreement.py`). *Ours* is the core as it is used, with the
learning rates of the sections above. The last two columns: the share of the 10 nearest neighbours of the 1,000 most
frequent words that two of its seeds have in common, and that one of its seeds has in common with another seed of
gensim.

{rows}

As it is used, gensim reads a text *in order*, and its seeds, which all end with the same documents, share more with
each other than with anyone who does not. That is why the other sections show less in common between it and us than
between two of its seeds.
"""

YEAR = """\
## A year of nights

`python -m benchmarks.a_year`: {nights} nightly runs on SQLite, simulated from a real one, with small files;
{machine}, since others worked on it: read these times as upper bounds. `w2v retain` with its defaults, but
`trash_days = 0`, took {seconds:.0f} s.

{rows}

Commands take what Python and its imports take. A database keeps the space of what was removed, and fills it again: it
is as large as it was on its fullest night.
"""


def read_scenarios() -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """The defaults, and each scenario by name."""
    scenarios = tomllib.loads((HERE / "scenarios.toml").read_text())
    return scenarios.pop("defaults"), scenarios


def peer_of(scenario: dict[str, Any]) -> str:
    """The contestant with which we are compared item by item; "" for none. Subwords are fastText's."""
    return "" if not scenario.get("peer", True) else FASTTEXT if scenario.get("max_n") else PEER


def page() -> str:
    """A section a scenario, then what the core itself does."""
    found = {file.stem: json.loads(file.read_text()) for file in (HERE / "results").glob("*.json")}
    _, scenarios = read_scenarios()
    parts = [
        (HERE / "preface.md").read_text(),
        *(section(found[name]) for name in [*scenarios, "items"] if name in found),
    ]
    if "core" in found:
        parts.append(core(found["core"]))
    if "agreement" in found:
        parts.append(agreement(found["agreement"]))
    if "a-year" in found:
        parts.append(a_year(found["a-year"]))
    return "\n".join(parts)


def write_page() -> None:
    PAGE.write_text(page(), encoding="utf-8")


def frame(rows: list[dict[str, Any]]) -> pd.DataFrame:
    """Means over the seeds, a row a figure, our ratio to each other, the standard deviation between seeds (±)."""
    by_name = pd.DataFrame(rows).drop(columns=["seed", "stages"], errors="ignore").groupby("name", sort=False)
    means = by_name.mean().T
    if len(rows) > len(means.columns):
        means = means.join(by_name.std().T.add_suffix(" ±"))
    others = [name for name in by_name.groups if name != OURS]
    return means.assign(**{ratio(name): means[OURS] / means[name] for name in others})


def ratio(name: str) -> str:
    """The column of our ratio to a contestant; gensim's is what all pages speak of."""
    return "ratio" if name == PEER else f"ratio to {name}"


def section(record: dict[str, Any]) -> str:
    shown = {key: value for key, value in record["scenario"].items() if value and key not in ("about", "peer")}
    settings = ", ".join(f"`{key}` {value}" for key, value in shown.items())
    parts = [f"## {record['name']}", wrapped(record["scenario"]["about"]), wrapped(f"{settings}; {record['machine']}.")]
    means = frame(record["rows"])
    parts.append(table(["", *means], [[name, *(figure(each) for each in row)] for name, row in means.iterrows()]))
    if record["differences"]:
        peer = peer_of(record["scenario"])
        parts.append(f"Ours − {peer}'s with the 95% interval of the paired bootstrap over the items, seed by seed:")
        by_score = pd.DataFrame(record["differences"]).groupby("score", sort=False)
        parts.append(table(["", "difference"], [[score, differences(found)] for score, found in by_score]))
    if neighbors := record.get("neighbors"):
        parts.append("What two trainings share of the 10 nearest neighbours of the 1,000 most frequent words:")
        parts.append(table(["", "share"], [[who, f"{share:.1%}"] for who, share in neighbors.items()]))
    return "\n\n".join(filter(None, parts)) + "\n"


def wrapped(text: str) -> str:
    """Lines of 120 characters, as all pages have them."""
    return textwrap.fill(text, 120, break_long_words=False, break_on_hyphens=False)


def differences(found: pd.DataFrame) -> str:
    return ", ".join(f"{each.a - each.b:+.3f} [{each.low:+.3f}, {each.high:+.3f}]" for each in found.itertuples())


def core(record: dict[str, Any]) -> str:
    """What benchmarks/core.py measured: the limit, what is reached of it, and where the rest goes."""
    rates, parts = record["rates"], record["parts"]
    limits = {
        "products, at the rate of large ones": record["flop"] / rates["large"],
        "products, at the rate of our shapes": record["flop"] / rates["small"],
        "memory, if no row stayed in a cache": record["bytes"] / rates["copy"],
    }
    whole = sum(parts.values())
    medians = {threads: float(np.median(found)) for threads, found in record["speed"].items()}
    limit_rows = [[name, f"{each * 1e9:.0f}", f"{each * 1e9 / whole:.0%}"] for name, each in limits.items()]
    part_rows = [[name, f"{each:.0f}", f"{each / whole:.0%}"] for name, each in parts.items()]
    speed_rows = [[threads, f"{each:,.0f}", f"{each / medians['1']:.2f}"] for threads, each in medians.items()]
    return CORE.format(
        machine=record["machine"],
        kiloflop=record["flop"] / 1e3,
        kilobytes=record["bytes"] / 1e3,
        **{name: rate / 1e9 for name, rate in rates.items()},
        limits=table(["limit", "ns a kept word", "reached"], limit_rows),
        parts=table(["where the time goes", "ns a kept word", "share"], part_rows),
        kept=record["kept"],
        rounds=len(record["speed"]["1"]),
        speed=table(["threads", "words/s", "to one"], speed_rows),
    )


def agreement(record: dict[str, Any]) -> str:
    """What benchmarks/agreement.py measured."""
    names = [name for name in record["rows"][0]["scores"] if not name.endswith("3cosmul")]
    head = ["", "", *(name.partition("/")[2] for name in names), "shared with itself", "with gensim"]
    rows = [
        [
            f"{row['architecture']}, {row['objective']}",
            row["who"],
            *(spread(row["scores"][name], ".3f") for name in names),
            *(spread(row[name], ".1%") for name in ("shared with itself", "shared with gensim")),
        ]
        for row in record["rows"]
    ]
    return AGREEMENT.format(**{**record, "rows": table(head, rows)})


def spread(values: list[float], form: str) -> str:
    return f"{np.mean(values):{form}} ± {np.std(values, ddof=1):{form}}"


def a_year(record: dict[str, Any]) -> str:
    """What benchmarks/a_year.py measured, before and after retention."""
    before, itself, after = record["rows"]
    rows = [[name, f"{before[name]:,}", f"{after[name]:,}"] for name in ("runs", "flow runs")]
    rows += [
        [f"{name}, s", *(f"{each['seconds'][name]:.2f}" for each in (before, after))] for name in before["seconds"]
    ]
    rows += [
        [f"{name}, MB", *(f"{each['bytes'][name] / 1e6:.1f}" for each in (before, after))] for name in before["bytes"]
    ]
    return YEAR.format(
        machine=record["machine"],
        nights=record["nights"],
        seconds=itself["seconds"],
        rows=table(["", before["name"], after["name"]], rows),
    )


def table(head: list[str], rows: list[list[str]]) -> str:
    return "\n".join("| " + " | ".join(cells) + " |" for cells in [head, ["---"] * len(head), *rows])


def figure(value: float) -> str:
    return "–" if np.isnan(value) else f"{value:,.4g}"
