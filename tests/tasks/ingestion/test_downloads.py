"""Downloads are fetched once, verified before every use, and never left half written."""

import hashlib
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from httpx import HTTPStatusError

from configs.schema import Ingestion
from tasks.datasets import contracts
from tasks.engine.stage import Context
from tasks.errors import InputError
from tasks.ingestion.downloads import fetch
from tasks.ingestion.estimate import sample
from tasks.ingestion.stage import ingestion
from tests.support.misnamed import MISNAMED, RIGHT, TEXT

CONTENT = b"some words " * 1000
DIGEST = hashlib.sha256(CONTENT).hexdigest()

FILES = {"text.txt": CONTENT, "cut.txt": CONTENT, **RIGHT, **{name: content for name, (content, _) in MISNAMED.items()}}


class Site(BaseHTTPRequestHandler):
    """Serve CONTENT at /text.txt, its first half at /cut.txt, and the misnamed files, and count requests."""

    def __init__(self, requests: list[str], *arguments: object) -> None:
        self.requests = requests
        super().__init__(*arguments)

    def do_GET(self) -> None:
        self.requests.append(self.path)
        if self.path[1:] not in FILES:
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(FILES[self.path[1:]])))
        self.end_headers()
        self.wfile.write(FILES[self.path[1:]][: 5000 if self.path == "/cut.txt" else None])

    def log_message(self, *arguments: object) -> None: ...


@pytest.fixture
def requests() -> list[str]:
    return []


@pytest.fixture
def site(requests: list[str]) -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Site, requests)) as server:
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def silent(done: float, total: float, text: str) -> None: ...


def test_a_url_is_a_source(site: str, requests: list[str], context: Context) -> None:
    """A URL is read like a file; a second corpus from it needs no second download."""
    config = Ingestion(source=f"{site}/text.txt", sha256=DIGEST)

    documents = ingestion.compute(context=context, config=config)
    ingestion.compute(context=context, config=config.model_copy(update={"document_length": 500}))

    assert contracts.read(documents.files()[0], contracts.DOCUMENTS)["text"].to_pylist() == [CONTENT.decode()]
    assert requests == ["/text.txt"]


@pytest.mark.parametrize("name", MISNAMED)
def test_a_download_under_a_wrong_name_is_refused(site: str, context: Context, name: str) -> None:
    """By what it is; and by `plan`, once it has been fetched."""
    content, what = MISNAMED[name]
    config = Ingestion(source=f"{site}/{name}", sha256=hashlib.sha256(content).hexdigest())

    with pytest.raises(InputError, match=rf"^{name} is {what}\nexpected  .*\nfound     {what}\n."):
        ingestion.compute(context=context, config=config)
    with pytest.raises(InputError, match=rf"^{name} is {what}\n"):
        sample(config, Path(context.runtime.workspace))


@pytest.mark.parametrize("name", RIGHT)
def test_a_download_under_its_own_name_is_read(site: str, context: Context, name: str) -> None:
    """Text, compressed, in columns, in an archive."""
    config = Ingestion(source=f"{site}/{name}", sha256=hashlib.sha256(RIGHT[name]).hexdigest())
    documents = ingestion.compute(context=context, config=config)

    assert contracts.read(documents.files()[0], contracts.DOCUMENTS)["text"].to_pylist() == [TEXT.decode()]


def test_a_damaged_copy_is_fetched_again(site: str, requests: list[str], tmp_path: Path) -> None:
    """A copy in the workspace is used only if its digest is right."""
    (tmp_path / "text.txt").write_bytes(CONTENT[:-1])

    fetch(f"{site}/text.txt", DIGEST, tmp_path / "text.txt", silent)

    assert (tmp_path / "text.txt").read_bytes() == CONTENT


def test_other_content_is_refused(site: str, tmp_path: Path) -> None:
    """Changed content is refused with both digests and not kept."""
    with pytest.raises(InputError) as error:
        fetch(f"{site}/text.txt", "0" * 64, tmp_path / "text.txt", silent)

    assert str(error.value) == (
        f"{site}/text.txt is not what the config expects\nexpected  SHA-256 {'0' * 64}\nfound     SHA-256 {DIGEST}\n"
        "The publisher has changed it, or the transfer damaged it: check it, then set ingestion.sha256."
    )
    assert [path.name for path in tmp_path.iterdir()] == ["text.txt.lock"]


def test_a_connection_that_breaks_leaves_no_file(site: str, tmp_path: Path) -> None:
    """A partial download is not used; the next attempt starts from the beginning."""
    with pytest.raises(InputError, match=rf"^{site}/cut\.txt (is not what the config expects|cannot be downloaded)"):
        fetch(f"{site}/cut.txt", DIGEST, tmp_path / "cut.txt", silent)

    assert not (tmp_path / "cut.txt").exists()


def test_a_missing_page_says_so(site: str, tmp_path: Path) -> None:
    """The error gives the server's answer and two next steps; the connection is closed."""
    with pytest.raises(
        InputError, match=rf"^{site}/no\.txt cannot be downloaded: 404 Not Found\nRun the command ag"
    ) as failure:
        fetch(f"{site}/no.txt", DIGEST, tmp_path / "no.txt", silent)

    answer = failure.value.__cause__
    assert isinstance(answer, HTTPStatusError)
    assert answer.response.is_closed


def test_no_network_says_so(tmp_path: Path) -> None:
    """A refused connection gives a clear error."""
    with pytest.raises(InputError, match=r"cannot be downloaded: .*refused\n.*or fetch the file yourself"):
        fetch("http://127.0.0.1:1/a.txt", DIGEST, tmp_path / "a.txt", silent)
