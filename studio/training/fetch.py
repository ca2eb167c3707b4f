"""Bring a model of the hub onto this machine, into the hub's own cache: settings first, weights only if it is for here.

Nothing but JSON, tokenizer files and safetensors is asked for: pickles and program code are never downloaded.
"""

import errno
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from studio.errors import ModelError
from studio.training.bases import (
    Base,
    inspect_folder,
    inspect_settings,
    installed_models,
    pickled_weights,
)

SETTINGS = (".json", ".txt", ".model")
WEIGHTS = ".safetensors"
ELSEWHERE = ("onnx/", "openvino/", "coreml/", "gguf/", "original/", "runs/", ".")
"""Beginnings of files' paths that are of no use here."""
MOST_SETTINGS_BYTES = 50_000_000

Report = Callable[[int, int], None]


def download(base: Base, report: Report = lambda done, total: None) -> Base:
    """The base with its files on this machine; downloads them when they are not.

    ``report`` is told how many bytes of how many are there. What it raises ends the download; the next one goes on.

    Raises:
        ModelError: the hub cannot be reached, has no such model, or the model is not one that the studio takes.
    """
    if base.design is not None and base.source is not None:
        return replace(base, source=download(base.source, report))
    if base.path is not None or base.design is not None:
        return base
    from huggingface_hub import HfApi, hf_hub_download

    name, hub = base.hub_name, HfApi()
    with _explained(name):
        found = hub.model_info(name, files_metadata=True)
    files = {f.rfilename: f.size or 0 for f in found.siblings or () if not f.rfilename.startswith(ELSEWHERE)}
    settings = [path for path, size in files.items() if path.endswith(SETTINGS) and size <= MOST_SETTINGS_BYTES]
    weights = [path for path in files if path.endswith(WEIGHTS)]
    if not any(path.rpartition("/")[2] in ("modules.json", "config.json") for path in settings):
        raise ModelError(
            f"'{name}' holds no model that can be read here.", hint="It has neither modules.json nor config.json."
        )
    bar = _bar(sum(files[path] for path in (*settings, *weights)), report)

    def bring(paths: list[str]) -> Path:
        for path in paths:
            with _explained(name):
                last = Path(hf_hub_download(name, path, endpoint=hub.endpoint, tqdm_class=bar))
            bar.whole(files[path])
        return last.parents[path.count("/")]

    folder = bring(settings)
    inspect_settings(folder, name)
    if not weights:
        if any(path.endswith((".bin", ".pt", ".pth", ".ckpt")) for path in files):
            raise pickled_weights(name)
        raise ModelError(
            f"'{name}' has no weights as safetensors.", hint="Choose another model, or a folder that has them."
        )
    folder = bring(weights)
    return replace(base, kind=inspect_folder(folder, name), path=folder)


def _bar(total: int, report: Report) -> Any:
    """A class that the hub's client takes for tqdm: adds up the bytes of all files."""

    class Bar:
        done = 0
        """Bytes of whole files."""

        def __init__(self, *_: Any, initial: int = 0, **__: Any):
            self.n = initial or 0
            report(min(Bar.done + self.n, total), total)

        @staticmethod
        def whole(size: int) -> None:
            Bar.done += size
            report(min(Bar.done, total), total)

        def update(self, n: float | None = 1) -> None:
            self.n += int(n or 0)
            report(min(Bar.done + self.n, total), total)

        def __enter__(self) -> "Bar":
            return self

        def __exit__(self, *_: Any) -> None:
            return None

        def __getattr__(self, name: str) -> Any:
            return lambda *_, **__: None

    return Bar


@contextmanager
def _explained(name: str) -> Iterator[None]:
    """Errors of the hub's client as what a person can do about them."""
    from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, RepositoryNotFoundError

    try:
        yield
    except GatedRepoError as error:
        raise ModelError(
            f"'{name}' is given to people who have accepted its terms only.",
            hint="Accept them on the model's page, then put your token on this machine (hf auth login, or HF_TOKEN).",
        ) from error
    except RepositoryNotFoundError as error:
        raise ModelError(
            f"The hub has no model '{name}' that this machine may read.",
            hint="Check the spelling; private models need a token (hf auth login, or HF_TOKEN).",
        ) from error
    except HfHubHTTPError as error:
        status = getattr(error.response, "status_code", None)
        if status in (401, 403):
            raise ModelError(
                f"The hub does not let this machine read '{name}' (status {status}).",
                hint="The token may be wrong or too old: put a new one there (hf auth login, or HF_TOKEN).",
            ) from error
        raise ModelError(
            f"The hub answered with an error while '{name}' was asked for (status {status or 'unknown'}).",
            hint="Try again later; what was downloaded is kept.",
        ) from error
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise ModelError(
                f"The disk is too full for '{name}'.", hint="Make room where the hub's cache is."
            ) from error
        raise unreachable(name) from error
    except Exception as error:  # the hub's client raises whatever its HTTP library does
        raise unreachable(name) from error


def unreachable(name: str | None) -> ModelError:
    here = ", ".join(record.id for record in installed_models())
    return ModelError(
        f"'{name}' is not on this machine and the model hub cannot be reached.",
        hint=f"Connect to the internet, give the folder of a model, or choose one that is here: {here}.",
    )
