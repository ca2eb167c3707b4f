"""Uploads of tuned models to the hub: asked for in so many words, with a token that is kept nowhere.

The token goes through a pipe to the process that uploads, and is forgotten: it stands in no file, no database, no log and
in no process's arguments. So an upload ends with the server, and cannot be gone on with by another one.
"""

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from studio.errors import AccessError, RunError
from studio.export.hub import Pushing, Step, Upload, card_of, repository_name, what_to_upload
from studio.files import read_json, write_json
from studio.runs.exports import Exports
from studio.runs.training_runs import Runs

PUSHED = "pushed.json"
"""In a run's export folder: where it was uploaded, when, and who could see it."""
LONGEST_TOKEN = 500


@dataclass(frozen=True)
class Wish:
    """What somebody wants to be uploaded."""

    name: str
    private: bool = True
    update: bool = False
    """Into a repository that is there already."""
    forms: tuple[str, ...] = ()
    """Exports that go along."""
    examples: bool = False
    """Whether the card shows three rows of the dataset."""


@dataclass(frozen=True)
class Push:
    """An upload: how far it is, or how it ended."""

    name: str
    private: bool
    step: Step
    over: bool = False


class Pushes:
    def __init__(self, runs: Runs, exports: Exports, allowed: bool):
        self._runs = runs
        self._exports = exports
        self.allowed = allowed
        self._lock = threading.Lock()
        self._known: dict[str, Push] = {}
        self._processes: dict[str, Pushing] = {}

    def plan(self, owner: str, run_id: str, forms: Sequence[str] = ()) -> list[tuple[str, Path]]:
        """Every file that would be uploaded: (name in the repository, path here). Raises RunError: the run has no model."""
        self._runs.model_folder(owner, run_id)
        return what_to_upload(self._runs.get(owner, run_id).folder, tuple(forms))

    def card(self, owner: str, run_id: str, examples: bool) -> str:
        """The card as it would be uploaded."""
        self._runs.model_folder(owner, run_id)
        return card_of(self._runs.get(owner, run_id).folder, examples)

    def begin(self, owner: str, run_id: str, wish: Wish, token: str) -> Push:
        """Start an upload.

        Raises:
            AccessError: whoever hosts the studio has switched it off.
            RunError: no name, no token, or one goes on already.
        """
        if not self.allowed:
            raise AccessError(
                "Uploads to the hub are switched off here.", hint="Download the model, and upload it yourself."
            )
        files = self.plan(owner, run_id, wish.forms)
        name, token = repository_name(wish.name), token.strip()
        if not token or len(token) > LONGEST_TOKEN or not token.isascii() or any(c.isspace() for c in token):
            raise RunError(
                "There is no token.", hint="Make one that may write at hf.co/settings/tokens, and paste it here."
            )
        upload = Upload(
            name, wish.private, wish.update, tuple((place, str(path)) for place, path in files),
            self.card(owner, run_id, wish.examples),
        )  # fmt: skip
        folder = self._runs.get(owner, run_id).folder
        with self._lock:
            now = self._known.get(run_id)
            if now is not None and not now.over:
                raise RunError("This model is being uploaded already.", hint="Wait for it, or stop it.")
            push = self._known[run_id] = Push(name, wish.private, Step(words="Starting"))
            process = self._processes[run_id] = Pushing(upload, token)
        threading.Thread(target=self._follow, args=(run_id, process, folder), daemon=True).start()
        return push

    def of(self, owner: str, run_id: str) -> Push | None:
        """The upload of a run that goes on or was the last one; None: there was none since the server started."""
        self._runs.get(owner, run_id)
        return self._known.get(run_id)

    def history(self, owner: str, run_id: str) -> list[dict]:
        """Where this model was uploaded to, oldest first: name, url, private, when."""
        return read_json(self._runs.get(owner, run_id).folder / "export" / PUSHED, [])

    def stop(self, owner: str, run_id: str) -> None:
        """End an upload. What was sent already may stand in the repository."""
        self._runs.get(owner, run_id)
        process = self._processes.get(run_id)
        if process is None:
            raise RunError("Nothing is being uploaded.")
        process.stop()

    def close(self) -> None:
        for process in [*self._processes.values()]:
            process.stop()

    def _follow(self, run_id: str, process: Pushing, folder: Path) -> None:
        for step in process:
            push = replace(self._known[run_id], step=step, over=step.is_last)
            if step.url and folder.is_dir():
                place = folder / "export" / PUSHED
                entry = {"name": push.name, "url": step.url, "private": push.private, "when": round(time.time())}
                write_json(place, [*read_json(place, []), entry])
            if push.over:
                self._processes.pop(run_id, None)
            self._known[run_id] = push
