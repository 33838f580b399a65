"""Whether a run is still what it was when it finished: every file, figure and stage output against its certificate."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from tasks import certificate as certificate_module
from tasks.certificate import Certificate
from tasks.display.terminal import visible
from tasks.engine.store import Store
from tasks.errors import InputError
from tasks.tracking import models, registry, session
from tasks.tracking.run import Run

SIGNS = {True: "✓", False: "✗", None: "–"}


class Finding(NamedTuple):
    good: bool | None  # None: it cannot be said, since it is gone
    subject: str
    text: str


def examine(workspace: Path, run_id: str) -> int:
    """Print one line a finding, and what to do about bad ones; the exit code is 1 if there are any."""
    uri = session.runs_of(workspace)
    run = Run(uri, registry.run_id(uri, run_id))
    findings = list(verify(run, Store(workspace / "store")))
    for finding in findings:
        print(visible(f"{SIGNS[finding.good]} {finding.subject:<13} {finding.text}"))
    faults = {finding.subject for finding in findings if finding.good is False}
    if faults & {"artifacts", "parameters", "scores", "epochs"}:
        print(f"\nWhat MLflow has of this run was changed since: `w2v reproduce {run.id}` rebuilds it as it was.")
    if "store" in faults:
        print("\nDelete the folders named above: the next `w2v retrain` of the same config makes them anew.")
    return int(bool(faults))


def verify(run: Run, store: Store) -> Iterator[Finding]:
    """Raises TrackingError if the run is unknown, or has no certificate that can be trusted."""
    certificate = certificate_module.read(run)
    yield Finding(True, "certificate", f"{certificate_module.FILE} is the one that run {run.id} was given")
    yield from _artifacts(run, certificate)
    parameters, metrics = run.record.data.params, run.record.data.metrics
    yield from _values("parameters", certificate["config"], parameters)
    yield from _values("scores", certificate["scores"], metrics)
    yield from _epochs(run, certificate)
    yield from _outputs(store, certificate)


def _artifacts(run: Run, certificate: Certificate) -> Iterator[Finding]:
    wanted = certificate["artifacts"]
    with run.fetched() as folder:
        found = certificate_module.digests(folder)
    bad = {name: "is missing" if name not in found else "differs" for name in wanted if found.get(name) != wanted[name]}
    yield from (Finding(False, "artifacts", f"{name} {fault}") for name, fault in bad.items())
    yield Finding(not bad, "artifacts", f"{len(wanted) - len(bad)} of {len(wanted)} are as certified")


def _values(subject: str, wanted: Mapping[str, object], found: Mapping[str, object]) -> Iterator[Finding]:
    bad = [name for name in wanted if found.get(name) != wanted[name]]
    for name in bad:
        yield Finding(False, subject, f"{name} was {wanted[name]} and is {found.get(name, 'missing')}")
    yield Finding(not bad, subject, f"{len(wanted) - len(bad)} of {len(wanted)} are as certified")


def _epochs(run: Run, certificate: Certificate) -> Iterator[Finding]:
    """The models of the earlier epochs that are kept; certificates of an older version name none."""
    wanted = certificate.get("epochs", {})
    bad = {epoch: fault for epoch in wanted if (fault := _fault(run, int(epoch), wanted[epoch]))}
    yield from (Finding(False, "epochs", f"the model of epoch {epoch} {fault}") for epoch, fault in bad.items())
    if wanted:
        yield Finding(not bad, "epochs", f"{len(wanted) - len(bad)} of {len(wanted)} models are as certified")


def _fault(run: Run, epoch: int, wanted: dict[str, dict[str, object]]) -> str:
    try:
        learnt, scores = models.earlier(run, epoch)
    except InputError:
        return "is missing"
    same = certificate_module.of_learnt(learnt).items() <= wanted["tables"].items()
    return "" if same and scores == wanted["scores"] else "differs"


def _outputs(store: Store, certificate: Certificate) -> Iterator[Finding]:
    """What was removed from the store can be made anew, and is no fault; what lies there has to be right."""
    gone = same = 0
    for name, place in certificate["store"].items():
        if not (store.root / place).exists():
            gone += 1
            continue
        output = store.find(*place.split("/"))
        same += (good := output is not None and output.digest == certificate["stages"][name])
        if not good:
            fault = "does not verify" if output is None else "has other content"
            yield Finding(False, "store", f"{name} {fault}: {store.root / place}")
    count = len(certificate["stages"])
    if gone < count:
        yield Finding(same + gone == count, "store", f"{same} of {count - gone} stage outputs there are as certified")
    if gone:
        yield Finding(None, "store", f"{gone} of {count} are not there: removed, they can be made again")
