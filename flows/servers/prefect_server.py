"""Prefect's server behind our guard: the same program as `prefect server start`, for authenticated callers only.

python -m flows.servers.prefect_server     (standard input: the socket to listen on; environment: guard_environment)
"""

import os
import socket
import sys

from flows.access import strangers
from flows.access.guard import guarded
from tasks.engine.databases import empty
from tasks.tracking.database_paths import database_at


def serve(listening: socket.socket) -> None:
    """Serve until SIGTERM; exit with 1 if the server cannot start."""
    os.environ.pop("PREFECT_SERVER_API_AUTH_STRING", None)  # the guard authenticates, so Prefect's pages need not
    import uvicorn
    from prefect.server.api.server import create_app
    from prefect.settings import get_current_settings

    strangers.make_room()
    address = get_current_settings().server.database.connection_url
    if address and (database := database_at(address.get_secret_value())):
        empty.create(database, "prefect")
    settings = get_current_settings().server.api
    app = guarded(create_app(final=True), health="/api/health", sockets=True)
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            log_level="error",
            access_log=False,
            server_header=False,
            timeout_keep_alive=settings.keepalive_timeout,
            ws_ping_interval=settings.websocket_ping_interval,
            ws_ping_timeout=settings.websocket_ping_timeout,
            **strangers.limits(),
        )
    )
    server.run(sockets=[listening])
    sys.exit(not server.started)


if __name__ == "__main__":
    serve(socket.socket(fileno=sys.stdin.fileno()))
