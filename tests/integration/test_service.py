"""`w2v up` with real servers: start, status, kill, restart, stop."""

import os
import re
import shlex
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from mlflow import MlflowClient

from configs.loading import load
from flows.service.state import Place
from tests.support.servers import files_below, free_port, until

W2V = Path(sys.executable).parent / "w2v"
# told to the servers by the environment, and to be found nowhere else
SECRETS = {"PREFECT_API_AUTH_STRING": "boss:horse-battery-1", "MLFLOW_TRACKING_PASSWORD": "staple-battery-2"}
PASSWORDS = {**SECRETS, "MLFLOW_TRACKING_USERNAME": "boss"}
OWN = ("PREFECT_HOME", "PREFECT_API_URL", "MLFLOW_TRACKING_URI", *PASSWORDS)
PATIENCE = 10  # seconds
SLOW = ["training.batch_size=1", "training.epochs=500"]
CHECKPOINTS = "store/training/*/checkpoints/*/state.json"


class Box:
    """A folder with an experiment and a workspace, and `w2v` there, with or without passwords."""

    passwords = PASSWORDS

    def __init__(self, folder: Path, corpus: Path) -> None:
        self.folder, self.workspace = folder, folder / "ws"
        self.place = Place(self.workspace)
        self.prefect, self.mlflow = free_port(), free_port()
        self.ports = ["--prefect-port", str(self.prefect), "--mlflow-port", str(self.mlflow)]
        self.said = ""
        self.service: subprocess.Popen[bytes] | None = None  # when the command of the unit runs it
        (folder / "topics.toml").write_text(
            f'name = "topics"\n[ingestion]\nsource = "{corpus}"\ntext_documents = "line"\n'
            "[vocabulary]\nmin_count = 1\nsubsample = 0.0\n"
            "[training]\nvector_size = 8\nepochs = 3\nbatch_size = 32\ndamping = 0.5\n"
            '[runtime]\nworkspace = "ws"\ncheckpoint_interval = 0.5\n'
        )

    @property
    def environment(self) -> dict[str, str]:
        return {name: value for name, value in os.environ.items() if name not in OWN} | self.passwords

    def w2v(self, *words: str, code: int = 0, **environment: str) -> str:
        done = subprocess.run(
            [W2V, *words], cwd=self.folder, env=self.environment | environment, capture_output=True, text=True
        )
        self.said += done.stdout + done.stderr

        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    def status(self, code: int = 0) -> str:
        return self.w2v("status", "--workspace", "ws", code=code)

    def is_up(self) -> bool:
        done = subprocess.run(
            [W2V, "status", "--workspace", "ws"], cwd=self.folder, env=self.environment, capture_output=True
        )
        return done.returncode == 0

    def ask(self, path: str, **wanted: Any) -> Any:
        """Return an answer of the Prefect server."""
        auth = tuple(SECRETS["PREFECT_API_AUTH_STRING"].split(":"))
        place = f"http://127.0.0.1:{self.prefect}/api/{path}"
        answer = httpx.post(place, json=wanted, auth=auth) if wanted else httpx.get(place, auth=auth)
        return answer.raise_for_status().json()

    def run_deployed(self, config: dict[str, Any]) -> str:
        """Let the worker retrain; return the flow run's id."""
        deployment = self.ask("deployments/name/retrain/topics")["id"]
        parameters = {"config": config}
        return str(self.ask(f"deployments/{deployment}/create_flow_run", parameters=parameters)["id"])

    def holding(self, secrets: dict[str, str]) -> list[Path]:
        """Return the files, in the workspace or temporary, that contain a password."""
        passwords = [secret.split(":")[-1].encode() for secret in secrets.values()]
        places = [self.workspace, *Path(tempfile.gettempdir()).glob("*prefect*")]
        files = {path: content for place in places for path, content in files_below(place).items()}
        return [path for path, content in files.items() if any(password in content for password in passwords)]

    def runs(self) -> list[tuple[str, str]]:
        records = MlflowClient(f"sqlite:///{self.workspace}/mlflow.db").search_runs(["1"])
        return [(record.info.run_id, record.info.status) for record in records]


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory, corpus: Path) -> Iterator[Box]:
    box = Box(tmp_path_factory.mktemp("box"), corpus)
    try:
        box.w2v("up", "topics.toml", *box.ports)
        yield box
    finally:
        for process in box.place.processes():
            process.kill()
        if state := box.place.state:
            os.kill(state.pid, signal.SIGKILL)


def test_up_names_the_addresses_and_starts_nothing_twice(box: Box) -> None:
    """Both pages answer when it returns; a second `w2v up` says that the service is up."""
    before = box.place.state

    again = box.w2v("up", "topics.toml", *box.ports)
    assert f"http://127.0.0.1:{box.prefect}" in box.said
    assert f"http://127.0.0.1:{box.mlflow}/" in again.split()
    assert "already up, since" in again
    assert box.place.state == before


