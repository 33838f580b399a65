"""`w2v serve`: vectors, neighbours and analogies of a run over HTTP, on this machine.

The table is mapped and shared by all requests, none of which copies it. Where the champion is served, a new one takes
over within seconds, and each answer names the run it comes from.
"""

import contextlib
import logging
import os
import socket
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, NamedTuple
from urllib.parse import quote

import uvicorn
from fastapi import FastAPI, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse
from jinja2 import Environment, PackageLoader, StrictUndefined
from pydantic import BaseModel, Field
from threadpoolctl import threadpool_limits

from flows import vectors
from tasks import _champions, _tracking
from tasks._errors import PipelineError, UnknownWord
from tasks._judges import Space
from tasks._runs import Run
from tasks._vectors import Vectors as Learnt

HOST = "127.0.0.1"
LOOK_SECONDS = 10.0  # between two looks who is champion
MOST = 1_000  # words or neighbours asked for at once
FIRST = 200  # rank of the first word in the examples: those before it mean little

log = logging.getLogger("w2v")


class Served(NamedTuple):
    """What answers now."""

    run: str
    version: str  # of the registered model, "" if the run has none
    learnt: Learnt
    space: Space


class Source:
    """Which vectors are served: those of one run, or of whoever is `champion` or `MODEL@champion` at the time."""

    def __init__(self, workspace: Path, name: str) -> None:
        self._uri, self._name = _tracking.runs_of(workspace), name
        self._silent = False  # whether the registry has stopped answering
        self.now = self._load(_champions.run_id(self._uri, name))

    def look(self) -> None:
        """Serve another champion if there is one; while the registry does not answer, what is there stays."""
        try:
            run_id = _champions.run_id(self._uri, self._name)
            if run_id != self.now.run:
                self.now = self._load(run_id)
                log.info("now served: %s", self.about)
            self._silent = False
        except PipelineError as error:
            if not self._silent:
                log.warning("%s\nStill served: %s", error, self.about)
            self._silent = True

    def follow(self) -> None:
        """Look again and again, until the process ends; one run stays what it is."""
        if _champions.is_alias(self._name):
            clock = threading.Event()
            while not clock.wait(LOOK_SECONDS):
                self.look()

    @property
    def about(self) -> str:
        size = " × ".join(f"{number:,}" for number in self.now.learnt.table.shape)
        return f"{self.now.version or 'no version'}, run {self.now.run}, {size}"

    def _load(self, run_id: str) -> Served:
        learnt = vectors.of_run(self._uri, run_id, registered=_champions.is_alias(self._name))
        version = Run(self._uri, run_id).record.data.tags.get("model.version", "")
        return Served(run_id, version, learnt, Space(learnt))


class Model(BaseModel):
    """Which vectors answer."""

    run: str = Field(description="The MLflow run; each answer names it, so that a change of champion is seen.")
    version: str = Field(description="MODEL/VERSION in MLflow's registry.")
    words: int
    dimensions: int


class Vector(BaseModel):
    word: str
    vector: list[float]


class Vectors(BaseModel):
    run: str
    answers: list[Vector]


class Near(BaseModel):
    word: str
    neighbors: list[str] = Field(description="Nearest first.")
    similarities: list[float] = Field(description="The cosine of each.")


class Neighbors(BaseModel):
    run: str
    answers: list[Near]


class Analogy(BaseModel):
    run: str
    neighbors: list[str] = Field(description="Best first; none of the three words.")
    similarities: list[float] = Field(description="The cosine of each with b − a + c.")


class Wrong(BaseModel):
    detail: str = Field(description="Each parameter that is wrong, with what was expected and what was found.")


class Unknown(BaseModel):
    detail: str
    unknown: dict[str, list[str]] = Field(description="Each word without a vector, with known ones spelled like it.")


Words = Annotated[list[str], Query(min_length=1, max_length=MOST, description="Repeat it to ask for several.")]
Many = Annotated[int, Query(ge=1, le=MOST, description="How many.")]
ABOUT = (
    "Words are looked up as they are written, else in the form that the text of these vectors had: in lower case, "
    "composed (NFC), and what else [tokenization] said. A word without a vector is answered with 404."
)


