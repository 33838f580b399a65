"""The table of formats that are refused: how their files begin, and how to convert them to a format that is read.

docs/reference/formats.md shows it. Where the suffix alone identifies a format, the expression matches nothing.
"""

import re
from typing import NamedTuple


class Refused(NamedTuple):
    """A format that is refused, and what to do instead."""

    name: str
    suffixes: tuple[str, ...]
    magic: bytes  # expression that the beginning matches; `(?!)` where the suffix alone identifies it
    way: str  # what to do instead


_XML = rb"\s*<(\?xml|mediawiki|tei|rdf)\b"
_HTML = rb"\s*(<!--.{0,200}-->\s*)?<(!doctype\s+html|html)\b"
PLAIN = "Export it as text or CSV with the program that wrote it."
UNPACK = "Unpack it, and name the folder."
REFUSED = (
    Refused("PDF", (".pdf",), rb"%PDF-", "pdftotext FILE.pdf FILE.txt"),
    Refused(
        "Office (Word, Excel, PowerPoint)",
        (".docx", ".xlsx", ".pptx", ".doc", ".xls", ".ppt"),
        rb"PK\x03\x04.{26}(\[Content_Types\]|_rels/|docProps/|word/|xl/|ppt/)|\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
        "Save it as .txt or .csv (UTF-8), or: libreoffice --headless --convert-to txt FILE (csv of a table).",
    ),
    Refused(
        "OpenDocument or EPUB",
        (".odt", ".ods", ".odp", ".epub"),
        rb"PK\x03\x04.{26}mimetype",
        "pandoc FILE --to plain --output FILE.txt, or of a table: libreoffice --headless --convert-to csv FILE",
    ),
    Refused("RTF", (".rtf",), rb"\s*\{\\rtf", "pandoc FILE.rtf --to plain --output FILE.txt"),
    Refused("PostScript", (".ps", ".eps"), rb"%!PS", "ps2ascii FILE.ps FILE.txt"),
    Refused("LaTeX", (".tex", ".latex"), rb"\s*(%[^\n]*\n\s*)*\\document(class|style)\b", "pandoc FILE.tex --to plain"),
    Refused("HTML", (".html", ".htm", ".xhtml"), _HTML, "pandoc FILE.html --to plain --output FILE.txt"),
    Refused("WikiExtractor's <doc> markup", (), rb"\s*<doc id=", "Run WikiExtractor with --json: JSON lines are read."),
    Refused(
        "XML",
        (".xml",),
        _XML,
        "Convert a Wikipedia dump to JSON lines with WikiExtractor --json; export only the texts of others.",
    ),
    Refused(
        "a web archive (WARC)",
        (".warc", ".arc"),
        rb"WARC/\d",
        "Extract its text, for instance with trafilatura or warcio.",
    ),
    Refused(
        "e-mail (mbox, eml)",
        (".mbox", ".eml", ".msg"),
        rb"From \S+@\S+ .{0,80}\d\d:\d\d|(Return-Path|Received|Delivered-To|MIME-Version): ",
        "Export the bodies, with Python's `mailbox` or `email`.",
    ),
    Refused(
        "subtitles",
        (".srt", ".vtt"),
        rb"(\xef\xbb\xbf)?(WEBVTT\b|\d+\r?\n\d\d:\d\d:\d\d[,.]\d{3} -->)",
        "Export the lines without their times.",
    ),
    Refused("a pointer of Git LFS", (), rb"version https://git-lfs\.github\.com/", "git lfs pull"),
    Refused(
        "a tar archive",
        (".tar", ".tgz", ".tbz2", ".txz"),
        rb".{257}ustar",
        "Unpack it with tar -xf, and name the folder.",
    ),
    Refused("a gzip file", (), rb"\x1f\x8b", "Add .gz to its name."),
    Refused("a bzip2 file", (), rb"BZh[1-9]1AY&SY", "Add .bz2 to its name."),
    Refused("an xz file", (), rb"\xfd7zXZ\0", "Add .xz to its name."),
    Refused("a Zstandard file", (), rb"\x28\xb5\x2f\xfd", "Add .zst to its name."),
    Refused("a zip archive", (), rb"PK(\x03\x04|\x05\x06)", "If it contains texts, name it .zip."),
    Refused("a 7-Zip archive", (".7z",), rb"7z\xbc\xaf\x27\x1c", UNPACK),
    Refused("a RAR archive", (".rar",), rb"Rar!\x1a\x07", UNPACK),
    Refused("an LZ4 file", (".lz4",), rb"\x04\x22\x4d\x18", UNPACK),
    Refused("a compress(1) file", (".z",), rb"\x1f\x9d", UNPACK),
    Refused("encrypted Parquet", (), rb"PARE", "Decrypt it with the program that wrote it."),
    Refused("ORC", (".orc",), rb"ORC[\0-\x08\x0e-\x1f]", "Write it as Parquet, for instance with pyarrow.orc."),
    Refused("Avro", (".avro",), rb"Obj\x01", "Write it as Parquet or JSON lines."),
    Refused(
        "SQLite",
        (".sqlite", ".sqlite3", ".db"),
        rb"SQLite format 3\0",
        'sqlite3 -csv -header FILE "SELECT …" > FILE.csv',
    ),
    Refused("HDF5", (".h5", ".hdf5"), rb"\x89HDF\r\n\x1a\n", PLAIN),
    Refused("a NumPy array", (".npy", ".npz"), rb"\x93NUMPY", "Write its strings as lines."),
    Refused(
        "a Python pickle",
        (".pkl", ".pickle"),
        rb"\x80[\x02-\x05][\x95\]}()cXK\x8c\0]",
        "Unpickle it yourself if you trust it, and write JSON lines.",
    ),
    Refused(
        "a picture",
        (".png", ".jpg", ".jpeg", ".gif", ".tif", ".tiff", ".webp"),
        rb"\x89PNG\r\n|\xff\xd8\xff|GIF8[79]a|II\*\0|MM\0\*|RIFF.{4}WEBP",
        "Leave it out, or run OCR such as tesseract.",
    ),
    Refused(
        "sound or video",
        (".mp3", ".ogg", ".wav", ".mp4", ".flac"),
        rb"ID3[\x02-\x04]|OggS|fLaC|RIFF.{4}(WAVE|AVI )|.{4}ftyp",
        "Leave it out, or transcribe it.",
    ),
    Refused(
        "a program",
        (".exe", ".so", ".dll", ".class", ".pyc"),
        rb"\x7fELF|\xcf\xfa\xed\xfe|\xca\xfe\xba\xbe|MZ.{0,60}\0\0\0",
        "Leave it out.",
    ),
    Refused("a Jupyter notebook", (".ipynb",), rb"(?!)", "jupyter nbconvert --to markdown FILE.ipynb"),
)
MAGIC = [(re.compile(each.magic, re.DOTALL | (re.IGNORECASE if b"<" in each.magic else 0)), each) for each in REFUSED]
REFUSED_SUFFIX = {suffix: each for each in REFUSED for suffix in each.suffixes}


def known_as(head: bytes) -> Refused | None:
    """Return the first format of the table whose files begin like `head`, or None."""
    return next((refused for pattern, refused in MAGIC if pattern.match(head)), None)
