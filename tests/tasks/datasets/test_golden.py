"""Old runs stay readable: files of each earlier version are read today, or refused with the reason.

A contract, manifest or config that changes gets a new version, and the files of the old one stay here.
"""

import json
import logging
import shutil
from pathlib import Path

import pytest

from configs import migrations
from configs.loading import ConfigError
from tasks.datasets import contracts
from tasks.engine.store import MANIFEST, Store
from tasks.errors import ContractError, StoreError
from tests.support.paths import PROJECT

GOLDEN = PROJECT / "tests" / "golden"
CONTRACTS = [
    contracts.DOCUMENTS, contracts.TOKENS, contracts.COUNTS, contracts.VOCABULARY, contracts.WINDOWS,
    contracts.CURVE, contracts.EVALUATION, contracts.vectors(2),
]  # fmt: skip


@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda contract: contract.id)
def test_datasets(contract: contracts.Contract) -> None:
    """Every file of the current version is read whole; those of other versions are refused by name."""
    for file in GOLDEN.glob(f"{contract.name}-*.parquet"):
        if file.stem == f"{contract.name}-{contract.version}":
            assert len(contracts.read(file, contract)) > 0
        else:
            with pytest.raises(ContractError, match=r"another version wrote it: .* that version of w2v"):
                contracts.read(file, contract)

    assert (GOLDEN / f"{contract.name}-{contract.version}.parquet").exists()


def stored(tmp_path: Path) -> Path:
    """Return the manifest in a store with the golden windows."""
    values = json.loads((GOLDEN / "manifest-1.json").read_text())
    folder = tmp_path / values["stage"] / values["key"]
    folder.mkdir(parents=True)
    shutil.copy(GOLDEN / "windows-1.parquet", folder / values["files"][0]["name"])
    shutil.copy(GOLDEN / "manifest-1.json", folder / MANIFEST)
    return folder / MANIFEST


def test_manifest(tmp_path: Path) -> None:
    """A finished output of version 1 is found and keeps its digest."""
    folder = stored(tmp_path).parent
    found = Store(tmp_path).find("windows", folder.name)

    assert found is not None
    assert found.digest == "1d71289bd289c56805d3c00eb94ccadd"


def test_manifest_of_another_version_is_not_damage(tmp_path: Path) -> None:
    """Another version is refused with both versions and the next step, and nothing is deleted."""
    manifest = stored(tmp_path)
    manifest.write_text(manifest.read_text().replace('"version": 1', '"version": 2'))

    with pytest.raises(StoreError, match=r"expected  version 1\nfound     version 2\nAnother release of w2v"):
        Store(tmp_path).find("windows", manifest.parent.name)
    assert manifest.exists()


@pytest.mark.parametrize(("version", "said"), [(0, "a config of version 0, converted to version 1"), (1, "")])
def test_configs(version: int, said: str, caplog: pytest.LogCaptureFixture) -> None:
    """A logged config is today's config; an older one is migrated with a note."""
    with caplog.at_level(logging.INFO, "w2v"):
        config = migrations.read((GOLDEN / f"config-{version}.json").read_text(), "run 1")

    assert (config.name, config.windows.window, config.training.damping) == ("golden", 2, 0.5)
    assert said in caplog.text
    assert bool(caplog.text) == bool(said)


def test_a_key_at_its_default_changes_no_key() -> None:
    """`keep_epochs` enters the digest only if it is set, so old keys stay the same."""
    text = (GOLDEN / "config-1.json").read_text()
    section = migrations.read(text, "run 1").training

    assert section.model_dump(mode="json") == json.loads(text)["training"]
    assert section.model_copy(update={"keep_epochs": 2}).model_dump()["keep_epochs"] == 2


def test_config_of_a_newer_version_is_refused() -> None:
    """The error names the version of the project that reads the config."""
    text = (GOLDEN / "config-1.json").read_text().replace('"version": 1', '"version": 2')

    with pytest.raises(ConfigError, match=r"version 2\nexpected  version 1 or older\n.* tag `w2v\.version`"):
        migrations.read(text, "run 1")


@pytest.mark.parametrize("text", ["", "[]", "{", '{"version": "x"}'])
def test_what_is_no_config_is_said(text: str) -> None:
    """A file that is not a config gives one clear message."""
    with pytest.raises(ConfigError, match="run 1 is not a config logged by a run"):
        migrations.read(text, "run 1")
