"""A webhook and a mail server that record messages, for tests of notifications."""

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

SECRET = "t0ken"
Listener = TypeVar("Listener", "Webhook", "Mailbox")


class Webhook:
    def __init__(self) -> None:
        self.heard: list[dict[str, Any]] = []
        self.answers: list[int] = []  # to the next ones; then 200
        self.calls = 0
        self.server = HTTPServer("127.0.0.1", 0)
        self.server.expect_request(
            "/hook", method="POST", query_string=SECRET, headers={"Content-Type": "application/json"}
        ).respond_with_handler(self._hear)

    @property
    def address(self) -> str:
        return self.server.url_for(f"/hook?{SECRET}")

    def of(self, event: str) -> list[dict[str, Any]]:
        return [message for message in self.heard if event in message["events"]]

    def _hear(self, request: Request) -> Response:
        self.calls += 1
        code = self.answers.pop(0) if self.answers else 200
        if code == 200:
            self.heard.append(request.get_json())
        return Response(status=code)


class Mailbox:
    def __init__(self) -> None:
        self.letters: list[str] = []
        mailbox = self

        class Handler(socketserver.StreamRequestHandler):
            """The part of SMTP that is needed to receive mail."""

            def handle(self) -> None:
                self.wfile.write(b"220 here\r\n")
                while line := self.rfile.readline().strip():
                    if line.upper() == b"DATA":
                        self.wfile.write(b"354 go on\r\n")
                        mailbox.letters.append(b"".join(iter(self.rfile.readline, b".\r\n")).decode())
                    self.wfile.write(b"221 bye\r\n" if line.upper() == b"QUIT" else b"250 well\r\n")

        self.server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)

    @property
    def port(self) -> int:
        return self.server.server_address[1]


@contextmanager
def listening(listener: Listener) -> Iterator[Listener]:
    with listener.server:
        if isinstance(listener, Webhook):  # which answers by itself
            yield listener
            return
        thread = threading.Thread(target=listener.server.serve_forever)
        thread.start()
        yield listener
        listener.server.shutdown()
        thread.join()
