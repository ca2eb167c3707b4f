"""The loss of a script, and what is put on top of it; with several datasets a loss for each."""

import inspect
from typing import Any

from sentence_transformers.sentence_transformer import losses

from studio.catalog.losses import LOSS, MODIFIER
from studio.data.rows import label_count
from studio.export.script.model import Places, guide_of
from studio.export.script.page import Page, Raw
from studio.export.script.rows import configs_of
from studio.training.config import TrainConfig
from studio.training.objective import loss_call, modifier_arguments
from studio.training.parts import FIRST
from studio.training.train import Trained


def write_loss(page: Page, places: Places, done: Trained) -> None:
    """The function ``build_loss``; of several datasets one function a loss."""
    page.use("sentence_transformers.sentence_transformer", "losses")
    page.use("torch", "nn")
    head = "def {}(model: SentenceTransformer) -> nn.Module:"
    if not done.others:
        page.function(
            head.format("build_loss"), _lines(page, places, done, done.config, done.teacher_dimension, done.labels)
        )
        return
    calls, labels = {}, {FIRST: done.labels, **{other.part.key: label_count(other.part.data) for other in done.others}}
    for key, config in configs_of(done).items():
        dimension = done.teacher_dimension if key == FIRST else None
        page.function(head.format(f"loss_of_{key}"), _lines(page, places, done, config, dimension, labels[key]))
        calls[key] = Raw(f"loss_of_{key}(model)")
    page.function(
        "def build_loss(model: SentenceTransformer) -> dict[str, nn.Module]:",
        ['"""Each dataset has a loss of its own."""', f"return {page.source(calls)}"],
    )


def _lines(
    page: Page, places: Places, done: Trained, config: TrainConfig, dimension: int | None, labels: int
) -> list[str]:
    record = LOSS[config.loss]
    kind, arguments = loss_call(done.model, config, dimension, labels)
    lines = []
    if "guide" in arguments:
        lines.append(f"guide = {guide_of(page, places, arguments['guide'])}")
        arguments["guide"] = Raw("guide")
    if done.portion is not None and "mini_batch_size" in inspect.signature(kind.__init__).parameters:
        arguments["mini_batch_size"] = done.portion
    lines.append(f"loss = {page.call(f'losses.{kind.__name__}', 'model', **_told(kind, arguments))}")
    if "decoder" in record.needs:
        lines.append("loss.float()  # the decoder comes in the number format of its file")
    if config.modifier != "none":
        outer = getattr(losses, f"{MODIFIER[config.modifier].id}Loss")
        given = _told(outer, modifier_arguments(done.model, config))
        lines.append(f"loss = {page.call(f'losses.{outer.__name__}', 'model', 'loss', **given)}")
    last = lines[-1]
    if last.startswith("loss = ") and "#" not in last:
        return [*lines[:-1], f"return {last.removeprefix('loss = ')}"]
    return [*lines, "return loss"]


def _told(kind: type, arguments: dict[str, Any]) -> dict[str, Any]:
    """The arguments worth saying: numbers that a person may want to turn, and what the class does not do anyway."""
    defaults = {name: p.default for name, p in inspect.signature(kind.__init__).parameters.items()}
    return {
        name: value
        for name, value in arguments.items()
        if (isinstance(value, int | float) and not isinstance(value, bool)) or value != defaults.get(name)
    }
