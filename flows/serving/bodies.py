"""What is asked of the server in a body: neighbours of many words or vectors, and vectors of texts."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

import numpy as np
from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool

from flows.query import vectors
from flows.query.vectors import Named
from flows.serving.limits import ANSWERS, MOST, NUMBERS, Refused, VectorSource, check, said

TOGETHER = 32  # queries in one product; the next ones of a request wait in turn with other requests
DOCUMENT = 10_000  # words of a text given as a list
Text = str | Annotated[list[str], Field(max_length=DOCUMENT)]


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class NeighborsAsked(Body):
    queries: list[str | list[float]] = Field(
        min_length=1, max_length=MOST, description="Words, and vectors of the size of these, in any order."
    )
    k: int = Field(10, ge=1, le=MOST, description="The number of neighbours.")
    exclude: list[str] = Field(
        [], max_length=MOST, description="Words that no answer has, beside the word asked about."
    )


class EmbedAsked(Body):
    texts: list[Text] = Field(
        min_length=1, max_length=MOST, description="Texts; or lists of words as they are, such as ids of items."
    )
    weighting: Literal["sif", "mean"] = Field(
        "sif", description="`sif` weighs a word by a/(a + p), a = 0.001, and removes what all texts share."
    )


class Nearest(BaseModel):
    word: str | None = Field(description="As it was asked; null for a vector.")
    neighbors: list[str] = Field(description="Nearest first.")
    similarities: list[float] = Field(description="The cosine of each.")


class NearestAnswers(BaseModel):
    run: str
    answers: list[Nearest]


class Embedded(BaseModel):
    vector: list[float] = Field(description="All zeros for a text without a known word.")
    known: int = Field(description="The text's words that have a vector.")
    unknown: int = Field(description="Its words that have none, and take no part.")


class EmbedAnswers(BaseModel):
    run: str
    answers: list[Embedded]


def router(source: VectorSource, responses: dict[int | str, Any]) -> APIRouter:
    """Return the paths whose requests have a body."""
    api = APIRouter()

    @api.post(
        "/neighbors",
        summary="The words most similar to many words or vectors",
        responses=responses,
        operation_id="neighbors_of_many",
        response_model=NearestAnswers,
    )
    async def neighbors(asked: NeighborsAsked) -> Response:
        now, size = source.now, source.now.learnt.table.shape[1]
        check(
            "queries", len(asked.queries), "(k + exclude)", min(asked.k, len(now.space)) + len(asked.exclude), ANSWERS
        )
        words = [query for query in asked.queries if isinstance(query, str)]
        found_words = await run_in_threadpool(vectors.query_of, now.space, words)
        known = iter(zip(found_words.row.tolist(), found_words.unit, strict=True))
        left_out = {row for row in now.space.rows(asked.exclude).tolist() if row >= 0}
        without, queries = [], np.empty((len(asked.queries), size), np.float32)
        for number, query in enumerate(asked.queries):
            if isinstance(query, str):
                row, queries[number] = next(known)
                without.append(left_out | {row})
            else:
                queries[number] = _vector(number, query, size)
                without.append(left_out)
        found: list[list[Named]] = []
        for start in range(0, len(queries), TOGETHER):
            part = slice(start, start + TOGETHER)
            found += await run_in_threadpool(vectors.nearest_to, now.space, queries[part], without[part], asked.k)
        answers = [
            Nearest(
                word=query if isinstance(query, str) else None,
                neighbors=[word for word, _ in near],
                similarities=[cosine for _, cosine in near],
            )
            for query, near in zip(asked.queries, found, strict=True)
        ]
        return said(NearestAnswers(run=now.run, answers=answers))

    @api.post("/embed", summary="The vector of each text", responses=responses, response_model=EmbedAnswers)
    def embed(asked: EmbedAsked) -> Response:
        now = source.now
        check("texts", len(asked.texts), "dimensions", now.learnt.table.shape[1], NUMBERS)
        documents = vectors.documents_of(now.space, asked.texts)
        known = [[row for row in rows if row >= 0] for rows in documents]
        found = now.documents.vectors(known, asked.weighting).tolist()
        answers = [
            Embedded(vector=vector, known=len(some), unknown=len(rows) - len(some))
            for vector, some, rows in zip(found, known, documents, strict=True)
        ]
        return said(EmbedAnswers(run=now.run, answers=answers))

    return api


def _vector(number: int, query: Sequence[float], size: int) -> np.ndarray:
    """Return the query as a vector. Raises Refused unless it has `size` numbers, and they are finite."""
    if len(query) != size or not np.isfinite(np.asarray(query, np.float32)).all():
        raise Refused(
            f"queries\nexpected  words, or vectors of {size:,} finite numbers\n"
            f"found     {len(query):,} numbers as query {number}"
        )
    return np.asarray(query, np.float32)