def test_status_says_what_runs_and_what_comes(box: Box) -> None:
    """It lists three parts and the time of the next retraining, with its engine."""
    said = box.status()

    assert [line.split()[:2] for line in said.splitlines()[1:4]] == [["✓", "prefect"], ["✓", "mlflow"], ["✓", "worker"]]
    assert re.match(r"up since [\d-]+ \d\d:\d\d \w+\n", said)
    assert re.search(r"next run  [\d-]+ \d\d:\d\d \w+  retrain\nengine    \d+ \w+ at the preparation of the text", said)


def test_both_servers_ask_for_a_password(box: Box) -> None:
    """401 without a password and with a wrong one, 200 with the right one."""
    prefect = f"http://127.0.0.1:{box.prefect}/api/deployments/filter"
    mlflow = f"http://127.0.0.1:{box.mlflow}/api/2.0/mlflow/experiments/search"
    name, prefect_password = SECRETS["PREFECT_API_AUTH_STRING"].split(":")

    for address, password in {prefect: prefect_password, mlflow: SECRETS["MLFLOW_TRACKING_PASSWORD"]}.items():
        asked = [httpx.post(address, json={"max_results": 1}, auth=auth).status_code for auth in (None, (name, "no"))]
        answer = httpx.post(address, json={"max_results": 1}, auth=(name, password))

        assert asked == [401, 401]
        assert answer.status_code == 200
    assert "set PREFECT_API_AUTH_STRING" in box.w2v("status", "--workspace", "ws", code=1, PREFECT_API_AUTH_STRING="")
    refused = box.w2v("retrain", "topics.toml", code=1, MLFLOW_TRACKING_PASSWORD="")
    assert "needs a password\nSet MLFLOW_TRACKING_PASSWORD" in refused


def test_a_page_from_elsewhere_is_refused(box: Box) -> None:
    """MLflow answers only to its own names, and Prefect refuses foreign pages in the browser."""
    foreign = {"Origin": "http://elsewhere.example", "Access-Control-Request-Method": "POST"}

    mlflow = httpx.get(f"http://127.0.0.1:{box.mlflow}/", headers={"Host": "elsewhere.example"})
    prefect = httpx.options(f"http://127.0.0.1:{box.prefect}/api/deployments/filter", headers=foreign)
    assert mlflow.status_code == 403
    assert "access-control-allow-origin" not in prefect.headers


def test_commands_and_the_worker_use_its_servers(box: Box) -> None:
    """A command makes a run and the worker reuses it; no password is in any file or output, nor one in an address."""
    mlflow = f"http://boss:{SECRETS['MLFLOW_TRACKING_PASSWORD']}@127.0.0.1:{box.mlflow}"
    said = box.w2v("retrain", "topics.toml", MLFLOW_TRACKING_URI=mlflow)
    ((run, status),) = box.runs()
    assert status == "FINISHED"
    assert f"MLflow run   {run}  in http://…@127.0.0.1:{box.mlflow}" in said
    assert f"MLflow run   {run}  in http://127.0.0.1:{box.mlflow}" in box.w2v("retrain", "topics.toml")

    config = load(box.folder / "topics.toml", [f"runtime.workspace={box.workspace}"]).model_dump(mode="json")
    flow_run = box.run_deployed(config)
    until(lambda: box.ask(f"flow_runs/{flow_run}")["state"]["type"] == "COMPLETED")
    assert box.runs() == [(run, "FINISHED")]
    assert box.status().count("Completed") == 3

    assert {"mlflow.db", "prefect.db", "log"} <= {path.name for path in files_below(box.workspace)}
    until(lambda: not box.holding(SECRETS))  # the worker's file of its environment goes with the flow run's process
    assert not [secret for secret in SECRETS.values() if secret.split(":")[-1] in box.said]


def test_open_names_the_pages_of_a_run(box: Box) -> None:
    """Without a browser the pages of a run are printed: the service's, which answer a browser, of this very run."""
    ((run, _),) = box.runs()
    pages = dict(re.findall(r"^(mlflow|prefect) +(\S+)$", box.w2v("open", run[:8], "--workspace", "ws"), re.MULTILINE))
    flow_run = pages["prefect"].partition("?")[0].rpartition("/")[2]

    assert pages["mlflow"].startswith(f"http://127.0.0.1:{box.mlflow}/#/experiments/1/runs/{run}")
    assert pages["prefect"].startswith(f"http://127.0.0.1:{box.prefect}/runs/flow-run/")
    assert box.ask(f"flow_runs/{flow_run}")["labels"]["mlflow.run_id"] == run
    for page in pages.values():
        auth = ("boss", SECRETS["MLFLOW_TRACKING_PASSWORD"]) if str(box.mlflow) in page else None
        browser = {"Accept": "text/html"}  # else Prefect's server takes it for a program
        assert httpx.get(page, auth=auth, headers=browser, follow_redirects=True).status_code == 200


