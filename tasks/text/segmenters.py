"""Know the segmenter and its version, which enters the key, and warn where one is missing."""

from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version

from tasks.errors import InputError

LARGE = 0.1  # share of a text's characters from which on a script is reported


def known(segmenter: str | None) -> dict[str, str] | None:
    """Return the versions of the segmenter. Raises InputError if it is not installed."""
    if segmenter is None:
        return None
    try:
        package = version("icu4py")
        from icu4py import icu_version
    except (PackageNotFoundError, ImportError) as error:
        raise InputError(
            f"tokenization.segmenter = {segmenter!r}\nexpected  the package icu4py\nfound     {error}\n"
            "Install the extra `segment`: pip install icu4py, or pip install -e '.[segment]' in this folder."
        ) from error
    return {"icu4py": package, "icu": icu_version}


def unspaced(shares: Mapping[str, float]) -> str:
    """Return the warning about a text largely in scripts without spaces; "" if there is none."""
    if not (large := {script: share for script, share in shares.items() if share >= LARGE}):
        return ""
    listed = " and ".join(f"{share:.0%} {script}" for script, share in large.items())
    return (
        f"The text is {listed}, which puts no spaces between words: whole clauses have become words. "
        "Set tokenization.segmenter=icu (the extra `segment`) to cut them by dictionaries."
    )
