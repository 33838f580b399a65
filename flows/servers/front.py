"""The first page of MLflow's server: it opens on the table of our runs, in the face of MLflow for training models.

MLflow has no setting for it. Its pages keep in the browser which face they have, and whether the panel of the assistant
and the note about telemetry, which is off, have been seen. A script before theirs sets these once, so that a later
choice of the user stays. Nothing of MLflow is changed: if a version has other keys, its first page is as MLflow has it.
"""

import asyncio
import json
import os

from flows.access.guard import App, Message, Receive, Scope, Send
from tasks.errors import PipelineError
from tasks.tracking.contents import columns

DATABASE = "MLFLOW_BACKEND_STORE_URI"
MARK = "w2v.front"  # the key that says that a browser has these
SEEN = {
    "mlflow.workflowType_v1": "machine_learning",
    "mlflow.telemetry.info.alert.dismissed_v1": True,
    "mlflow.assistant.fab.autoOpenedOnFirstLoad_v1": True,
}
STALE = {b"content-length", b"etag", b"last-modified", b"cache-control"}  # headers of the page without the script
PARTIAL = {b"if-none-match", b"if-modified-since", b"range", b"accept-encoding"}  # headers that ask for less than it


class Front:
    """`app`, whose first page has our script."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "GET" or scope["path"] not in ("", "/"):
            await self._app(scope, receive, send)
            return
        start: Message = {}
        page = b""

        async def held(message: Message) -> None:
            nonlocal page
            if message["type"] == "http.response.start":
                start.update(message)
            page += message.get("body", b"")

        whole = [(name, value) for name, value in scope["headers"] if name not in PARTIAL]
        await self._app({**scope, "headers": whole}, receive, held)
        if start["status"] == 200:
            page = page.replace(b"<head>", b"<head>" + script(await asyncio.to_thread(_table)).encode(), 1)
        headers = [(name, value) for name, value in start["headers"] if name.lower() not in STALE]
        headers += [(b"content-length", str(len(page)).encode()), (b"cache-control", b"no-cache")]
        await send({**start, "headers": headers})
        await send({"type": "http.response.body", "body": page})


def script(place: str) -> str:
    """Return the script that leads to a place on the page, unless the address names one."""
    return (
        f"<script>if (!localStorage.getItem({json.dumps(MARK)})) {{"
        f"for (const [key, value] of Object.entries({json.dumps(SEEN | {MARK: 1})}))"
        " localStorage.setItem(key, JSON.stringify(value)); }"
        f"if (location.hash.length < 3) location.replace({json.dumps(place)});</script>"
    )


def _table() -> str:
    """Return the place of the table of runs; if MLflow cannot say which it is, that of the experiments."""
    try:
        return columns.table(columns.newest(os.environ[DATABASE]))
    except PipelineError:
        return columns.table("")
