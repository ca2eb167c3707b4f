"""What an admin sees and does, and that nobody else does."""

import inspect
import time

import pynvml
import pytest

from studio.errors import AccessError
from studio.runs import gpus
from studio.runs.accounts import Accounts
from studio.runs.admin import Admin
from studio.runs.store import Store
from tests.runs.scene import StandIn, config, make_dataset, start_run, wait_until_over

PASSWORD = "a long enough one"
GIVEN = {
    "name": "bob", "password": PASSWORD, "role": "admin", "state": "paused", "days": 0.0, "unfinished": True, "run_ids": (),
}  # fmt: skip


@pytest.fixture
def lab(make_studio, settings):
    """A server with accounts: root looks after it."""
    store = Store(settings.sqlalchemy_url)
    store.open()
    accounts = Accounts(store, settings.workspace / "secret.key")
    for name, role in (("root", "admin"), ("ada", "member"), ("eve", "viewer")):
        accounts.add(name, PASSWORD, role)
    store.close()
    return make_studio(StandIn(), accounts="required")


def methods() -> list[str]:
    return [n for n, _ in inspect.getmembers(Admin, inspect.isfunction) if not n.startswith("_") and n != "is_one"]


@pytest.mark.parametrize("who", ["ada", "eve", "local", "nobody"])
def test_nobody_else_gets_anything_of_it(lab, who):
    for name in methods():
        function = getattr(lab.admin, name)
        wanted = [p for p in inspect.signature(function).parameters if p != "owner"]
        with pytest.raises(AccessError, match="Only an admin"):
            function(who, **{p: GIVEN[p] for p in wanted})
    assert [account.name for account in lab.accounts.list()] == ["ada", "eve", "root"]
    assert lab.admin.queue_state("root")[0] == "open"


def test_an_admin_makes_and_changes_accounts(lab):
    admin = lab.admin
    admin.add_account("root", "bob", PASSWORD, "viewer")
    admin.set_role("root", "bob", "member")
    session = lab.accounts.sign_in("bob", PASSWORD, "10.0.0.1")
    admin.reset("root", "bob", PASSWORD + "!")
    assert lab.accounts.whose(session) is None
    admin.disable("root", "bob")
    assert [(a.name, a.role, a.disabled) for a in admin.accounts("root")][1] == ("bob", "member", True)
    admin.enable("root", "bob")
    assert lab.accounts.sign_in("bob", PASSWORD + "!", "10.0.0.1")
    with pytest.raises(AccessError, match="only admin"):
        admin.set_role("root", "root", "member")


def test_a_server_that_nobody_signs_in_to_has_no_accounts_to_manage(studio):
    assert studio.admin.is_one("local")
    assert studio.admin.accounts("local") == []
    with pytest.raises(AccessError, match="Nobody signs in"):
        studio.admin.add_account("local", "bob", PASSWORD, "admin")


def test_the_queue_shows_everybody_s_runs_in_their_order(lab, tmp_path):
    dataset = make_dataset(lab, tmp_path)
    running = start_run(lab, dataset, "long")
    mine = [lab.runs.create("ada", dataset.id, config(), f"wait {i}") for i in range(2)]
    lab.accounts.add("bob", PASSWORD)
    other = make_dataset(lab, tmp_path, owner="bob")
    theirs = lab.runs.create("bob", other.id, config(), "bob's")
    found = lab.admin.queue("root")
    assert [(w.owner, w.name, w.state, w.position) for w in found] == [
        ("ada", "long", "running", None), ("bob", "bob's", "queued", 1), ("ada", "wait 0", "queued", 2), ("ada", "wait 1", "queued", 3),
    ]  # fmt: skip
    for owner, run in (("ada", running), *(("ada", run) for run in mine), ("bob", theirs)):
        lab.runs.stop(owner, run.id, keep=False)


def test_disk_use_is_told_per_owner_and_shared_files_count_once(lab, tmp_path):
    dataset = make_dataset(lab, tmp_path)
    (dataset.folder / "big.bin").write_bytes(b"x" * 3_000_000)
    wait_until_over(lab, lab.runs.create("ada", dataset.id, config(), "plain"))
    use = {u.owner: u for u in lab.admin.use("root")}
    assert use["ada"].runs == 1
    assert 3.0 <= use["ada"].disk_mb < 5.0, "the run's copy of the dataset is the same file on the disk"


def test_old_checkpoints_are_shown_before_they_go_and_models_stay(lab, tmp_path):
    dataset = make_dataset(lab, tmp_path)
    done = wait_until_over(lab, lab.runs.create("ada", dataset.id, config(), "done"))
    failed = wait_until_over(lab, lab.runs.create("ada", dataset.id, config(), "refused"))
    fresh = wait_until_over(lab, lab.runs.create("ada", dataset.id, config(), "fresh"))
    for run in (done, failed):
        lab._store.note_run(run.id, ended=time.time() - 40 * 24 * 3600)
    for run in (done, failed, fresh):
        (run.folder / "checkpoints" / "checkpoint-5" / "weights.bin").write_bytes(b"x" * 1_000_000)
    assert [old.name for old in lab.admin.old_checkpoints("root", 30, False)] == ["done"]
    both = lab.admin.old_checkpoints("root", 30, True)
    assert {(old.name, old.owner) for old in both} == {("done", "ada"), ("refused", "ada")}
    assert sum(old.mb for old in both) == pytest.approx(2.0, abs=0.2)
    assert lab.runs.get("ada", failed.id).resumable

    freed = lab.admin.remove_checkpoints("root", 30, True, [done.id, fresh.id])
    assert freed == pytest.approx(1.0, abs=0.1), (
        "only what was shown and is old: not the fresh run's, not the failed one's"
    )
    assert not (done.folder / "checkpoints").exists()
    assert (done.folder / "model").exists()
    assert (fresh.folder / "checkpoints").exists()
    assert lab.runs.get("ada", failed.id).resumable
    lab.admin.remove_checkpoints("root", 30, True, [failed.id])
    assert not lab.runs.get("ada", failed.id).resumable


def test_a_machine_without_nvidia_s_driver_is_told_so(monkeypatch):
    """NVML really fails here where there is no driver; where there is one, it is hidden from the loader."""
    monkeypatch.setattr(pynvml, "nvmlLib", None)
    monkeypatch.setattr(pynvml, "_nvmlLib_refcount", 0)
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError_LibraryNotFound:
        assert gpus.look() == gpus.Gpus((), "This machine has no NVIDIA driver: training runs on its processors.")
    else:
        pynvml.nvmlShutdown()
        assert gpus.look().found, "with a driver its cards are told"


def test_a_driver_that_fails_is_told_in_words(monkeypatch, tmp_path):
    """A library that loads and is not NVML: every call of it really fails."""
    import ctypes

    monkeypatch.setattr(pynvml, "nvmlLib", ctypes.CDLL(None))
    found = gpus.look()
    assert not found.found
    assert found.problem.startswith("The GPUs do not answer: ")
