"""How thorough a training is to be: one choice that fills several settings. Settings changed by hand belong to none."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from studio.catalog.presets import DEFAULT_PRESET, PRESET, PRESETS
from studio.data.dataset import load_info, load_rows
from studio.errors import StudioError
from studio.training.config import TrainConfig
from studio.ui import form, html
from studio.ui.handlers import on, owner_of, with_request
from studio.ui.theme import markup

if TYPE_CHECKING:
    from studio.ui.train import TrainTab

CUSTOM = "Custom: settings were changed by hand. Choose one to fill them in again."
TOUCHED = tuple(name for name in form.ALL if any(name in {*p.times, *p.at_most, *p.sets} for p in PRESETS))
"""Settings that a preset may change."""


@dataclass(frozen=True)
class PresetChoice:
    choice: gr.Radio
    words: gr.HTML

    def wire(self, tab: "TrainTab") -> None:
        """``tab``: whose settings are filled; its estimate changes whenever a setting does."""

        def fill(preset: str, dataset_id: str, *rest: Any) -> tuple[Any, ...]:
            """A preset was chosen."""
            *values, also, test, request = rest
            given = dict(zip(form.ALL, values, strict=True))
            wanted = _presets(tab, owner_of(request), dataset_id, given)[preset]
            given |= {name: getattr(wanted, name) for name in TOUCHED}
            judged = tab.reestimate(dataset_id, *(given[name] for name in form.ALL), also, test, request)
            return *(gr.update(value=given[name]) for name in TOUCHED), _words(preset), *judged

        def match(dataset_id: str, *rest: Any) -> tuple[Any, ...]:
            """A setting was changed: which preset is that, and what would each take?"""
            *values, _, _, request = rest
            given = dict(zip(form.ALL, values, strict=True))
            try:
                config = form.read(given)
                wanted = _presets(tab, owner_of(request), dataset_id, given)
                folder = tab.shell.studio.datasets.see(owner_of(request), dataset_id).folder
            except StudioError:
                return gr.skip(), gr.skip()
            found = next(
                (id for id, one in wanted.items() if all(getattr(one, n) == getattr(config, n) for n in TOUCHED)), None
            )
            choices = []
            for preset in PRESETS:
                values_of = {name: getattr(wanted[preset.id], name) for name in TOUCHED}
                location = tab.located(owner_of(request), config)
                took = _seconds(folder, location.model_copy(update=values_of).model_dump_json())
                choices.append((f"{preset.label} · about {html.duration(took)}" if took else preset.label, preset.id))
            return gr.update(choices=choices, value=found), _words(found)

        inputs = [tab.shell.dataset, *tab.fields, tab.also, tab.test]
        on(
            self.choice.input, with_request(fill, len(inputs) + 1), [self.choice, *inputs],
            [*(tab.widgets[name] for name in TOUCHED), self.words, tab.estimate, tab.train], tab.notice,
        )  # fmt: skip
        on(
            tab.estimate.change, with_request(match, len(inputs)), inputs, [self.choice, self.words], tab.notice,
            trigger_mode="always_last",
        )  # fmt: skip


def build() -> PresetChoice:
    choice = gr.Radio(
        [(preset.label, preset.id) for preset in PRESETS],
        value=DEFAULT_PRESET,
        label="How thorough",
        info="Fills epochs, rows and checks; everything else stays as it is.",
        elem_id="train-preset",
        elem_classes="segmented",
        interactive=True,
    )
    return PresetChoice(choice, markup(_words(DEFAULT_PRESET), elem_id="train-preset-words"))


def _words(preset: str | None) -> str:
    return f'<p class="fine">{html.text(CUSTOM if preset is None else PRESET[preset].why)}</p>'


def _presets(tab: "TrainTab", owner: str, dataset_id: str, given: dict[str, Any]) -> dict[str, TrainConfig]:
    """Preset -> the suggested settings as it wants them."""
    from studio.training.suggest import apply_preset, suggest_config

    info = tab.shell.studio.datasets.see(owner, dataset_id).info
    suggested = suggest_config(info, tab.location(owner, str(given["base_model"] or "").strip()))
    return {preset.id: apply_preset(suggested, preset, info.rows) for preset in PRESETS}


@lru_cache(maxsize=64)
def _seconds(folder: Path, config: str) -> float | None:
    """About how long; None: not known, or it cannot train."""
    from studio.training.estimate import estimate

    try:
        return estimate(load_info(folder), load_rows(folder), TrainConfig.model_validate_json(config)).seconds
    except StudioError:
        return None
