"""Attacks of a page of another origin on a server of this machine, in the browser of the server's user."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

from tests.support.browser import Browser

WAYS = ("blob", "form", "picture", "script", "frame", "socket")
SECONDS = 2  # for each way to have its effect

# each way is one that needs no leave of the server: no header of its own, no answer that is read
PAGE = """<!doctype html><title>elsewhere</title><script>
const heard = event => new Promise(done => { event(done); setTimeout(() => done("silence"), %(wait)d); });
const embedded = (kind, address) => heard(done => {
  const element = document.createElement(kind);
  element.onload = () => done("loaded");
  element.onerror = () => done("refused");
  element.src = address;
  document.body.append(element);
});
const ways = {
  blob: (target, path, body) => fetch(target + path, {
    method: "POST", mode: "no-cors", credentials: "include", body: new Blob([body]) }).then(answer => answer.type),
  form: (target, path, body) => heard(done => {
    const frame = document.createElement("iframe"), form = document.createElement("form");
    frame.name = "answer";
    document.body.append(frame, form);
    Object.assign(form, { method: "POST", action: target + path, target: "answer", enctype: "text/plain" });
    const field = document.createElement("input"), at = body.lastIndexOf("}");
    Object.assign(field, { name: body.slice(0, at) + ',"x":"', value: '"}' });
    form.append(field);
    frame.onload = () => done("sent");
    form.submit();
  }),
  picture: (target, path) => embedded("img", target + path),
  script: (target, path) => embedded("script", target + path),
  frame: (target, path) => embedded("iframe", target + path),
  socket: (target, path, body) => heard(done => {
    const socket = new WebSocket(target.replace("http", "ws") + path, "prefect");
    socket.onopen = () => { socket.send(body); done("opened"); };
    socket.onerror = () => done("refused");
  }),
};
</script>"""


class _Elsewhere(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        said = (PAGE % {"wait": 1000 * SECONDS}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    def log_message(self, *words: object) -> None:
        pass


@contextmanager
def elsewhere() -> Iterator[tuple[str, str]]:
    """Serve two pages of other origins: another site, and another port of this machine."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Elsewhere) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://evil.example:{server.server_port}/", f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join()


def attack(browser: Browser, page: str, target: str, path: str, body: str) -> dict[str, str]:
    """Return the result of each attack as the attacking page sees it, for a path of the target."""
    said = {}
    browser.open(page)
    for way in WAYS:
        told = ", ".join(json.dumps(word) for word in (target, path, body))
        said[way] = str(browser.wait(f"ways[{way!r}]({told}).catch(() => 'failed').then(done)"))
    return said
