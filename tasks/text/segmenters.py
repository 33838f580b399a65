"""Report the segmenter and its version, which enters the key: another version may cut differently."""

from importlib.metadata import PackageNotFoundError, version

from tasks.errors import InputError


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
