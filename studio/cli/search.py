"""Search in a table, or in a folder that 'index' has made."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from studio.cli.base import app, print_json, report_texts
from studio.cli.index import CORPUS, place_of
from studio.cli.options import Json
from studio.cli.tables import column_of, model_of
from studio.errors import SearchError

if TYPE_CHECKING:
    import pyarrow as pa

    from studio.data.corpus import CorpusInfo
    from studio.search.find import Way


@app.command()
def search(
    model: Annotated[
        str, typer.Argument(help="Folder of a run or of a model, catalogue id or hub name; or 'keyword'.")
    ],
    corpus_file: Annotated[
        Path, typer.Argument(help="Table that has the texts to search in, or a folder that 'index' has made.")
    ],
    query: Annotated[str, typer.Argument(help="What to look for.")],
    text: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="Column of the texts; default: the longest.")
    ] = None,
    where: Annotated[
        list[str] | None,
        typer.Option(
            metavar="COLUMN=VALUE",
            help="Only texts with this value; with numbers LEAST..MOST. May be said several times.",
        ),
    ] = None,
    least: Annotated[float | None, typer.Option(help="Least similarity of a hit.")] = None,
    hybrid: Annotated[bool, typer.Option(help="Fuse the model's ranks with those of the keywords.")] = False,
    top_k: Annotated[int, typer.Option(help="How many hits.")] = 10,
    as_json: Json = False,
) -> None:
    """Find the texts that are closest to a query."""
    from studio.search.result import Asked, check_query

    query = check_query(query, top_k)
    model = model if model == "keyword" else model_of(model)
    asked = Asked(query, top_k, filters_of(where or []), least, hybrid)
    if corpus_file.is_dir():
        data, info, ways = _kept(corpus_file, model, hybrid)
    else:
        data, info, ways = _read(corpus_file, text, model, hybrid)

    from studio.search.find import find

    found = find(asked, data, info, ways[:1], ways[-1])
    hits = found.columns[0].hits
    if as_json:
        rows = [{name: value for name, value in asdict(hit).items() if name not in ("ranks", "key")} for hit in hits]
        print_json({"model": model, "column": info.text, "texts": found.documents, "query": query, "hits": rows})
        return
    for hit in hits:
        words = " ".join(f"{hit.title} {hit.text}".split())
        print(f"{hit.rank:>3}  {hit.score:.4f}  row {hit.row}: {words}")


def filters_of(wishes: Sequence[str]) -> list[dict[str, Any]]:
    """``kind=help`` or ``stars=2..4`` as a filter. Raises SearchError."""
    found = []
    for wish in wishes:
        name, mark, value = wish.partition("=")
        if not mark or not name:
            raise SearchError(
                f"'{wish}' does not say what to filter by.", hint="Write COLUMN=VALUE or COLUMN=LEAST..MOST."
            )
        low, dots, high = value.partition("..")
        found.append(
            {"field": name, "least": low, "most": high}
            if dots
            else {"field": name, "values": [value], "least": value, "most": value}
        )
    return found


def _kept(folder: Path, model: str, hybrid: bool) -> "tuple[pa.Table, CorpusInfo, list[Way]]":
    """A folder of indexes: nothing is read again."""
    from studio.data import corpus
    from studio.search.find import KeywordWay, ModelWay
    from studio.search.index import open_index, read_meta
    from studio.search.keyword import Keywords
    from studio.search.quick import FILE, open_quick
    from studio.search.warm import load

    if not (folder / CORPUS).is_file():
        raise SearchError(f"{folder} is no folder that 'index' has made.", hint="Index the texts first.")
    info = corpus.load_info(folder / CORPUS)
    ways: list[Way] = []
    if model != "keyword":
        place = place_of(folder, model)
        index, quick = open_index(place, model, info.version), place / FILE
        ways.append(
            ModelWay(
                model, model, index, load(model), open_quick(quick) if quick.exists() else None, read_meta(place).recall
            )
        )
    if model == "keyword" or hybrid:
        ways.append(KeywordWay(Keywords(folder / "keyword", info.version)))
    return corpus.load(folder / CORPUS), info, ways


def _read(file: Path, column: str | None, model: str, hybrid: bool) -> "tuple[pa.Table, CorpusInfo, list[Way]]":
    """A table: read for this one search."""
    from studio.data import corpus
    from studio.training.bases import resolve_base

    if model == "keyword" or hybrid:
        raise SearchError("Keywords are searched in a folder that 'index' has made.", hint="Index the table first.")
    resolve_base(model)
    table, name = column_of(file, column)
    found = corpus.of_table(table, name, "", [other for other in table.columns if other != name][: corpus.MAX_FIELDS])

    from studio.search.cut import cut
    from studio.search.encode import encode
    from studio.search.find import ModelWay
    from studio.search.index import Index
    from studio.search.warm import load

    loaded = load(model)
    entries = cut(found.data["text"], None, loaded)
    vectors = encode(loaded, entries.texts, progress=report_texts())
    index = Index(vectors, entries.positions, entries.rows, loaded.similarity_fn_name, entries.spans)
    return found.data, found.info, [ModelWay(model, model, index, loaded)]
