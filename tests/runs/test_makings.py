import time

import pytest

from studio.errors import NotFound, RunError
from studio.making.kinds import KINDS
from studio.runs.executors.local import LocalExecutor
from studio.runs.makings import KEPT_S
from studio.runs.store import MAKINGS
from tests.making.counting import KIND, WHERE
from tests.runs.scene import make_dataset, processes, wait_for


class Counting(LocalExecutor):
    """Starts the maker with the kind of the tests, through the real shim."""

    def start(self, folder, module):
        super().start(folder, "tests.making.counting")


@pytest.fixture
def studio(make_studio, monkeypatch):
    monkeypatch.setitem(KINDS, KIND, WHERE)
    return make_studio(Counting())


@pytest.fixture
def dataset(studio, tmp_path):
    return make_dataset(studio, tmp_path)


def wait_until_over(studio, making):
    return wait_for(lambda: (now := studio.makings.get(making.owner, making.id)).is_over and now)


def test_a_making_ends_with_its_result_and_a_dataset_of_its_owner(studio, dataset):
    making = studio.makings.create("ada", KIND, "Counted rows", {"ways": ""}, dataset_id=dataset.id)
    assert studio.makings.latest("ada", KIND, dataset.id).id == making.id
    done = wait_until_over(studio, making)
    assert (done.state, done.message, done.result["counted"]) == ("succeeded", "Counted to 3.", 3)
    made = studio.datasets.get("ada", done.made_dataset_id)
    assert made.name == "Counted rows"
    assert made.info.rows == dataset.info.rows
    with pytest.raises(NotFound):
        studio.datasets.get("bob", done.made_dataset_id)


def test_a_dataset_deleted_meanwhile_is_still_there_for_the_making(studio, dataset):
    making = studio.makings.create("ada", KIND, "Counted", {"ways": ""}, dataset_id=dataset.id)
    studio.datasets.delete("ada", dataset.id)
    assert wait_until_over(studio, making).state == "succeeded"


def test_stop_ends_a_making_and_leaves_no_dataset(studio, dataset):
    making = studio.makings.create("ada", KIND, "Long", {"ways": "long"}, dataset_id=dataset.id)
    wait_for(lambda: studio.makings.get("ada", making.id).done > 0)
    studio.makings.stop("ada", making.id)
    over = wait_until_over(studio, making)
    assert (over.state, over.made_dataset_id) == ("cancelled", "")
    assert [record.id for record in studio.datasets.list("ada")] == [dataset.id]
    with pytest.raises(RunError):
        studio.makings.stop("ada", making.id)


def test_one_that_does_not_listen_is_ended_by_force(studio):
    making = studio.makings.create("ada", KIND, "Deaf", {"ways": "long deaf"})
    wait_for(lambda: studio.makings.get("ada", making.id).done > 0)
    studio.makings.stop("ada", making.id)
    assert wait_until_over(studio, making).state == "cancelled"
    wait_for(lambda: not processes(making.folder))


def test_a_killed_process_is_started_again(studio, dataset):
    making = studio.makings.create("ada", KIND, "Fragile", {"ways": "crash-once"}, dataset_id=dataset.id)
    done = wait_until_over(studio, making)
    assert (done.state, done.made_dataset_id) == ("succeeded", making.id)


def test_what_a_person_can_mend_is_said_and_a_bug_is_not_shown(studio):
    refused = wait_until_over(studio, studio.makings.create("ada", KIND, "No", {"ways": "refused"}))
    assert (refused.state, refused.message, refused.hint) == (
        "failed",
        "There is nothing to count.",
        "Bring something.",
    )
    bug = wait_until_over(studio, studio.makings.create("ada", KIND, "Bug", {"ways": "bug"}))
    assert bug.state == "failed"
    assert "secret words" not in bug.message + bug.hint
    assert "secret words" in (bug.folder / "log.txt").read_text()


def test_a_making_outlives_its_server(studio, make_studio, dataset):
    making = studio.makings.create("ada", KIND, "Long", {"ways": "long"}, dataset_id=dataset.id)
    wait_for(lambda: studio.makings.get("ada", making.id).done > 0)
    studio.close()
    second = make_studio(Counting())
    assert second.makings.get("ada", making.id).state == "running"
    second.makings.stop("ada", making.id)
    assert wait_until_over(second, making).state == "cancelled"


def test_nobody_else_sees_stops_or_deletes_it(studio):
    making = studio.makings.create("ada", KIND, "Long", {"ways": "long"})
    for act in (studio.makings.get, studio.makings.stop, studio.makings.delete):
        with pytest.raises(NotFound):
            act("bob", making.id)
    assert studio.makings.list("bob") == []
    studio.makings.delete("ada", making.id)
    wait_for(lambda: not processes(making.folder))
    assert not making.folder.exists()


def test_an_unknown_kind_or_dataset_is_refused_and_nothing_is_left(studio):
    for kind, dataset_id in (("os:system", ""), (KIND, "nosuch")):
        with pytest.raises(NotFound):
            studio.makings.create("ada", kind, "x", {"ways": ""}, dataset_id=dataset_id)
    assert studio.makings.list("ada") == []
    assert list(studio.workspace.makings.iterdir()) == []


def test_old_makings_are_swept_and_what_they_made_stays(studio, dataset):
    done = wait_until_over(studio, studio.makings.create("ada", KIND, "Old", {"ways": ""}, dataset_id=dataset.id))
    with studio._store._writing() as connection:
        connection.execute(MAKINGS.update().values(ended=time.time() - KEPT_S - 1))
    studio.makings.sweep()
    assert studio.makings.list("ada") == []
    assert studio.datasets.get("ada", done.id).name == "Old"
