"""A model's folder, or a run's script with its rows, as one zip file. No torch."""

import os
import zipfile
from pathlib import Path

from studio.errors import NotFound, RunError
from studio.training.folder import RunFolder


def zip_model(folder: Path, out: Path) -> None:
    """Write ``out``: a zip with one top folder, named as ``out``, that SentenceTransformer loads once unpacked.

    Whole or not there: readers never see half an archive.

    Raises:
        NotFound: There is no model in ``folder``.
    """
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    if not (folder / "modules.json").is_file():
        raise NotFound(
            "There is no model in this run.", hint="Only runs that succeeded or were stopped and kept have one."
        )
    # Weights hardly shrink, so they are stored as they are: a download starts in seconds.
    _write(out, {file.relative_to(folder): file for file in files}, zipfile.ZIP_STORED)


def zip_script(run: Path, out: Path) -> None:
    """Write ``out``: the script of the run's folder with the rows, the settings and, where it is the run's own copy,
    the base model. Whole or not there.

    Raises:
        NotFound: the run has no script.
        RunError: it cannot have one, and why.
    """
    folder = RunFolder(run)
    reason = folder.script / "missing.txt"
    if reason.is_file():
        raise RunError("There is no script of this run.", hint=reason.read_text(encoding="utf-8"))
    if not (folder.script / "script.py").is_file():
        raise NotFound("This run has no script.", hint="Runs that succeeded have one: it says which step was kept.")
    base = [file for file in (run / "base").rglob("*") if file.is_file()]
    files = {Path(file.name): file for file in folder.script.iterdir()}
    files |= {Path("data.parquet"): folder.dataset / "data.parquet"}
    files |= {file.relative_to(run): file for file in base}
    _write(out, files, zipfile.ZIP_STORED if base else zipfile.ZIP_DEFLATED)


def _write(out: Path, files: dict[Path, Path], compression: int) -> None:
    """A zip with one top folder, named as ``out``. ``files``: name in it -> file."""
    out.parent.mkdir(parents=True, exist_ok=True)
    aside = out.with_name(f".{out.name}.{os.getpid()}.tmp")
    try:
        with zipfile.ZipFile(aside, "w", compression, strict_timestamps=False) as archive:
            for name in sorted(files):
                archive.write(files[name], Path(out.stem) / name)
        aside.replace(out)
    finally:
        aside.unlink(missing_ok=True)
