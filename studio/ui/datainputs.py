"""The Data tab's controls: how a file is read, as widgets and back."""

import gradio as gr

from studio.data.table import Dialect

FILE_TYPES = [".csv", ".tsv", ".txt", ".jsonl", ".json", ".parquet", ".xlsx", ".zip", ".gz"]
AUTO = ""
"""Value of a dropdown that leaves a choice to the reader."""
ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "cp1252", "iso8859-15", "cp1250", "cp1251", "gb18030", "shift_jis")
DELIMITERS = (("comma", ","), ("semicolon", ";"), ("tab", "\t"), ("vertical bar", "|"))
QUOTES = (('double quote "', '"'), ("single quote '", "'"), ("none", "none"))
HEADERS = (("first row holds the names", "yes"), ("no header, first row is data", "no"))


def dialect_of(encoding: str, delimiter: str, quote: str, header: str, sheet: str | None) -> Dialect | None:
    """What a person overrides; None when nothing."""
    if not (encoding or delimiter or quote or header or sheet):
        return None
    return Dialect(
        kind="",
        encoding=encoding or None,
        delimiter=delimiter or None,
        quote="" if quote == "none" else quote or None,
        header=None if not header else header == "yes",
        sheet=sheet or None,
    )


def override_widget(label: str, choices: list[tuple[str, str]], elem_id: str) -> gr.Dropdown:
    return gr.Dropdown(
        [("as detected", AUTO), *choices], value=AUTO, label=label, elem_id=elem_id, min_width=150, interactive=True
    )
