"""What a person takes along."""

import re
import shutil
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from studio.catalog.exports import EXPORT, FORM_OF, cannot_be_made
from studio.errors import HostError, NotFound
from studio.export.archive import RECORD, fingerprint, zip_export, zip_model, zip_script
from studio.files import read_json
from studio.making.exporting import MADE, RUN, SIZES
from studio.runs.makings import Makings
from studio.runs.records import MakingRecord, RunRecord
from studio.runs.training_runs import Runs
from studio.runs.workspace import Workspace, link_or_copy, link_tree, remove, size_mb
from studio.training.folder import RunFolder

KIND_OF = {**dict.fromkeys(EXPORT, "export"), "sizes": "sizes"}
"""What can be made of a tuned model -> kind of the making that does it; see studio/making/kinds.py."""
ROOM = {"export": 4, "sizes": 1}
"""So many times the room of the model is needed on the way."""


@dataclass(frozen=True)
class Made:
    """A form of a model, or its sizes."""

    record: dict[str, Any] | None
    """What was made and measured; None: it was not made, or of another model."""
    making: MakingRecord | None
    """The making that is under way, or failed; None: there is none."""


class Exports:
    def __init__(self, workspace: Workspace, runs: Runs, makings: Makings):
        self._workspace = workspace
        self._runs = runs
        self._makings = makings
        self._one_at_a_time = threading.Lock()

    def archive(self, owner: str, run_id: str) -> Path:
        """A zip of the tuned model, named after the run; made once, whole or not there. Raises RunError: no model."""
        record = self._runs.see(owner, run_id)
        model = self._runs.model_folder(record.owner, run_id)
        out = record.folder / "export" / f"{self.file_name(record)}.zip"

        with self._one_at_a_time:
            if not out.is_file():
                needed_mb = size_mb(path for path in model.rglob("*") if path.is_file())
                self._workspace.check_room(needed_mb, "the archive")
                zip_model(model, out)
        return out

    def script(self, owner: str, run_id: str) -> Path:
        """A zip of the run as a stand-alone script with its rows; made once. Raises RunError: there is none."""
        record = self._runs.get(owner, run_id)
        out = record.folder / "export" / f"{self.file_name(record)}-script.zip"
        with self._one_at_a_time:
            if not out.is_file():
                self._workspace.check_room(size_mb(record.folder.glob("dataset/*")), "the archive")
                zip_script(record.folder, out)
        return out

    def make(self, owner: str, run_id: str, what: str) -> Made:
        """Make a form of the model (``onnx``, ``openvino``) or weigh its ``sizes`` in the background, unless that is done
        or under way.

        Raises:
            NotFound: no such run, or nothing of that name.
            RunError: the run has no model.
            HostError: what makes it is not installed, or the disk is too full.
        """
        now = self.made(owner, run_id, what)
        if now.record is not None or (now.making is not None and not now.making.is_over):
            return now
        reason = cannot_be_made(what) if what in EXPORT else ""
        if reason:
            raise HostError(f"{EXPORT[what].label} cannot be made here.", hint=reason)
        model, record = self._runs.model_folder(owner, run_id), self._runs.get(owner, run_id)
        run, kind = RunFolder(record.folder), KIND_OF[what]
        self._workspace.check_room(ROOM[kind] * size_mb(p for p in model.rglob("*") if p.is_file()), what)
        needed = {
            "model": model,
            "dataset": run.dataset,
            "test": run.test,
            "config.json": run.config,
            "split.json": run.split,
        }
        files = {f"{RUN}/{name}": path for name, path in needed.items() if path.exists()}
        with self._one_at_a_time:
            if now.making is not None:
                self._makings.delete(owner, now.making.id)
            task = {"run": run_id, "form": what, "model": fingerprint(model)}
            label = EXPORT[what].label if what in EXPORT else "Size against quality"
            self._makings.create(owner, kind, f"{label}: {record.name}", task, files=files)
        return self.made(owner, run_id, what)

    def made(self, owner: str, run_id: str, what: str) -> Made:
        """How far it is. Raises NotFound, RunError: no such run, or one without a model."""
        if what not in KIND_OF:
            raise NotFound("There is no such form of a model.")
        model, record = self._runs.model_folder(owner, run_id), self._runs.get(owner, run_id)
        with self._one_at_a_time:
            making = self._making(owner, run_id, what)
            if making is not None and making.state == "succeeded":
                self._take_over(making, record, what)
                self._makings.delete(owner, making.id)
                making = None
            place = record.folder / "export"
            found = read_json(place / SIZES if what == "sizes" else place / what / RECORD)
        whole = found is not None and found.get("model") == fingerprint(model)
        return Made(found if whole else None, making)

    def export_archive(self, owner: str, run_id: str, file: str) -> Path:
        """A zip of one exported file with tokenizer and card (``file``: id of the catalogue); made once.

        Raises:
            NotFound: it was not made.
        """
        form = FORM_OF.get(file)
        if form is None or self.made(owner, run_id, form.id).record is None:
            raise NotFound("This was not made yet.", hint="Make it first.")
        record = self._runs.get(owner, run_id)
        folder = record.folder / "export" / form.id
        out = record.folder / "export" / f"{self.file_name(record)}-{file}.zip"
        with self._one_at_a_time:
            if not out.is_file() or out.stat().st_mtime < (folder / RECORD).stat().st_mtime:
                self._workspace.check_room(size_mb(p for p in folder.rglob("*") if p.is_file()), "the archive")
                zip_export(folder, file, out)
        return out

    def forms_made(self, owner: str, run_id: str) -> tuple[str, ...]:
        return tuple(form for form in EXPORT if self.made(owner, run_id, form).record is not None)

    def sweep(self) -> None:
        """Forget what was made of models of runs that are gone."""
        for making in self._makings.of_kinds(*set(KIND_OF.values())):
            run_id = read_json(making.folder / "task.json", {}).get("run", "")
            try:
                self._runs.get(making.owner, run_id)
            except NotFound:
                self._makings.delete(making.owner, making.id)

    def file_name(self, record: RunRecord) -> str:
        """What archives of a run, and the folders in them, are called: letters that no program trips over."""
        return re.sub(r"[^A-Za-z0-9_-]+", "-", record.name).strip("-") or record.id

    def _making(self, owner: str, run_id: str, what: str) -> MakingRecord | None:
        for making in self._makings.list(owner):
            if making.kind == KIND_OF[what]:
                task = read_json(making.folder / "task.json", {})
                if (task.get("run"), task.get("form")) == (run_id, what):
                    return making
        return None

    def _take_over(self, making: MakingRecord, record: RunRecord, what: str) -> None:
        """What a making has made lies with its run from then on, and goes with it."""
        place, made = record.folder / "export", making.folder / MADE
        place.mkdir(exist_ok=True)
        try:
            if what == "sizes":
                remove(place / SIZES)
                link_or_copy(made / SIZES, place / SIZES)
                return
            aside = place / f".{what}.{making.id}"
            remove(aside)
            link_tree(made, aside)
            shutil.rmtree(place / what, ignore_errors=True)
            aside.rename(place / what)
        except OSError as error:
            raise HostError(f"The files could not be stored: {error.strerror}.") from error
