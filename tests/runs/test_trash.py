"""A deleted run or dataset can be brought back for some days, over a restart too, and nothing uses it meanwhile."""

import shutil
import threading

import pytest

from studio.errors import NotFound
from studio.files import read_json
from studio.runs.store import RUNS
from studio.search.result import Asked
from studio.training.folder import RunFolder
from tests.runs.scene import StandIn, config, make_dataset, start_run, wait_for, wait_until_over


@pytest.fixture
def done(studio, dataset):
    return wait_until_over(studio, studio.runs.create("ada", dataset.id, config(), "plain"))


@pytest.fixture
def busy(studio, dataset):
    """A run that the others wait for."""
    run = start_run(studio, dataset, "long")
    yield run
    if not studio.runs.get("ada", run.id).is_over:
        studio.runs.stop("ada", run.id, keep=False)


def long_ago(studio, kind, id):
    """As if it had been deleted eight days ago."""
    table = studio.trash._kinds[kind][0]
    with studio.trash._store._writing() as connection:
        connection.execute(table.update().where(table.c.id == id).values(deleted=table.c.deleted - 8 * 86400))


def test_a_deleted_run_is_gone_for_everything_that_uses_runs_until_it_is_brought_back(studio, dataset, done):
    studio.runs.delete("ada", done.id)
    assert studio.runs.list("ada") == []
    assert studio.runs.page("ada").total == 0
    corpus = studio.corpora.create_from_dataset("ada", dataset.id)
    for use in (
        lambda: studio.runs.get("ada", done.id),
        lambda: studio.runs.feed("ada", done.id),
        lambda: studio.runs.verdict("ada", done.id),
        lambda: studio.runs.describe("ada", done.id, ["x"], ""),
        lambda: studio.runs.resume("ada", done.id),
        lambda: studio.exports.archive("ada", done.id),
        lambda: studio.searches.search("ada", corpus.id, [f"run:{done.id}"], Asked("thing")),
        lambda: studio.runs.create("ada", dataset.id, config(base_model=f"run:{done.id}")),
        lambda: studio.runs.create("ada", dataset.id, config(base_model=str(done.folder / "model"))),
    ):
        with pytest.raises(NotFound, match="'plain' was deleted"):
            use()
    assert (done.folder / "model" / "modules.json").is_file()
    studio.trash.bring_back("ada", "run", done.id)
    assert studio.runs.get("ada", done.id) == done
    assert studio.runs.model_folder("ada", done.id).is_dir()


def test_undo_works_after_a_restart_and_the_trash_says_until_when(make_studio, tmp_path):
    first = make_studio(StandIn())
    dataset = make_dataset(first, tmp_path)
    run = wait_until_over(first, first.runs.create("ada", dataset.id, config(), "plain"))
    first.runs.delete("ada", run.id)
    first.datasets.delete("ada", dataset.id)
    first.close()
    second = make_studio(StandIn(), trash_days=2)
    found = second.trash.list("ada")
    assert [(one.kind, one.name, one.about) for one in found] == [("dataset", "Pairs", ""), ("run", "plain", "Pairs")]
    assert all((one.until - one.deleted).days == 2 and one.size_mb > 0 for one in found)
    second.trash.bring_back("ada", "run", run.id)
    second.trash.bring_back("ada", "dataset", dataset.id)
    assert second.runs.get("ada", run.id).state == "succeeded"
    assert second.datasets.rows("ada", dataset.id, 0, 5).num_rows == 5
    assert second.trash.list("ada") == []


def test_the_time_over_folder_and_row_are_removed_and_undo_says_so(studio, dataset, done):
    kept = wait_until_over(studio, studio.runs.create("ada", dataset.id, config(), "plain"))
    for run in (done, kept):
        studio.runs.delete("ada", run.id)
    studio.datasets.delete("ada", dataset.id)
    long_ago(studio, "run", done.id)
    long_ago(studio, "dataset", dataset.id)
    studio.trash.sweep()
    assert not done.folder.exists()
    assert not dataset.folder.exists()
    assert kept.folder.is_dir(), "its time is not over"
    assert [one.id for one in studio.trash.list("ada")] == [kept.id]
    for kind, id in (("run", done.id), ("dataset", dataset.id)):
        with pytest.raises(NotFound):
            studio.trash.bring_back("ada", kind, id)


