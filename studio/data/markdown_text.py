"""Markdown as a document, by CommonMark's rules. Code, pictures and raw HTML that is no text are left out."""

import re
from typing import TYPE_CHECKING

from studio.data.html_text import LEVELS, add_html
from studio.data.outline import Document, Outline

if TYPE_CHECKING:
    from markdown_it.token import Token

FRONT_MATTER = re.compile(r"\A\ufeff?---[ \t]*\n(.*?)\n(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL)
TITLE = re.compile(r"^title:[ \t]*(.+)$", re.MULTILINE)
MAX_INLINE = 20_000
"""Characters of a paragraph in which marks are looked for: the time that takes grows with their square."""
KEPT = {"text", "code_inline", "text_special"}
BREAKS = {"softbreak", "hardbreak"}


def read_markdown(text: str, name: str) -> Document:
    from markdown_it import MarkdownIt

    text = text.replace("\r\n", "\n")
    title = ""
    front = FRONT_MATTER.match(text)
    if front:
        found = TITLE.search(front[1])
        title = found[1].strip().strip("\"'") if found else ""
        text = text[front.end() :]
    outline = Outline()
    level = 0
    row: list[str] | None = None
    """Cells of the row of a table that is open. A row is one paragraph; names of columns are none."""
    in_body = False
    blocks, marks = MarkdownIt("commonmark").enable("table").disable("inline"), MarkdownIt("commonmark")
    references: dict = {}
    for token in blocks.parse(text, references):
        if token.type == "heading_open":
            level = int(token.tag[1])
        elif token.type == "heading_close":
            level = 0
        elif token.type == "html_block":
            _add_piece(outline, token.content)
        elif token.type == "tr_open":
            row = []
        elif token.type == "tbody_open":
            in_body = True
        elif token.type == "tr_close":
            if in_body:
                outline.paragraph(", ".join(filter(None, row)))
            row = None
        elif token.type == "table_close":
            in_body = False
        elif token.type == "inline":
            content = token.content
            long = len(content) > MAX_INLINE
            words = content if long else _words(marks.parseInline(content, references)[0].children or [])
            if row is not None:
                row.append(words)
            elif level:
                outline.heading(level, words)
            else:
                outline.paragraph(words)
    return outline.document(name, "markdown", title)


def _add_piece(outline: Outline, html: str) -> None:
    """Raw HTML ends at a blank line; a ``details`` may go on with Markdown, and end in a piece of its own."""
    opens, closes = len(re.findall(r"<details\b", html, re.I)), len(re.findall(r"</details\b", html, re.I))
    add_html(outline, html, goes_on=opens > closes)
    if closes > opens:
        outline.close(LEVELS["summary"] - 1)


def _words(tokens: "list[Token]") -> str:
    return "".join(
        token.content if token.type in KEPT else " " if token.type in BREAKS else ""
        for token in tokens
        if token.type != "html_inline"
    )
