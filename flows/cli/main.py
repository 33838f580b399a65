"""The entry point of the `w2v` command.

Exit codes: 0 success, 1 the work failed, 2 wrong usage or config, 130 interrupted.
"""

import os
import signal
import sys
import traceback

from flows.cli import retraining, configs, runs, vectors, models, workspace, service  # isort: skip (the order of --help)
from flows.cli.app import app
from flows.servers import systems
from flows.servers.settings import quiet
from tasks.display.terminal import visible
from tasks.engine.interrupts import hung_up

INTERRUPTED = 130  # typer's exit code after Ctrl-C
GO_ON = "interrupted; the same command continues where this one stopped"
COMMANDS = (retraining, configs, runs, vectors, models, workspace, service)  # importing them registers their commands


def main() -> None:
    """Run the command. Print an error as one message; print its traceback only with --debug."""
    debug = "--debug" in sys.argv
    quiet()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends like Ctrl-C
    try:
        systems.check()
        with hung_up():
            app()
    except SystemExit as end:
        if end.code == INTERRUPTED:
            print(GO_ON, file=sys.stderr)
        raise
    except Exception as error:  # the last handler: every other error becomes one message
        if "prefect.exceptions" in sys.modules and isinstance(error, sys.modules["prefect.exceptions"].CancelledRun):
            print(GO_ON, file=sys.stderr)
            sys.exit(INTERRUPTED)
        from configs.addresses import shown

        message = traceback.format_exc().rstrip() if debug else f"error: {_message(error)}"
        print(visible(shown(message, *os.environ.values())), file=sys.stderr)
        sys.exit(_code(error))


def _code(error: Exception) -> int:
    from configs.loading import ConfigError

    return 2 if isinstance(error, ConfigError) else 1


def _message(error: Exception) -> str:
    from configs.loading import ConfigError
    from tasks.errors import PipelineError

    if isinstance(error, ConfigError | PipelineError):
        return str(error)
    from tasks import refusals

    refused = isinstance(error, OSError) or type(error).__module__.partition(".")[0] in ("httpx", "prefect")
    if refused and (refusal := refusals.cause(error)):  # the disk or Prefect's server refused
        return f"{_place(error)} {refusal.what}\n{_first_line(error)}\n{refusal.way}"
    if "httpx" in sys.modules and _is_away(error):
        return (
            f"Prefect's server cannot be reached: {_first_line(error)}\n"
            "Finished stages are kept: start the server, and run the same command again to continue."
        )
    return f"{type(error).__name__}: {error}\nThis was not expected: `w2v --debug …` shows the traceback."


def _place(error: Exception) -> str:
    if isinstance(error, OSError):
        return str(error.filename or "the disk")
    return f"Prefect's server at {os.environ.get('PREFECT_API_URL', 'its address')}"


def _is_away(error: Exception) -> bool:
    """Return True if Prefect's server does not answer, or answers with a server error (5xx)."""
    import httpx

    if isinstance(error, httpx.HTTPStatusError):
        return error.response.status_code >= 500
    return isinstance(error, httpx.TransportError)


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)


if __name__ == "__main__":
    main()
