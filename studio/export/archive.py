"""A model folder as one zip file. No torch."""

import os
import zipfile
from pathlib import Path

from studio.errors import NotFound


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
    out.parent.mkdir(parents=True, exist_ok=True)
    aside = out.with_name(f".{out.name}.{os.getpid()}.tmp")
    try:
        # Weights hardly shrink, so they are stored as they are: a download starts in seconds.
        with zipfile.ZipFile(aside, "w", zipfile.ZIP_STORED, strict_timestamps=False) as archive:
            for file in files:
                archive.write(file, Path(out.stem) / file.relative_to(folder))
        aside.replace(out)
    finally:
        aside.unlink(missing_ok=True)
