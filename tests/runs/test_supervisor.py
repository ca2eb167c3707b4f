"""Processes are really killed here."""

import os
import signal
import time
from pathlib import Path

import pytest

from studio.errors import HostError
from studio.files import read_json, write_json
from studio.runs.executors.local import Exit, Look
from studio.runs.executors.process import start_mark
from tests.runs.scene import (
    StandIn,
    config,
    last_step,
    make_dataset,
    processes,
    start_run,
    wait_for,
    wait_until_over,
)


def test_a_run_goes_from_the_queue_to_its_end(studio, dataset):
    run = studio.runs.create("ada", dataset.id, config(), "plain")
    assert (run.state, run.position, run.attempt, run.started) == ("queued", 1, 0, None)
    done = wait_until_over(studio, run)
    assert (done.state, done.message, done.step, done.steps) == ("succeeded", "Done.", 12, 12)
    assert (done.attempt, done.position, done.resumable) == (1, None, False)
    assert done.created <= done.started <= done.ended


def test_progress_is_seen_as_soon_as_it_is_written(studio, dataset):
    run = start_run(studio, dataset, "long")
    for _ in range(3):
        time.sleep(0.1)
        written = last_step(run.folder)
        assert studio.runs.feed("ada", run.id)["step"] >= written > 0
        assert studio.runs.get("ada", run.id).step >= written


def test_one_trains_at_a_time_and_the_others_know_their_place(studio, dataset):
    first = start_run(studio, dataset, "long")
    second, third = (studio.runs.create("ada", dataset.id, config(), "plain") for _ in range(2))
    assert [studio.runs.get("ada", run.id).position for run in (second, third)] == [1, 2]
    studio.runs.stop("ada", first.id, keep=False)
    wait_until_over(studio, third)
    ended = [studio.runs.get("ada", run.id) for run in (first, second, third)]
    assert [run.state for run in ended] == ["cancelled", "succeeded", "succeeded"]
    assert ended[1].ended <= ended[2].started


def test_as_many_train_at_a_time_as_there_are_slots(make_studio, tmp_path):
    studio = make_studio(StandIn(), training_slots=2)
    dataset = make_dataset(studio, tmp_path)
    runs = [studio.runs.create("ada", dataset.id, config(), "long") for _ in range(3)]
    wait_for(lambda: [studio.runs.get("ada", r.id).state for r in runs].count("running") == 2)
    time.sleep(0.5)
    assert [studio.runs.get("ada", r.id).state for r in runs].count("running") == 2


def test_stop_and_keep_lets_the_worker_save_what_it_has(studio, dataset):
    run = start_run(studio, dataset, "long")
    studio.runs.stop("ada", run.id, keep=True)
    done = wait_until_over(studio, run)
    assert (done.state, done.message) == ("succeeded", "Stopped early.")
    assert studio.exports.archive("ada", run.id).is_file()


def test_stop_ends_a_run_and_keeps_nothing(studio, dataset):
    run = start_run(studio, dataset, "long")
    studio.runs.stop("ada", run.id, keep=False)
    assert studio.runs.get("ada", run.id).state == "stopping"
    assert wait_until_over(studio, run).state == "cancelled"
    assert processes(run.folder) == {}


def test_a_worker_that_hears_nothing_is_killed_after_the_grace(studio, dataset):
    run = start_run(studio, dataset, "deaf parent")
    child = read_json(run.folder / "child.json")
    studio.runs.stop("ada", run.id, keep=False)
    done = wait_until_over(studio, run)
    assert done.state == "cancelled"
    assert (done.ended - run.started).total_seconds() < 8
    assert processes(run.folder) == {}
    wait_for(lambda: start_mark(child) is None)


def test_a_worker_that_does_not_end_after_its_last_word_is_ended(studio, dataset):
    run = studio.runs.create("ada", dataset.id, config(), "lingers")
    assert wait_until_over(studio, run).state == "succeeded"


def test_a_cancelled_run_in_the_queue_never_starts(studio, dataset):
    first = start_run(studio, dataset, "long")
    second = studio.runs.create("ada", dataset.id, config(), "plain")
    studio.runs.stop("ada", second.id, keep=False)
    assert studio.runs.get("ada", second.id).state == "cancelled"
    studio.runs.stop("ada", first.id, keep=False)
    wait_until_over(studio, first)
    time.sleep(0.5)
    assert studio.runs.get("ada", second.id).attempt == 0


def test_what_the_worker_says_of_its_failure_is_believed_and_not_tried_again(studio, dataset):
    run = studio.runs.create("ada", dataset.id, config(), "refused")
    done = wait_until_over(studio, run)
    assert (done.state, done.message, done.hint, done.attempt) == ("failed", "No.", "Ask nicely.", 1)


def test_a_killed_worker_is_started_again_and_goes_on_from_its_checkpoint(studio, dataset):
    run = studio.runs.create("ada", dataset.id, config(), "crash-once")
    done = wait_until_over(studio, run)
    assert (done.state, done.attempt) == ("succeeded", 2)
    notes = studio.runs.feed("ada", run.id)["notes"]
    assert [note["message"] for note in notes] == [
        "The process was killed (signal 9). It starts again from its last checkpoint (attempt 2 of 3)."
    ]
    assert studio.runs.feed("ada", run.id)["train"]["step"] == list(range(1, 13))


def test_a_worker_that_is_killed_every_time_is_given_up_with_its_last_words(studio, dataset):
    run = studio.runs.create("ada", dataset.id, config(), "crash")
    done = wait_until_over(studio, run)
    assert (done.state, done.attempt) == ("failed", 3)
    assert done.message == "The process was killed (signal 9). This was attempt 3 of 3."
    assert done.hint == "The log's last line: about to fall over"


