import shutil

import pytest

from studio.errors import ConfigError, DataError, HostError, ModelError, NotFound, RunError
from studio.files import read_json, write_json
from studio.runs.workspace import SPARE_MB
from studio.training.folder import RunFolder
from tests.runs.scene import PAIRS, config, make_dataset, start_run, wait_until_over


@pytest.fixture
def tuned(studio, dataset, tiny_model):
    """A run of ada's that has ended, with a real model folder in the place of what the stand-in leaves."""
    run = wait_until_over(studio, studio.runs.create("ada", dataset.id, config(), "First"))
    shutil.rmtree(run.folder / "model")
    shutil.copytree(tiny_model, run.folder / "model")
    return run


def test_a_run_s_folder_holds_all_that_a_worker_needs(studio, dataset):
    chosen = config(epochs=3, seed=7)
    run = studio.runs.create("ada", dataset.id, chosen, "A name")
    folder = RunFolder(run.folder)
    assert read_json(folder.config) == chosen.model_dump()
    assert read_json(folder.run)["id"] == run.id
    assert (folder.dataset / "data.parquet").stat().st_ino == (dataset.folder / "data.parquet").stat().st_ino
    assert run.config == chosen
    assert (run.name, run.dataset_name, run.base_label) == ("A name", "Pairs", "WordLlama (static, 256 dimensions)")


def test_further_datasets_come_along_and_must_be_ones_own(studio, dataset, tmp_path):
    second = make_dataset(studio, tmp_path)
    run = studio.runs.create("ada", dataset.id, config(), also=[second.id, dataset.id, second.id])
    places = sorted((run.folder / "datasets").iterdir())
    assert [place.name for place in places] == ["1"]
    assert (places[0] / "data.parquet").stat().st_ino == (second.folder / "data.parquet").stat().st_ino
    theirs = make_dataset(studio, tmp_path, owner="grace")
    with pytest.raises(NotFound):
        studio.runs.create("ada", dataset.id, config(), also=[theirs.id])
    assert len(studio.runs.list("ada")) == 1


def test_test_data_come_along_and_must_be_ones_own_and_another_dataset(studio, dataset, tmp_path):
    file = tmp_path / "test.csv"
    file.write_text(
        "question,answer\n" + "".join(f"Where is the thing of house {i}?,In the room {i}\n" for i in range(9))
    )
    upload = studio.datasets.stage("ada", file, "test.csv")
    judge = studio.datasets.create("ada", upload.id, PAIRS, "Judge")
    run = studio.runs.create("ada", dataset.id, config(), test=judge.id)
    assert (run.folder / "test" / "data.parquet").stat().st_ino == (judge.folder / "data.parquet").stat().st_ino
    assert read_json(RunFolder(run.folder).run)["test_id"] == judge.id
    for also, test in (([], dataset.id), ([judge.id], judge.id)):
        with pytest.raises(RunError, match="cannot judge what is trained on it"):
            studio.runs.create("ada", dataset.id, config(), also=also, test=test)
    with pytest.raises(DataError, match="Nothing is left to train on"):  # the same rows under another name
        studio.runs.create("ada", dataset.id, config(), test=make_dataset(studio, tmp_path).id)
    with pytest.raises(NotFound):
        studio.runs.create("ada", dataset.id, config(), test=make_dataset(studio, tmp_path, owner="grace").id)
    assert len(studio.runs.list("ada")) == 1


def test_a_run_without_a_name_gets_one(studio, dataset):
    assert studio.runs.create("ada", dataset.id, config()).name == "Pairs with WordLlama (static, 256 dimensions)"


def test_what_cannot_train_is_refused_before_it_waits(studio, dataset):
    with pytest.raises(ConfigError):
        studio.runs.create("ada", dataset.id, config(loss="CoSENTLoss"))
    with pytest.raises(ConfigError, match="batch"):
        studio.runs.create("ada", dataset.id, config(batch_size=64))
    with pytest.raises(ModelError):
        studio.runs.create("ada", dataset.id, config(base_model="nobody-knows-it"))
    assert studio.runs.list("ada") == []
    assert list(studio.workspace.runs.iterdir()) == []


