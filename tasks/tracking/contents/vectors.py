"""The vectors of a finished run, which its artifacts hold as trained and perhaps in a champion's axes."""

from tasks.errors import TrackingError
from tasks.tracking.client import reached
from tasks.tracking.names import VECTORS
from tasks.tracking.run import Run, gone
from tasks.vectors import tables
from tasks.vectors.tables import WordVectors


def vectors_of(run: Run, folder: str = VECTORS) -> WordVectors:
    """Return the vectors of a run, mapped from the file. Raises TrackingError if the run is unknown or has none."""
    status = run.record.info.status
    with reached(run.uri) as client:
        if not client.list_artifacts(run.id, folder):
            if status == "FINISHED" and not client.list_artifacts(run.id):
                raise gone(run.record.info.artifact_uri)
            raise TrackingError(f"run {run.id} holds no vectors: it is {status}\nName a FINISHED run.")
    try:
        with run.fetched(folder) as found:
            return tables.mapped(found)
    except OSError as error:
        raise TrackingError(f"run {run.id} holds no vectors ({error}).\nName a FINISHED run.") from error
