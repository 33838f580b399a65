"""The service before it starts: ports, addresses, passwords, and files for systemd and Compose."""

import configparser
import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest
import yaml
from sqlalchemy import create_engine, text

from flows.access.network import check_ports, hosts, keep_users, mlflow_passwords, names, prefect_password, what_is_open
from flows.service import control, supervised, supervisor, units
from flows.service.components import Component, Service, components
from flows.service.state import Place, State, clock, join
from flows.service.supervised import Supervised
from flows.service.units import command, compose, systemd
from tasks.errors import PipelineError
from tests.support.paths import PROJECT

W2V = Path(sys.executable).parent / "w2v"
# what `w2v up` says to its parts, what prefect.yaml says to flow runs, and the password of another command
OURS = units.NOT_WANTED | {
    "PREFECT_SERVER_API_AUTH_STRING", "PREFECT_SERVER_CORS_ALLOWED_ORIGINS", "PREFECT_UI_API_URL", "PREFECT_UI_ENABLED",
    "MLFLOW_AUTH_ADMIN_USERNAME", "MLFLOW_AUTH_ADMIN_PASSWORD", "MLFLOW_AUTH_CONFIG_PATH",
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION", "PREFECT_TASKS_DEFAULT_RETRIES", "PREFECT_TASKS_DEFAULT_RETRY_DELAY_SECONDS",
    "W2V_CONFIG", "W2V_SETTINGS", "W2V_SERVICE", "W2V_SERVE_PASSWORD",
    "W2V_TEXT", "W2V_PASSWORD",  # of the Compose file of a cluster
    "DISPLAY", "WAYLAND_DISPLAY",  # whether there is a browser
    "TMPDIR",  # each command sets it
    "PREFECT_API_KEY", "XDG_CACHE_HOME",  # of a server that `up` does not use; of where Matplotlib finds its fonts
}  # fmt: skip
VARIABLES = ("PREFECT_API_AUTH_STRING", "MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD")


OWN = {
    "PREFECT_API_AUTH_STRING": "w2v:own-prefect",
    "MLFLOW_TRACKING_USERNAME": "w2v",
    "MLFLOW_TRACKING_PASSWORD": "own-mlflow",
    "W2V_LINK_KEY": "key",
}


@pytest.fixture
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Service:
    for name in (*VARIABLES, "MLFLOW_SERVER_ALLOWED_HOSTS"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "ws" / "service").mkdir(parents=True)
    return Service(f"{tmp_path}/ws", f"{tmp_path}/it is.toml", ["name=50% $x"], prefect_port=4300, mlflow_port=5100)


def test_a_taken_port_is_named_with_who_is_in_the_way() -> None:
    """Before anything starts, the error names the process and another port."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        with pytest.raises(PipelineError, match=rf"process {os.getpid()} listens there(.|\n)*--mlflow-port {port + 1}"):
            check_ports("127.0.0.1", {"mlflow": port})


def test_an_address_of_another_machine_is_refused() -> None:
    """An address of the documentation network is refused; the machine's own are listed."""
    with pytest.raises(PipelineError, match=r"Name an address of this machine \(localhost, 127.0.0.1"):
        check_ports("203.0.113.1", {"prefect": 0})


def test_servers_of_ones_own_are_not_passed_by(tmp_path: Path) -> None:
    """If a Prefect server is named, `w2v up` says so without its password, and starts none."""
    own = os.environ | {"PREFECT_API_URL": "http://me:secret@prefect.example/api"}
    done = subprocess.run([W2V, "up"], cwd=tmp_path, env=own, capture_output=True, text=True)

    assert done.returncode == 1
    assert "a Prefect server of your own: http://…@prefect.example/api" in done.stderr
    assert not Place(tmp_path / "workspace").processes()


def test_both_servers_listen_on_loopback_unless_asked(service: Service) -> None:
    """Both servers answer only to this machine's names, wherever they listen."""
    mlflow = components(service, OWN)[1]
    with ExitStack() as stack:
        listening = [
            stack.enter_context(each)
            for each in supervisor.sockets(service._replace(prefect_port=0, mlflow_port=0)).values()
        ]
        assert {each.getsockname()[0] for each in listening} == {"127.0.0.1"}

    assert mlflow.command[mlflow.command.index("--allowed-hosts") + 1] == "localhost:5100,127.0.0.1:5100"

    exposed = components(service._replace(host="0.0.0.0"), OWN)[1]
    assert f"{socket.gethostname()}:5100" in exposed.command[exposed.command.index("--allowed-hosts") + 1].split(",")
    assert "*" not in " ".join(exposed.command)
    assert names("192.0.2.7") == ["localhost", "127.0.0.1", "192.0.2.7"]


