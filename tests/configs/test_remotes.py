"""The address of a shared store: three schemes, no secrets, no surprises."""

import pytest

from configs.loading import ConfigError, load


@pytest.mark.parametrize(
    ("typed", "address"),
    [
        ("s3://bucket/a/b/", "s3://bucket/a/b"),
        ("s3://bucket", "s3://bucket"),
        ("gs://my-bucket/w2v", "gs://my-bucket/w2v"),
        ("file:///mnt/shared store", "file:///mnt/shared store"),
        ("", ""),
    ],
)
def test_addresses(typed: str, address: str) -> None:
    """An address has one form; an empty one stands for none."""
    assert load(None, ["ingestion.source=a.txt", f"runtime.remote={typed}"]).runtime.remote == address


@pytest.mark.parametrize(
    "typed",
    [
        "/mnt/shared", "file://mnt/shared", "file:///", "s3://", "s3:///a", "s3://a/../b", "s3://bucket/a//b",
        "http://host/a", "s3://bucket/a?x=1", "gs://bucket/*", "bucket",
    ],
)  # fmt: skip
def test_other_texts_are_refused(typed: str) -> None:
    """The error shows the three forms."""
    with pytest.raises(ConfigError, match=r"runtime\.remote\nexpected  s3://BUCKET/PREFIX, gs://"):
        load(None, ["ingestion.source=a.txt", f"runtime.remote={typed}"])


@pytest.mark.parametrize("typed", ["s3://key:hunter2@bucket/a", "s3://bucket/a?secret_key=hunter2", "s3://hunter2@b"])
def test_secrets_are_refused_and_not_shown(typed: str) -> None:
    """Keys belong in the environment."""
    with pytest.raises(ConfigError) as raised:
        load(None, ["ingestion.source=a.txt", f"runtime.remote={typed}"])

    assert "hunter2" not in str(raised.value)
