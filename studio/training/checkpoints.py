"""Checkpoints that can be trusted after a kill, a full disk or a power cut.

A checkpoint is the transformers Trainer's own folder plus ``manifest.json`` with size and hash of every file. It is
written aside, the manifest last, everything flushed, then renamed into place: a folder ``checkpoint-<step>`` whose
manifest agrees is whole. The stock Trainer would resume from half of one without a word.
"""

import os
import re
import shutil
from pathlib import Path

from studio.files import read_json, sha256_of, write_json

KEEP = 2
MANIFEST = "manifest.json"
ASIDE = ".writing"
_NAME = re.compile(r"checkpoint-(\d+)")


def seal(written: Path, checkpoints: Path, fingerprint: str) -> Path:
    """Turn the folder ``written`` (``checkpoint-<step>``, outside or in ASIDE) into a checkpoint of ``checkpoints``.

    ``fingerprint``: of the config and data; a checkpoint of other ones is not taken.
    """
    files = sorted(path for path in written.rglob("*") if path.is_file() and path.name != MANIFEST)
    for path in files:
        _flush(path)
    entries = {
        str(path.relative_to(written)): {"size": path.stat().st_size, "sha256": sha256_of(path)} for path in files
    }
    write_json(written / MANIFEST, {"fingerprint": fingerprint, "files": entries})
    for folder in {path.parent for path in files} | {written}:
        _flush(folder)
    target = checkpoints / written.name
    shutil.rmtree(target, ignore_errors=True)
    written.rename(target)
    _flush(checkpoints)
    for _, old in _listed(checkpoints)[KEEP:]:
        shutil.rmtree(old, ignore_errors=True)
    return target


def newest_whole(checkpoints: Path, fingerprint: str) -> tuple[Path | None, tuple[str, ...]]:
    """The newest checkpoint that verifies (None: none does), and what was wrong with newer ones, one sentence each."""
    problems = []
    for step, path in _listed(checkpoints):
        problem = _problem(path, fingerprint)
        if problem is None:
            return path, tuple(problems)
        problems.append(f"The checkpoint of step {step} cannot be used: {problem}.")
    return None, tuple(problems)


def step_of(checkpoint: Path) -> int:
    """The step that a checkpoint folder was written at."""
    return int(_NAME.fullmatch(checkpoint.name).group(1))


def size_of(folder: Path) -> int:
    """Bytes of the files in a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _listed(checkpoints: Path) -> list[tuple[int, Path]]:
    """(step, folder), newest first."""
    found = [(int(m.group(1)), path) for path in checkpoints.glob("checkpoint-*") if (m := _NAME.fullmatch(path.name))]
    return sorted(found, reverse=True)


def _problem(path: Path, fingerprint: str) -> str | None:
    try:
        manifest = read_json(path / MANIFEST)
    except ValueError:
        return "its manifest is damaged"
    if manifest is None:
        return "it was not written to its end"
    if manifest.get("fingerprint") != fingerprint:
        return "it belongs to other settings or data"
    for name, entry in manifest["files"].items():
        file = path / name
        if not file.is_file():
            return f"{name} is missing"
        if file.stat().st_size != entry["size"] or sha256_of(file) != entry["sha256"]:
            return f"{name} is damaged"
    return None


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
