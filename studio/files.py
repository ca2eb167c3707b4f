"""Small files, written whole or not at all; what a file holds, as a hash."""

import hashlib
import json
import os
from pathlib import Path
from typing import Any


def write_json(path: Path, value: Any, *, make_folder: bool = True) -> None:
    """Write ``value`` so that a reader (or a power cut) sees the old file or the new one, never half of one."""
    if make_folder:
        path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with aside.open("w", encoding="utf-8") as out:
        json.dump(value, out, ensure_ascii=False, indent=1)
        out.flush()
        os.fsync(out.fileno())
    aside.replace(path)


def read_json(path: Path, default: Any = None) -> Any:
    """The content of a JSON file, ``default`` when there is none."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return default


def sha256_of(path: Path) -> str:
    """Hash of a file's content, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
