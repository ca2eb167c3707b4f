"""HTML as a document: what people read on the page, without menus, footers, scripts and forms. Nothing is fetched or run."""

import math
import re
from typing import TYPE_CHECKING

from studio.data.outline import Document, Outline, plain

if TYPE_CHECKING:
    from lxml.etree import _Element

NEVER = frozenset((
    "head", "script", "style", "noscript", "template", "svg", "math", "canvas", "audio", "video", "iframe", "object",
    "embed", "button", "label", "select", "textarea", "input", "nav", "footer", "aside", "dialog", "menu", "pre",
    "map", "area", "thead",
))  # fmt: skip
"""Elements that hold no text of the document. ``pre`` is code nearly always."""
PARTING = frozenset(("nav", "footer", "aside", "pre", "dialog", "menu", "template", "iframe"))
"""Those of them that end the paragraph before them."""
BLOCKS = frozenset((
    "address", "article", "blockquote", "body", "center", "dd", "details", "div", "dl", "dt", "fieldset",
    "figcaption", "figure", "form", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hgroup", "hr", "html", "li", "main", "ol",
    "p", "section", "summary", "table", "tbody", "tfoot", "tr", "ul",
))  # fmt: skip
ROLES = frozenset(("navigation", "banner", "contentinfo", "search", "complementary", "menu", "menubar", "dialog"))
CHROME = re.compile(
    r"(?:^|[\s_-])(?:nav|navbar|navigation|navheader|navfooter|menu|sidebar|footer|breadcrumbs?|toc|tableofcontents|contents-list|cookies?|"
    r"cookie-banner|pagination|skip-link|headerlink|edit-link|editsection|advert|ads|share|social|search-form|copyright)(?:$|[\s_-])",
    re.IGNORECASE,
)
"""Classes and ids of menus and the like."""
LINKS = 0.75
"""Share of a block's letters in links from which it is a menu."""
HEADINGS = {f"h{level}": level for level in range(1, 7)}
LEVELS = {**HEADINGS, "dt": 7, "summary": 8}
"""What stands over other text, and how deep: terms of a list and summaries of details are below all headings."""
CALLED = {"dl": "dt", "details": "summary"}
META = re.compile(rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?\s*([\w:.-]{2,40})", re.IGNORECASE)
MENU_WORDS = 30


def declared_encoding(head: bytes) -> str | None:
    """What a page says in its first bytes; pages that can be read so far are not UTF-16, whatever they say."""
    found = META.search(head[:4096])
    name = found[1].decode("ascii", "ignore").lower() if found else ""
    return {"": None, "utf-16": "utf-8", "iso-8859-1": "cp1252", "latin1": "cp1252"}.get(name, name)


def read_html(text: str, name: str) -> Document:
    outline = Outline()
    title = add_html(outline, text)
    return outline.document(name, "html", title)


def add_html(outline: Outline, text: str, *, goes_on: bool = False) -> str:
    """Headings and paragraphs of a page, or of a piece of one, into ``outline``; returns the page's title.

    ``goes_on``: a piece whose last ``details`` is still open at its end: what comes next belongs to it.

    The title is the only h1 where there is one, for what stands in ``title`` often carries the site's name.
    """
    from lxml import etree

    parser = etree.HTMLParser(encoding="utf-8", no_network=True, remove_comments=True, remove_pis=True)
    root = etree.fromstring(text.encode("utf-8", "replace"), parser) if text.strip() else None
    if root is None:
        return ""
    mains = [element for element in root.iter() if element.tag == "main" or element.get("role") == "main"]
    top = mains[0] if len(mains) == 1 else root
    firsts = [plain("".join(h1.itertext())) for h1 in top.iter("h1") if not _is_chrome(h1)]
    stated = root.find(".//title")
    _walk(outline, top, goes_on)
    return firsts[0] if len(firsts) == 1 else plain(stated.text or "") if stated is not None else ""


def _walk(outline: Outline, top: "_Element", goes_on: bool) -> None:
    from lxml import etree

    parts: list[str] = []
    linked = 0
    links = 0
    heading = 0
    inside: list[int] = []
    """Levels of headings that are to be closed at the end of an open dl or details."""

    def flush() -> None:
        nonlocal linked
        words = plain("".join(parts))
        letters = sum(map(str.isalpha, words))
        parts.clear()
        menu = linked > LINKS * letters and len(words.split()) < MENU_WORDS
        linked = 0
        if words and heading:
            outline.heading(heading, words.rstrip("¶#§ "))
        elif words and not menu:
            outline.paragraph(words)

    def take(words: str | None) -> None:
        nonlocal linked
        if words:
            parts.append(words)
            linked += sum(map(str.isalpha, words)) if links else 0

    most = sum(map(len, top.itertext())) / 2
    skipped = False
    walk = etree.iterwalk(top, events=("start", "end"))
    for event, element in walk:
        tag = element.tag
        if event == "start":
            skipped = element is not top and _is_chrome(element, most)
            if skipped:
                if tag in BLOCKS or tag in PARTING:
                    flush()
                walk.skip_subtree()
                continue
            if tag in BLOCKS:
                flush()
                heading = LEVELS.get(tag, heading)
                if tag in CALLED:
                    inside.append(LEVELS[CALLED[tag]] - 1)
            elif tag == "br":
                # One parts lines, two in a row part paragraphs.
                if "".join(parts[-3:]).rstrip(" \t\r\n").endswith("\v"):
                    flush()
                else:
                    parts.append("\v")
            elif tag in ("td", "th") and "".join(parts).strip():
                parts.append(", ")  # a row of a table is one paragraph
            links += tag == "a"
            take(element.text)
            continue
        if not skipped:
            if tag in BLOCKS:
                flush()
                heading = 0 if tag in LEVELS else heading
                if tag in CALLED and inside:
                    level = inside.pop()
                    if inside or not goes_on:
                        outline.close(level)
            links -= tag == "a"
        skipped = False
        if element is not top:
            take(element.tail)
    flush()


def _is_chrome(element: "_Element", most: float = math.inf) -> bool:
    """Whether an element is no text of the document. What holds more than ``most`` characters is, whatever its class says."""
    if element.tag in NEVER:
        return True
    if not isinstance(element.tag, str) or element.tag in ("html", "body", "main", "article"):
        return False
    if element.get("role") in ROLES or element.get("hidden") is not None or element.get("aria-hidden") == "true":
        return True
    named = f"{element.get('class') or ''} {element.get('id') or ''}"
    return bool(named.strip() and CHROME.search(named)) and sum(map(len, element.itertext())) <= most