def test_a_full_disk_is_said_before_a_run_waits(studio, dataset, monkeypatch):
    usage = shutil.disk_usage(studio.workspace.path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=int((SPARE_MB + 1) * 1e6)))
    with pytest.raises(HostError, match="The disk is too full for training WordLlama"):
        studio.runs.create("ada", dataset.id, config())


def test_a_run_keeps_its_data_when_the_dataset_is_deleted(studio, dataset):
    first = start_run(studio, dataset, "long")
    waiting = studio.runs.create("ada", dataset.id, config(), "plain")
    studio.datasets.delete("ada", dataset.id)
    studio.runs.stop("ada", first.id, keep=False)
    assert wait_until_over(studio, waiting).state == "succeeded"
    assert (waiting.folder / "dataset" / "data.parquet").is_file()


def test_a_tuned_model_can_be_tuned_again_and_survives_the_first_run(studio, dataset, tuned):
    again = studio.runs.create("ada", dataset.id, config(base_model=f"run:{tuned.id}"), "Second")
    assert (again.config.base_model, again.base_label) == (f"run:{tuned.id}", "First")
    wait_until_over(studio, again)
    studio.runs.delete("ada", tuned.id)
    base = read_json(RunFolder(again.folder).config)["base_model"]
    assert base == str(again.folder / "base" / "First")
    assert (again.folder / "base" / "First" / "model.safetensors").is_file()


@pytest.mark.parametrize("name", ["{id}", "run:{id}", "{folder}/model", "{folder}"])
def test_a_tuned_model_may_be_named_by_id_or_folder(studio, dataset, tuned, name):
    base_model = name.format(id=tuned.id, folder=tuned.folder)
    assert studio.runs.create("ada", dataset.id, config(base_model=base_model)).config.base_model == f"run:{tuned.id}"


@pytest.mark.parametrize("name", ["{id}", "run:{id}", "{folder}/model", "{folder}/../{id}/model"])
def test_nobody_else_can_start_from_it_however_it_is_named(studio, tuned, tmp_path, name):
    theirs = make_dataset(studio, tmp_path, owner="bob")
    with pytest.raises(NotFound):
        studio.runs.create("bob", theirs.id, config(base_model=name.format(id=tuned.id, folder=tuned.folder)))


def test_a_tuned_model_can_teach_and_the_run_keeps_a_copy(studio, dataset, tuned, tmp_path):
    taught = {"loss": "EmbedDistillLoss", "teacher_model": tuned.id}
    run = studio.runs.create("ada", dataset.id, config(**taught), "Taught")
    assert run.config.teacher_model == f"run:{tuned.id}"
    teacher = read_json(RunFolder(run.folder).config)["teacher_model"]
    assert teacher == str(run.folder / "teacher" / "First")
    assert (run.folder / "teacher" / "First" / "model.safetensors").is_file()
    theirs = make_dataset(studio, tmp_path, owner="bob")
    with pytest.raises(NotFound):
        studio.runs.create("bob", theirs.id, config(**taught))


def test_other_folders_of_the_workspace_are_no_models(studio, dataset):
    with pytest.raises(NotFound):
        studio.runs.create("ada", dataset.id, config(base_model=str(dataset.folder)))


def test_a_run_without_a_model_cannot_be_started_from(studio, dataset):
    run = start_run(studio, dataset, "long")
    with pytest.raises(RunError, match="no model"):
        studio.runs.create("ada", dataset.id, config(base_model=f"run:{run.id}"))


def test_a_cancelled_run_goes_on_from_its_checkpoint_when_asked(studio, dataset):
    run = studio.runs.create("ada", dataset.id, config(), "crash")
    failed = wait_until_over(studio, run)
    assert not failed.resumable, "it never got to a checkpoint"
    with pytest.raises(RunError):
        studio.runs.resume("ada", run.id)
    write_json(run.folder / "checkpoints" / "checkpoint-5" / "manifest.json", {})
    write_json(run.folder / "run.json", {**read_json(run.folder / "run.json"), "name": "well now"})
    assert studio.runs.get("ada", run.id).resumable
    again = studio.runs.resume("ada", run.id)
    assert (again.state, again.message, again.ended) == ("queued", "", None)
    done = wait_until_over(studio, run)
    assert done.state == "succeeded"
    assert studio.runs.feed("ada", run.id)["train"]["step"] == [1, 2, *range(6, 13)]


