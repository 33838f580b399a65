"""Notifications of failures: they name the task that failed, however late Prefect's server learns of it."""

from types import SimpleNamespace

import pytest
from prefect.client.schemas.objects import StateType

from flows.hooks import failures
from tasks.errors import PipelineError

EARLIER = SimpleNamespace(name="windows", state_type=StateType.RUNNING)
FAILED = SimpleNamespace(name="training", state_type=StateType.FAILED)


def place(monkeypatch: pytest.MonkeyPatch, *answers: list[SimpleNamespace] | Exception, crashed: bool = False) -> str:
    """Return the place of a failure, if Prefect's server gives these answers in turn, the last one for ever."""
    waiting = list(answers)

    def unfinished(flow_run: object) -> list[SimpleNamespace]:
        answer = waiting.pop(0) if len(waiting) > 1 else waiting[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(failures, "_unfinished", unfinished)
    monkeypatch.setattr(failures, "CATCHING_UP", 0.5)
    return failures._place(None, crashed=crashed)  # type: ignore[arg-type]


def test_a_server_that_lags_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """The stage before is still shown as running when the failure is known, or nothing is shown yet."""
    assert place(monkeypatch, [], [FAILED]) == "training"
    assert place(monkeypatch, [EARLIER], [EARLIER, FAILED]) == "training"
    assert place(monkeypatch, [EARLIER], []) == "the flow"


def test_a_server_that_stays_behind_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Then the task that it knows of is named; after a crash, that is the one at once."""
    assert place(monkeypatch, [EARLIER]) == "windows"
    assert place(monkeypatch, [EARLIER], [FAILED], crashed=True) == "windows"


def test_without_a_server_the_flow_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """The notification goes out all the same."""
    assert place(monkeypatch, PipelineError("Prefect cannot be reached")) == "the flow"


def test_without_a_recipient_no_server_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """A command that failed ends at once."""
    monkeypatch.delenv("W2V_WEBHOOK", raising=False)
    monkeypatch.setattr(failures, "_place", pytest.fail)
    failed = SimpleNamespace(parent_task_run_id=None, parameters={})

    failures.tell(None, failed, None)  # type: ignore[arg-type]
