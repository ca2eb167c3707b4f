"""What a person takes along."""

import threading
from pathlib import Path

from studio.runs.names import safe_file_name
from studio.runs.training_runs import Runs
from studio.runs.workspace import Workspace, size_mb


class Exports:
    def __init__(self, workspace: Workspace, runs: Runs):
        self._workspace = workspace
        self._runs = runs
        self._one_at_a_time = threading.Lock()

    def archive(self, owner: str, run_id: str) -> Path:
        """A zip of the tuned model, named after the run; made once, whole or not there. Raises RunError: no model."""
        from studio.export.archive import zip_model

        record = self._runs.see(owner, run_id)
        model = self._runs.model_folder(record.owner, run_id)
        out = record.folder / "export" / f"{safe_file_name(record.name, record.id).replace('.', '_')}.zip"

        with self._one_at_a_time:
            if not out.is_file():
                needed_mb = size_mb(path for path in model.rglob("*") if path.is_file())
                self._workspace.check_room(needed_mb, "the archive")
                zip_model(model, out)
        return out

    def script(self, owner: str, run_id: str) -> Path:
        """A zip of the run as a stand-alone script with its rows; made once. Raises RunError: there is none."""
        from studio.export.archive import zip_script

        record = self._runs.get(owner, run_id)
        name = f"{safe_file_name(record.name, record.id).replace('.', '_')}-script.zip"
        out = record.folder / "export" / name
        with self._one_at_a_time:
            if not out.is_file():
                self._workspace.check_room(size_mb(record.folder.glob("dataset/*")), "the archive")
                zip_script(record.folder, out)
        return out
