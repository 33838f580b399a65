"""All servers without passwords of the user: attacked from a browser and by another account, and used by their user.

tests/integration/test_browser_attacks.py shows that each attack would succeed without the guard.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import httpx
import psutil
import pytest

from flows.access import credentials, strangers
from flows.service.state import ATTEMPTS
from tests.integration.test_service import W2V, Box, until
from tests.support.attacks import WAYS, attack, elsewhere
from tests.support.browser import MISSING, Browser, browser
from tests.support.servers import files_below, free_port, idle
from tests.support.webhook import Webhook, listening

NOBODY = 65534
PATIENT: dict[str, Any] = {"timeout": 120}
AUTOMATION = json.dumps(
    {
        "name": "attack",
        "trigger": {"type": "event", "posture": "Reactive", "expect": ["x"], "threshold": 1, "within": 0},
        "actions": [{"type": "do-nothing"}],
    }
)
EXPERIMENT = json.dumps({"name": "attack"})
seen = pytest.mark.skipif(bool(MISSING), reason=MISSING)


class Locked(Box):
    """A running service whose user has set no password."""

    passwords: ClassVar[dict[str, str]] = {}

    @property
    def own(self) -> dict[str, str]:
        return credentials.read(self.place.folder)

    def auth(self, server: str) -> tuple[str, str]:
        name, _, password = credentials.lock(server, self.own).credential.partition(":")
        return name, password

    def address(self, server: str) -> str:
        return f"http://127.0.0.1:{self.ports_of[server]}"

    @property
    def ports_of(self) -> dict[str, int]:
        return {"prefect": self.prefect, "mlflow": self.mlflow}

    def count(self) -> tuple[int, int]:
        """Return the number of automations, and of experiments with the attacker's name."""
        automations = httpx.post(
            f"{self.address('prefect')}/api/automations/count", json={}, auth=self.auth("prefect"), **PATIENT
        )
        search = f"{self.address('mlflow')}/api/2.0/mlflow/experiments/search"
        found = (
            httpx.post(search, json={"max_results": 100}, auth=self.auth("mlflow"), **PATIENT).raise_for_status().json()
        )
        attacks = [each for each in found.get("experiments", []) if each["name"] == "attack"]
        return int(automations.raise_for_status().json()), len(attacks)


