"""How the page looks: one Gradio theme and the files in static/."""

from pathlib import Path
from typing import Any

import gradio as gr
from gradio.themes.utils.fonts import LocalFont

STATIC = Path(__file__).with_name("static")

SCRIPTS = (
    "studio.js",
    "charts.js",
    "share.js",
    "trash.js",
    "run_notes.js",
    "run_list.js",
    "compare.js",
    "runview.js",
    "run_takealong.js",
    "runs.js",
    "run_sharing.js",
    "sweeps.js",
    "timing.js",
    "makings.js",
    "review.js",
    "edit.js",
    "run_evidence.js",
    "admin.js",
    "run_forgotten.js",
    "run_seen.js",
    "searchhits.js",
    "searchfolds.js",
    "search.js",
)
"""In the order in which they need each other. Gradio adds scripts in no certain order, so they are served as one."""

HEAD = """
<link rel="icon" href="./ui/logo.svg" type="image/svg+xml">
<link rel="stylesheet" href="./ui/studio.css">
<link rel="stylesheet" href="./ui/tools.css">
<link rel="stylesheet" href="./ui/evidence.css">
<link rel="stylesheet" href="./ui/sharing.css">
<link rel="stylesheet" href="./ui/admin.css">
<link rel="stylesheet" href="./ui/seen.css">
<link rel="stylesheet" href="./ui/compare.css">
<link rel="stylesheet" href="./ui/takealong.css">
<link rel="stylesheet" href="./ui/search.css">
<script src="./studio.js"></script>
"""


def markup(value: str = "", **options: Any) -> gr.HTML:
    """An element with our own HTML, without Gradio's styles for prose. People's text goes through html.text."""
    return gr.HTML(value, apply_default_css=False, **options)


def theme() -> gr.themes.Base:
    """Blue on slate. Weights are 400 and 700: Gradio's bundled 600 has no Latin letters."""
    return gr.themes.Base(
        primary_hue="blue",
        neutral_hue="slate",
        radius_size="sm",
        font=(LocalFont("Source Sans Pro", weights=(400, 700)), "ui-sans-serif", "system-ui", "sans-serif"),
        font_mono=(LocalFont("IBM Plex Mono", weights=(400, 700)), "ui-monospace", "monospace"),
    ).set(
        body_background_fill="*neutral_50",
        body_background_fill_dark="*neutral_950",
        # Inputs have the border, not the blocks around them: one box a control.
        block_background_fill="transparent",
        block_background_fill_dark="transparent",
        block_border_width="0px",
        block_padding="0px",
        block_shadow="none",
        block_shadow_dark="none",
        input_border_width="1px",
        input_shadow="none",
        block_border_color="*neutral_200",
        block_border_color_dark="*neutral_800",
        block_label_text_weight="700",
        block_title_text_weight="700",
        block_title_text_color="*neutral_800",
        block_title_text_color_dark="*neutral_200",
        block_info_text_size="13px",
        block_info_text_color="*neutral_500",
        block_info_text_color_dark="*neutral_400",
        input_background_fill="white",
        input_background_fill_dark="*neutral_900",
        input_border_color="*neutral_300",
        input_border_color_dark="*neutral_700",
        button_primary_background_fill="*primary_600",
        button_primary_background_fill_hover="*primary_700",
        button_primary_background_fill_dark="*primary_600",
        button_primary_background_fill_hover_dark="*primary_700",
        button_primary_text_color="white",
        button_secondary_background_fill="white",
        button_secondary_background_fill_hover="*neutral_100",
        button_secondary_background_fill_dark="*neutral_800",
        button_secondary_background_fill_hover_dark="*neutral_700",
        button_secondary_border_color="*neutral_300",
        button_secondary_border_color_dark="*neutral_600",
        button_border_width="1px",
        button_primary_border_color="*primary_600",
        button_primary_border_color_dark="*primary_600",
        button_large_text_weight="700",
        button_medium_text_weight="700",
        layout_gap="14px",
    )