def test_a_server_that_dies_while_it_removes_goes_on_with_it(studio, done):
    """Given up and not removed yet: it cannot come back as a run without a folder."""
    studio.runs.delete("ada", done.id)
    studio.trash._store.give_up(RUNS, before=9e9)
    with pytest.raises(NotFound):
        studio.trash.bring_back("ada", "run", done.id)
    studio.trash.sweep()
    assert not done.folder.exists()
    assert studio.trash._store.give_up(RUNS, before=9e9) == []


def test_of_undo_and_removal_at_the_same_time_one_wins(studio, dataset, busy):
    for _ in range(5):
        run = studio.runs.create("ada", dataset.id, config(), "plain")
        studio.runs.delete("ada", run.id)
        told = []

        def tried(action, id=run.id, told=told):
            try:
                action("ada", "run", id)
            except NotFound:
                told.append("too late")

        threads = [threading.Thread(target=tried, args=(a,)) for a in (studio.trash.bring_back, studio.trash.remove)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert told == ["too late"]
        assert run.folder.is_dir() == any(one.id == run.id for one in studio.runs.list("ada"))


def test_a_waiting_run_that_is_deleted_does_not_start_and_starts_when_brought_back(studio, dataset, busy):
    waiting = studio.runs.create("ada", dataset.id, config(), "plain")
    studio.runs.delete("ada", waiting.id)
    studio.runs.stop("ada", busy.id, keep=False)
    wait_until_over(studio, busy)
    after = wait_until_over(studio, studio.runs.create("ada", dataset.id, config(), "plain"))
    assert not RunFolder(waiting.folder).events.exists(), f"{after.id} came later and ran; the deleted one never did"
    studio.trash.bring_back("ada", "run", waiting.id)
    assert wait_until_over(studio, waiting).state == "succeeded"


def test_a_run_that_waits_with_a_deleted_one_as_its_base_trains_from_its_own_copy(
    studio, dataset, done, tiny_model, busy
):
    shutil.rmtree(done.folder / "model")
    shutil.copytree(tiny_model, done.folder / "model")
    waiting = studio.runs.create("ada", dataset.id, config(base_model=f"run:{done.id}"), "plain")
    studio.runs.delete("ada", done.id)
    studio.trash.remove("ada", "run", done.id)
    assert not done.folder.exists()
    studio.runs.stop("ada", busy.id, keep=False)
    assert wait_until_over(studio, waiting).state == "succeeded"
    base = read_json(RunFolder(waiting.folder).config)["base_model"]
    assert base.startswith(str(waiting.folder))
    assert (waiting.folder / "base" / "plain" / "model.safetensors").is_file()


def test_indexes_of_a_model_stay_until_it_is_removed_for_good(studio, dataset, done):
    corpus = studio.corpora.create_from_dataset("ada", dataset.id)
    (tuned,) = studio.searches.ensure("ada", corpus.id, [f"run:{done.id}"])
    wait_for(lambda: studio.searches.ensure("ada", corpus.id, [f"run:{done.id}"])[0].state != "building")
    studio.runs.delete("ada", done.id)
    assert tuned.folder.is_dir()
    studio.trash.empty("ada")
    assert not tuned.folder.exists()


def test_the_trash_is_its_owner_s_alone(studio, done):
    studio.runs.delete("ada", done.id)
    assert studio.trash.list("bob") == []
    for action in (studio.trash.bring_back, studio.trash.remove):
        for kind in ("run", "dataset", "corpus"):
            with pytest.raises(NotFound):
                action("bob", kind, done.id)
    studio.trash.empty("bob")
    assert [one.id for one in studio.trash.list("ada")] == [done.id]
