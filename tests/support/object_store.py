"""An S3 server in this process, moto's, behind a wrapper that can fail as servers and networks do."""

import socketserver
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

BUCKET, SECRET = "shared", "secret-of-s3-in-no-file"
Answer = Callable[[dict[str, Any], Any], Any]
Fault = Callable[[Answer, dict[str, Any], Any], Any]


class ObjectStore:
    """The server: its address, a client, the requests it received, and what goes wrong with them."""

    def __init__(self, app: Answer) -> None:
        self._app, self._turn = app, threading.Lock()
        self.fault: Fault | None = None
        self.requests: list[str] = []
        self.address = ""
        self.client: Any = None

    def __call__(self, environ: dict[str, Any], start: Any) -> Any:
        self.requests.append(f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}")
        return self.fault(self._one, environ, start) if self.fault else self._one(environ, start)

    def _one(self, environ: dict[str, Any], start: Any) -> Any:
        """Answer one request at a time: between moto's check of a condition and its write another could come."""
        with self._turn:
            return self._app(environ, start)

    @property
    def environment(self) -> dict[str, str]:
        """The environment of an account that may write there."""
        return {
            "AWS_ACCESS_KEY_ID": "w2v", "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ENDPOINT_URL": self.address,
        }  # fmt: skip

    def keys(self, prefix: str) -> list[str]:
        found = self.client.list_objects_v2(Bucket=BUCKET, Prefix=prefix + "/").get("Contents", [])
        return [each["Key"].removeprefix(prefix + "/") for each in found]


class Threaded(socketserver.ThreadingMixIn, WSGIServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: clients that give up are among the faults."""


class Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None: ...


@contextmanager
def running() -> Iterator[ObjectStore]:
    """Start the server with a bucket."""
    import boto3
    from moto.server import DomainDispatcherApplication, create_backend_app

    store = ObjectStore(DomainDispatcherApplication(create_backend_app))
    with make_server("127.0.0.1", 0, store, Threaded, Quiet) as server:
        thread = threading.Thread(target=server.serve_forever, args=[0.05])
        thread.start()
        try:
            store.address = f"http://127.0.0.1:{server.server_port}"
            keys = {"aws_access_key_id": "w2v", "aws_secret_access_key": SECRET}
            store.client = boto3.client("s3", endpoint_url=store.address, region_name="us-east-1", **keys)
            store.client.create_bucket(Bucket=BUCKET)
            yield store
        finally:
            store.client.close()
            server.shutdown()
            thread.join()


def ignoring_the_condition(app: Answer, environ: dict[str, Any], start: Any) -> Any:
    """Overwrite objects, as servers do that do not know If-None-Match."""
    environ.pop("HTTP_IF_NONE_MATCH", None)
    return app(environ, start)


def first(number: int, fault: Fault) -> Fault:
    """Return a fault of the first requests that `fault` would meet, each of another object or method."""
    seen: dict[str, int] = {}

    def some(app: Answer, environ: dict[str, Any], start: Any) -> Any:
        name = f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}"
        seen[name] = seen.get(name, 0) + 1
        return fault(app, environ, start) if seen[name] <= number else app(environ, start)

    return some


def failing(app: Answer, environ: dict[str, Any], start: Any) -> Any:
    """Answer 500."""
    _read(environ)
    start("500 Internal Server Error", [("Content-Length", "0")])
    return []


def done_but_failing(app: Answer, environ: dict[str, Any], start: Any) -> Any:
    """Do what was asked, and answer 500."""
    list(app(environ, lambda *_: lambda data: None))
    start("500 Internal Server Error", [("Content-Length", "0")])
    return []


def cut(app: Answer, environ: dict[str, Any], start: Any) -> Any:
    """Close the connection in the middle of an object."""
    return _changed(app, environ, start, lambda body: body[: len(body) // 2])


def wrong(app: Answer, environ: dict[str, Any], start: Any) -> Any:
    """Change a byte of each object of an output."""
    return _changed(app, environ, start, lambda body: bytes([body[0] ^ 1]) + body[1:])


def slow(app: Answer, environ: dict[str, Any], start: Any) -> Any:
    """Take a moment over each answer."""
    time.sleep(0.2)
    return app(environ, start)


def _changed(app: Answer, environ: dict[str, Any], start: Any, change: Callable[[bytes], bytes]) -> Any:
    body = b"".join(app(environ, start))
    data = environ["REQUEST_METHOD"] == "GET" and environ["PATH_INFO"].endswith((".txt", ".parquet"))
    return [change(body) if data and body else body]


def _read(environ: dict[str, Any]) -> None:
    environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
