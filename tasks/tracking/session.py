"""The tracker: MLflow as a flow uses it, opened once from its config and handed down to what looks up or writes runs.

See also `run` (what a run can hold), `ownership` (which run is resumed), `single_flight` (who may work on it) and
`registry` (the model that it registers).
"""

import functools
import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from configs.addresses import shown
from configs.schema import Config
from tasks.engine import environment
from tasks.errors import TrackingError, Unreachable
from tasks.tracking import address, heartbeat, lookup, single_flight
from tasks.tracking.client import reached
from tasks.tracking.contents.parameters import parameters, tags
from tasks.tracking.names import CONFIG_FILE, FLOW_RUN, HOST, MODEL_VERSION, PARENT, RECIPE, REPRODUCES, RESULT
from tasks.tracking.ownership import abandoned, check_closable, close, lock_of_starts, reopen
from tasks.tracking.run import Run, gathered, known_run
from tasks.tracking.single_flight import AtWork, Turn

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from mlflow import MlflowClient
    from mlflow.entities import Run as MlflowRun

log = logging.getLogger("w2v")


class Tracker:
    """MLflow as a config names it: its address, the experiment, and the workspace whose runs are kept there.

    Opening asks no server and creates no database; the experiment is looked up once, when it is first needed. A hook of
    Prefect, and whatever runs in another process, opens its own.
    """

    def __init__(self, config: Config) -> None:
        self.uri = address.uri(config)
        self.required = config.tracking.required
        self._workspace = Path(config.runtime.workspace)
        self._lost_after = config.runtime.lost_after
        self._patience = config.tracking.patience
        self._name = config.tracking.experiment
        self._id: str | None = None  # of the experiment, once it is known

    def reached(self) -> "AbstractContextManager[MlflowClient]":
        """Return MLflow's client for a block, in which whatever it refuses is a TrackingError."""
        return reached(self.uri)

    def run(self, run_id: str) -> Run:
        """Return a run, to read it or to write to it."""
        return Run(self.uri, run_id)

    @contextmanager
    def unless_required(self) -> Iterator[None]:
        """Within the block, go on without MLflow if it cannot be reached, unless tracking.required is set."""
        try:
            yield
        except Unreachable as error:
            if self.required:
                raise
            _warn_unreachable(shown(self.uri), str(error).splitlines()[1])

    def check_reachable(self) -> None:
        """Raise TrackingError if MLflow cannot be reached, or refuses."""
        with self.reached() as client:
            client.search_experiments(max_results=1)

    def check_experiment(self) -> None:
        """Raise TrackingError if the experiment is deleted. Does not create a missing database."""
        if address.exists(self.uri):
            with self.reached() as client:
                self._experiment(client)

    def begin(
        self, config: Config, flow_run_id: str, name: str = "", recipe: str = "", reproduces: str = "", parent: str = ""
    ) -> Turn:
        """Return the flow run's MLflow run, RUNNING and owned by this process.

        It is the one it already has (a flow that is retried), the unfinished one of this recipe, or a new one. A run
        that has the recipe's result is returned as finished and left as it is. Waits while another process computes the
        result.
        """
        named = {RECIPE: recipe, REPRODUCES: reproduces, PARENT: parent}
        ours = tags(config, flow_run_id) | {tag: value for tag, value in named.items() if value}
        turn = self._take(ours, name or f"{config.name} {datetime.now():%m-%d %H:%M:%S}")
        if turn.finished:
            return turn
        run = self.run(turn.run_id)
        run.parameters(parameters(config))
        with gathered(self._workspace, run.id) as folder:
            (folder / CONFIG_FILE).write_text(config.model_dump_json(indent=1), encoding="utf-8")
            run.files(folder)
        heartbeat.start(run, self._lost_after)
        return turn

    def finish(self, flow_run_id: str, status: str) -> None:
        """End the flow run's MLflow run as FINISHED, FAILED or KILLED. Does nothing if it has none."""
        with self.reached() as client:
            if record := lookup.newest(client, self._experiment(client), FLOW_RUN, flow_run_id):
                close(client, record, status)

    def stop(self, run_id: str) -> None:
        """Mark a run as KILLED, with a tag that says how to resume it."""
        with self.reached() as client:
            close(client, client.get_run(run_id), "KILLED")

    def close_abandoned(self) -> list[str]:
        """Mark as KILLED every RUNNING run whose owner, a process of this host, is dead; return their ids."""
        with self.reached() as client, lock_of_starts(self._workspace):
            running = lookup.tagged(client, self._experiment(client), HOST, environment.owner().host, "RUNNING")
            gone = [record for record in running if abandoned(record)]
            for record in gone:
                close(client, record, "KILLED")
        return [record.info.run_id for record in gone]

    def of_flow_run(self, flow_run_id: str) -> Run | None:
        """Return the flow run's MLflow run, None if it has none."""
        found = self.find_tagged(FLOW_RUN, flow_run_id)
        return self.run(found.info.run_id) if found else None

    def version_of(self, run_id: str) -> str:
        """Return the registered version of a run, MODEL/NUMBER; "" if it has none, or MLflow cannot be reached."""
        with suppress(TrackingError):
            return str(self.run(run_id).record.data.tags.get(MODEL_VERSION, "")) if run_id else ""
        return ""

    def find_tagged(self, tag: str, value: str) -> "MlflowRun | None":
        """Return the newest run with this tag, in any state; None if there is none."""
        with self.reached() as client:
            return lookup.newest(client, self._experiment(client), tag, value)

    def find_finished(self, result: str) -> str | None:
        """Return the id of the newest complete run of this result, reproductions excluded; None if there is none."""
        with self.reached() as client:
            found = lookup.tagged(client, self._experiment(client), RESULT, result, "FINISHED")
        return next((record.info.run_id for record in found if REPRODUCES not in record.data.tags), None)

    def _take(self, ours: dict[str, str], title: str) -> Turn:
        """Take a run: set it to RUNNING with these tags, unless it has the result already."""
        while True:
            try:
                with self.reached() as client, lock_of_starts(self._workspace):
                    self._id = lookup.experiment_to_write(client, self._name, self.uri)
                    with self._turn(client, self._id, ours, title) as record:
                        run = self.run(record.info.run_id)
                        if single_flight.holds_result(record):
                            return Turn(run.id, finished=True)
                        run.tag(ours)  # a resumed run has a new owner
                        reopen(client, record)
                return Turn(run.id, finished=False)
            except AtWork as other:
                single_flight.wait(self.uri, other.record, self._lost_after, self._patience)

    @contextmanager
    def _turn(self, client: "MlflowClient", experiment: str, ours: dict[str, str], title: str) -> "Iterator[MlflowRun]":
        if record := lookup.newest(client, experiment, FLOW_RUN, ours[FLOW_RUN]):
            yield record
        elif RECIPE in ours:
            shared = address.is_shared(self.uri, self._workspace)
            with single_flight.turn(client, experiment, ours, title, shared=shared) as record:
                yield record
        else:
            yield client.create_run(experiment, tags=ours, run_name=title)

    def _experiment(self, client: "MlflowClient") -> str | None:
        if self._id is None:
            self._id = lookup.experiment(client, self._name)
        return self._id


def close_run(workspace: Path, run_id: str) -> None:
    """Mark a run of any host as KILLED. Raises TrackingError if it is not RUNNING, or at work on this host."""
    uri = address.runs_of(workspace)
    with reached(uri) as client:
        record = known_run(client, uri, run_id)
        check_closable(record)
        close(client, record, "KILLED")


@functools.cache  # log it once
def _warn_unreachable(place: str, reason: str) -> None:
    log.warning(
        "MLflow at %s does not answer\n%s\nThe run goes on without it: tracking.required = false.", place, reason
    )
