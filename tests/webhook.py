"""A webhook and a mailbox that listen, for whoever tests what is told."""

import json
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, TypeVar

SECRET = "t0ken"
Listener = TypeVar("Listener", "Webhook", "Mailbox")


class Webhook:
    def __init__(self) -> None:
        self.heard: list[dict[str, Any]] = []
        self.answers: list[int] = []  # to the next ones; then 200
        self.calls = 0
        webhook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                assert self.path.endswith(SECRET)
                assert self.headers["Content-Type"] == "application/json"
                webhook.calls += 1
                code = webhook.answers.pop(0) if webhook.answers else 200
                if code == 200:
                    webhook.heard.append(json.loads(body))
                self.send_response(code)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}/hook?{SECRET}"

    def of(self, event: str) -> list[dict[str, Any]]:
        return [message for message in self.heard if event in message["events"]]


class Mailbox:
    def __init__(self) -> None:
        self.letters: list[str] = []
        mailbox = self

        class Handler(socketserver.StreamRequestHandler):
            """As much of SMTP as it takes to receive mail."""

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
        thread = threading.Thread(target=listener.server.serve_forever)
        thread.start()
        yield listener
        listener.server.shutdown()
        thread.join()
