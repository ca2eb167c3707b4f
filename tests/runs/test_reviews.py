"""Mining, looking and reviewing through the server, with the real processes."""

import csv

import pyarrow as pa
import pytest

from studio.data.dataset import load_rows
from studio.errors import ConfigError, DataError, ModelError, NotFound
from studio.files import read_json
from studio.runs import supervisor
from studio.runs.studio import Studio
from studio.settings import Settings
from tests.runs.scene import WORDLLAMA, StandIn, config, make_dataset, wait_for, wait_until_over

ROWS = 160


@pytest.fixture(scope="module")
def studio(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(supervisor, "TICK_S", 0.1)
        studio = Studio(Settings(workspace=tmp_path_factory.mktemp("reviews") / "workspace", stop_grace_s=1))
        studio.start()
        yield studio
        studio.close()


@pytest.fixture(scope="module")
def dataset(studio, samples, tmp_path_factory):
    with (samples / "banking77.csv").open(newline="") as file:
        rows = list(csv.reader(file))[: ROWS + 1]
    path = tmp_path_factory.mktemp("table") / "questions.csv"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    upload = studio.datasets.stage("ada", path, "questions.csv")
    report = studio.datasets.report("ada", upload.id)
    return studio.datasets.create("ada", upload.id, report.roles, "Questions")


@pytest.fixture(scope="module")
def made(studio, dataset):
    """Both kinds, made side by side: (mined, looked at)."""
    corpus = studio.corpora.create_from_dataset("ada", dataset.id, ["anchor"])
    mined = studio.reviews.mine("ada", dataset.id, {"base_model": WORDLLAMA, "num_negatives": 2}, corpus.id)
    looked = studio.reviews.look("ada", dataset.id, WORDLLAMA)
    over = lambda making: (now := studio.makings.get("ada", making.id)).is_over and now  # noqa: E731
    return tuple(wait_for(lambda making=making: over(making), 90) for making in (mined, looked))


@pytest.fixture
def review(studio, made):
    """Nobody has decided anything yet."""
    (made[1].folder / "decisions.json").unlink(missing_ok=True)
    return made[1].id


def test_mining_makes_a_version_with_history_and_a_review_of_it(studio, dataset, made):
    mined = made[0]
    assert (mined.state, mined.made_dataset_id) == ("succeeded", mined.id), mined.message
    version = studio.datasets.get("ada", mined.made_dataset_id)
    assert (version.name, version.info.format) == ("Questions (version 2)", "triplet")
    assert version.info.history[-1].startswith("2 hard negatives a row, mined with WordLlama")
    rows = studio.datasets.rows("ada", version.id, 0, ROWS)
    questions = set(studio.datasets.rows("ada", dataset.id, 0, ROWS)["anchor"].to_pylist())
    assert questions & set(rows["negative_1"].to_pylist()), "the corpus gave none"
    review = studio.reviews.get("ada", studio.reviews.of("ada", version.id))
    assert review.dataset_id == version.id
    assert {entry.column for entry in review.entries} <= {"negative_1", "negative_2"}
    for entry in review.entries:
        for position in entry.positions:
            row = rows.slice(position, 1).to_pylist()[0]
            assert entry.row[entry.column] in (row["negative_1"], row["negative_2"])


def test_decisions_are_kept_and_taken_back(studio, dataset, review):
    assert studio.reviews.of("ada", dataset.id) == review
    studio.reviews.decide("ada", review, 0, "drop")
    studio.reviews.decide("ada", review, 1, "keep")
    studio.reviews.decide("ada", review, 0, "keep")
    assert studio.reviews.get("ada", review).decided == {0: "keep", 1: "keep"}
    assert studio.reviews.undo("ada", review).decided == {0: "drop", 1: "keep"}
    for _ in range(3):
        studio.reviews.undo("ada", review)
    assert studio.reviews.get("ada", review).decisions == ()
    for entry, decision in ((-1, "drop"), (10_000, "drop"), (0, "burn")):
        with pytest.raises(DataError, match="no such row"):
            studio.reviews.decide("ada", review, entry, decision)


def test_dropped_rows_are_missing_from_a_new_version_and_the_dataset_stays(studio, dataset, review):
    with pytest.raises(DataError, match="No row was dropped"):
        studio.reviews.finish("ada", review)
    for entry, decision in ((0, "drop"), (1, "keep"), (2, "drop")):
        studio.reviews.decide("ada", review, entry, decision)
    found = studio.reviews.get("ada", review)
    version = studio.reviews.finish("ada", review)
    assert version.info.history == ("2 rows left out after a look at 3 doubtful ones",)
    before, after = load_rows(dataset.folder), load_rows(version.folder)
    gone = [found.entries[entry].row["row"] for entry in (0, 2)]
    assert sorted(set(before["row"].to_pylist()) - set(after["row"].to_pylist())) == sorted(gone)
    assert after.equals(before.take(pa.array([i for i in range(ROWS) if i not in found.dropped])))
    studio.datasets.delete("ada", version.id)


def test_what_cannot_be_made_is_refused_before_it_is_queued(studio, dataset, made):
    before = len(studio.makings.list("ada"))
    for settings, error in (
        ({"num_negatives": 9}, ConfigError),
        ({"base_model": "no such model"}, ModelError),
        ({"base_model": "run:nosuchrun1"}, NotFound),
        ({"base_model": str(studio.workspace.path)}, NotFound),
    ):
        with pytest.raises(error):
            studio.reviews.mine("ada", dataset.id, settings)
    with pytest.raises(ModelError):
        studio.reviews.look("ada", dataset.id, "no such model")
    assert len(studio.makings.list("ada")) == before


def test_a_stranger_sees_no_review(studio, dataset, made, review):
    reviews = studio.reviews
    for call in (
        lambda: reviews.mine("bob", dataset.id, {}),
        lambda: reviews.look("bob", dataset.id, WORDLLAMA),
        lambda: reviews.get("bob", review),
        lambda: reviews.decide("bob", review, 0, "drop"),
        lambda: reviews.undo("bob", review),
        lambda: reviews.finish("bob", review),
    ):
        with pytest.raises(NotFound):
            call()
    assert reviews.of("bob", dataset.id) == ""
    corpus = studio.corpora.create_from_dataset("ada", dataset.id)
    theirs = make_dataset(studio, studio.workspace.path.parent, owner="bob")
    with pytest.raises(NotFound):
        reviews.mine("bob", theirs.id, {}, corpus.id)


def test_a_model_that_was_tuned_here_is_copied_for_its_owner_only(make_studio, tmp_path):
    studio = make_studio(StandIn())
    dataset = make_dataset(studio, tmp_path)
    run = wait_until_over(studio, studio.runs.create("ada", dataset.id, config(), "My model"))
    making = studio.reviews.look("ada", dataset.id, f"run:{run.id}")
    task = read_json(making.folder / "task.json")
    assert (task["base_model"], task["base_label"]) == ("base/My model", "My model")
    assert (making.folder / task["base_model"]).is_dir()
    other = make_dataset(studio, tmp_path, owner="bob")
    with pytest.raises(NotFound):
        studio.reviews.look("bob", other.id, f"run:{run.id}")


def test_a_review_of_a_dataset_that_is_gone_makes_no_version(studio, made):
    studio.reviews.decide("ada", made[0].id, 0, "drop")
    studio.datasets.delete("ada", made[0].made_dataset_id)
    with pytest.raises(NotFound):
        studio.reviews.finish("ada", made[0].id)
