"""Check the store that hosts share before work starts, and remember it in `<workspace>/remote.json`.

Commands without a config, such as `w2v gc`, use the remembered one.
"""

from datetime import UTC, datetime
from pathlib import Path

from pydantic import ValidationError

from tasks.datasets.files import undamaged, write_whole
from tasks.engine.outputs.manifest import FrozenModel
from tasks.engine.outputs.remote import Remote, opened, prove
from tasks.errors import StoreError

FILE = "remote.json"  # in the workspace
LAYOUT = "store.json"  # in the remote


class Layout(FrozenModel):
    """What the remote says of itself."""

    version: int = 1


class Remembered(FrozenModel):
    address: str
    identity: str  # of the server that the proof is of
    proven: datetime


def remembered(workspace: Path) -> Remembered | None:
    """Return the remote that the workspace used last; None if it has used none. Raises StoreError."""
    try:
        content = (workspace / FILE).read_bytes()
    except FileNotFoundError:
        return None
    with undamaged(workspace / FILE, "Delete it: the next `w2v retrain` writes it again."):
        return Remembered.model_validate_json(content)


def address_of(workspace: Path) -> str:
    """Return the address of the remote that the workspace used last, or ""."""
    found = remembered(workspace)
    return found.address if found else ""


def ready(workspace: Path, address: str) -> None:
    """Check that the remote answers, has our layout and honours put-if-absent; "" stands for none.

    The last is proven once for each workspace and server. Raises RemoteError if the remote cannot be reached or
    refuses, StoreError if it cannot be used.
    """
    before = remembered(workspace)
    if not address:
        if before:
            (workspace / FILE).unlink(missing_ok=True)
        return
    remote = opened(address)
    known = before is not None and before.identity == remote.identity
    layout = remote.read(LAYOUT)
    if layout is None and known:
        raise StoreError(
            f"{address}: the shared store is gone\nexpected  {LAYOUT}, which was there before\nfound     nothing\n"
            "Is its disk mounted, and AWS_ENDPOINT_URL that of its server? If it was deleted on purpose, delete "
            f"{workspace / FILE} to begin a new one."
        )
    if not known:
        prove(remote)
        remote.create(LAYOUT, Layout().model_dump_json().encode())
    _check(remote, remote.read(LAYOUT) if layout is None else layout)
    if not known:
        now = Remembered(address=address, identity=remote.identity, proven=datetime.now(UTC))
        workspace.mkdir(parents=True, exist_ok=True)
        write_whole(workspace / FILE, now.model_dump_json().encode())


def _check(remote: Remote, content: bytes | None) -> None:
    try:
        found = Layout.model_validate_json(content or b"").version
    except ValidationError:
        found = 0
    if found != Layout().version:
        raise StoreError(
            f"{remote.place(LAYOUT)} is not that of this version\nexpected  version {Layout().version}\n"
            f"found     {f'version {found}' if found else 'another file'}\n"
            "Another release of w2v wrote this store: use that release, or another address for runtime.remote."
        )