def test_a_proxy_gives_the_servers_another_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy's names are allowed beside the machine's own, which have the port."""
    monkeypatch.setenv("W2V_ALLOWED_HOSTS", "vectors.example, other.example:8080")

    assert hosts("127.0.0.1", 4300) == ["localhost:4300", "127.0.0.1:4300", "vectors.example", "other.example:8080"]


def test_what_is_open_says_to_whom(service: Service) -> None:
    """The warning names who can reach the servers, and what they can do."""
    said = what_is_open("0.0.0.0", service.ports)

    assert "prefect  port 4300: anyone who can reach this machine and knows the password can start" in said


@pytest.mark.parametrize("given", [{}, {"PREFECT_API_AUTH_STRING": "boss:secret-password"}])
def test_nothing_is_exposed_without_passwords(tmp_path: Path, given: dict[str, str]) -> None:
    """Both the command and the unit are refused before anything starts, and the missing variables are named."""
    environment = {name: value for name, value in os.environ.items() if name not in VARIABLES} | given
    about = {"cwd": tmp_path, "env": environment, "capture_output": True, "text": True}
    unit = subprocess.run([W2V, "unit", "systemd", "--expose", "0.0.0.0"], check=True, **about).stdout
    line = next(line for line in unit.splitlines() if line.startswith("ExecStart="))

    for words in ([W2V, "up", "--expose", "0.0.0.0"], shlex.split(line.removeprefix("ExecStart="))):
        done = subprocess.run(words, **about)
        assert done.returncode == 2
        assert "--expose 0.0.0.0: the servers need passwords\nexpected  " in done.stderr
        assert ("no PREFECT_API_AUTH_STRING" in done.stderr) == (not given)
        assert "no MLFLOW_TRACKING_USERNAME and no MLFLOW_TRACKING_PASSWORD" in done.stderr
        assert "secret" not in done.stderr
    assert not Place(tmp_path / "workspace").processes()


def test_passwords_go_to_the_environment_of_the_server(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are not on the command line, which every user can read; half a pair is an error."""
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "battery-staple")
    with pytest.raises(PipelineError, match="belong together"):
        mlflow_passwords()
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "boss")
    own = {name: value for name, value in OWN.items() if name not in VARIABLES[1:]}
    prefect, mlflow, worker = components(service, own)

    assert mlflow.environment["MLFLOW_AUTH_ADMIN_PASSWORD"] == "battery-staple"
    assert json.loads(mlflow.environment["W2V_GUARD"])["lock"] == []  # MLflow asks its users itself
    assert json.loads(prefect.environment["W2V_GUARD"])["lock"] == ["w2v:own-prefect", "key"]
    assert worker.environment["PREFECT_API_AUTH_STRING"] == "w2v:own-prefect"
    assert "key" not in worker.environment.values()
    assert not [word for part in (prefect, mlflow, worker) for word in part.command if "own-" in word]
    assert "battery-staple" not in " ".join(mlflow.command)
    monkeypatch.setenv("PREFECT_API_AUTH_STRING", "no name")
    with pytest.raises(PipelineError, match="NAME:PASSWORD"):
        prefect_password()


