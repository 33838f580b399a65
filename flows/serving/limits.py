"""How much one request may ask, whose vectors are asked, and how an answer is given."""

import functools
from typing import NamedTuple, Protocol

from fastapi import Response
from pydantic import BaseModel

from tasks.errors import InputError
from tasks.evaluation.judging import Space
from tasks.vectors.tables import WordVectors
from w2v_core.measures.documents import Documents

MOST = 1_000  # words, or neighbours of a word, in one request
ANSWERS = 20_000  # words × neighbours in one request
NUMBERS = 50_000  # words × dimensions in one request


class _Served(NamedTuple):
    run: str
    version: str  # of the registered model, "" if the run has none
    learnt: WordVectors
    space: Space


class Served(_Served):
    """The vectors that are served at present."""

    @functools.cached_property
    def documents(self) -> Documents:
        """Return what makes vectors of texts; it is prepared when the first is asked for."""
        return Documents(self.learnt.table, self.learnt.counts)


class VectorSource(Protocol):
    """Gives the vectors that are served at present."""

    @property
    def now(self) -> Served: ...

    @property
    def about(self) -> str: ...


class Refused(InputError):
    """The request is not valid."""


class TooMuch(Refused):
    """The request asks for more than is answered at once."""


def check(parameter: str, words: int, name: str, each: int, most: int) -> None:
    """Raise TooMuch, with the number of words that one request may have."""
    if words * each > most:
        raise TooMuch(
            f"{parameter}\nexpected  words × {name} up to {most:,}\nfound     {words:,} × {each:,}\n"
            f"Ask for {max(1, most // each):,} words at once."
        )


def said(answer: BaseModel) -> Response:
    """Return the answer as JSON directly, since FastAPI would validate and copy it again."""
    return Response(answer.model_dump_json().encode(), media_type="application/json")
