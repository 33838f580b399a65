"""Check that the Prefect server in PREFECT_API_URL answers, before any work is done."""

import os

from configs.addresses import shown
from tasks import refusals
from tasks.engine import waiting
from tasks.errors import PipelineError

CONNECTED = 30.0  # seconds for the connection, which the operating system accepts even for a busy server
ANSWERED = 120.0  # seconds for an answer; Prefect's client tries six times
WAY = "Start it, name another in PREFECT_API_URL, or unset that variable to use a temporary one."


def check(address: str) -> None:
    """Wait for a busy server. Raises PipelineError, with the cause, if it cannot be reached or refuses us."""
    import httpx
    from prefect.client.orchestration import SyncPrefectClient
    from prefect.settings import PREFECT_API_KEY

    place = f"Prefect's server at {shown(address)}"
    name, key = os.environ.get("PREFECT_API_AUTH_STRING"), PREFECT_API_KEY.value()
    limits = {"timeout": httpx.Timeout(ANSWERED, connect=CONNECTED)}
    try:
        with (
            waiting.announced(place),
            SyncPrefectClient(address, auth_string=name, api_key=key, httpx_settings=limits) as client,
        ):
            client.api_version()
    except (httpx.HTTPError, httpx.InvalidURL, OSError, RuntimeError) as error:
        refusal = refusals.cause(error)
        *_, first = refusals.chain(error)
        answer = shown(next(iter(str(first).splitlines()), ""), address) or type(first).__name__
        if refusal is None and any(isinstance(each, httpx.HTTPStatusError) for each in refusals.chain(error)):
            return  # the server answers; any other HTTP error is reported by Prefect itself
        raise PipelineError(
            f"{place} {refusal.what if refusal else 'does not answer'}\n{answer}\n{refusal.way if refusal else WAY}"
        ) from error
