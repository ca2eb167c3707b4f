"""A tuned model to the hub, by a process of its own: ``python -m studio.export.hub``. No torch.

It reads one line of JSON from standard input (what to upload, and the token, which stands nowhere else: not among its
arguments, not in its environment, in no file) and writes lines of JSON to standard output: ``done``, ``total``, ``words``
while it works, and last ``url``, or ``message`` and ``hint``. HF_ENDPOINT names another hub. Nothing is uploaded but the files
that were named.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from studio.catalog.exports import EXPORT
from studio.errors import HostError, NotFound, RunError, StudioError
from studio.export.archive import RECORD
from studio.export.sections import with_examples
from studio.training.folder import RunFolder

NAME = re.compile(r"([A-Za-z0-9][\w.-]{0,95}/)?[A-Za-z0-9][\w.-]{0,95}")
TOKENS = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HUGGINGFACE_HUB_TOKEN")
"""Variables that tokens of whoever runs the studio may stand in: the process that uploads does not get them."""
CARD = "README.md"


@dataclass(frozen=True)
class Upload:
    """What is to be uploaded, where to, and who may see it."""

    name: str
    """``owner/name``, or the name alone: the owner of the token."""
    private: bool
    update: bool
    """Whether it may go into a repository that is there already."""
    files: tuple[tuple[str, str], ...]
    """(name in the repository, path on this machine)."""
    card: str
    """The text of README.md."""


@dataclass(frozen=True)
class Step:
    """What a process says of itself."""

    done: int = 0
    total: int = 0
    words: str = ""
    url: str = ""
    message: str = ""
    hint: str = ""

    @property
    def is_last(self) -> bool:
        return bool(self.url or self.message)


def repository_name(text: str) -> str:
    """Raises RunError: no name that the hub takes."""
    name = text.strip().removeprefix("https://huggingface.co/").rstrip("/")
    if not NAME.fullmatch(name) or ".." in name or "--" in name:
        raise RunError(
            f"'{text.strip()[:100]}' is no name of a repository." if text.strip() else "The repository has no name.",
            hint="Names look like owner/name: letters, digits, - and _.",
        )
    return name


def what_to_upload(run: Path, forms: tuple[str, ...] = ()) -> list[tuple[str, Path]]:
    """Files of the model, and of exports that were made: (name in the repository, path). No row of the data is among them.

    Raises:
        NotFound: no model, or an export that was not made.
    """
    model = RunFolder(run).model
    if not (model / "modules.json").is_file():
        raise NotFound(
            "There is no model in this run.", hint="Only runs that succeeded or were stopped and kept have one."
        )
    files = {path.relative_to(model).as_posix(): path for path in sorted(model.rglob("*")) if path.is_file()}
    for form in forms:
        folder = run / "export" / form
        if form not in EXPORT or not (folder / RECORD).is_file():
            raise NotFound("This form of the model was not made yet.", hint="Make it first, or leave it out.")
        more = {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*")) if path.is_file()}
        files = {name: path for name, path in more.items() if name not in (RECORD, CARD)} | files
    return sorted(files.items(), key=lambda item: (item[0] != CARD, item[0]))


def card_of(run: Path, examples: bool) -> str:
    """The model card; with three rows of the dataset where somebody asked for them."""
    folder = RunFolder(run)
    card = (folder.model / CARD).read_text(encoding="utf-8")
    if not examples:
        return card
    return with_examples(card, pq.ParquetFile(folder.dataset / "data.parquet").read_row_group(0).slice(0, 10))


class Pushing:
    """An upload that goes on in a process of its own. Iterate over it for its steps; ``stop`` ends it."""

    def __init__(self, upload: Upload, token: str):
        environment = {name: value for name, value in os.environ.items() if name not in TOKENS}
        environment |= {
            "HF_HUB_DISABLE_IMPLICIT_TOKEN": "1",
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "HF_HUB_DISABLE_PROGRESS_BARS": "1",
            "HF_HUB_DISABLE_XET": "1",  # plain uploads: no cache and no log of its own on this machine
        }
        self._token = token
        self._process = subprocess.Popen(
            [sys.executable, "-m", "studio.export.hub"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=environment,
        )
        try:
            self._process.stdin.write(json.dumps({**asdict(upload), "token": token}) + "\n")
            self._process.stdin.close()
        except OSError:
            pass  # it has ended already; the steps say so

    def __iter__(self) -> Iterator[Step]:
        last = Step()
        with self._process.stdout as said:
            for line in said:
                last = Step(**json.loads(line.replace(self._token, "***") if self._token else line))
                yield last
        self._process.wait()
        if not last.is_last:
            yield Step(
                message="The upload was ended.", hint="Files that were sent already may stand in the repository."
            )

    def stop(self) -> None:
        self._process.terminate()


def push(upload: Upload, token: str, say: Any) -> str:
    """Upload, file by file; returns the address of the repository.

    Raises:
        StudioError: no permission, no such owner, it is there already, or the hub cannot be reached.
    """
    from huggingface_hub import CommitOperationAdd, HfApi
    from huggingface_hub.errors import HfHubHTTPError

    hub = HfApi(token=token)
    total = sum(os.path.getsize(path) for _, path in upload.files)
    try:
        say(Step(0, total, "Asking the hub"))
        who = hub.whoami()["name"]
        name = upload.name if "/" in upload.name else f"{who}/{upload.name}"
        if not upload.update and hub.repo_exists(name):
            raise RunError(
                f"There is a repository {name} already.",
                hint="Choose another name, or allow to write into it: its files of the same names are replaced.",
            )
        url = str(hub.create_repo(name, private=upload.private, exist_ok=upload.update))
        if upload.private and not hub.model_info(name).private:
            raise RunError(
                f"{name} is public: nothing was uploaded.",
                hint="Make it private on the hub first, or say that everybody may see the model.",
            )
        parts = [
            CommitOperationAdd(place, upload.card.encode() if place == CARD else path) for place, path in upload.files
        ]
        done = 0
        for part, (place, path) in zip(parts, upload.files, strict=True):
            say(Step(done, total, f"Uploading {place}"))
            hub.preupload_lfs_files(name, additions=[part])
            done += os.path.getsize(path)
        say(Step(done, total, "Finishing"))
        hub.create_commit(name, operations=parts, commit_message="A model tuned with Sentence Studio")
    except HfHubHTTPError as error:
        raise _explained(error, upload.name) from None
    return url


def _explained(error: Any, name: str) -> StudioError:
    status = error.response.status_code if error.response is not None else 0
    if status == 401:
        return RunError(
            "The hub does not accept this token.",
            hint="Copy it once more: a token that may write (hf.co/settings/tokens).",
        )
    if status == 403:
        return RunError(
            f"This token may not write to {name}.",
            hint="It needs the permission to write, and the owner must be you or a group of yours.",
        )
    if status == 409:
        return RunError(f"There is a repository {name} already.", hint="Choose another name.")
    if status == 404:
        return RunError(
            f"The hub knows no owner of {name}.",
            hint="Write your own name, or that of a group that you belong to, before the slash.",
        )
    return HostError(
        f"The hub answered with an error ({status}).", hint="Try again later; what was sent already is not sent twice."
    )


def main() -> int:
    asked = json.loads(sys.stdin.readline())
    token = asked.pop("token")
    asked["files"] = tuple(tuple(file) for file in asked["files"])

    def say(step: Step) -> None:
        print(json.dumps(asdict(step)), flush=True)

    try:
        say(Step(url=push(Upload(**asked), token, say)))
    except StudioError as error:
        say(Step(message=error.message, hint=error.hint))
    except (
        Exception
    ) as error:  # no network, a proxy that answers, a disk that fails: never a stack trace, never the token
        kind = type(error).__name__
        unreachable = "Offline" in kind or "Connect" in kind or "Timeout" in kind
        words = "The hub cannot be reached from here." if unreachable else f"The upload failed ({kind})."
        say(Step(message=words, hint="Check the machine's network, HF_ENDPOINT and HF_HUB_OFFLINE."))
    return 0


if __name__ == "__main__":
    sys.exit(main())
