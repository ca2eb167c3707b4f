"""Search in a table with a model."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from studio.cli.base import app, print_json, report_texts
from studio.cli.options import Json
from studio.cli.tables import column_of, model_of, texts_of


@app.command()
def search(
    model: Annotated[str, typer.Argument(help="Folder of a run or of a model, catalogue id or hub name.")],
    corpus_file: Annotated[Path, typer.Argument(help="Table that has the texts to search in.")],
    query: Annotated[str, typer.Argument(help="What to look for.")],
    text: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="Column of the texts; default: the longest.")
    ] = None,
    top_k: Annotated[int, typer.Option(help="How many hits.")] = 10,
    as_json: Json = False,
) -> None:
    """Find the texts of a table that are closest to a query."""
    from studio.search.result import check_query
    from studio.training.bases import resolve_base

    query = check_query(query, top_k)
    model = model_of(model)
    resolve_base(model)
    table, column = column_of(corpus_file, text)
    texts = texts_of(table, column)

    from studio.search.compare import search as find
    from studio.search.encode import encode
    from studio.search.index import Index, distinct
    from studio.search.warm import load

    entries, positions = distinct(texts)
    loaded = load(model)
    vectors = encode(loaded, entries, progress=report_texts())
    index = Index(vectors, positions, len(texts), loaded.similarity_fn_name)
    hits = find(query, texts, index, loaded, top_k)
    if as_json:
        rows = [{**asdict(hit), "row": table.rows[hit.document].as_py()} for hit in hits]
        for row in rows:
            del row["other_rank"]
        print_json({"model": model, "column": column, "texts": len(entries), "query": query, "hits": rows})
        return
    for hit in hits:
        print(f"{hit.rank:>3}  {hit.score:.4f}  row {table.rows[hit.document].as_py()}: {' '.join(hit.text.split())}")