def test_a_run_that_has_ended_cannot_be_stopped(studio, dataset):
    run = wait_until_over(studio, studio.runs.create("ada", dataset.id, config(), "plain"))
    with pytest.raises(RunError, match="ended already"):
        studio.runs.stop("ada", run.id, keep=True)


def test_a_run_that_is_going_on_cannot_be_deleted_and_an_ended_one_can(studio, dataset):
    run = start_run(studio, dataset, "long")
    with pytest.raises(RunError, match="Stop it first"):
        studio.runs.delete("ada", run.id)
    studio.runs.stop("ada", run.id, keep=False)
    wait_until_over(studio, run)
    studio.runs.delete("ada", run.id)
    assert studio.runs.list("ada") == []
    with pytest.raises(NotFound, match="'long' was deleted"):
        studio.runs.delete("ada", run.id)


def test_the_log_is_the_last_that_the_worker_printed(studio, dataset):
    run = wait_until_over(studio, studio.runs.create("ada", dataset.id, config(), "plain"))
    (run.folder / "log.txt").write_text("".join(f"line {i}\n" for i in range(50_000)))
    lines = studio.runs.log("ada", run.id, lines=3).splitlines()
    assert lines == ["line 49997", "line 49998", "line 49999"]


def test_runs_are_listed_newest_first(studio, dataset):
    runs = [studio.runs.create("ada", dataset.id, config(), "plain") for _ in range(3)]
    assert [run.id for run in studio.runs.list("ada")] == [run.id for run in reversed(runs)]


def test_runs_are_found_by_words_state_dataset_and_tag_a_page_at_a_time(studio, dataset, tmp_path):
    other = make_dataset(studio, tmp_path)
    runs = [studio.runs.create("ada", dataset.id, config(), f"run {i}") for i in range(5)]
    last = studio.runs.create("ada", other.id, config(), "100%_odd")
    for run in (*runs, last):
        wait_until_over(studio, run)
    studio.runs.describe("ada", runs[1].id, ["good", "Good ", "a,b"], "the  one\r\nfor the paper\x00 ")
    found = studio.runs.page("ada", limit=4)
    assert ([run.name for run in found.runs], found.total) == (["100%_odd", "run 4", "run 3", "run 2"], 6)
    assert [run.name for run in studio.runs.page("ada", limit=4, offset=4).runs] == ["run 1", "run 0"]
    assert found.tags == ("a", "b", "good")
    assert {id for id, _ in found.datasets} == {dataset.id, other.id}
    assert found.states == ("succeeded",)
    for asked in ({"tag": "good"}, {"words": "PAPER run"}, {"words": "run 1"}):
        assert [run.id for run in studio.runs.page("ada", **asked).runs] == [runs[1].id], asked
    assert [run.id for run in studio.runs.page("ada", dataset_id=other.id).runs] == [last.id]
    assert [run.id for run in studio.runs.page("ada", words="0%_").runs] == [last.id], "% and _ are what they are"
    assert studio.runs.page("ada", state="active").total == studio.runs.page("ada", tag="goo").total == 0
    assert studio.runs.page("bob").total == 0
    assert studio.runs.get("ada", runs[1].id).notes == "the  one\nfor the paper"


def test_tags_and_notes_have_bounds(studio, dataset):
    run = studio.runs.create("ada", dataset.id, config())
    with pytest.raises(RunError, match="20 tags, not 21"):
        studio.runs.describe("ada", run.id, [str(i) for i in range(21)], "")
    with pytest.raises(RunError, match="10,000"):
        studio.runs.describe("ada", run.id, [], "x" * 10_001)
    assert len(studio.runs.describe("ada", run.id, ["y" * 99], "").tags[0]) == 40
