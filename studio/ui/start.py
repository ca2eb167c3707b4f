"""Start: what the studio does, and one button that leads through all of it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import gradio as gr

from studio.runs.samples import SAMPLE, SAMPLES
from studio.ui import device, html
from studio.ui.data import DataTab
from studio.ui.handlers import on, owner_of
from studio.ui.records import STATES
from studio.ui.shell import Shell, go, remember
from studio.ui.theme import markup

WELCOME = """
<div class="welcome">
  <h1>Teach a search model your own language</h1>
  <p>Bring a table of texts that belong together, and train an embedding model on it. You see in plain words whether it
  got better on rows it has never seen, and try it in a search box.</p>
</div>
"""

STEPS = """
<ol class="steps" aria-label="How it works">
  <li><svg viewBox="0 0 48 48" aria-hidden="true"><rect x="7" y="9" width="34" height="30" rx="3"/><path d="M7 18h34M22 18v21M7 28.5h34"/></svg>
    <b>Data</b><span>A table of questions and answers, titles and texts, or rated pairs. The check says what is wrong with it.</span></li>
  <li><svg viewBox="0 0 48 48" aria-hidden="true"><path d="M7 8v32h34"/><path class="accent" d="M12 14c6 14 13 20 28 21"/></svg>
    <b>Train</b><span>Settings are suggested; one press starts it. It goes on when you close the page.</span></li>
  <li><svg viewBox="0 0 48 48" aria-hidden="true"><circle cx="21" cy="21" r="12"/><path class="accent" d="M30 30l10 10"/></svg>
    <b>Search</b><span>The model before and after, side by side over your own texts. Take the better one with you.</span></li>
</ol>
"""


@dataclass(frozen=True)
class StartTab:
    shell: Shell
    sample: gr.Button
    triplets: gr.Button
    upload: gr.Button
    recent: gr.HTML
    notice: gr.HTML

    def load_sample(self, sample_id: str, data: DataTab) -> Callable:
        def load(request: gr.Request) -> tuple[Any, ...]:
            owner, datasets = owner_of(request), self.shell.studio.datasets
            sample = SAMPLE[sample_id]
            kept = (r for r in datasets.list(owner) if (r.name, r.info.file_name) == (sample.label, sample.file))
            record = next(kept, None) or datasets.create_sample(owner, sample_id)
            return go("data"), record.id, "", None, *data.show(record.id, request)

        return load

    def show_recent(self, request: gr.Request) -> str:
        runs = self.shell.studio.runs.list(owner_of(request))[:3]
        if not runs:
            return ""
        items = "".join(
            f'<li><a href="./?tab=runs&amp;run={html.text(run.id)}"><b>{html.text(run.name)}</b>'
            f'<span>{html.text(run.dataset_name)}</span><span class="state {html.text(run.state)}">'
            f"{html.text(STATES[run.state])}</span></a></li>"
            for run in runs
        )
        return f'<div class="recent"><h3>Recent runs</h3><ul>{items}</ul></div>'

    def wire(self, data: DataTab) -> None:
        shell = self.shell
        outputs = [shell.tabs, shell.dataset, data.upload_id, data.file, *data.outputs]
        for button, sample in zip((self.sample, self.triplets), SAMPLES, strict=True):
            loaded = on(
                button.click, self.load_sample(sample.id, data), [], outputs, self.notice,
                show_progress="minimal", show_progress_on=[self.notice],
            )  # fmt: skip
            remember(loaded, dataset=shell.dataset)
        remember(on(self.upload.click, lambda: go("data"), [], [shell.tabs], self.notice))
        on(shell.page.load, self.show_recent, [], [self.recent], self.notice)


def build(shell: Shell) -> StartTab:
    markup(WELCOME, elem_id="start-welcome")
    with gr.Row(elem_id="start-actions", elem_classes="actions"):
        sample = gr.Button(
            "Try the sample", variant="primary", size="lg", elem_id="start-sample", scale=0, min_width=190
        )
        upload = gr.Button("Upload a table", size="lg", elem_id="start-upload", scale=0, min_width=170)
        triplets = gr.Button(
            "or try a sample of triplets",
            size="lg",
            elem_id="start-triplets",
            scale=0,
            elem_classes="link",
            min_width=210,
        )
    notice = markup(elem_id="start-notice")
    markup(STEPS, elem_id="start-steps")
    markup(f'<p class="fine">{html.text(device.sentence())}</p>', elem_id="start-device")
    recent = markup(elem_id="start-recent")
    credits = " &middot; ".join(f"{html.text(s.label)}: {html.text(s.attribution)}" for s in SAMPLES)
    markup(f'<p class="fine">Samples: {credits}</p>', elem_id="start-credits")
    return StartTab(shell, sample, triplets, upload, recent, notice)