def test_who_keeps_dying_is_started_ever_later(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """The delay doubles each time, and the state has how the process ended."""
    for module in (supervised, supervisor):
        monkeypatch.setattr(module, "SOON", 0.2)
    state = State("", "", os.getpid(), 0.0, [])
    place = Place(Path(service.workspace))
    part = Component("worker", [sys.executable, "-c", "raise SystemExit(3)"], {})
    kept = Supervised(part, place, state, service.patience)
    starts = [time.monotonic()]
    kept.start()
    while len(starts) < 4:
        kept.look_after()
        if state.lives["worker"].starts > len(starts):
            starts.append(time.monotonic())
        time.sleep(0.01)

    assert state.lives["worker"].ended == "ended with exit code 3"
    assert kept._delay == 1.6
    assert starts[3] - starts[2] > 1.6
    kept.stop()


@pytest.mark.parametrize(
    ("says", "code"), [("OperationalError: database is locked", 0), ("OperationalError: no such table", 1)]
)
def test_a_server_whose_database_is_locked_is_started_again(
    says: str, code: int, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is restarted until it works, with the cause in the state; another cause is an error."""
    for module in (supervised, supervisor):
        monkeypatch.setattr(module, "SOON", 0.2)
    monkeypatch.setattr(Supervised, "answers", lambda kept: kept.name == "worker" or state.lives["prefect"].starts > 2)
    state, place = State("", "", os.getpid(), 0.0, []), Place(Path(service.workspace))
    dying = Component("prefect", [sys.executable, "-c", f"print({says!r}); print('[SQL: …]'); raise SystemExit(3)"], {})
    with socket.create_server(("127.0.0.1", 0)) as door:
        server = Supervised(dying, place, state, service.patience, door)
        worker = Supervised(Component("worker", ["sleep", "60"], {}), place, state, service.patience)
        try:
            if code:
                with pytest.raises(PipelineError, match=r"prefect does not start: ended with exit code 3$"):
                    supervisor._start([server, worker], threading.Event())
            else:
                supervisor._start([server, worker], threading.Event())
                assert state.lives["prefect"].starts == 3
                said = "ended with exit code 3: its database is locked by another process"
                assert state.lives["prefect"].ended == said
        finally:
            worker.stop()
            server.stop()


def test_who_does_not_end_when_asked_is_killed_with_all_it_has_started(service: Service) -> None:
    """A process that leaves a child behind is killed with it."""
    code = "import subprocess, sys; subprocess.Popen(['sleep', '60']); print('there', flush=True); sys.stdin.read()"
    state = State("", "", os.getpid(), 0.0, [])
    place = Place(Path(service.workspace))
    part = Component("worker", [sys.executable, "-c", f"{code}; input()"], {})
    kept = Supervised(part, place, state, service.patience)
    kept.start()
    while len(place.processes()) < 1:
        time.sleep(0.01)
    os.kill(state.lives["worker"].pid, signal.SIGKILL)
    while not kept.ended:
        time.sleep(0.01)
    kept.stop()

    assert not place.processes()


def test_a_time_is_told_with_its_zone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Times have the machine's zone, in winter and in summer."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "Europe/Berlin")
        time.tzset()
        told = clock(1_795_288_320), clock(1_782_065_520)
    time.tzset()

    assert told == ("2026-11-21 20:12 CET", "2026-06-21 20:12 CEST")


def test_systemd_gets_the_command_that_is_tested(service: Service, tmp_path: Path) -> None:
    """systemd accepts the unit, if it is installed, and its special characters are doubled."""
    unit = tmp_path / "w2v.service"
    unit.write_text(systemd(service))
    line = next(line for line in unit.read_text().splitlines() if line.startswith("ExecStart="))

    assert shlex.split(line.removeprefix("ExecStart=").replace("%%", "%").replace("$$", "$")) == [
        str(W2V), *command(service)
    ]  # fmt: skip
    assert command(service)[:5] == ["up", service.config, "--foreground", "--set", "name=50% $x"]
    if verifier := shutil.which("systemd-analyze"):
        environment = os.environ | {"XDG_RUNTIME_DIR": str(tmp_path)}
        done = subprocess.run([verifier, "--user", "verify", unit], env=environment, capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (0, "")


def test_compose_gets_the_same_command(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file has the names of passwords, not their values, and says that it is not tested with Compose."""
    monkeypatch.setenv("PREFECT_API_AUTH_STRING", "boss:secret")
    text = compose(service)
    described = yaml.safe_load(text)["services"]["w2v"]

    assert [word.replace("$$", "$") for word in described["command"]] == ["w2v", *command(service)]
    assert described["healthcheck"]["test"][1].endswith(">/dev/null")  # it would keep the links of `w2v status`
    assert described["network_mode"] == "host"
    assert set(VARIABLES) <= set(described["environment"])
    assert len(described["environment"]) == len(set(described["environment"]))
    assert "secret" not in text
    assert "Not tested with Compose" in text


def told_to_set() -> set[str]:
    """Return the variables of Prefect, MLflow, S3 and ours in the documentation and the code."""
    docs = "".join(page.read_text() for page in [PROJECT / "README.md", *(PROJECT / "docs").glob("how-to/*.md")])
    code = "".join(file.read_text() for room in ("flows", "tasks") for file in (PROJECT / room).rglob("*.py"))
    asked = re.findall(r'environ(?:\.get)?[\[(]"(\w+)"|"(W2V_[A-Z_]+)"', code)
    return {*re.findall(r"\b(?:W2V|MLFLOW|PREFECT|AWS)_[A-Z_]+[A-Z]\b", docs), *(a or b for a, b in asked)}


def test_units_pass_what_the_documentation_says_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """Units pass each variable that `w2v up` does not set itself, the webhook's by its name, and proxies' in either
    case.
    """
    monkeypatch.setenv("PREFECT_SERVER_UI_STATIC_DIRECTORY", "/srv/ui")
    passed = units.variables("MY_WEBHOOK")
    proxies = {f"{kind}_proxy" for kind in ("http", "https", "no")}

    assert told_to_set() - OURS <= {*passed, "W2V_WEBHOOK"}
    assert {"MY_WEBHOOK", "PREFECT_SERVER_UI_STATIC_DIRECTORY", "TZ"} <= set(passed)
    assert proxies | {name.upper() for name in proxies} <= set(passed)
    assert not units.NOT_WANTED & set(passed)


def test_systemd_says_what_to_write_down(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """The unit lists the names, not the values, of variables set in the shell, which the service will lack."""
    monkeypatch.setenv("W2V_WEBHOOK", "https://hooks.example.org/horse")
    text = systemd(service)

    assert re.search(r"# Set when this file was made: .*\bW2V_WEBHOOK\b", text)
    assert "horse" not in text


def test_what_a_killed_worker_has_written_is_swept(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """Prefect's worker writes flow runs' environments into the service's temporary folder: deleted when the worker is
    restarted; the rest after `w2v down`.
    """
    place = Place(Path(service.workspace))
    left = place.temporary / "prefect-workspace-attempt-x" / "workspace.json"
    left.parent.mkdir(parents=True)
    left.write_text("horse-battery")
    (place.temporary / "of-a-flow-run-at-work").touch()
    say = Component("worker", [sys.executable, "-c", "import tempfile; print(tempfile.gettempdir())"], {})
    kept = Supervised(say, place, State("http://127.0.0.1:1", "http://127.0.0.1:1", 0, 0, []), 1)
    monkeypatch.setattr(kept, "_copy", lambda process, copied: None)
    kept.start()
    assert kept._process
    with kept._process as process:
        said, _ = process.communicate()

    assert said.strip() == str(place.temporary)
    assert place.temporary.stat().st_mode & 0o077 == 0
    assert [path.name for path in place.temporary.iterdir()] == ["of-a-flow-run-at-work"]
    control.down(place.folder.parent)
    assert not place.temporary.exists()


def test_a_workspace_that_was_moved_under_its_service_is_told(tmp_path: Path) -> None:
    """The servers have the old paths, so they are not used, unless it is the same folder by another name."""
    place = Place(tmp_path)
    us = psutil.Process()
    addresses = "http://127.0.0.1:4200", "http://127.0.0.1:5000"
    (tmp_path.parent / "link").symlink_to(tmp_path)
    with place.lock:
        for known in ("", str(tmp_path), str(tmp_path.parent / "link")):
            assert place.former(State(*addresses, us.pid, us.create_time(), [], workspace=known)) is None
        place.write(State(*addresses, us.pid, us.create_time(), [], ready=True, workspace="/nowhere/ws"))
        with pytest.raises(PipelineError, match=r"was moved.*\nexpected  /nowhere/ws, where the service was started"):
            join(tmp_path)


def test_mlflow_keeps_its_users_in_the_folder(tmp_path: Path) -> None:
    """This also works for folders whose name has special characters in INI files and addresses."""
    folder = tmp_path / "100%25 a?b=c#d"
    folder.mkdir()
    settings = configparser.ConfigParser()
    settings.read(keep_users(folder)["MLFLOW_AUTH_CONFIG_PATH"])
    engine = create_engine(settings["mlflow"]["database_uri"])
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE users (id INTEGER)"))
    engine.dispose()

    assert {path.name for path in folder.iterdir()} == {"mlflow-auth.ini", "mlflow-auth.db"}
    assert list(tmp_path.iterdir()) == [folder]
