"""Read and judge a domain file: expectations of the user, as TOML with any of three keys or as CSV with a row for each.

closer = [                                          # the first two words are more alike than the last two
    ["cron", "schedule", "cron", "histogram"],
]
analogies = [["row", "rows", "column", "columns"]]  # row is to rows as column is to ?, answer columns

[categories]                                        # each word is nearest to the others of its category
time = ["timezone", "datetime", "utc"]
plots = ["histogram", "scatter", "axes"]

The same as CSV, separated by commas, semicolons or tabs, without a header:

closer,cron,schedule,cron,histogram
analogy,row,rows,column,columns
category,time,timezone,datetime,utc
"""

import csv
import io
import re
import tomllib
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tasks.errors import InputError
from tasks.evaluation.datasets import Analogy
from tasks.evaluation.judging import Mask, Space, analogies, ranks, rows
from w2v_core.measures.categories import nearest_category

Four = tuple[str, str, str, str]
FEWEST = 2  # words per category, and categories, so that others are left to compare with


class Domain(BaseModel):
    """The expectations of a domain file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    closer: list[Four] = []
    analogies: list[Four] = []
    categories: dict[str, Annotated[list[str], Field(min_length=FEWEST)]] = {}

    @property
    def items(self) -> list[tuple[str, ...]]:
        """Return the words of each expectation."""
        return [*self.closer, *self.analogies, *((word,) for words in self.categories.values() for word in words)]


def read(file: str) -> Domain:
    """Read a domain file. Raises InputError, which names the place, if it is malformed."""
    kind, parse = ("CSV", _rows) if file.lower().endswith(".csv") else ("TOML", tomllib.loads)
    try:
        domain = Domain.model_validate(parse(Path(file).read_text(encoding="utf-8-sig")))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{file} is not {kind}: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        raise InputError(
            f"{file}: {'.'.join(map(str, first['loc']))} is not valid in a domain file\n"
            f"expected  closer and analogies: lists of four words; categories: {FEWEST} words or more each\n"
            f"found     {first['msg']}: {str(first['input'])[:80]!r}"
        ) from error
    if domain == Domain():
        raise InputError(f"{file}: this domain file is empty\nexpected  closer, analogies or categories")
    if len(domain.categories) == 1:
        raise InputError(f"{file}: one category cannot be compared with others\nexpected  {FEWEST} or more")
    return domain


def _rows(text: str) -> dict[str, Any]:
    """Parse CSV into the structure of the TOML. A category may span several rows; `#` begins a comment."""
    found: dict[str, Any] = {"closer": [], "analogies": [], "categories": {}}
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text), strict=True, skipinitialspace=True)
    for row in reader:
        cells = [cell.strip() for cell in row]
        while cells and not cells[-1]:  # spreadsheets pad short rows
            cells.pop()
        if not cells or cells[0].startswith("#"):
            continue
        if not all(cells):
            raise csv.Error(f"a cell is empty (line {reader.line_num})")
        match [cells[0].lower(), *cells[1:]]:
            case ["closer", *words]:
                found["closer"].append(words)
            case ["analogy", *words]:
                found["analogies"].append(words)
            case ["category", name, *words]:
                found["categories"].setdefault(name, []).extend(words)
            case _:
                raise csv.Error(
                    f"a row begins with closer, analogy or category, not with {cells[0]!r} (line {reader.line_num})"
                )
    return found


def _delimiter(text: str) -> str:
    """Return the separator after the first word of the first row."""
    found = re.search(r"^\s*(?:closer|analogy|category)\s*([,;\t])", text, re.IGNORECASE | re.MULTILINE)
    return found[1] if found else ","


def judge(space: Space, name: str, domain: Domain, candidates: int | None, threads: int) -> pa.Table:
    """Return a row for each expectation, and whether it holds."""
    parts = []
    if domain.closer:
        parts.append(_closer(space, name, domain.closer))
    if domain.analogies:
        asked = [Analogy("", words) for words in domain.analogies]
        parts.append(analogies(space, name, asked, candidates, threads))
    if domain.categories:
        parts.append(_categories(space, name, domain.categories))
    return pa.concat_tables(parts)


def _closer(space: Space, name: str, asked: list[Four]) -> pa.Table:
    ids = space.ids(asked)
    covered: Mask = np.all(ids >= 0, axis=1)
    margin = np.full(len(asked), np.nan)
    near, near_to, far, far_from = ids[covered].T
    margin[covered] = space.vectors.similarity(near, near_to) - space.vectors.similarity(far, far_from)
    about: dict[str, Any] = {"item": [" ".join(words) for words in asked], "covered": covered, "rank": ranks(ids)}
    return rows(judge="closer", set=name, **about, right=margin > 0, score=margin)


def _categories(space: Space, name: str, categories: dict[str, list[str]]) -> pa.Table:
    names = np.array([*categories, None], object)  # row −1 is no category
    words = [word for members in categories.values() for word in members]
    category = np.repeat(np.arange(len(categories)), [len(members) for members in categories.values()])
    ids = space.ids([[word] for word in words])
    known = ids[:, 0] >= 0
    usable = np.bincount(category[known], minlength=len(categories)) >= FEWEST
    covered: Mask = known & usable[category] & (usable.sum() >= FEWEST)

    found, margin = np.full(len(words), -1), np.full(len(words), np.nan)
    if covered.any():
        kept, compact = np.unique(category[covered], return_inverse=True)
        nearest, margin[covered] = nearest_category(space.vectors.unit[ids[covered, 0]], compact)
        found[covered] = kept[nearest]
    about: dict[str, Any] = {
        "item": words,
        "expected": names[category],
        "predicted": names[found],
        "right": found == category,
    }
    return rows(judge="category", set=name, covered=covered, rank=ranks(ids), **about, score=margin)
