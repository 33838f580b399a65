"""Check the address of a store that hosts share: `s3://bucket/prefix`, `gs://bucket/prefix` or `file:///folder`."""

import re

from configs.addresses import shown

SCHEMES = ("s3", "gs", "file")
_BUCKET = re.compile(r"[A-Za-z0-9][\w.-]+")


def address(text: str) -> str:
    """Return the address without a final slash; an empty one stands for none. Raises ValueError if it is malformed."""
    if not text:
        return text
    scheme, mark, rest = text.partition("://")
    bucket, *names = rest.rstrip("/").split("/")
    local = scheme == "file"
    good = bool(mark) and scheme in SCHEMES and bool(not bucket and names if local else _BUCKET.fullmatch(bucket))
    if not good or not {"", ".", ".."}.isdisjoint(names) or re.search(r"[?#*\x00-\x1f]", rest):
        raise ValueError(
            "expected  s3://BUCKET/PREFIX, gs://BUCKET/PREFIX or file:///FOLDER, a folder that all hosts have mounted\n"
            f"found     {shown(text)!r:.200}\n"
            "Keys and the address of a server of your own are taken from the environment."
        )
    return f"{scheme}://{rest.rstrip('/')}"