def test_a_worker_killed_from_outside_while_long_at_work_is_retried(studio, dataset):
    run = start_run(studio, dataset, "long")
    processes(run.folder)["worker"].kill()
    wait_for(lambda: studio.runs.get("ada", run.id).attempt == 2)
    assert studio.runs.get("ada", run.id).state == "running"


def test_a_worker_that_somebody_else_asked_to_end_is_started_again(studio, dataset):
    run = start_run(studio, dataset, "long polite")
    processes(run.folder)["worker"].terminate()
    wait_for(lambda: studio.runs.get("ada", run.id).attempt == 2)
    assert "Something else than the studio ended it." in studio.runs.feed("ada", run.id)["notes"][0]["message"]


def test_when_the_shim_is_killed_its_orphan_is_ended_and_the_run_goes_on_under_a_new_one(studio, dataset):
    run = start_run(studio, dataset, "long")
    orphan = processes(run.folder)["worker"]
    processes(run.folder)["shim"].kill()
    wait_for(lambda: studio.runs.get("ada", run.id).attempt == 2)
    assert start_mark(orphan.pid) is None
    wait_for(lambda: len(processes(run.folder)) == 2)


def test_a_killed_server_leaves_its_run_alone_and_the_next_one_finds_it(serve, make_studio, settings, tmp_path):
    server = serve()
    # Two servers on one workspace are refused, so the run is made by one that has ended.
    server.kill()
    server.wait()
    first = make_studio(StandIn())
    run = start_run(first, make_dataset(first, tmp_path), "long")
    first.close()
    worker = processes(run.folder)["worker"].pid

    server = serve()
    time.sleep(1.5)
    assert processes(run.folder)["worker"].pid == worker, "re-adopted, not started again"
    os.kill(server.pid, signal.SIGKILL)
    server.wait()
    step = last_step(run.folder)
    wait_for(lambda: last_step(run.folder) > step)

    second = make_studio(StandIn())
    now = second.runs.get("ada", run.id)
    assert (now.state, now.attempt) == ("running", 1)
    assert processes(run.folder)["worker"].pid == worker
    second.runs.stop("ada", run.id, keep=True)
    assert wait_until_over(second, run).state == "succeeded"


def test_a_run_that_ended_while_no_server_was_there_is_ended_by_the_next(make_studio, tmp_path):
    first = make_studio(StandIn())
    run = start_run(first, make_dataset(first, tmp_path), "plain")
    first.close()
    wait_for(lambda: (run.folder / "exit.json").exists())
    second = make_studio(StandIn())
    assert wait_until_over(second, run).state == "succeeded"


def test_a_run_that_the_machine_s_restart_cut_off_is_queued_again_and_it_costs_no_attempt(make_studio, tmp_path):
    first = make_studio(StandIn())
    run = start_run(first, make_dataset(first, tmp_path), "long")
    first.close()
    for process in processes(run.folder).values():  # both at once, as a power cut does
        process.suspend()
    for process in processes(run.folder).values():
        process.kill()
    wait_for(lambda: not processes(run.folder))
    process = read_json(run.folder / "process.json")
    write_json(run.folder / "process.json", {**process, "boot": "before"})
    (run.folder / "exit.json").unlink(missing_ok=True)
    second = make_studio(StandIn())
    wait_for(lambda: len(processes(run.folder)) == 2)
    now = second.runs.get("ada", run.id)
    assert (now.state, now.attempt) == ("running", 1)
    assert "The machine was restarted" in second.runs.feed("ada", run.id)["notes"][0]["message"]


def test_running_out_of_memory_is_tried_once_more_in_smaller_portions_and_then_said(make_studio, tmp_path):
    class OutOfMemory(StandIn):
        """As after a kill that the kernel owns up to; a memory limit cannot be set everywhere tests run."""

        def look(self, folder: Path) -> Look:
            look = super().look(folder)
            killed = look.exit is not None and look.exit.signal == signal.SIGKILL
            return Look(alive=False, exit=Exit(None, signal.SIGKILL, True)) if killed else look

    studio = make_studio(OutOfMemory())
    run = studio.runs.create("ada", make_dataset(studio, tmp_path).id, config(), "crash")
    done = wait_until_over(studio, run)
    assert (done.state, done.attempt) == ("failed", 2)
    assert "out of memory" in done.message
    assert "smaller batch" in done.hint
    assert read_json(run.folder / "memory.json")["halvings"] == 2
    notes = [note["message"] for note in studio.runs.feed("ada", run.id)["notes"]]
    assert len(notes) == 1
    assert "smaller portions" in notes[0]


def test_a_second_server_is_refused_and_told_who_has_the_workspace(serve, make_studio):
    server = serve()
    with pytest.raises(HostError) as refused:
        make_studio()
    assert f"process {server.pid}" in refused.value.message
    assert "http://127.0.0.1:7860" in refused.value.message
    os.kill(server.pid, signal.SIGKILL)
    server.wait()
    make_studio()


def test_a_workspace_that_cannot_be_written_is_one_clear_line(make_studio, settings, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(HostError) as refused:
        make_studio(workspace=tmp_path / "file" / "workspace")
    assert refused.value.message.count("\n") == 0
    assert "cannot be written" in refused.value.message


def test_a_run_whose_process_cannot_be_started_fails_and_says_why(make_studio, tmp_path):
    class Broken(StandIn):
        def start(self, folder: Path, module: str) -> None:
            raise HostError("No process could be started: too many.")

    studio = make_studio(Broken())
    run = studio.runs.create("ada", make_dataset(studio, tmp_path).id, config())
    done = wait_until_over(studio, run)
    assert done.state == "failed"
    assert "too many" in done.message
