"""Architecture: what the model is built of, and a drawing of it. A fold of the Train tab."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import gradio as gr

from studio.errors import ConfigError, ModelError, StudioError
from studio.training.config import FIELD, make_config
from studio.training.design import ARCHITECTURE_FIELDS
from studio.ui import blueprint, form
from studio.ui.handlers import any_of, explain, on, with_request
from studio.ui.theme import markup

DRAWN = ("base_model", "pooling", "max_seq_length", *form.ARCHITECTURE)
"""Settings that the drawing shows."""
NEW_WORDS = (
    "A new model (random weights, a vocabulary made from your texts) needs no other one: for a language or a trade that "
    "none knows. It learns a closed set of topics as well as any, and is poor at open search: with 2,700 questions on 77 "
    "topics it reaches nDCG@10 0.88 to 0.90, as MiniLM does; over 6,000 package descriptions 0.50, MiniLM 0.78."
)


@dataclass(frozen=True)
class Architecture:
    widgets: dict[str, Any]
    drawing: gr.HTML

    def wire(self, widgets: dict[str, Any], locate: Callable[[gr.Request, str], str], notice: gr.HTML) -> None:
        """``widgets``: of all settings; ``locate``: where a base model's files are, for the owner of a request."""
        names = [name for name in DRAWN if name in widgets]
        inputs = [widgets[name] for name in names]
        outputs = [self.drawing, *(self.widgets[name] for name in ARCHITECTURE_FIELDS)]

        def draw(*values: Any) -> tuple[Any, ...]:
            *values, request = values
            given = dict(zip(names, values, strict=True))
            return draw_model(given, lambda name: locate(request, name)), *form.architecture_updates(given)

        changed = any_of(*(widget.change for widget in inputs))
        on(changed, with_request(draw, len(inputs)), inputs, outputs, notice, trigger_mode="always_last")


def draw_model(given: dict[str, Any], locate: Callable[[str], str] = str) -> str:
    """The drawing of what the form's fields say, or what is wrong with them."""
    try:
        config = form.read({**given, "loss": "MultipleNegativesRankingLoss"})
        return blueprint.drawing(config.model_copy(update={"base_model": locate(config.base_model)}))
    except (ConfigError, ModelError) as error:
        return explain(error)
    except StudioError:  # somebody else's model: the form says so beside its button
        return ""


def build() -> Architecture:
    widgets: dict[str, Any] = {}
    with gr.Accordion("Architecture", open=False, elem_id="train-architecture", elem_classes="fold"):
        drawing = markup(draw_model(make_config({}).model_dump()), elem_id="train-drawing")
        with gr.Row(elem_classes="fields three"):
            for name in form.ARCHITECTURE:
                widgets[name] = form.widget(FIELD[name])
        markup(f'<p class="fine">{NEW_WORDS}</p>', elem_id="train-architecture-words")
    return Architecture(widgets, drawing)
