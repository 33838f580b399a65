"""A workspace that is moved or copied while its service is down: `w2v up` and `w2v serve` continue in the new place."""

import shutil
import signal
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from mlflow import MlflowClient

from configs.loading import load
from flows.service.state import Place
from tasks.ingestion.own_files import CONTENTS
from tasks.tracking.database_paths import address_of
from tests.integration.test_moved_workspace import content, protect
from tests.integration.test_service import W2V, Box
from tests.support.servers import until


class Moving(Box):
    """One workspace after another, with the same ports and the same experiment."""

    def settle(self, workspace: Path) -> None:
        self.workspace, self.place = workspace, Place(workspace)

    def up(self) -> None:
        self.w2v("up", "topics.toml", "--workspace", str(self.workspace), *self.ports)

    def down(self) -> None:
        self.w2v("down", "--workspace", str(self.workspace))

    def parts(self) -> dict[str, bool]:
        """Return what `w2v status` says of each part."""
        lines = self.w2v("status", "--workspace", str(self.workspace)).splitlines()[1:4]
        return {name: mark == "✓" for mark, name, *_ in map(str.split, lines)}

    def served(self) -> Any:
        """Return the answer of `w2v serve` about a word, which names the run."""
        words = [str(W2V), "serve", "--workspace", str(self.workspace), "--port", "0"]
        with subprocess.Popen(
            words, cwd=self.folder, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout
            assert process.stderr
            for line in process.stdout:
                if line.startswith("served on "):
                    break
            else:
                pytest.fail(process.stderr.read())
            auth = httpx.NetRCAuth(str(self.workspace / "serve" / "netrc"))
            asked = f"{line.split()[2]}/neighbors?word=seaa&k=5"
            answer = httpx.get(asked, auth=auth, timeout=60).raise_for_status()
            process.send_signal(signal.SIGINT)

            assert process.wait(60) == 0, process.stderr.read()
        return answer.json()

    def runs(self) -> list[tuple[str, str]]:
        address = address_of(self.workspace / "mlflow.db")
        records = MlflowClient(address, address).search_runs(["1"])
        return sorted((record.info.run_id, record.info.status) for record in records)

    def scheduled(self, seed: int) -> str:
        """Schedule a retraining of the worker's for the next hour; return the flow run's id."""
        deployment = self.ask("deployments/name/retrain/topics")["id"]
        config = load(self.folder / "topics.toml", [f"seed={seed}"]).model_dump(mode="json")
        config["runtime"]["workspace"] = str(self.workspace)
        due = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
        state = {"type": "SCHEDULED", "name": "Scheduled", "state_details": {"scheduled_time": due}}
        wanted = {"parameters": {"config": config}, "state": state}
        return str(self.ask(f"deployments/{deployment}/create_flow_run", **wanted)["id"])

    def complete(self, flow_run: str) -> None:
        """Make a scheduled flow run due, and wait until the worker has completed it."""
        state = {"type": "SCHEDULED", "state_details": {"scheduled_time": datetime.now(UTC).isoformat()}}
        self.ask(f"flow_runs/{flow_run}/set_state", state=state, force=True)
        until(lambda: self._is_completed(flow_run))
        until(lambda: {status for _, status in self.runs()} == {"FINISHED"})  # a hook of the flow records that

    def _is_completed(self, flow_run: str) -> bool:
        state = self.ask(f"flow_runs/{flow_run}")["state"]

        assert state["type"] in ("SCHEDULED", "PENDING", "RUNNING", "COMPLETED"), state
        return bool(state["type"] == "COMPLETED")


@pytest.mark.long
def test_a_service_on_the_move(corpus: Path, database: Path, tmp_path: Path) -> None:
    """After a copy and a move, the worker completes there what was scheduled before, and `serve` answers as before.

    The original stays as it was while the copy works, and is not missed afterwards.
    """
    box = Moving(tmp_path, corpus)
    first, copied, moved = (tmp_path / name / "w" for name in ("first", "w?x=1&y#z", "100%25 é"))
    for place in (first, copied, moved):
        place.parent.mkdir()
    first.mkdir()
    shutil.copy(database, first)
    box.settle(first)
    try:
        box.up()
        box.complete(box.scheduled(2))
        expected, runs, coming = box.served(), box.runs(), [box.scheduled(3), box.scheduled(4)]
        box.down()
        shutil.copytree(first, copied)
        before = content(first)
        protect(first, writable=False)
        box.settle(copied)
        box.up()
        assert box.parts() == dict.fromkeys(("prefect", "mlflow", "worker"), True)
        assert box.runs() == runs

        box.complete(coming[0])
        assert content(first) == before

        protect(first, writable=True)
        shutil.rmtree(first)
        assert box.served() == expected  # the champion; what is new is not promoted
        box.down()
        copied.rename(moved)
        box.settle(moved)
        box.up()
        box.complete(coming[1])
        assert len(box.runs()) == len(runs) + 2
        assert box.served() == expected
        box.down()
    finally:
        for process in box.place.processes():
            process.kill()

    assert {path.name for path in tmp_path.iterdir()} == {
        *(p.parent.name for p in (first, copied, moved)),
        "topics.toml",
    }
    assert {path.name for path in moved.iterdir()} <= CONTENTS  # so the workspace can be in the user's folder of texts
    assert not [*first.parent.iterdir(), *copied.parent.iterdir()]
