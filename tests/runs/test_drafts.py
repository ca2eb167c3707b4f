import pytest

from studio.errors import DataError, NotFound
from studio.runs.drafts import PAGE_ROWS
from tests.runs.scene import StandIn, make_dataset

CHANGE = {"do": "change", "row": 3, "values": {"anchor": "What is this thing?"}}


def test_edits_survive_a_restart_and_are_gone_once_they_are_saved(make_studio, tmp_path):
    first = make_studio(StandIn())
    dataset = make_dataset(first, tmp_path)
    first.drafts.edit("ada", dataset.id, CHANGE)
    first.drafts.edit("ada", dataset.id, {"do": "drop", "row": 0})
    first.close()
    studio = make_studio(StandIn())
    page = studio.drafts.page("ada", dataset.id)
    assert (str(page.counts), page.steps) == ("1 row changed, 1 left out", 2)
    assert page.rows[3].values["anchor"] == "What is this thing?"
    made = studio.drafts.save("ada", dataset.id)
    assert (made.name, made.info.rows) == ("Pairs (version 2)", 39)
    assert made.info.history == ("By hand: 1 row changed, 1 left out",)
    assert studio.drafts.page("ada", dataset.id).steps == 0
    assert studio.datasets.get("ada", dataset.id) == dataset
    assert list(studio.workspace.drafts.iterdir()) == []


def test_what_cannot_be_saved_stays_a_draft(studio, dataset):
    for row in range(38):
        studio.drafts.edit("ada", dataset.id, {"do": "drop", "row": row})
    with pytest.raises(DataError, match="After these edits"):
        studio.drafts.save("ada", dataset.id)
    assert studio.drafts.page("ada", dataset.id).counts.dropped == 38
    assert studio.datasets.list("ada") == [dataset]


def test_the_last_edits_are_taken_back_one_by_one(studio, dataset):
    drafts = studio.drafts
    drafts.edit("ada", dataset.id, CHANGE)
    added = drafts.edit("ada", dataset.id, {"do": "add", "values": {"anchor": "New?", "positive": "New."}})
    assert (added.row.key, added.row.number, added.counts.added) == (-1, "new 1", 1)
    assert drafts.undo("ada", dataset.id).row is None
    back = drafts.undo("ada", dataset.id)
    assert (back.row.values["anchor"], back.row.changed, back.steps) == ("What is thing number 3?", (), 0)
    assert drafts.undo("ada", dataset.id).steps == 0


def test_a_refused_edit_changes_nothing(studio, dataset):
    with pytest.raises(DataError, match="cannot be empty"):
        studio.drafts.edit("ada", dataset.id, {"do": "change", "row": 3, "values": {"anchor": ""}})
    assert studio.drafts.page("ada", dataset.id).steps == 0


def test_rows_come_in_pages_and_an_offset_beyond_them_is_the_last_page(make_studio, tmp_path):
    studio = make_studio(StandIn())
    from tests.runs.scene import PAIRS, write_pairs

    upload = studio.datasets.stage("ada", write_pairs(tmp_path / "p.csv", 120), "p.csv")
    dataset = studio.datasets.create("ada", upload.id, PAIRS, "Pairs")
    studio.drafts.edit("ada", dataset.id, {"do": "add", "values": {"anchor": "New?", "positive": "New."}})
    pages = [studio.drafts.page("ada", dataset.id, offset) for offset in (0, PAGE_ROWS, 10_000, -7)]
    assert [len(page.rows) for page in pages] == [50, 50, 21, 50]
    assert pages[0].rows[0].number == "new 1"
    assert pages[2].offset == 100
    assert pages[0].total == 121
    found = studio.drafts.page("ada", dataset.id, 0, "number 7")
    assert [row.key for row in found.rows] == [7, *range(70, 80)]


def test_a_deleted_dataset_takes_its_draft_along_and_a_discarded_draft_is_gone(studio, dataset):
    studio.drafts.edit("ada", dataset.id, CHANGE)
    studio.drafts.discard("ada", dataset.id)
    assert studio.drafts.page("ada", dataset.id).steps == 0
    studio.drafts.edit("ada", dataset.id, CHANGE)
    studio.datasets.delete("ada", dataset.id)
    studio.trash.empty("ada")
    assert list(studio.workspace.drafts.iterdir()) == []
    with pytest.raises(NotFound):
        studio.drafts.page("ada", dataset.id)


def test_a_stranger_can_neither_see_nor_edit(studio, dataset):
    studio.drafts.edit("ada", dataset.id, CHANGE)
    for call in (
        lambda: studio.drafts.page("bob", dataset.id),
        lambda: studio.drafts.edit("bob", dataset.id, CHANGE),
        lambda: studio.drafts.undo("bob", dataset.id),
        lambda: studio.drafts.discard("bob", dataset.id),
        lambda: studio.drafts.save("bob", dataset.id),
    ):
        with pytest.raises(NotFound):
            call()
    assert studio.drafts.page("ada", dataset.id).steps == 1
