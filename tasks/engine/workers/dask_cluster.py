"""A Dask cluster behind the interface of an engine: one that runs already, or one of this machine for this command.

Only this module imports Dask, and only when it is asked for. What Dask pickles is the name of a function and a text.
"""

import os
import time
from concurrent.futures import CancelledError, Future
from typing import Any

from configs.schema import Runtime
from tasks.engine.workers import call
from tasks.engine.workers.call import Answer, Report
from tasks.engine.workers.engines import Call, Engine
from tasks.engine.workers.processes import WorkerLost
from tasks.errors import EngineError

CONNECTING = 30.0  # seconds for the scheduler to answer at the start
LOST = 30.0  # seconds without the scheduler after which it counts as lost


class Cluster(Engine):
    """Workers of Dask. They need this release of w2v, and the workspace or a store that they share with us."""

    def __init__(self, workers: int, runtime: Runtime) -> None:
        """Join the cluster at runtime.engine_address, or start one of `workers` processes."""
        from distributed import Client, LocalCluster
        from distributed.scheduler import KilledWorker

        self._killed = KilledWorker
        self._address = runtime.engine_address or "the cluster of this command"
        self._local: Any = None
        if not runtime.engine_address:
            os.environ.setdefault("PYTHONSAFEPATH", "1")  # the workers start in the working directory
            self._local = LocalCluster(
                n_workers=workers, threads_per_worker=1, host="127.0.0.1", dashboard_address=None
            )
        try:
            self._client = Client(self._local or runtime.engine_address, timeout=CONNECTING, set_as_default=False)
        except (OSError, TimeoutError) as error:
            raise self._lost(str(error)) from error
        self._away_since: float | None = None
        super().__init__(
            self._client.get_executor(pure=False), workers or max(1, sum(self._client.nthreads().values()))
        )

    def submit(self, each: Call, report: Report) -> Future[Any]:
        """Return the future of a call; its progress is not known before its end."""
        found: Future[Any] = self._executor.submit(call.run, each.text(self._each))
        return found

    def answer(self, future: Future[Any]) -> Answer:
        """Return the answer of a call that has ended. Raises its error, WorkerLost if its workers were killed."""
        try:
            return super().answer(future)
        except self._killed as error:
            raise WorkerLost(str(error)) from error
        except CancelledError as error:
            raise self._lost("it forgot a call") from error

    def check(self) -> None:
        """Raise EngineError if the scheduler has not answered for LOST seconds."""
        if self._client.status == "running":
            self._away_since = None
            return
        self._away_since = self._away_since or time.monotonic()
        if self._client.status == "closed" or time.monotonic() - self._away_since > LOST:
            raise self._lost(f"the connection is {self._client.status}")

    def stop(self) -> None:
        """Cancel all calls and leave the cluster."""
        self.close()

    def close(self) -> None:
        """Leave the cluster; end it if it is ours."""
        if self._client.status == "running":  # else it has no call to cancel, and raises
            self._executor.shutdown(wait=False)
        self._client.close(timeout=5)
        if self._local:
            self._local.close(timeout=5)

    def _lost(self, found: str) -> EngineError:
        return EngineError(
            f"the Dask scheduler at {self._address} is lost\nexpected  a scheduler that answers\nfound     {found}\n"
            "Start it again, and run the same command: finished parts are kept."
        )
