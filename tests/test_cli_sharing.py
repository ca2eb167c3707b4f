"""Keys, roles and the queue by command, beside a server or without one."""

import pytest
from typer.testing import CliRunner

from studio.cli import app
from studio.errors import StudioError
from studio.runs.accounts import Accounts
from studio.runs.keys import Keys
from studio.runs.queue import SWITCH
from studio.runs.store import Store
from studio.settings import Settings

PASSWORD = "a long enough one"


@pytest.fixture
def run(tmp_path):
    """Runs a command on a workspace: (whether it worked, what it said)."""

    def command(*arguments, given=""):
        done = CliRunner().invoke(app, [*arguments, "--workspace", str(tmp_path)], input=given)
        assert done.exception is None or isinstance(done.exception, StudioError), done.exception
        return done.exception is None, done.output + str(done.exception or "")

    return command


@pytest.fixture
def store(tmp_path):
    store = Store(Settings(workspace=tmp_path).sqlalchemy_url)
    store.open()
    yield store
    store.close()


def test_keys_are_made_listed_and_revoked(run, store):
    worked, secret = run("key", "make", "laptop")
    assert worked
    assert Keys(store).whose(secret.strip()) == "local"
    _, listed = run("key", "list")
    assert "laptop" in listed
    assert secret.strip() not in listed
    assert run("key", "revoke", listed.split()[0])[0]
    assert Keys(store).whose(secret.strip()) is None


def test_where_people_have_accounts_it_is_said_whose_key_it_is(run, store, tmp_path):
    Accounts(store, tmp_path / "secret.key").add("ada", PASSWORD)
    worked, said = run("key", "make")
    assert (worked, "--account" in said) == (False, True)
    _, secret = run("key", "make", "desk", "--account", "ada")
    assert Keys(store).whose(secret.strip()) == "ada"


def test_roles_are_given_and_changed(run, store, tmp_path):
    accounts = Accounts(store, tmp_path / "secret.key")
    assert run("account", "add", "root", "--admin", "--password-stdin", given=PASSWORD)[0]
    assert run("account", "add", "eve", "--viewer", "--password-stdin", given=PASSWORD)[0]
    assert accounts.get("eve").role == "viewer"
    assert run("account", "role", "eve", "member")[0]
    assert accounts.get("eve").role == "member"
    worked, said = run("account", "role", "root", "viewer")
    assert (worked, "only admin" in said) == (False, True)


def test_the_queue_is_switched_and_shown(run, store):
    for verb, state in (("pause", "paused"), ("drain", "draining"), ("open", "open")):
        assert run("queue", verb)[0]
        assert store.switch(SWITCH)["value"] == state
        assert run("queue", "show")[1].startswith(f"queue: {state}")
