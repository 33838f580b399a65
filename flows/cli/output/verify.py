"""Verify that a run is unchanged since it finished: its files, figures and stage outputs against its certificate."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from tasks import certificate as certificates
from tasks.certificate import Certificate
from tasks.display.terminal import visible
from tasks.engine.outputs import sharing
from tasks.engine.outputs.manifest import read_manifest
from tasks.engine.outputs.readiness import address_of
from tasks.engine.outputs.remote import Remote, opened
from tasks.engine.store import Store
from tasks.errors import ContractError, InputError
from tasks.tracking import address, models, registry
from tasks.tracking.names import CERTIFICATE
from tasks.tracking.run import Run, legible

SIGNS = {True: "✓", False: "✗", None: "–"}


class Finding(NamedTuple):
    good: bool | None  # None: cannot be checked, since it was deleted
    subject: str
    text: str


def examine(workspace: Path, run_id: str) -> int:
    """Print one line a finding, and what to do about faults; return the exit code, 1 if there are faults."""
    uri = address.runs_of(workspace)
    run = Run(uri, registry.run_id(uri, run_id))
    findings = list(verify(run, Store(workspace / "store", address_of(workspace))))
    for finding in findings:
        print(visible(f"{SIGNS[finding.good]} {finding.subject:<13} {finding.text}"))
    faults = {finding.subject for finding in findings if finding.good is False}
    if faults & {"artifacts", "parameters", "scores", "epochs"}:
        print(f"\nThis run's data in MLflow were changed after it finished: `w2v reproduce {run.id}` rebuilds it.")
    if faults & {"store", "remote"}:
        print("\nDelete the folders named above: the next `w2v retrain` of the same config rebuilds them.")
    return int(bool(faults))


def verify(run: Run, store: Store) -> Iterator[Finding]:
    """Yield the findings. Raises TrackingError if the run is unknown or has no certificate that can be trusted."""
    certificate = certificates.read(run)
    yield Finding(True, "certificate", f"{CERTIFICATE} is the original of run {run.id}")
    yield from _artifacts(run, certificate)
    parameters, metrics = run.record.data.params, run.record.data.metrics
    yield from _values("parameters", certificate["config"], parameters)
    yield from _values("scores", _legible(certificate["scores"]), _legible(metrics))
    yield from _epochs(run, certificate)
    yield from _outputs(Store(store.root), certificate)
    if store.remote:
        yield from _shared(opened(store.remote), certificate)


def _artifacts(run: Run, certificate: Certificate) -> Iterator[Finding]:
    wanted = certificate["artifacts"]
    with run.fetched() as folder:
        found = certificates.digests(folder)
    bad = {name: "is missing" if name not in found else "differs" for name in wanted if found.get(name) != wanted[name]}
    yield from (Finding(False, "artifacts", f"{name} {fault}") for name, fault in bad.items())
    yield Finding(not bad, "artifacts", f"{len(wanted) - len(bad)} of {len(wanted)} are as certified")


def _legible(scores: Mapping[str, object]) -> dict[str, object]:
    """Return scores with the digits that MLflow is told; older versions told it all."""
    return {name: legible(score) if isinstance(score, float) else score for name, score in scores.items()}


def _values(subject: str, wanted: Mapping[str, object], found: Mapping[str, object]) -> Iterator[Finding]:
    bad = [name for name in wanted if found.get(name) != wanted[name]]
    for name in bad:
        yield Finding(False, subject, f"{name} was {wanted[name]} and is {found.get(name, 'missing')}")
    yield Finding(not bad, subject, f"{len(wanted) - len(bad)} of {len(wanted)} are as certified")


def _epochs(run: Run, certificate: Certificate) -> Iterator[Finding]:
    """Check the models of earlier epochs that are kept; certificates of older versions list none."""
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
    same = certificates.of_learnt(learnt).items() <= wanted["tables"].items()
    return "" if same and _legible(scores) == _legible(wanted["scores"]) else "differs"


def _outputs(store: Store, certificate: Certificate) -> Iterator[Finding]:
    """Check the stage outputs in the store; one that was deleted can be rebuilt and is no fault."""
    gone = same = 0
    for name, place in certificate["store"].items():
        if not _here(store.root / place):
            gone += 1
            continue
        output = store.find(*place.split("/"), read=True)
        if output is not None and output.digest == certificate["stages"][name]:
            same += 1
        else:
            fault = "does not verify" if output is None else "has other content"
            yield Finding(False, "store", f"{name} {fault}: {store.root / place}")
    count = len(certificate["stages"])
    if gone < count:
        yield Finding(same + gone == count, "store", f"{same} of {count - gone} stored stage outputs are as certified")
    if gone:
        yield Finding(None, "store", f"{gone} of {count} are not in the store: deleted, a retraining rebuilds them")


def _here(path: Path) -> bool:
    """Return True if the store has an output; a manifest alone is that of an output in the remote."""
    try:
        files = read_manifest(path).files
    except FileNotFoundError:
        return False
    except ContractError:
        return True
    return not files or any((path / file.name).exists() for file in files)


def _shared(remote: Remote, certificate: Certificate) -> Iterator[Finding]:
    """Check the outputs in the remote, all bytes; one that is not there can be put there again and is no fault."""
    gone = same = 0
    places = certificate["store"]
    for name, place in places.items():
        manifest = sharing.manifest_of(remote, *place.split("/"))
        if manifest is None:
            gone += 1
            continue
        parts = sharing.manifests(remote, [f"{manifest.stage}/{part.key}" for part in manifest.parts])
        whole = len(parts) == len({part.key for part in manifest.parts})
        good = whole and all(sharing.verifies(remote, each) for each in (manifest, *parts.values()))
        if good and manifest.digest == certificate["stages"][name]:
            same += 1
        else:
            fault = "has other content" if good else "does not verify"
            yield Finding(False, "remote", f"{name} {fault}: {remote.place(f'outputs/{place}')}")
    if gone < len(places):
        text = f"{same} of {len(places) - gone} shared stage outputs are as certified"
        yield Finding(same + gone == len(places), "remote", text)
    if gone:
        yield Finding(None, "remote", f"{gone} of {len(places)} are not in {remote.address}")
