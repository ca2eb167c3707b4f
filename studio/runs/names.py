"""Names that people give, made fit for files and screens."""

import re
import unicodedata

MAX_NAME = 120
_FORBIDDEN = re.compile(r'[\x00-\x1f\x7f<>:"/\\|?*]+')
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)


def display_name(text: str, default: str) -> str:
    """One line without control characters, at most MAX_NAME long; ``default`` when nothing is left."""
    plain = "".join(c if unicodedata.category(c)[0] != "C" else " " for c in text)
    return " ".join(plain.split())[:MAX_NAME].strip() or default


def safe_file_name(text: str, default: str = "file") -> str:
    """The last part of a path as a name that every file system takes, its ending kept; never '.', '..' or hidden."""
    name = re.split(r"[/\\]", text)[-1]
    name = _FORBIDDEN.sub("_", _plain(name)).strip(". ")
    stem, dot, ending = name.rpartition(".")
    if not dot:
        stem, ending = name, ""
    ending = ending[:16]
    while stem and len(f"{stem}{dot}{ending}".encode()) > 200:
        stem = stem[:-1]
    name = f"{stem}{dot}{ending}".strip(". ")
    return f"_{name}" if _RESERVED.fullmatch(name) else name or default


def _plain(text: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFC", text) if unicodedata.category(c)[0] != "C")
