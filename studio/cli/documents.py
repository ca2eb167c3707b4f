"""Pairs out of documents."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from studio.catalog.recipes import PAIR_FIELD, RECIPE
from studio.cli.base import app, cannot_write, must_not_exist, now_and_then, print_json, say
from studio.cli.options import Json


def _pair_option(id: str) -> Any:
    known = PAIR_FIELD[id]
    return Annotated[int, typer.Option(min=known.least, max=known.most, help=known.help)]


@app.command()
def pairs(
    documents: Annotated[
        list[Path], typer.Argument(help="Text, Markdown, HTML, PDF and Word files, folders of them, or a zip.")
    ],
    recipe: Annotated[
        list[str], typer.Option(metavar="RECIPE", help=f"{', '.join(RECIPE)}; may be given several times.")
    ],
    out: Annotated[Path, typer.Option(metavar="CSV", help="Where the pairs are written; must not exist.")],
    least_words: _pair_option("least_words") = PAIR_FIELD["least_words"].default,
    most_words: _pair_option("most_words") = PAIR_FIELD["most_words"].default,
    most_pairs: _pair_option("most_pairs") = PAIR_FIELD["most_pairs"].default,
    distance: _pair_option("distance") = PAIR_FIELD["distance"].default,
    seed: _pair_option("seed") = PAIR_FIELD["seed"].default,
    as_json: Json = False,
) -> None:
    """Make a table of pairs out of documents: titles, headings, questions and neighbours say what belongs together."""
    from studio.data.documents import files_of, read_documents, told
    from studio.data.export import write_csv
    from studio.data.pairs import PairConfig, make_pairs, no_pairs

    must_not_exist(out, "pairs")
    config = PairConfig(least_words, most_words, most_pairs, distance, seed)
    due = now_and_then()

    def report(done: int, total: int, name: str) -> None:
        if due():
            say(f"read {done:,} of {total:,} documents")

    library = read_documents(files_of(documents), report)
    found = make_pairs(library, recipe, config)
    for name, reason in told(library.unread):
        say(f"not read: {name} {reason}")
    if not len(found):
        raise no_pairs(found)
    try:
        write_csv(out, found.data)
    except OSError as error:
        raise cannot_write(out, error) from None
    if as_json:
        print_json(
            {
                "out": str(out),
                "documents": len(library.documents),
                "unread": [asdict(each) for each in library.unread],
                "pairs": len(found),
                "recipes": found.counts,
                "left_out": {each.reason: each.count for each in found.left_out},
            }
        )
        return
    print(f"{len(library.documents):,} documents, {library.words:,} words")
    for id, many in found.counts.items():
        print(f"  {many:>7,}  {RECIPE[id].label}")
    for each in found.left_out:
        print(f"  left out {each.count:,}: {each.reason}")
    print(f"{len(found):,} pairs: {out}")
