"""The HTTP interface of served vectors: paths, schema, limits, and the page that shows them."""

import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Annotated, Any
from urllib.parse import quote

from anyio.to_thread import current_default_thread_limiter
from fastapi import Depends, FastAPI, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse
from jinja2 import Environment, PackageLoader, StrictUndefined
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from flows.query import vectors
from flows.serving import bodies
from flows.serving.batches import Batches
from flows.serving.limits import ANSWERS, MOST, NUMBERS, Refused, VectorSource, check, said
from flows.serving.metrics import TYPE, Measured, Measures
from tasks.errors import UnknownWord

HEALTH = "/health"
SCORES = 1 << 22  # scores in memory at a time, for all requests together
FIRST = 200  # rank of the first word in the examples; more frequent words have little meaning


class Health(BaseModel):
    status: str = "ok"


class Model(BaseModel):
    """The vectors that are served."""

    run: str = Field(description="The MLflow run; each response names it, so a change of champion can be noticed.")
    version: str = Field(description="MODEL/VERSION in MLflow's registry.")
    words: int
    dimensions: int


class Vector(BaseModel):
    word: str
    vector: list[float]


class VectorAnswers(BaseModel):
    run: str
    answers: list[Vector]


class Near(BaseModel):
    word: str
    neighbors: list[str] = Field(description="Nearest first.")
    similarities: list[float] = Field(description="The cosine of each.")


class NeighborAnswers(BaseModel):
    run: str
    answers: list[Near]


class AnalogyAnswer(BaseModel):
    run: str
    neighbors: list[str] = Field(description="Best first; none of the three words.")
    similarities: list[float] = Field(description="The cosine of each with b − a + c.")


class Wrong(BaseModel):
    detail: str = Field(description="Each wrong parameter, with what was expected and what was found.")


class Unknown(BaseModel):
    detail: str
    unknown: dict[str, list[str]] = Field(description="Each word without a vector, with known words spelled like it.")


Words = Annotated[list[str], Query(min_length=1, max_length=MOST, description="Repeat it for several words.")]
Many = Annotated[int, Query(ge=1, le=MOST, description="The number of neighbours.")]
ABOUT = (
    "Words are looked up as they are written, else in the form that the training text had: in lower case, composed "
    "(NFC), and as [tokenization] said. A model with subwords makes the vector of a word that it has never seen. The "
    "answer for a word without a vector is 404. One request gets at most "
    f"{ANSWERS:,} neighbours (words × k), or vectors of {NUMBERS:,} numbers (words × dimensions)."
)


