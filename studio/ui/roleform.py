"""What the columns of an upload are for, as widgets and back: one text a row or two, and the roles that fit."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr

from studio.catalog.formats import ROLES
from studio.data.table import Roles
from studio.ui.datainputs import AUTO

ROLE = {role.id: role for role in ROLES}
TEXTS = (("two, such as a question and its answer", "2"), ("one, with or without a class", "1"))


@dataclass(frozen=True)
class RoleForm:
    texts: gr.Radio
    two: gr.Column
    anchor: gr.Dropdown
    positive: gr.Dropdown
    negatives: gr.Dropdown
    score: gr.Dropdown
    label: gr.Dropdown
    triplets: gr.Checkbox
    one: gr.Row
    text: gr.Dropdown
    class_: gr.Dropdown

    @property
    def inputs(self) -> list[Any]:
        """Inputs of :meth:`read`."""
        return [self.texts, *self.columns, self.triplets]

    @property
    def columns(self) -> list[Any]:
        return [self.anchor, self.positive, self.negatives, self.score, self.label, self.text, self.class_]

    @property
    def outputs(self) -> list[Any]:
        """Outputs of :meth:`show`."""
        return [self.two, self.one, *self.inputs]

    @staticmethod
    def read(
        texts: str, anchor: str, positive: str, negatives: list[str] | None, score: str, label: str,
        text: str, class_: str, triplets: bool,
    ) -> Roles:  # fmt: skip
        """Only what is to be seen counts."""
        if texts == "1":
            return Roles(text=text or None, class_=class_ or None)
        return Roles(
            anchor or None, positive or None, tuple(negatives or ()), score or None, label or None,
            as_triplets=bool(triplets and label),
        )  # fmt: skip

    @staticmethod
    def show(columns: Sequence[str], roles: Roles, texts: str | None) -> tuple[Any, ...]:
        """``texts``: ``1`` or ``2`` where a person has said so."""
        texts = texts or ("1" if roles.text or roles.class_ else "2")
        one = [("not used", AUTO), *((name, name) for name in columns)]
        return (
            gr.update(visible=texts == "2"),
            gr.update(visible=texts == "1"),
            gr.update(value=texts),
            gr.update(choices=one, value=roles.anchor or AUTO),
            gr.update(choices=one, value=roles.positive or AUTO),
            gr.update(choices=list(columns), value=list(roles.negatives)),
            gr.update(choices=one, value=roles.score or AUTO),
            gr.update(choices=one, value=roles.label or AUTO),
            gr.update(choices=one, value=roles.text or AUTO),
            gr.update(choices=one, value=roles.class_ or AUTO),
            gr.update(visible=roles.label is not None, value=roles.as_triplets),
        )


def _widget(role_id: str) -> gr.Dropdown:
    role = ROLE[role_id]
    return gr.Dropdown(
        [("not used", AUTO)], value=AUTO, label=role.label, info=role.help, elem_id=f"data-{role_id}",
        min_width=180, interactive=True,
    )  # fmt: skip


def build() -> RoleForm:
    texts = gr.Radio(
        list(TEXTS),
        value="2",
        label="Texts in a row",
        elem_id="data-texts",
        elem_classes="plain-radio",
        interactive=True,
    )
    with gr.Column(elem_id="data-roles") as two:
        with gr.Row(elem_classes="roles"):
            anchor, positive = _widget("anchor"), _widget("positive")
            negatives = gr.Dropdown(
                [], value=[], multiselect=True, label="Negatives", info=ROLE["negative"].help,
                elem_id="data-negatives", min_width=180, interactive=True,
            )  # fmt: skip
            score, label = _widget("score"), _widget("label")
        triplets = gr.Checkbox(
            False, label="Make triplets", info="Of an anchor with a text labelled 1 and one labelled 0, as entailment tables have.",
            elem_id="data-triplets", visible=False, interactive=True,
        )  # fmt: skip
    with gr.Row(elem_id="data-roles-one", elem_classes="roles", visible=False) as one:
        text, class_ = _widget("text"), _widget("class")
    return RoleForm(texts, two, anchor, positive, negatives, score, label, triplets, one, text, class_)
