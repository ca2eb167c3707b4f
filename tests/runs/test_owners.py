"""Every method is tried by somebody to whom the things do not belong."""

import inspect

import pytest

from studio.data.pairs import PairConfig
from studio.errors import NotFound
from studio.runs.blind import Blind
from studio.runs.corpora import Corpora
from studio.runs.datasets import Datasets
from studio.runs.documents import Documents
from studio.runs.drafts import Drafts
from studio.runs.evidence import RunEvidence
from studio.runs.exports import Exports
from studio.runs.feedback import Feedback
from studio.runs.hub import HubDatasets
from studio.runs.pushes import Pushes, Wish
from studio.runs.queries import Queries
from studio.runs.searches import Searches
from studio.runs.seen import RunSeen
from studio.runs.store import VOTES
from studio.runs.studio import Studio
from studio.runs.tidying import Tidying
from studio.runs.training_runs import Runs
from studio.search.result import Asked
from studio.settings import Settings
from tests.runs.scene import PAIRS, StandIn, config, make_dataset, wait_until_over, write_pairs

PAIR = "a" * 10
"""Id of a blind comparison of ada's."""
PARTS = {
    "datasets": Datasets,
    "drafts": Drafts,
    "runs": Runs,
    "corpora": Corpora,
    "searches": Searches,
    "feedback": Feedback,
    "blind": Blind,
    "tidying": Tidying,
    "exports": Exports,
    "evidence": RunEvidence,
    "documents": Documents,
    "queries": Queries,
    "hub": HubDatasets,
    "seen": RunSeen,
    "pushes": Pushes,
}
OWN_NOTHING = {
    "datasets": {"stage", "create_sample", "list", "shared", "sweep", "add"},
    "drafts": set(),
    "runs": {"list", "page", "shared", "base_folder"},
    "corpora": {"list", "shared", "create_from_library", "bring"},
    "searches": {"why_no_reranking", "let_idle_models_go"},
    "feedback": set(),
    "blind": set(),
    "tidying": set(),
    "exports": {"sweep", "file_name"},
    "evidence": set(),
    "documents": {"stage"},
    "queries": {"can_go_on"},
    "hub": {"begin", "latest"},
    "seen": set(),
    "pushes": {"close"},
}
"""Methods that make something new, or are not given a thing of a person's by its id."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("owners")


@pytest.fixture(scope="module")
def studio(folder):
    """One for all: nobody changes anything here."""
    studio = Studio(Settings(workspace=folder / "workspace"), StandIn())
    studio.start()
    yield studio
    studio.close()


@pytest.fixture(scope="module")
def theirs(studio, folder) -> dict[str, object]:
    """Things of ada's, by the names that arguments have."""
    dataset = make_dataset(studio, folder, owner="ada")
    run = wait_until_over(studio, studio.runs.create("ada", dataset.id, config(), "plain"))
    upload = studio.datasets.stage("ada", write_pairs(folder / "more.csv"), "more.csv")
    corpus = studio.corpora.create_from_dataset("ada", dataset.id)
    sides = {"left": "keyword", "right": "keyword", "query": "x", "better": None, "created": 0.0}
    studio.corpora._store.add(VOTES, id=PAIR, owner="ada", corpus_id=corpus.id, **sides)
    return {
        "dataset_id": dataset.id,
        "run_id": run.id,
        "upload_id": upload.id,
        "corpus_id": corpus.id,
        **{
            "roles": PAIRS,
            "also": (),
            "test": "",
            "name": "x",
            "dialect": None,
            "column": "answer",
            "config": config(),
            "offset": 0,
            "limit": 1,
            "rows": None,
            "trial": None,
            "base_model": f"run:{run.id}",
        },
        **{
            "since": 0,
            "lines": 1,
            "keep": False,
            "retry": False,
            "query": "thing",
            "top_k": 3,
            "code": "swapped_columns",
            "recipes": ("title_body",),
            "pairs": PairConfig(),
            "role": "positive",
            "finish": True,
            "making_id": studio.makings.create("ada", "queries", "Asked", {}).id,
            "ids": ("swapped_columns",),
            "numbers": (2,),
            "write": None,
            "edited": False,
            "step": {"do": "drop", "row": 0},
            "tags": ("mine",),
            "notes": "x",
            "what": "sizes",
            "file": "onnx",
            "forms": (),
            "examples": False,
            "wish": Wish("x"),
            "token": "hf_x",
            "title": "",
            "fields": (),
            "update": "",
            "columns": ["keyword"],
            "asked": Asked("thing"),
            "noted": False,
            "most": 3,
            "key": "keyword",
            "version": "",
            "mark": "good",
            "document": 0,
            "span": None,
            "above": (),
            "choice": "left",
            "pair_id": PAIR,
            "alike": 0.9,
            "topics": 0,
            "table": "topics",
            "place": 0,
        },
    }


def methods() -> list[tuple[str, str]]:
    return [
        (part, name)
        for part, kind in PARTS.items()
        for name, _ in inspect.getmembers(kind, inspect.isfunction)
        if not name.startswith("_") and name not in OWN_NOTHING[part]
    ]


@pytest.mark.parametrize(("part", "method"), methods())
def test_a_stranger_gets_nothing(studio, theirs, part, method):
    function = getattr(getattr(studio, part), method)
    arguments = {
        name: theirs[name] for name in inspect.signature(function).parameters if name not in ("owner", "viewer")
    }
    if part == "corpora" and method == "create_from_dataset":
        arguments["roles"] = None
    if part == "searches" and method == "source":
        arguments["column"] = f"run:{theirs['run_id']}"
    if method == "base_model":
        arguments["name"] = f"run:{theirs['run_id']}"
    with pytest.raises(NotFound):
        function("bob", **arguments)
    assert studio.datasets.get("ada", theirs["dataset_id"])
    assert studio.runs.get("ada", theirs["run_id"])
    assert studio.corpora.get("ada", theirs["corpus_id"])


def test_a_stranger_s_lists_are_empty(studio, theirs):
    assert studio.datasets.list("eve") == studio.runs.list("eve") == studio.corpora.list("eve") == []


@pytest.mark.parametrize("method", ["ensure", "search"])
def test_an_own_corpus_does_not_open_another_s_run_nor_the_other_way_round(studio, theirs, tmp_path, method):
    mine = make_dataset(studio, tmp_path, owner="bob")
    corpus = studio.corpora.create_from_dataset("bob", mine.id)
    query = [Asked("thing")] if method == "search" else []
    for corpus_id, column in ((corpus.id, f"run:{theirs['run_id']}"), (theirs["corpus_id"], "keyword")):
        with pytest.raises(NotFound):
            getattr(studio.searches, method)("bob", corpus_id, [column], *query)
