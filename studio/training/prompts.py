"""Words that a model reads before a query and before a document, and which texts of a row are which."""

from collections.abc import Iterable

from sentence_transformers import SentenceTransformer

from studio.evaluation.measure import prompts_of

QUERY = "anchor"
"""The column that is asked with; all others are what is found."""


def set_prompts(model: SentenceTransformer, query: str | None, document: str | None) -> None:
    """Give ``model`` prompts that it keeps when it is saved; None leaves its own."""
    if query is not None:
        model.prompts["query"] = query
    if document is not None:
        model.prompts["document"] = document


def column_prompts(model: SentenceTransformer, columns: Iterable[str]) -> dict[str, str]:
    """Text column of a dataset -> its prompt; empty when the model has none. For the Trainer's ``prompts``."""
    query, document = prompts_of(model)
    if not query and not document:
        return {}
    return {name: query if name == QUERY else document for name in columns}
