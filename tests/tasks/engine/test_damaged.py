"""A damaged file of the workspace: the error names it and says what to do."""

from collections.abc import Callable
from pathlib import Path

import pytest

from flows import outbox
from flows.service.state import Place
from tasks.engine.leases import Uses
from tasks.engine.store import LATEST, latest
from tasks.errors import StoreError

NOISE = [b"", b"\xff\xfe\x00", b"[]", b'{"a": 1}', b"half of a wor"]


def sync(workspace: Path) -> object:
    return outbox.sync(workspace)


def in_use(workspace: Path) -> object:
    return Uses(workspace).of(["a"])


def service(workspace: Path) -> object:
    with Place(workspace).lock:  # as if it ran
        return Place(workspace).state


@pytest.mark.parametrize("noise", NOISE)
@pytest.mark.parametrize(
    ("name", "read"), [(LATEST, latest), ("waiting/a.json", sync), ("service/state.json", service)]
)
def test_a_damaged_file_is_named(name: str, read: Callable[[Path], object], noise: bytes, tmp_path: Path) -> None:
    """The error says which file it is and what to do; no library's error gets through."""
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_bytes(noise)

    with pytest.raises(StoreError, match=rf"{name} is damaged\nexpected  .*\nfound     .+\n.+"):
        read(tmp_path)


def test_uses_that_cannot_be_read_remove_nothing(tmp_path: Path) -> None:
    """`w2v gc` stops and names the file."""
    (tmp_path / "uses").mkdir()
    (tmp_path / "uses" / "a").write_bytes(b"\xff\xfe\x00")

    with pytest.raises(StoreError, match=r"uses/a is damaged\n.*\n.*\nDelete it"):
        in_use(tmp_path)
