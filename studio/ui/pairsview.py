"""What is shown of documents and the pairs that they give, as HTML. No Gradio here."""

from collections import Counter
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from studio.catalog.recipes import PAIR_FIELDS, RECIPE, RECIPES
from studio.data.documents import told
from studio.ui import html

if TYPE_CHECKING:
    from studio.data.documents import Library
    from studio.data.pairs import PairConfig
    from studio.runs.documents import Preview

SHOWN = 20
UNREAD_SHOWN = 50
KINDS = {"text": "text", "markdown": "Markdown", "html": "HTML", "pdf": "PDF", "docx": "Word"}


def library_words(library: "Library") -> str:
    """How many documents of which kinds, and which files gave none."""
    kinds = Counter(document.kind for document in library.documents)
    parts = ", ".join(f"{many:,} {KINDS[kind]}" for kind, many in kinds.most_common())
    untitled = sum(not document.title for document in library.documents)
    facts = html.tiles(
        ("Documents", f"{len(library.documents):,}", parts),
        ("Words", f"{library.words:,}", "Without menus, footers, code and the like."),
        (
            "Sections",
            f"{sum(len(document.sections) for document in library.documents):,}",
            "Places under a heading of their own.",
        ),
        (
            "Without a title",
            f"{untitled:,}",
            "Documents that do not say what they are called; they give no pairs of title and body.",
        ),
    )
    if not library.unread:
        return facts
    unread = told(library.unread)
    some = unread[:UNREAD_SHOWN]
    more = f"<li>and {len(unread) - len(some):,} more</li>" if len(unread) > len(some) else ""
    lines = "".join(f"<li><b>{html.text(name)}</b> {html.text(reason)}</li>" for name, reason in some)
    number = "1 file was" if len(library.unread) == 1 else f"{len(library.unread):,} files were"
    return f'{facts}<details class="left-out"><summary>{number} not read</summary><ul>{lines}{more}</ul></details>'


def recipe_choices(preview: "Preview") -> list[tuple[str, str]]:
    """(label with the number of pairs, id) of every recipe."""
    about = "about " if preview.looked_at < preview.documents else ""
    return [(f"{recipe.label}: {about}{preview.about(preview.counts[recipe.id]):,}", recipe.id) for recipe in RECIPES]


def recipe_help(recipes: list[str]) -> str:
    """What the chosen recipes make, and when to use them."""
    lines = "".join(
        f"<li><b>{html.text(RECIPE[id].label)}</b> {html.text(RECIPE[id].help)} {html.text(RECIPE[id].when)}</li>"
        for id in recipes
    )
    return f'<ul class="recipes">{lines}</ul>' if lines else ""


def pairs_words(preview: "Preview", upload_id: str, recipes: list[str], config: "PairConfig") -> str:
    """How many pairs, some of them with their places, and what was left out."""
    found = preview.pairs
    if not recipes:
        return html.notice("No way to make pairs is chosen.", "Choose at least one above.", "warning")
    if not len(found):
        return html.notice(
            "These documents give no pair in this way.", "Choose another way, or fewer least words.", "warning"
        )
    # From all through the pairs, so that every document and recipe has its chance to be seen.
    step = max(1.0, len(found) / SHOWN)
    rows = found.data.take([int(step * at) for at in range(min(len(found), SHOWN))]).to_pylist()
    shown = html.table(
        ["Anchor", "Positive", "From"],
        [[row["anchor"], row["positive"], _from(row, len(recipes) > 1)] for row in rows],
    )
    if preview.looked_at < preview.documents:
        looked = f"{preview.looked_at:,} of {preview.documents:,} documents"
        count = f"About {preview.about(len(found)):,} pairs, judged by {looked}"
    else:
        count = f"{len(found):,} pairs"
    title = f"{count}; {len(rows)} of them:" if len(found) > len(rows) else count
    return html.section(title) + shown + left_out(preview) + download(upload_id, recipes, config)


def _from(row: dict[str, str], several: bool) -> str:
    """Document and place; the recipe too where there are several."""
    parts = (row["document"], row["place"], RECIPE[row["recipe"]].label.lower() if several else "")
    return ", ".join(filter(None, parts))


def left_out(preview: "Preview") -> str:
    lines = "".join(
        f"<li>{each.count:,}: {html.text(each.reason)}"
        + "".join(f"<q>{html.text(example[:160])}</q>" for example in each.examples)
        + "</li>"
        for each in preview.pairs.left_out
    )
    return (
        f'<details class="left-out"><summary>What was left out, and why</summary><ul>{lines}</ul></details>'
        if lines
        else ""
    )


def download(upload_id: str, recipes: list[str], config: "PairConfig") -> str:
    asked = [
        *(("recipe", id) for id in recipes),
        *((known.id, str(getattr(config, known.id))) for known in PAIR_FIELDS),
    ]
    href = f"./download/documents/{upload_id}/pairs.csv?{urlencode(asked)}"
    return f'<p class="fine"><a href="{html.text(href)}" download>Download the pairs with their documents and places (CSV)</a></p>'
