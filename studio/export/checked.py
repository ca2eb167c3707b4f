"""An export is checked before anybody downloads it: loaded by a fresh process without torch, compared with the model."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from studio.errors import ModelError
from studio.evaluation.measure import measure
from studio.evaluation.task import Task
from studio.evaluation.vectors import Compares, Vectors

POLL_S = 0.2


@dataclass(frozen=True)
class Check:
    """What one exported file keeps of its model."""

    file: str
    """Id of the catalogue."""
    bytes: int
    cosine_mean: float
    cosine_least: float
    """Cosine of the file's vectors with the model's, of all texts of the held-out rows."""
    before: float | None
    after: float | None
    """The primary metric by the model and by the file; None: these rows do not define it."""

    @property
    def keeps(self) -> float | None:
        return self.after / self.before if self.before and self.after is not None else None


def check(
    file: Path,
    id: str,
    bytes: int,
    model: Compares,
    task: Task,
    texts: list[str],
    vectors: np.ndarray,
    before: float | None,
    look: Callable[[], None] = lambda: None,
) -> Check:
    """``vectors``: the model's own of ``texts``; ``look`` is called now and then and may raise.

    Raises:
        ModelError: the file does not load, or gives something else than the model.
    """
    theirs = embed_apart(file, texts, look)
    if theirs.shape != vectors.shape or not np.isfinite(theirs).all():
        raise ModelError(f"The exported file {file.name} gives other vectors than the model: it is not kept.")
    lengths = np.linalg.norm(theirs, axis=1) * np.linalg.norm(vectors, axis=1)
    known = lengths > 0  # a text without a known token is a vector of zeros
    cosine = (theirs * vectors).sum(1)[known] / lengths[known]
    after = measure(Vectors(model, texts, theirs), task).metrics.get(task.primary)
    least = float(cosine.min()) if len(cosine) else 1.0
    return Check(id, bytes, float(cosine.mean()) if len(cosine) else 1.0, least, before, after)


def embed_apart(file: Path, texts: list[str], look: Callable[[], None] = lambda: None) -> np.ndarray:
    """Vectors of the texts by a process of its own. Raises ModelError: it could not."""
    with tempfile.TemporaryDirectory() as folder:
        asked, out, said = (Path(folder) / name for name in ("texts.json", "vectors.npy", "said.txt"))
        asked.write_text(json.dumps(texts), encoding="utf-8")
        command = [sys.executable, "-m", "studio.export.reading", str(file), str(asked), str(out)]
        with said.open("w") as log:
            reader = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)
        try:
            while reader.poll() is None:
                look()
                try:
                    reader.wait(POLL_S)
                except subprocess.TimeoutExpired:
                    continue
        finally:
            if reader.poll() is None:
                reader.kill()
                reader.wait()
        if reader.returncode != 0 or not out.is_file():
            words = said.read_text(encoding="utf-8", errors="replace").strip().splitlines()
            raise ModelError(
                f"The exported file {file.name} could not be used: {words[-1][:300] if words else 'no reason was given'}",
                hint="Take the zip of the model along; please report this.",
            )
        return np.load(out)
