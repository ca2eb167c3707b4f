"""A run's script, put together from its pieces."""

import shutil
from importlib.metadata import version

from studio import __version__
from studio.export.script.loss import write_loss
from studio.export.script.model import Places, write_model
from studio.export.script.page import Page, Raw
from studio.export.script.rows import FILE, write_rows
from studio.export.script.steps import write_constants, write_main
from studio.files import write_json
from studio.training.bases import resolve_base
from studio.training.folder import RunFolder
from studio.training.settings_file import to_yaml
from studio.training.teacher import has_teacher
from studio.training.train import Trained

PACKAGES = ("sentence-transformers", "transformers", "torch", "datasets", "accelerate")
PARTS = "parts.json"
"""What the archive adds to the script: files of rows and what each is made from, folders of models."""


def write_script(done: Trained, folder: RunFolder, name: str) -> None:
    """Write script.py, config.yaml, requirements.txt and parts.json into the run's ``script`` folder.

    The script makes the steps that the run made, with the stock trainer, and no checks in between.
    """
    out = folder.script
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir()
    page, places = Page(), Places(folder)
    page.use("pathlib", "Path")
    page.constant("HERE", Raw("Path(__file__).resolve().parent"))
    write_constants(page, done)
    write_model(page, places, done)
    files = write_rows(page, done, folder)
    write_loss(page, places, done)
    main = write_main(page, done, folder)
    title = f'Trains what the run "{name}" trained, with sentence-transformers alone.'
    (out / "script.py").write_text(page.text(title, _notes(done), main), encoding="utf-8")
    write_json(out / PARTS, {"files": files, "folders": places.along})
    (out / "config.yaml").write_text(to_yaml(done.config, name), encoding="utf-8")
    packages = [*PACKAGES, *(["peft"] if done.config.lora_rank else []), *dict.fromkeys(places.packages)]
    (out / "requirements.txt").write_text("".join(f"{p}=={version(p)}\n" for p in packages), encoding="utf-8")


def _notes(done: Trained) -> list[str]:
    """What a person should know before running it."""
    notes = [
        f"Made by Sentence Studio {__version__}. The files beside it hold the rows that trained, as the loss takes them."
    ]
    if has_teacher(done.config):
        teacher = resolve_base(done.config.of_loss("teacher_model")).label
        notes.append(f"The labels in {FILE} are what the teacher, {teacher}, said of the rows.")
    if done.engine == "fast":
        notes.append(
            "The run used the studio's fast engine, which computes the same without padding and draws other dropout "
            "masks: this is its stock equivalent, and its result differs by chance as another seed's does."
        )
    if done.portion is not None:
        notes.append(
            "Memory was short, so the run computed its batches in portions. Here they are computed whole, unless the loss "
            "has portions of its own: the same loss and gradient, but where a model has dropout its masks differ."
        )
    return notes