@pytest.fixture(scope="module")
def box(corpus: Path) -> Iterator[Locked]:
    """A running service with one run, in a folder that every account can enter, made with an open umask."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    box = Locked(folder, corpus)
    before = os.umask(0)
    try:
        (box.workspace / "prefect").mkdir(parents=True)
        (box.workspace / "service").mkdir()
        box.w2v("up", "topics.toml", *box.ports)
        box.w2v("retrain", "topics.toml")
        yield box
    finally:
        os.umask(before)
        state = box.place.state
        for process in [*box.place.processes(), *([state.process] if state else [])]:
            process.kill()
        shutil.rmtree(folder)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser() as opened:
        yield opened


@pytest.fixture(scope="module")
def links(box: Locked) -> dict[str, str]:
    """Return the links that `w2v status` prints."""
    words = box.status().split()
    return {name: _after(words, name) for name in ("prefect", "mlflow")}


def _after(words: list[str], name: str) -> str:
    return next(word for word in words[words.index(name) :] if word.startswith("http"))


def shown(chromium: Browser, page: str, text: str, seconds: float = 120) -> str:
    """Return the text of the page once it has the expected one."""
    chromium.open(page)
    until(lambda: text in str(chromium.run("return document.body.innerText")), seconds)
    return str(chromium.run("return document.body.innerText"))


@seen
def test_the_links_open_the_pages(box: Locked, links: dict[str, str], chromium: Browser) -> None:
    """Prefect's runs with their live socket and MLflow's table work; no secret stays in an address; links between them
    work.
    """
    (run,) = {run for run, _ in box.runs()}
    chromium.open(f"{box.address('prefect')}/runs")
    assert "Runs" not in str(chromium.run("return document.body.innerText"))
    shown(chromium, links["prefect"], "Flow Runs")
    assert "w2v=" not in chromium.address
    shown(chromium, f"{box.address('prefect')}/runs", "vectors from")
    socket = f"ws://127.0.0.1:{box.prefect}/api/events/out"
    opened = chromium.wait(
        f"const socket = new WebSocket({socket!r}, 'prefect'); socket.onclose = () => done('closed');"
        "socket.onopen = () => socket.send(JSON.stringify({type: 'auth', token: null}));"
        "socket.onmessage = said => done(said.data)"
    )
    assert json.loads(opened)["type"] == "auth_success"

    shown(chromium, links["mlflow"], "word2vec")  # the experiment
    assert "w2v=" not in chromium.address
    chromium.open(f"{box.address('prefect')}/runs")
    chromium.run(f"location = {box.address('mlflow') + '/#/experiments/1/runs/' + run!r}")
    until(lambda: "loss/held_out" in str(chromium.run("return document.body.innerText")), 120)


@seen
def test_mlflow_opens_on_the_table_of_runs(box: Locked, links: dict[str, str], chromium: Browser) -> None:
    """It has a column for the scores, in the face for training models, also at an address without our view; neither the
    assistant nor a note about telemetry greets first.
    """
    chromium.open(links["mlflow"])
    chromium.open(f"{box.address('mlflow')}/health")  # has no script of MLflow's, which would store what it shows
    chromium.run("localStorage.clear()")
    first = shown(chromium, f"{box.address('mlflow')}/", "loss/held_out")
    opened = chromium.address
    chromium.open("about:blank")  # otherwise only the fragment of the address would change
    bare = shown(chromium, f"{box.address('mlflow')}/#/experiments/1/runs", "topics")
    assistant = chromium.run("return document.querySelectorAll('textarea[placeholder^=\"Ask a question\"]').length")

    assert "/#/experiments/1/runs?viewStateShareKey=scores&workflowType=machine_learning" in opened
    for text in (first, bare):
        assert "Model registry" in text
        assert "Judges" not in text  # is in the face for GenAI
        assert "telemetry" not in text.lower()
    assert not assistant


@seen
def test_a_foreign_page_changes_nothing(box: Locked, links: dict[str, str], chromium: Browser) -> None:
    """It changes nothing and opens no socket, though the browser is logged in; DNS rebinding is refused."""
    for link in links.values():
        chromium.open(link)
    with elsewhere() as pages:
        for page in pages:
            said = attack(chromium, page, box.address("prefect"), "/api/automations/", AUTOMATION)
            assert set(said) == set(WAYS)
            assert said["socket"] == "refused"
            socket = attack(chromium, page, box.address("prefect"), "/api/events/in", AUTOMATION)["socket"]
            assert socket == "refused"
            attack(chromium, page, box.address("mlflow"), "/api/2.0/mlflow/experiments/create", EXPERIMENT)
    for port in box.ports_of.values():
        chromium.open(f"http://rebound.example:{port}/")
        assert "does not answer to that name" in str(chromium.run("return document.body.innerText"))
        assert chromium.wait("fetch('/api/automations/count', {method: 'POST'}).then(said => done(said.status))") == 403

    assert box.count() == (0, 0)
    post = {"content": AUTOMATION, "auth": box.auth("prefect"), **PATIENT}
    made = httpx.post(f"{box.address('prefect')}/api/automations/", **post).raise_for_status().json()["id"]
    assert box.count() == (1, 0)  # so the attack's body is one that Prefect takes, even without a type
    httpx.delete(
        f"{box.address('prefect')}/api/automations/{made}", auth=box.auth("prefect"), **PATIENT
    ).raise_for_status()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another account")
def test_another_account_of_the_machine_gets_nothing(box: Locked) -> None:
    """Another account gets no file, no answer, and no secret from the list of processes."""
    (box.workspace / "for-all").write_text("")
    files = list(files_below(box.workspace))
    known = [file for file in files if file.parent.name in ("service", "prefect") or file.name.startswith("mlflow.db")]
    processes = [process.pid for process in box.place.processes()]
    addresses = [box.address(each) + "/api/2.0/mlflow/experiments/search" for each in box.ports_of]
    looking = f"""
