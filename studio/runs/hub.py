"""Datasets of the hub are downloaded in the background, and are then uploads like any file."""

from dataclasses import asdict

from studio.errors import ConfigError, DataError, HostError
from studio.making.hub import FILE, HubName
from studio.runs.datasets import Datasets
from studio.runs.makings import Makings
from studio.runs.names import display_name
from studio.runs.records import MakingRecord, UploadRecord
from studio.runs.store import new_id
from studio.runs.workspace import Workspace, link_or_copy

KIND = "hub"
"""See studio/making/kinds.py."""


class HubDatasets:
    def __init__(self, workspace: Workspace, datasets: Datasets, makings: Makings, *, most_rows: int, most_mb: int):
        """``most_rows``, ``most_mb``: more is taken from no dataset."""
        self._workspace = workspace
        self._datasets = datasets
        self._makings = makings
        self._most_rows = most_rows
        self._most_mb = most_mb

    def begin(self, owner: str, name: HubName, most_rows: int) -> MakingRecord:
        """Download a dataset, at most ``most_rows`` of its rows. Nothing has been asked of the hub when this returns.

        Raises:
            ConfigError: not a number of rows that may be had.
            DataError: another download is going on.
        """
        if not 1 <= most_rows <= self._most_rows:
            raise ConfigError(
                f"Rows must be between 1 and {self._most_rows:,}.",
                hint="Whoever hosts the studio can raise the limit (STUDIO_MAX_HUB_ROWS).",
            )
        going = self.latest(owner)
        if going is not None and not going.is_over:
            raise DataError(f"'{going.name}' is still being downloaded.", hint="Wait for it, or stop it.")
        task = {"hub": asdict(name), "most_rows": most_rows, "most_mb": self._most_mb}
        return self._makings.create(owner, KIND, display_name(str(name), "hub dataset"), task)

    def latest(self, owner: str) -> MakingRecord | None:
        """The newest download; one whose rows have arrived is not there any more."""
        return self._makings.latest(owner, KIND, "")

    def arrive(self, owner: str, making_id: str) -> UploadRecord:
        """The rows of a download that succeeded, as an upload. The download is then forgotten.

        Raises:
            DataError: it has failed, or has not ended.
        """
        making = self._makings.get(owner, making_id)
        if making.state != "succeeded" or making.kind != KIND:
            raise DataError(making.message or "The rows are not there yet.", hint=making.hint)
        aside = self._workspace.tmp / new_id()
        try:
            link_or_copy(making.folder / FILE, aside)
            upload = self._datasets.stage(owner, aside, making.result["file_name"])
        except OSError as error:
            raise HostError(f"The rows could not be stored: {error.strerror}.") from error
        finally:
            aside.unlink(missing_ok=True)
        self._makings.delete(owner, making_id)
        return upload
