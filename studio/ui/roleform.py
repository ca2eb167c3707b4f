"""What the columns of an upload are for, as widgets and back: one text a row or two, and the roles that fit."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr

from studio.catalog.formats import ROLES
from studio.data.table import Roles
from studio.ui.datainputs import AUTO

ROLE = {role.id: role for role in ROLES}
USES = (
    ("as 1 and 0", "labels"),
    ("to make triplets of an anchor, a text labelled 1 and one labelled 0", "triplets"),
    ("as classes of pairs", "classes"),
)
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
    use: gr.Radio
    """What labels are used as."""
    one: gr.Row
    text: gr.Dropdown
    class_: gr.Dropdown

    @property
    def inputs(self) -> list[Any]:
        """Inputs of :meth:`read`."""
        return [self.texts, *self.columns, self.use]

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
        text: str, class_: str, use: str,
    ) -> Roles:  # fmt: skip
        """Only what is to be seen counts."""
        if texts == "1":
            return Roles(text=text or None, class_=class_ or None)
        as_classes = bool(label) and use == "classes"
        return Roles(
            anchor or None, positive or None, tuple(negatives or ()), score or None, None if as_classes else label or None,
            class_=label if as_classes else None, as_triplets=bool(label) and use == "triplets",
        )  # fmt: skip

    @staticmethod
    def show(columns: Sequence[str], roles: Roles, texts: str | None) -> tuple[Any, ...]:
        """``texts``: ``1`` or ``2`` where a person has said so."""
        pairs = roles.anchor is not None or roles.positive is not None
        texts = texts or ("1" if roles.text or (roles.class_ and not pairs) else "2")
        related = roles.class_ if texts == "2" else None
        use = "classes" if related else "triplets" if roles.as_triplets else "labels"
        one = [("not used", AUTO), *((name, name) for name in columns)]
        return (
            gr.update(visible=texts == "2"),
            gr.update(visible=texts == "1"),
            gr.update(value=texts),
            gr.update(choices=one, value=roles.anchor or AUTO),
            gr.update(choices=one, value=roles.positive or AUTO),
            gr.update(choices=list(columns), value=list(roles.negatives)),
            gr.update(choices=one, value=roles.score or AUTO),
            gr.update(choices=one, value=roles.label or related or AUTO),
            gr.update(choices=one, value=roles.text or AUTO),
            gr.update(choices=one, value=AUTO if related else roles.class_ or AUTO),
            gr.update(visible=(roles.label or related) is not None, value=use),
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
        use = gr.Radio(
            list(USES), value="labels", label="Use the labels", elem_id="data-use", visible=False, interactive=True,
            info="Tables of entailment can be used in all three ways; only classes keep the neutral pairs.",
            elem_classes="plain-radio",
        )  # fmt: skip
    with gr.Row(elem_id="data-roles-one", elem_classes="roles", visible=False) as one:
        text, class_ = _widget("text"), _widget("class")
    return RoleForm(texts, two, anchor, positive, negatives, score, label, use, one, text, class_)