import encodings.idna, json, os, urllib.error, urllib.request  # all that is loaded later, too
os.setgroups([]); os.setresgid(*3 * [{NOBODY}]); os.setresuid(*3 * [{NOBODY}])
def can(path):
    try: open(path, "rb").close(); return True
    except OSError: return False
def status(address):
    try: return urllib.request.urlopen(urllib.request.Request(address, b"{{}}")).status
    except urllib.error.HTTPError as error: return error.code
print(json.dumps([
    [path for path in {list(map(str, known))} if can(path)],
    [pid for pid in {processes} if can(f"/proc/{{pid}}/environ")],
    can({str(box.workspace / "for-all")!r}),
    [status(address) for address in {addresses}]
]))"""
    done = subprocess.run([sys.executable, "-I", "-c", looking], cwd="/", capture_output=True, text=True)
    assert done.returncode == 0, done.stderr

    names = {file.name for file in known}
    assert {credentials.FILE, "state.json", "log", "mlflow.db", "prefect.db", "prefect.db-wal"} <= names
    assert json.loads(done.stdout) == [[], [], True, [401, 401]]
    words = [value for name, value in box.own.items() if name != "MLFLOW_TRACKING_USERNAME"]
    lines = "\n".join(" ".join(psutil.Process(pid).cmdline()) for pid in processes)
    assert len(processes) >= 4
    assert not [word for word in words if word.rpartition(":")[2] in lines]


def test_no_secret_is_in_another_file_or_output(box: Locked) -> None:
    """Databases, log and deployments have no secret; the printed links have no password."""
    words = [value.rpartition(":")[2] for name, value in box.own.items() if name != "MLFLOW_TRACKING_USERNAME"]
    below = files_below(box.workspace)
    at_work = {path for path in below if path.match(f"{ATTEMPTS}/workspace.json")}  # of a flow run, as long as it lasts
    files = {path: text for path, text in below.items() if path not in at_work}
    content = {path.name: text for path, text in files.items() if any(word.encode() in text for word in words)}
    tokens = [_after(box.status().split(), name).partition("w2v=")[2].partition("#")[0] for name in box.ports_of]

    assert list(content) == [credentials.FILE]
    assert {mode for path in at_work for mode in modes(path)} <= {0o600}
    assert not [word for word in words if word in box.said]
    assert [len(token) for token in tokens] == [32, 32]
    assert not [path for path, text in files.items() if any(token.encode() in text for token in tokens)]


def modes(path: Path) -> list[int]:
    """Return the modes of files; None for a file that is gone by now."""
    try:
        return [path.stat().st_mode & 0o777]
    except FileNotFoundError:
        return []


def test_a_shell_and_the_worker_use_the_servers(box: Locked) -> None:
    """`prefect` works with the file of credentials; the worker has them too, and reuses the run made above."""
    script = f". {box.place.folder / credentials.FILE} && {W2V.parent / 'prefect'} deployment run retrain/topics"
    about: dict[str, Any] = {"env": box.environment, "capture_output": True, "text": True}
    done = subprocess.run(["sh", "-c", script], cwd=box.folder, **about)
    assert done.returncode == 0, done.stderr
    until(lambda: box.status().count("Completed") == 2, 600)

    assert [status for _, status in box.runs()] == ["FINISHED"]


@pytest.mark.long  # test_strangers.py has a smaller one
@pytest.mark.parametrize("number", [2_000, 9_000])
def test_idle_connections_of_others_starve_nobody(box: Locked, number: int) -> None:
    """With many idle connections to each server, commands, the worker and the supervisor are still served."""
    before = {name: life.pid for name, life in box.place.state.lives.items()}
    with idle(box.prefect, number), idle(box.mlflow, number):
        assert box.status().count("✓") >= 3
        assert f"MLflow run   {box.runs()[0][0]}" in box.w2v("retrain", "topics.toml")
        parts = [psutil.Process(pid) for pid in before.values()]  # MLflow's server is the child of one
        held = [each.num_fds() for part in parts for each in (part, *part.children(recursive=True))]

    assert {name: life.pid for name, life in box.place.state.lives.items()} == before
    assert max(held) < strangers.WAITING + 300
    assert "system resource" not in box.place.log.read_text()


def test_alarms_are_set_on_the_locked_server(box: Locked) -> None:
    """`w2v alarms` finds the service's own credentials, and the webhook receives the test message."""
    with listening(Webhook()) as webhook:
        said = box.w2v("alarms", "topics.toml", W2V_WEBHOOK=webhook.address)

    assert [message["title"] for message in webhook.heard] == ["topics: a test"]
    assert said.count("✓ automation") == box.count()[0] == 2