def has_ended(process: psutil.Process) -> bool:
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_what_is_killed_comes_back(box: Box) -> None:
    """MLflow's server is restarted after SIGKILL, status shows that, and its port stays ours meanwhile."""
    killed = box.place.state.lives["mlflow"].pid
    group = [psutil.Process(killed), *psutil.Process(killed).children(recursive=True)]
    os.killpg(killed, signal.SIGKILL)
    until(lambda: all(has_ended(process) for process in group))
    for _ in range(10):  # the killed server's own hold ends a moment after it
        with pytest.raises(OSError, match="in use"):  # another account would be sent passwords there
            socket.create_server(("127.0.0.1", box.mlflow))
        time.sleep(0.05)
    until(lambda: (state := box.place.state) and state.lives["mlflow"].pid not in (0, killed))

    until(box.is_up)
    assert "killed by signal 9; restarted 1 ×" in box.status()
    assert box.place.state.lives["mlflow"].pid != killed


@pytest.mark.long
def test_after_a_crash_systemd_starts_it_again(box: Box) -> None:
    """Everything is killed at once during a flow run, as by a power cut. The unit's command starts in spite of
    leftovers, and deletes the passwords that Prefect's worker left in temporary files.
    """
    slow = [*SLOW, f"runtime.workspace={box.workspace}"]
    flow_run = box.run_deployed(load(box.folder / "topics.toml", slow).model_dump(mode="json"))
    until(lambda: list(box.workspace.glob(CHECKPOINTS)))
    state = box.place.state
    for process in [*box.place.processes(), state.process]:
        process.kill()
    until(lambda: not box.place.held)
    box.status(code=1)
    assert [path for path in box.holding(SECRETS) if path.is_relative_to(box.place.temporary)]

    unit = box.w2v("unit", "systemd", "topics.toml", *box.ports, "--patience", str(PATIENCE))
    command = next(line for line in unit.splitlines() if line.startswith("ExecStart=")).removeprefix("ExecStart=")
    with (box.folder / "journal").open("wb") as journal:
        box.service = subprocess.Popen(
            shlex.split(command), cwd=box.folder, env=box.environment, stdout=journal, stderr=journal
        )

    until(box.is_up)
    until(lambda: not box.holding(SECRETS))
    box.ask(f"flow_runs/{flow_run}/set_state", state={"type": "CANCELLED"}, force=True)  # else no other one may start


@pytest.mark.long
def test_what_hangs_comes_back(box: Box) -> None:
    """A Prefect server that is stopped for seconds is left alone; one that stays stopped is restarted, and the worker,
    which is judged through it, is left alone.
    """
    hung, worker = (box.place.state.lives[name].pid for name in ("prefect", "worker"))
    os.killpg(hung, signal.SIGSTOP)
    time.sleep(PATIENCE / 3)
    os.killpg(hung, signal.SIGCONT)
    until(box.is_up)
    assert box.place.state.lives["prefect"].pid == hung

    os.killpg(hung, signal.SIGSTOP)
    until(lambda: box.place.state.lives["prefect"].pid not in (0, hung))
    until(box.is_up)
    assert re.search(r"process \d+ since .*, no answer for \d+ s; restarted 1 ×  http", box.status())
    assert re.search(r"prefect: no answer for \d+ s, to be restarted in \d+ s", box.place.log.read_text())
    assert box.place.state.lives["worker"].pid == worker
    assert not psutil.pid_exists(hung)


def test_down_stops_a_training_with_a_checkpoint(box: Box) -> None:
    """Afterwards there is no process, and no file that says that there is one."""
    slow = [*SLOW, "seed=2", f"runtime.workspace={box.workspace}"]
    checkpoints = len(list(box.workspace.glob(CHECKPOINTS)))
    flow_run = box.run_deployed(load(box.folder / "topics.toml", slow).model_dump(mode="json"))
    until(lambda: len(list(box.workspace.glob(CHECKPOINTS))) > checkpoints)
    box.w2v("down", "--workspace", "ws")

    if box.service:  # the long test of systemd's unit has started it again
        assert box.service.wait(5) == 0
    assert not box.place.processes()
    assert {path.name for path in box.place.folder.iterdir()} == {
        ".lock",
        "environment",
        "log",
        "mlflow-auth.db",
        "mlflow-auth.ini",
    }
    assert {status for _, status in box.runs()} == {"FINISHED", "KILLED"}
    with closing(sqlite3.connect(box.workspace / "prefect" / "prefect.db")) as database:
        ((state, message),) = database.execute(
            "SELECT name, message FROM flow_run_state WHERE flow_run_id = ? ORDER BY timestamp DESC LIMIT 1", [flow_run]
        )
    assert state == "Cancelled"
    assert message.startswith("Stopped by Ctrl-C, SIGTERM or a closed terminal. `prefect deployment run --id ")
    assert list(box.workspace.glob(CHECKPOINTS))
    assert "not up" in box.w2v("down", "--workspace", "ws")


def test_what_it_has_made_is_found_without_it(box: Box) -> None:
    """After `w2v down`, the same retraining finds the same run in the database."""
    said = box.w2v("retrain", "topics.toml")

    assert f"MLflow run   {box.runs()[-1][0]}  in sqlite://" in said  # the oldest of them