def app(source: Source) -> FastAPI:
    """The schema is at /openapi.json, a page that shows it at /: neither needs a network."""
    api = FastAPI(title="Word vectors", description=ABOUT, version="1", docs_url=None, redoc_url=None)
    asking = threading.BoundedSemaphore(os.cpu_count() or 1)  # more at once would only take more memory
    wrong: dict[int | str, Any] = {422: {"model": Wrong, "description": "What cannot be asked"}}
    unknown = wrong | {404: {"model": Unknown, "description": "Words without a vector"}}

    @api.exception_handler(UnknownWord)
    def name_words(request: Request, error: UnknownWord) -> JSONResponse:
        return JSONResponse(Unknown(detail=str(error), unknown=error.near).model_dump(), 404)

    @api.exception_handler(RequestValidationError)
    def name_parameters(request: Request, error: RequestValidationError) -> JSONResponse:
        return JSONResponse(Wrong(detail="\n".join(map(_sentence, error.errors()))).model_dump(), 422)

    @api.get("/", include_in_schema=False)
    def page() -> HTMLResponse:
        return HTMLResponse(_page(api, source))

    @api.get("/model", summary="Which vectors answer")
    def model() -> Model:
        now = source.now
        words, dimensions = now.learnt.table.shape
        return Model(run=now.run, version=now.version, words=words, dimensions=dimensions)

    @api.get("/vectors", summary="The vector of each word, as it was learnt", responses=unknown)
    def vector(word: Words) -> Vectors:
        now = source.now
        rows = now.learnt.table[vectors.rows_of(now.space, word)].tolist()
        answers = [Vector(word=each, vector=row) for each, row in zip(word, rows, strict=True)]
        return Vectors(run=now.run, answers=answers)

    @api.get("/neighbors", summary="The words most similar to each word", responses=unknown)
    def neighbors(word: Words, k: Many = 10) -> Neighbors:
        now = source.now
        with asking:
            found = vectors.neighbors(now.space, word, k)
        return Neighbors(run=now.run, answers=[Near(word=each, **_columns(found[each])) for each in word])

    @api.get("/analogy", summary="What is to c as b is to a", responses=unknown)
    def analogy(a: str, b: str, c: str, k: Many = 5) -> Analogy:
        now = source.now
        with asking:
            (found,) = vectors.analogy(now.space, a, b, c, k).values()
        return Analogy(run=now.run, **_columns(found))

    return api


def serve(workspace: Path, name: str, port: int) -> None:
    """Until Ctrl-C. Raises PipelineError if there is no such run or the port is taken."""
    source = Source(workspace, name)
    try:
        door = socket.create_server((HOST, port))
    except OSError as error:
        raise PipelineError(f"port {port} is taken.\nChoose another: w2v serve --port {port + 1}") from error
    door.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # else the end of each answer waits for 40 ms
    threading.Thread(target=source.follow, daemon=True).start()
    server = uvicorn.Server(uvicorn.Config(app(source), log_level="warning", access_log=False))
    print(f"{source.about}\nserved on http://{HOST}:{door.getsockname()[1]}  (Ctrl-C stops it)", flush=True)
    with threadpool_limits(1, "blas"), contextlib.suppress(KeyboardInterrupt):  # requests share the cores already
        server.run(sockets=[door])


def _sentence(wrong: dict[str, Any]) -> str:
    """What pydantic says of a parameter, as all errors here are said."""
    name, missing = wrong["loc"][1], wrong["type"] == "missing"
    expected = f"?{name}=…" if missing else wrong["msg"].replace("Input should be ", "")
    found = "nothing" if missing else f"{wrong['input']!r:.60}"
    return f"{name}\nexpected  {expected}\nfound     {found}"


def _columns(found: Sequence[tuple[str, float]]) -> dict[str, Any]:
    return {"neighbors": [word for word, _ in found], "similarities": [cosine for _, cosine in found]}


def _page(api: FastAPI, source: Source) -> str:
    """What may be asked, with examples that answer, from the schema."""
    loader = PackageLoader("flows", "templates")
    page = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    words = source.now.learnt.words
    first = min(FIRST, max(0, len(words) - 3))
    a, b, c = (quote(word) for word in (words[first : first + 3] * 3)[:3])
    examples = {
        "/model": "/model",
        "/vectors": f"/vectors?word={a}",
        "/neighbors": f"/neighbors?word={a}&word={b}&k=5",
        "/analogy": f"/analogy?a={a}&b={b}&c={c}",
    }
    return page.get_template("serving.html").render(about=source.about, schema=api.openapi(), examples=examples)
