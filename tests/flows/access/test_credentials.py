"""The service's own credentials: who can read them, how long they last, and to which servers they are sent."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from flows.access import credentials
from flows.service.state import Place, State, join
from tasks.errors import PipelineError

ADDRESSES = {"PREFECT_API_URL": "http://127.0.0.1:4300/api", "MLFLOW_TRACKING_URI": "http://127.0.0.1:5100"}
NAMES = ("PREFECT_API_AUTH_STRING", "MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in (*NAMES, *ADDRESSES):
        monkeypatch.setenv(name, "")  # set back at the end
        monkeypatch.delenv(name)
    (tmp_path / "service").mkdir()
    return tmp_path / "service"


def up(folder: Path, asks: list[str] | None = None) -> State:
    """A service that is up, as far as its files say."""
    state = State("http://127.0.0.1:4300", "http://127.0.0.1:5100", os.getpid(), 0.0, asks or [], ready=True)
    Place(folder.parent).write(state)
    return state


def test_only_its_account_can_read_them(folder: Path) -> None:
    """The file is created private, whatever the umask."""
    before = os.umask(0)
    try:
        credentials.make(folder, ADDRESSES)
    finally:
        os.umask(before)

    assert stat.S_IMODE((folder / credentials.FILE).stat().st_mode) == 0o600
    assert [path.name for path in folder.iterdir()] == [credentials.FILE]


def test_they_last_as_long_as_they_are_secret(folder: Path) -> None:
    """They stay the same after a restart, so browsers stay logged in, and change if others could have read them."""
    first = credentials.make(folder, ADDRESSES)
    assert credentials.make(folder, ADDRESSES) == first == credentials.read(folder)

    (folder / credentials.FILE).chmod(0o640)
    with pytest.raises(PipelineError, match=r"others can read(.|\n)*w2v up"):
        credentials.read(folder)
    second = credentials.make(folder, ADDRESSES)
    assert not {value for name, value in first.items() if name != "MLFLOW_TRACKING_USERNAME"} & set(second.values())


def test_a_link_in_their_place_is_not_followed(folder: Path, tmp_path: Path) -> None:
    """A symbolic link could lead to a file of another account."""
    (folder / credentials.FILE).symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere").write_text("export W2V_LINK_KEY=known\n")
    (tmp_path / "elsewhere").chmod(0o600)

    with pytest.raises(PipelineError, match="no credentials"):
        credentials.read(folder)
    assert "known" not in credentials.make(folder, ADDRESSES).values()
    assert (tmp_path / "elsewhere").read_text() == "export W2V_LINK_KEY=known\n"


def test_a_shell_reads_them_too(folder: Path) -> None:
    """A shell can read the file, for `prefect` and `mlflow` by hand."""
    own = credentials.make(folder, ADDRESSES)
    done = subprocess.run(
        ["sh", "-c", f". {folder / credentials.FILE}; env"], capture_output=True, text=True, check=True
    )

    assert {f"{name}={value}" for name, value in (ADDRESSES | own).items()} <= set(done.stdout.splitlines())


def test_what_the_user_gives_is_not_made(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Passwords set by the user are used and not written down."""
    monkeypatch.setenv("PREFECT_API_AUTH_STRING", "boss:horse-battery")
    own = credentials.make(folder, ADDRESSES)

    assert "PREFECT_API_AUTH_STRING" not in own
    assert "horse" not in (folder / credentials.FILE).read_text()


def test_commands_beside_the_service_have_them(folder: Path) -> None:
    """Commands find the credentials without any variable of the user."""
    own = credentials.make(folder, ADDRESSES)
    up(folder)
    with Place(folder.parent).lock:
        join(folder.parent)

    assert {name: os.environ[name] for name in (*NAMES, *ADDRESSES)} == {
        name: (own | ADDRESSES)[name] for name in (*NAMES, *ADDRESSES)
    }


def test_no_other_server_gets_them(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server named by the user gets none; another name of this machine is still the service."""
    own = credentials.make(folder, ADDRESSES)
    up(folder)
    monkeypatch.setenv("PREFECT_API_URL", "http://prefect.example:4300/api")
    monkeypatch.setenv("PREFECT_API_AUTH_STRING", "boss:horse-battery")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://localhost:5100/")
    with Place(folder.parent).lock:
        join(folder.parent)

    assert os.environ["PREFECT_API_AUTH_STRING"] == "boss:horse-battery"
    assert os.environ["MLFLOW_TRACKING_PASSWORD"] == own["MLFLOW_TRACKING_PASSWORD"]


def test_what_was_open_is_shut(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files of the service that another umask left readable become private; other files stay as they were."""
    workspace, home = folder.parent, folder.parent / "prefect"
    home.mkdir()
    files = [
        workspace / "mlflow.db",
        workspace / "mlflow.db-wal",
        home / "prefect.db",
        folder / "log",
        folder / "log.1",
    ]
    stored = workspace / "latest.json"
    for file in (*files, stored):
        file.write_text("")
    for each in (folder, home, *files, stored):
        each.chmod(0o777)
    before = os.umask(0)
    try:
        Place(workspace).shut(f"sqlite:///{workspace / 'mlflow.db'}")
        (folder / "new").touch()
    finally:
        os.umask(before)

    modes = {each.name: stat.S_IMODE(each.stat().st_mode) for each in (folder, home, *files, folder / "new", stored)}
    assert modes.pop("latest.json") == 0o777
    assert [modes.pop("service"), modes.pop("prefect")] == [0o700, 0o700]
    assert set(modes.values()) == {0o600}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another account")
def test_another_account_is_told_whose_service_it_is(folder: Path) -> None:
    """Another account gets an error that names the owner, not a traceback."""
    credentials.make(folder, ADDRESSES)
    up(folder)
    Place(folder.parent).shut("")
    code = (
        "import os; import flows.service.state as place; from pathlib import Path\n"
        f"os.setresuid(65534, 65534, 65534)\ntry: place.join(Path({str(folder.parent)!r}))\n"
        "except Exception as error: print(type(error).__name__, error)"
    )
    for each in (folder.parent, *folder.parents[1:4]):
        each.chmod(0o755)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert "PipelineError" in done.stdout
    assert "is the service of another account" in done.stdout


def test_what_runs_and_flows_leave_is_for_their_account(tmp_path: Path) -> None:
    """MLflow's database and Prefect's home are private, also without `w2v up`, whatever the umask."""
    code = (
        "import os, sys; from pathlib import Path; from flows.servers.settings import settle\n"
        "from tasks.tracking.client import reached\n"
        "os.umask(0o022); settle(Path(sys.argv[1]))\n"
        "with reached(f'sqlite:///{sys.argv[1]}/mlflow.db'): pass"
    )
    environment = {name: value for name, value in os.environ.items() if name not in ("PREFECT_HOME", *ADDRESSES)}
    subprocess.run([sys.executable, "-c", code, tmp_path / "ws"], env=environment, check=True)

    assert stat.S_IMODE((tmp_path / "ws" / "mlflow.db").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "ws" / "prefect").stat().st_mode) == 0o700
