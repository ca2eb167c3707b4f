"""Workers that are started, limited and killed: ``python -m tests.training.attempts PLAN.json``.

Everything is imported once; each attempt is a fork of this process that does what ``python -m studio.worker`` does. The
plan: {"folder", "seed", "kills", "limit_mb", "group_mb"}. Prints one JSON object on how the attempts went.
"""

import contextlib
import json
import os
import random
import resource
import signal
import sys
import time
from pathlib import Path

from studio.process import prepare_process
from studio.training.checkpoints import ASIDE
from studio.training.folder import RunFolder

GROUPS = Path("/sys/fs/cgroup")


def main(plan: dict) -> None:
    prepare_process()
    import torch

    import studio.export.folder
    import studio.training.train  # noqa: F401
    from studio import worker
    from studio.training.memory import after_a_kill

    torch.set_num_threads(1)
    folder = RunFolder(Path(plan["folder"]))
    chance = random.Random(plan.get("seed", 0))
    told = {"codes": [], "in_a_write": 0, "kept": []}
    with control_group(plan.get("group_mb")) as join:

        def attempt() -> int:
            pid = os.fork()
            if pid:
                return pid
            code = 3
            try:
                join()
                if plan.get("limit_mb"):
                    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
                    resource.setrlimit(resource.RLIMIT_AS, (used + plan["limit_mb"] * 10**6,) * 2)
                code = worker.run(folder, 0.0 if plan.get("kills") else 60.0)
            finally:
                os._exit(code)

        for kill in range(plan.get("kills", 0)):
            pid = attempt()
            wait_for_a_moment(folder, pid, chance, in_a_write=kill % 2 == 0)
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            told["in_a_write"] += any(folder.checkpoints.glob(f"{ASIDE}/checkpoint-*"))
            told["kept"].append(len(list(folder.checkpoints.glob("checkpoint-*"))))
        while True:
            code = os.waitstatus_to_exitcode(os.waitpid(attempt(), 0)[1])
            told["codes"].append(code)
            if code != -signal.SIGKILL or not after_a_kill(folder.memory):
                break
    print(json.dumps(told))


def wait_for_a_moment(folder: RunFolder, pid: int, chance: random.Random, in_a_write: bool) -> None:
    """Until a step or two later than now, then for a little while, or until a checkpoint is being written."""
    begun, wanted = lines(folder), chance.randint(1, 3)
    until = time.monotonic() + 60
    while lines(folder) < begun + wanted and time.monotonic() < until:
        time.sleep(0.002)
    if in_a_write:
        while not any(folder.checkpoints.glob(f"{ASIDE}/checkpoint-*")) and time.monotonic() < until:
            time.sleep(0.0005)
        time.sleep(chance.random() * 0.01)
    else:
        time.sleep(chance.random() * 0.1)


def lines(folder: RunFolder) -> int:
    """Steps that were written down."""
    return folder.events.read_bytes().count(b'"train", "step"') if folder.events.exists() else 0


@contextlib.contextmanager
def control_group(limit_mb: int | None):
    """Gives a function that puts the calling process under a memory limit of the kernel; says so where there is none."""
    if limit_mb is None:
        yield lambda: None
        return
    mine = dict(reversed(line.split(":", 2)[1:]) for line in Path("/proc/self/cgroup").read_text().splitlines())
    old = next((group for group, names in mine.items() if "memory" in names.split(",")), None)
    top = GROUPS / "memory" / old.lstrip("/") if old is not None else GROUPS
    group = top / f"studio-test-{os.getpid()}"
    try:
        group.mkdir()
        name = "memory.limit_in_bytes" if old is not None else "memory.max"
        (group / name).write_text(str(limit_mb * 10**6))
    except OSError as error:
        print(json.dumps({"skip": f"no control group can be made here: {error}"}))
        sys.exit()
    try:
        yield lambda: (group / "cgroup.procs").write_text(str(os.getpid()))
    finally:
        group.rmdir()


if __name__ == "__main__":
    main(json.loads(Path(sys.argv[1]).read_text()))