def threads(words: int) -> int:
    """Return the number of products at once, so that their scores stay within SCORES."""
    return max(1, min(os.cpu_count() or 1, 8, SCORES // max(1, words)))


def app(source: VectorSource) -> FastAPI:
    """Return the application; the schema is at /openapi.json, and / is a page that shows it without a network."""

    measures = Measures(source)
    batches = Batches(threads(len(source.now.space)), SCORES // threads(len(source.now.space)))

    @asynccontextmanager
    async def few_threads(api: FastAPI) -> AsyncIterator[None]:
        current_default_thread_limiter().total_tokens = threads(len(source.now.space)) + 1
        yield

    api = FastAPI(
        title="Word vectors",
        description=ABOUT,
        version="1",
        docs_url=None,
        redoc_url=None,
        lifespan=few_threads,
        dependencies=[Depends(_known)],
    )
    wrong: dict[int | str, Any] = {422: {"model": Wrong, "description": "A wrong parameter"}}
    unknown = wrong | {404: {"model": Unknown, "description": "Words without a vector"}}

    @api.exception_handler(UnknownWord)
    def name_words(request: Request, error: UnknownWord) -> Response:
        return JSONResponse(Unknown(detail=str(error), unknown=error.near).model_dump(), 404)

    @api.exception_handler(Refused)
    def name_limit(request: Request, error: Refused) -> Response:
        return JSONResponse(Wrong(detail=str(error)).model_dump(), 422)

    @api.exception_handler(RequestValidationError)
    def name_parameters(request: Request, error: RequestValidationError) -> Response:
        return JSONResponse(Wrong(detail="\n".join(map(_sentence, error.errors()))).model_dump(), 422)

    @api.get("/", include_in_schema=False)
    def page() -> HTMLResponse:
        return HTMLResponse(_page(api, source))

    @api.get(HEALTH, summary="Health check, without a password")
    async def health() -> Health:
        return Health()

    @api.get("/model", summary="The vectors that are served")
    def model() -> Model:
        now = source.now
        words, dimensions = now.learnt.table.shape
        return Model(run=now.run, version=now.version, words=words, dimensions=dimensions)

    @api.get("/metrics", summary="Figures for Prometheus", response_class=Response)
    def metrics() -> Response:
        return Response(measures.page(), media_type=TYPE)

    @api.get(
        "/vectors",
        summary="The vector of each word, as it was trained",
        responses=unknown,
        response_model=VectorAnswers,
    )
    def vector(word: Words) -> Response:
        now = source.now
        check("word", len(word), "dimensions", now.learnt.table.shape[1], NUMBERS)
        rows = vectors.as_trained(now.space, now.learnt, word).tolist()
        answers = [Vector(word=each, vector=row) for each, row in zip(word, rows, strict=True)]
        return said(VectorAnswers(run=now.run, answers=answers))

    @api.get(
        "/neighbors", summary="The words most similar to each word", responses=unknown, response_model=NeighborAnswers
    )
    async def neighbors(word: Words, k: Many = 10) -> Response:
        now = source.now
        check("word", len(word), "k", min(k, len(now.space)), ANSWERS)
        if (now.space.rows(word) < 0).any():
            query = await run_in_threadpool(vectors.query_of, now.space, word)  # raises UnknownWord, with similar words
        else:
            query = now.space.query(word)
        found = await batches.nearest(now.space, query, k)
        answers = [Near(word=each, **_columns(near)) for each, near in zip(word, found, strict=True)]
        return said(NeighborAnswers(run=now.run, answers=answers))

    @api.get("/analogy", summary="What is to c as b is to a", responses=unknown)
    def analogy(a: str, b: str, c: str, k: Many = 5) -> AnalogyAnswer:
        now = source.now
        (found,) = vectors.analogy(now.space, a, b, c, k).values()
        return AnalogyAnswer(run=now.run, **_columns(found))

    api.include_router(bodies.router(source, unknown))
    api.add_middleware(Measured, measures=measures, paths={"/", *api.openapi()["paths"]})
    return api


async def _known(request: Request) -> None:
    """Raise Refused for a parameter that the path does not have."""
    route = request.scope["route"]
    known = [each.alias for each in route.dependant.query_params]
    if route.include_in_schema and (unknown := [name for name in request.query_params if name not in known]):
        listed = ", ".join(known) or "no parameter"
        raise Refused(f"{unknown[0]:.60}\nexpected  {listed}\nfound     a parameter that {route.path} does not have")


def _sentence(wrong: dict[str, Any]) -> str:
    """Return pydantic's error about a parameter in the form of our errors: parameter, expected, found."""
    in_body, missing = wrong["loc"][0] == "body", wrong["type"] == "missing"
    name = ".".join(str(part) for part in wrong["loc"][1:] if wrong["type"] != "json_invalid") or "body"
    expected = (
        (f"{name} in JSON" if in_body else f"?{name}=…") if missing else wrong["msg"].replace("Input should be ", "")
    )
    found = "nothing" if missing else f"{wrong['input']!r:.60}"
    return f"{name}\nexpected  {expected}\nfound     {found}"


def _columns(found: Sequence[tuple[str, float]]) -> dict[str, Any]:
    return {"neighbors": [word for word, _ in found], "similarities": [cosine for _, cosine in found]}


def _page(api: FastAPI, source: VectorSource) -> str:
    """Return the HTML page made from the schema, with examples that work."""
    loader = PackageLoader("flows.serving", "templates")
    page = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    words = source.now.learnt.words
    first = min(FIRST, max(0, len(words) - 3))
    a, b, c = (quote(words[(first + number) % len(words)], safe="") for number in range(3))
    examples = {
        HEALTH: HEALTH,
        "/model": "/model",
        "/vectors": f"/vectors?word={a}",
        "/neighbors": f"/neighbors?word={a}&word={b}&k=5",
        "/analogy": f"/analogy?a={a}&b={b}&c={c}",
        "/metrics": "/metrics",
    }
    sent = {
        "/neighbors": {"queries": words[first : first + 2], "k": 5, "exclude": words[first + 2 : first + 3]},
        "/embed": {"texts": [" ".join(words[first : first + 3])]},
    }
    return page.get_template("serving.html").render(
        about=source.about, schema=api.openapi(), examples=examples, bodies=sent
    )
