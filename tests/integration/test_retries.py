"""Which failures are retried, with the settings of a worker's process."""

import pkgutil
from collections.abc import Iterator
from functools import partial
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import import_module
from pathlib import Path
from threading import Thread

import pytest
from prefect import Task, flow
from prefect.settings import (
    PREFECT_TASKS_DEFAULT_RETRIES,
    PREFECT_TASKS_DEFAULT_RETRY_DELAY_SECONDS,
    temporary_settings,
)

import tasks
from configs.schema import Ingestion, Runtime
from tasks.engine.retries import may_pass
from tasks.engine.stage import Context
from tasks.engine.store import Dataset
from tasks.errors import InputError
from tasks.ingestion.stage import ingestion

pytestmark = pytest.mark.usefixtures("prefect_server")
TEXT = b"some words\n" * 100
DIGEST = sha256(TEXT).hexdigest()


class Site(BaseHTTPRequestHandler):
    """Give these answers in turn; the last one has the text."""

    def __init__(self, answers: list[int], *arguments: object) -> None:
        self.answers = answers
        super().__init__(*arguments)

    def do_GET(self) -> None:
        self.send_response(self.answers.pop(0))
        self.end_headers()
        self.wfile.write(TEXT if not self.answers else b"")

    def log_message(self, *arguments: object) -> None: ...


@pytest.fixture
def answers() -> list[int]:
    return []


@pytest.fixture
def url(answers: list[int]) -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Site, answers)) as server:
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}).start()
        yield f"http://127.0.0.1:{server.server_port}/text.txt"
        server.shutdown()


@pytest.fixture
def patience() -> Iterator[None]:
    with temporary_settings({PREFECT_TASKS_DEFAULT_RETRIES: 3, PREFECT_TASKS_DEFAULT_RETRY_DELAY_SECONDS: 0.1}):
        yield


@flow
def ingest(config: Ingestion, context: Context) -> Dataset:
    return ingestion(config=config, context=context)


def ingested(url: str, digest: str, workspace: Path) -> Dataset:
    config = Ingestion(source=url, sha256=digest, text_documents="line", max_rejected_fraction=1)
    return ingest(config, Context(runtime=Runtime(workspace=str(workspace))))


@pytest.mark.usefixtures("patience")
def test_a_server_that_is_busy_is_asked_again(url: str, answers: list[int], tmp_path: Path) -> None:
    """Two answers say that the server is busy; the third has the text."""
    answers += [503, 503, 200]

    assert ingested(url, DIGEST, tmp_path).manifest.account.written == 100
    assert answers == []


@pytest.mark.usefixtures("patience")
@pytest.mark.parametrize(("first", "digest"), [(404, DIGEST), (200, "0" * 64)])
def test_what_is_wrong_is_not_tried_again(
    first: int, digest: str, url: str, answers: list[int], tmp_path: Path
) -> None:
    """A missing page, and a text with another digest, are not retried."""
    answers += [first, 200]

    with pytest.raises(InputError):
        ingested(url, digest, tmp_path)
    assert answers == [200]


def test_every_task_knows_what_may_pass() -> None:
    """No task is retried for just any failure."""
    names = {each.name for each in pkgutil.walk_packages(tasks.__path__, "tasks.")} - {"tasks.tracking.pyfunc"}
    modules = [import_module(name) for name in sorted(names)]
    found = {each for module in modules for each in vars(module).values() if isinstance(each, Task)}

    assert {each.name for each in found} >= {"connection", "novelty", "publication", "promotion"}
    assert {each.retry_condition_fn for each in found} == {may_pass}


def test_nothing_is_tried_again_where_somebody_looks(url: str, answers: list[int], tmp_path: Path) -> None:
    """In a terminal the error is shown at once."""
    answers += [503, 200]

    with pytest.raises(InputError, match="cannot be downloaded"):
        ingested(url, DIGEST, tmp_path)
