"""Runs are looked up in one experiment, however many it has."""

import pytest

from configs.schema import Config
from tasks.tracking import lookup
from tasks.tracking.session import Tracker
from tests.support.runs import start_run


def test_every_page_of_the_runs_is_read(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    """MLflow's answers hold a limited number of runs; the newest comes first."""
    monkeypatch.setattr(lookup, "PAGE", 2)
    started = [start_run(config, f"flow-{number}") for number in range(3)]
    with Tracker(config).reached() as client:
        experiment = lookup.experiment(client, config.tracking.experiment)
        found = [run.info.run_id for run in lookup.every(client, [str(experiment)])]

        assert sorted(found) == sorted(started)
        assert list(lookup.every(client, [])) == []
