import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from studio.errors import HostError
from studio.files import read_json, write_json
from studio.runs.executors import process, shim
from studio.runs.executors.local import Exit, LocalExecutor
from tests.runs.scene import kill_workers, processes, wait_for

STANDIN = "tests.runs.standin"


@pytest.fixture
def executor() -> LocalExecutor:
    return LocalExecutor()


@pytest.fixture
def folder(tmp_path: Path):
    folder = tmp_path / "run"
    folder.mkdir()
    yield folder
    kill_workers(tmp_path)


def start(executor: LocalExecutor, folder: Path, name: str) -> None:
    write_json(folder / "run.json", {"id": "x", "name": name})
    executor.start(folder, STANDIN)


def wait_for_end(executor: LocalExecutor, folder: Path) -> Exit | None:
    wait_for(lambda: not executor.look(folder).alive)
    return executor.look(folder).exit


def test_a_worker_is_alive_from_start_to_end_and_its_exit_is_noted(executor, folder):
    start(executor, folder, "plain")
    assert executor.look(folder).alive, "known as soon as start returns"
    assert wait_for_end(executor, folder) == Exit(0, None, False)
    assert read_json(folder / "outcome.json")["state"] == "succeeded"
    assert "starting" in (folder / "log.txt").read_text()


def test_nothing_is_alive_in_a_folder_where_nothing_was_started(executor, folder):
    assert executor.look(folder) == type(executor.look(folder))(alive=False)


def test_the_exit_status_of_a_worker_that_fails_is_kept(executor, folder):
    start(executor, folder, "refused")
    assert wait_for_end(executor, folder).code == 2


def test_a_module_that_does_not_exist_ends_with_its_error_in_the_log(executor, folder):
    executor.start(folder, "tests.runs.nowhere")
    assert wait_for_end(executor, folder).code == 1
    assert "No module named" in (folder / "log.txt").read_text()


def test_a_folder_that_is_gone_is_said(executor, tmp_path):
    with pytest.raises((HostError, OSError)):
        executor.start(tmp_path / "gone", STANDIN)


def test_shim_and_worker_are_in_a_session_of_their_own_and_the_worker_in_its_own_group(executor, folder):
    start(executor, folder, "long")
    found = wait_for(lambda: len(now := processes(folder)) == 2 and now)
    shim_pid, worker_pid = found["shim"].pid, found["worker"].pid
    assert os.getsid(shim_pid) == os.getsid(worker_pid) == shim_pid
    assert os.getpgid(worker_pid) == worker_pid
    assert found["shim"].ppid() != os.getpid(), "nobody has to wait for it"


def test_a_second_start_in_the_same_folder_does_not_make_a_second_worker(executor, folder):
    start(executor, folder, "long")
    wait_for(lambda: len(processes(folder)) == 2)
    worker = processes(folder)["worker"].pid
    executor.start(folder, STANDIN)
    assert processes(folder)["worker"].pid == worker


def test_a_signal_reaches_the_worker_and_its_children(executor, folder):
    start(executor, folder, "long parent")
    child = wait_for(lambda: read_json(folder / "child.json"))
    assert executor.signal(folder, signal.SIGTERM)
    assert wait_for_end(executor, folder) == Exit(None, signal.SIGTERM, False)
    wait_for(lambda: process.start_mark(child) is None)


def test_children_that_a_worker_leaves_behind_go_with_it(executor, folder):
    start(executor, folder, "parent")
    child = wait_for(lambda: read_json(folder / "child.json"))
    assert wait_for_end(executor, folder).code == 0
    wait_for(lambda: process.start_mark(child) is None)


def test_a_process_with_the_same_pid_but_another_start_is_never_signalled(executor, folder):
    bystander = subprocess.Popen(["sleep", "60"], process_group=0)
    write_json(
        folder / "process.json", {"worker": {"pid": bystander.pid, "mark": "another:1"}, "boot": process.boot_id()}
    )
    assert not executor.signal(folder, signal.SIGKILL)
    assert not executor.look(folder).orphan
    assert bystander.poll() is None
    write_json(
        folder / "process.json",
        {"worker": {"pid": bystander.pid, "mark": process.start_mark(bystander.pid)}, "boot": process.boot_id()},
    )
    assert executor.look(folder).orphan
    assert executor.signal(folder, signal.SIGKILL)
    assert bystander.wait() == -signal.SIGKILL


def test_a_killed_shim_leaves_an_orphan_that_is_recognised(executor, folder):
    start(executor, folder, "long")
    wait_for(lambda: len(processes(folder)) == 2)
    processes(folder)["shim"].kill()
    wait_for(lambda: not executor.look(folder).alive)
    assert executor.look(folder).orphan
    executor.signal(folder, signal.SIGKILL)
    wait_for(lambda: not executor.look(folder).orphan)
    assert executor.look(folder).exit is None


def test_a_worker_of_before_the_machine_was_restarted_is_known_to_be(executor, folder):
    write_json(folder / "process.json", {"worker": {"pid": os.getpid(), "mark": "before:17"}, "boot": "before"})
    look = executor.look(folder)
    assert look.rebooted
    assert not look.orphan


def test_a_start_mark_belongs_to_one_process_only():
    first = subprocess.Popen(["sleep", "60"])
    time.sleep(0.02)  # marks count hundredths of a second
    second = subprocess.Popen(["sleep", "60"])
    marks = [process.start_mark(p.pid) for p in (first, second)]
    assert None not in marks
    assert marks[0] != marks[1]
    assert process.start_mark(first.pid) == marks[0]
    for p in (first, second):
        p.kill()
        p.wait()
    assert process.start_mark(first.pid) is None
    assert not psutil.pid_exists(first.pid)


@pytest.mark.parametrize(
    ("group", "file", "content"),
    [
        ("0::/studio.slice", "studio.slice/memory.events", "low 0\noom 3\noom_kill 2\n"),
        ("0::/not/visible/here", "memory.events", "oom_kill 2\n"),
        ("4:memory:/studio", "memory/studio/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n"),
    ],
)
def test_the_kernel_s_count_of_processes_killed_for_memory_is_found(tmp_path, group, file, content):
    (tmp_path / "cgroup").write_text(f"9:pids:/\n{group}\n")
    (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / file).write_text(content)
    assert shim.oom_kills(tmp_path / "cgroup", tmp_path) == 2


def test_no_count_is_made_up_where_the_kernel_does_not_say(tmp_path):
    (tmp_path / "cgroup").write_text("0::/somewhere\n")
    assert shim.oom_kills(tmp_path / "cgroup", tmp_path) is None
    assert shim.oom_kills(tmp_path / "missing", tmp_path) is None


def test_the_shim_is_small():
    code = "import sys, studio.runs.executors.shim; print(sorted({m.split('.')[0] for m in sys.modules}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(eval(done.stdout))
    assert loaded.isdisjoint({"sqlalchemy", "pydantic", "numpy", "pyarrow", "psutil", "torch"})
