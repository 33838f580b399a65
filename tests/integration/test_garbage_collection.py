"""`w2v gc` during a retraining, with real processes."""

import subprocess
import sys
import time
from pathlib import Path

from configs.loading import load
from flows.planning.plan import plan
from flows.retention import collect
from tests.support.paths import PROJECT

CHECKPOINTS = "store/training/*/checkpoints/*/state.json"
QUICK = [
    "vocabulary.min_count=1", "vocabulary.subsample=0", "windows.shard_rows=1000",
    "training.vector_size=8", "training.damping=0.5", "training.epochs=3", "runtime.checkpoint_interval=0.2",
]  # fmt: skip


def retraining(settings: list[str], log: Path) -> subprocess.Popen[bytes]:
    with log.open("ab") as lines:
        command = [sys.executable, "-m", "tests.support.retraining", *settings]
        return subprocess.Popen(command, cwd=PROJECT, stdout=lines, stderr=lines)


def test_a_retraining_at_work_keeps_what_it_found(own: Path, corpus: Path, tmp_path: Path) -> None:
    """The retraining uses windows of an earlier run, which stay while everything else is deleted."""
    workspace, log = own, tmp_path / "log"
    settings = [f"ingestion.source={corpus}", "ingestion.text_documents=line", f"runtime.workspace={workspace}", *QUICK]
    assert retraining(settings, log).wait() == 0, log.read_text()

    slow = [*settings, "training.batch_size=1"]
    second = retraining(slow, log)
    while second.poll() is None and not list(workspace.glob(CHECKPOINTS)):
        time.sleep(0.02)
    collected = []
    while list(workspace.glob(CHECKPOINTS)):
        collected += collect(workspace, 0, 0, dry_run=False)
        time.sleep(0.5)  # the training wants a core too

    assert second.wait() == 0, log.read_text()
    assert len(collected) > 1
    assert "no kept run uses it" in {each.reason for once in collected for each in once.garbage}
    assert plan(load(None, slow)).nothing_to_do
    assert not plan(load(None, settings)).nothing_to_do

    collect(workspace, 0, 0, dry_run=False)
    assert not list(workspace.glob("store/windows/*"))
    assert len(list(workspace.glob("store/training/*/"))) == 1  # the last vectors answer still
