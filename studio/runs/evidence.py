"""What the verdicts of runs rest on, row by row, for whoever may see them."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow as pa

from studio.errors import NotFound
from studio.evaluation.evidence import load_slices
from studio.evaluation.lookup import Evidence, Wish
from studio.evaluation.slices import FEW
from studio.files import read_json
from studio.recent import Recent
from studio.runs.datasets import Datasets
from studio.runs.training_runs import Runs
from studio.training.folder import RunFolder

KEPT = 8
"""Runs whose rows are kept in memory: a few megabytes each."""


class RunEvidence:
    def __init__(self, runs: Runs, datasets: Datasets):
        self._runs = runs
        self._datasets = datasets
        self._read: Recent[tuple[str, int], Evidence] = Recent(KEPT)

    def page(self, owner: str, run_id: str, wish: Wish) -> dict[str, Any]:
        """``dataset``: id of the dataset that the rows are of; empty when it is gone. Raises RunError, as all others here,
        where nothing was recorded."""
        return {**asdict(self._evidence(owner, run_id).page(wish)), "dataset": self._dataset(owner, run_id)}

    def row(self, owner: str, run_id: str, place: int) -> dict[str, Any]:
        return self._evidence(owner, run_id).row(place)

    def table(self, owner: str, run_id: str, wish: Wish) -> pa.Table:
        return self._evidence(owner, run_id).table(wish)

    def slices(self, owner: str, run_id: str) -> dict[str, Any]:
        """``few``: rows below which an interval says little."""
        evidence = self._evidence(owner, run_id)
        found = load_slices(self._folder(owner, run_id))
        return {"primary": evidence.meta.primary, "few": FEW, "slices": [asdict(one) for one in found]}

    def _folder(self, owner: str, run_id: str) -> Path:
        return RunFolder(self._runs.see(owner, run_id).folder).evidence

    def _evidence(self, owner: str, run_id: str) -> Evidence:
        folder = self._folder(owner, run_id)
        try:
            written = (folder / "meta.json").stat().st_mtime_ns  # a run that goes on writes another one
        except FileNotFoundError:
            written = 0
        return self._read.get((run_id, written), lambda: Evidence(folder))

    def _dataset(self, owner: str, run_id: str) -> str:
        run = self._runs.see(owner, run_id)
        judged = read_json(RunFolder(run.folder).run, {}).get("test_id")
        try:
            return self._datasets.get(owner, judged or run.dataset_id).id
        except NotFound:
            return ""
