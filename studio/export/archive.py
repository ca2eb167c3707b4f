"""A model's folder, an export, or a run's script with its rows, as one zip file. No torch."""

import hashlib
import os
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from studio.catalog.exports import EXPORT_FILE
from studio.data.dataset import load_rows
from studio.errors import NotFound, RunError
from studio.files import read_json
from studio.training.folder import RunFolder
from studio.training.inputs import inputs

RECORD = "export.json"
"""What was made and measured, in an export's folder; see forms.py."""
ENDS_BYTES = 65_536


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


def zip_export(folder: Path, file: str, out: Path) -> None:
    """Write ``out``: one file of an export (id of the catalogue) with tokenizer and card. Whole or not there.

    Raises:
        NotFound: it was not made.
    """
    if not (folder / EXPORT_FILE[file].path).is_file():
        raise NotFound("This was not made yet.", hint="Make it first.")
    _write(out, files_of(folder, file), zipfile.ZIP_STORED)


def files_of(folder: Path, file: str) -> dict[Path, Path]:
    """What belongs to one file of an export: name -> path. The other precision's files stay behind."""
    others = {path for id, other in EXPORT_FILE.items() if id != file for path in other.paths}
    return {
        path.relative_to(folder): path
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.relative_to(folder).as_posix() not in others and path.name != RECORD
    }


def fingerprint(model: Path) -> str:
    """Names a model by its files: their names and sizes, and how they begin and end."""
    seen = hashlib.sha256()
    for path in sorted(file for file in model.rglob("*") if file.is_file()):
        size = path.stat().st_size
        with path.open("rb") as file:
            seen.update(f"{path.relative_to(model)}\0{size}\0".encode() + file.read(ENDS_BYTES))
            file.seek(max(0, size - ENDS_BYTES))
            seen.update(file.read())
    return seen.hexdigest()


def zip_script(run: Path, out: Path) -> None:
    """Write ``out``: the script of the run's folder with its settings, the rows as its losses take them and, where it
    cannot be had elsewhere, the model that it starts from. Whole or not there.

    Raises:
        NotFound: the run has no script, or the model it starts from is not on this machine any more.
        RunError: it cannot have one, and why; such runs are older than this version.
    """
    folder = RunFolder(run)
    reason = folder.script / "missing.txt"
    if reason.is_file():
        raise RunError("There is no script of this run.", hint=reason.read_text(encoding="utf-8"))
    if not (folder.script / "script.py").is_file():
        raise NotFound("This run has no script.", hint="Runs that succeeded have one: it says which step was kept.")
    parts = read_json(folder.script / "parts.json")
    files = {Path(file.name): file for file in folder.script.iterdir() if file.name != "parts.json"}
    if parts is None:  # made by an earlier version, which read the whole dataset
        models = [file for file in (run / "base").rglob("*") if file.is_file()]
        files |= {Path("data.parquet"): folder.dataset / "data.parquet"}
        files |= {file.relative_to(run): file for file in models}
        _write(out, files, zipfile.ZIP_STORED if models else zipfile.ZIP_DEFLATED)
        return
    for place, model in parts["folders"].items():
        found = run / model
        if not found.is_dir():
            raise NotFound(f"The model in {found}, which this run started from, is not there any more.")
        files |= {Path(place) / file.relative_to(found): file for file in found.rglob("*") if file.is_file()}
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent) as aside:
        for name, rows in parts["files"].items():
            files[Path(name)] = Path(aside) / name
            pq.write_table(_rows(folder, **rows), Path(aside) / name, compression="zstd")
        _write(out, files, zipfile.ZIP_STORED if parts["folders"] else zipfile.ZIP_DEFLATED)


def _rows(folder: RunFolder, dataset: str, feeding: str, positions: list[int], taught: bool) -> pa.Table:
    """The rows at ``positions`` of a dataset in the run's folder, as its loss takes them."""
    labels = np.load(folder.taught / "labels.npy", mmap_mode="r")[: len(positions)] if taught else None
    return inputs(load_rows(folder.path / dataset).take(positions), feeding, labels)


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