def test_ui_of_a_service_is_its_link(box: Locked, links: dict[str, str]) -> None:
    """`w2v ui` prints the service's link and starts no second server."""
    assert links["mlflow"] in box.w2v("ui", "--workspace", "ws")


@contextmanager
def started(words: list[str | Path], folder: Path, environment: dict[str, str]) -> Iterator[str]:
    """Start a command, wait for its first line and yield it; then end all that it has started."""
    with subprocess.Popen(
        words, cwd=folder, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        assert process.stdin
        try:
            yield process.stdout.readline()
        finally:
            process.stdin.close()
            process.terminate()
            process.wait(60)


@pytest.mark.long
@seen
def test_the_temporary_server_and_ui_are_locked_too(box: Locked, database: Path, chromium: Browser) -> None:
    """The same attacks on servers that last as long as one command."""
    folder = Path(tempfile.mkdtemp(dir=box.folder))
    (folder / "ws").mkdir()
    shutil.copy(database, folder / "ws" / "mlflow.db")
    about = box.environment | {"PREFECT_HOME": str(folder / "prefect")}
    code = (
        "import os, sys; from flows.servers import ephemeral as temporary; temporary.ensure_server();"
        "print(os.environ['PREFECT_API_URL'], os.environ['PREFECT_API_AUTH_STRING'], flush=True); sys.stdin.read()"
    )
    ui = [W2V, "ui", "--workspace", "ws", "--port", str(free_port())]
    with (
        started(ui, folder, about) as said,
        started([sys.executable, "-c", code], Path.cwd(), about) as told,
        elsewhere() as pages,
    ):
        prefect, _, password = told.strip().removesuffix("/api").partition(" ")
        prefect, link = prefect.removesuffix("/api"), _after(said.split(), "MLflow")
        mlflow = link.partition("/?")[0]
        until(lambda: answers(f"{mlflow}/health"))
        chromium.open(link)
        for page in pages:
            attack(chromium, page, prefect, "/api/automations/", AUTOMATION)
            attack(chromium, page, mlflow, "/api/2.0/mlflow/experiments/create", EXPERIMENT)
        name, _, word = password.partition(":")
        count = httpx.post(f"{prefect}/api/automations/count", json={}, auth=(name, word), **PATIENT).raise_for_status()
        chromium.open(link)
        search = "fetch('/ajax-api/2.0/mlflow/experiments/search', {method: 'POST', body: '{\"max_results\": 9}',"
        search += "headers: {'Content-Type': 'application/json'}}).then(said => said.text()).then(done)"
        experiments = chromium.wait(search)
        closed = [
            httpx.get(f"{each}/api/2.0/mlflow/experiments/search", **PATIENT).status_code for each in (prefect, mlflow)
        ]

    assert count.json() == 0
    assert [each["name"] for each in json.loads(experiments)["experiments"]] == ["Default"]
    assert closed == [401, 401]


def answers(address: str) -> bool:
    try:
        return httpx.get(address, timeout=5).is_success
    except httpx.HTTPError:
        time.sleep(0.5)
        return False
