import pytest
from itsdangerous import URLSafeTimedSerializer

from studio.errors import AccessError, HostError, NotFound
from studio.runs import accounts as module
from studio.runs.accounts import Accounts
from studio.runs.store import Store
from studio.runs.studio import Studio

PASSWORD = "a long enough one"


@pytest.fixture
def store(settings):
    store = Store(settings.sqlalchemy_url)
    store.open()
    yield store
    store.close()


@pytest.fixture
def accounts(store, settings):
    return Accounts(store, settings.workspace / "secret.key")


def test_who_signs_in_with_the_right_password_is_known_by_the_session(accounts):
    accounts.add("Ada", PASSWORD, "admin")
    session = accounts.sign_in(" ada ", PASSWORD, "10.0.0.1")
    assert accounts.whose(session) == accounts.get("ada")
    assert accounts.get("ada").is_admin


def test_passwords_are_kept_as_argon2_hashes_only(accounts, store, settings):
    accounts.add("ada", PASSWORD)
    assert store.account("ada")["password"].startswith("$argon2id$")
    assert PASSWORD.encode() not in (settings.workspace / "studio.db").read_bytes()


@pytest.mark.parametrize("name", ["", "local", "a b", "../x", "<b>", "a" * 65, "-a"])
def test_names_that_could_do_harm_are_refused(accounts, name):
    with pytest.raises(AccessError):
        accounts.add(name, PASSWORD)


def test_a_short_password_and_a_taken_name_are_refused(accounts):
    with pytest.raises(AccessError, match="too short"):
        accounts.add("ada", "short")
    accounts.add("ada", PASSWORD)
    with pytest.raises(AccessError, match="already"):
        accounts.add("ada", PASSWORD)


def test_a_wrong_password_and_an_unknown_name_are_told_alike(accounts):
    accounts.add("ada", PASSWORD)
    said = []
    for name in ("ada", "nobody"):
        with pytest.raises(AccessError) as caught:
            accounts.sign_in(name, "something else", "10.0.0.1")
        said.append(str(caught.value))
    assert said[0] == said[1]


def test_after_many_wrong_passwords_even_the_right_one_waits(accounts):
    accounts.add("ada", PASSWORD)
    for i in range(module.TRIES.amount):
        with pytest.raises(AccessError, match="is wrong"):
            accounts.sign_in("ada", "guess", f"10.0.0.{i}")
    with pytest.raises(AccessError, match="Too many"):
        accounts.sign_in("ada", PASSWORD, "10.0.0.99")


def test_one_address_cannot_try_many_names(accounts):
    accounts.add("ada", PASSWORD)
    for i in range(module.TRIES.amount):
        with pytest.raises(AccessError, match="is wrong"):
            accounts.sign_in(f"name{i}", "guess", "10.0.0.1")
    with pytest.raises(AccessError, match="Too many"):
        accounts.sign_in("ada", PASSWORD, "10.0.0.1")
    assert accounts.sign_in("ada", PASSWORD, "10.0.0.2")


@pytest.mark.parametrize("change", ["reset", "disable", "end_sessions"])
def test_a_session_ends_when_its_account_is_changed(accounts, change):
    accounts.add("root", PASSWORD, "admin")
    accounts.add("ada", PASSWORD)
    session = accounts.sign_in("ada", PASSWORD, "10.0.0.1")
    getattr(accounts, change)(*(("ada", PASSWORD + "!") if change == "reset" else ("ada",)))
    assert accounts.whose(session) is None


def test_a_disabled_account_comes_in_again_only_after_it_was_enabled(accounts):
    accounts.add("root", PASSWORD, "admin")
    accounts.add("ada", PASSWORD)
    accounts.disable("ada")
    with pytest.raises(AccessError):
        accounts.sign_in("ada", PASSWORD, "10.0.0.1")
    accounts.enable("ada")
    assert accounts.sign_in("ada", PASSWORD, "10.0.0.1")


def test_the_last_admin_cannot_be_disabled(accounts):
    accounts.add("root", PASSWORD, "admin")
    with pytest.raises(AccessError, match="only admin"):
        accounts.disable("root")


def test_forged_and_old_sessions_are_nobodys(accounts, monkeypatch):
    accounts.add("ada", PASSWORD)
    forged = URLSafeTimedSerializer("another key", salt="studio session").dumps(["ada", 0])
    for session in ("", "x", forged, accounts._signer().dumps("ada"), accounts._signer().dumps(["bob", 0])):
        assert accounts.whose(session) is None
    session = accounts.sign_in("ada", PASSWORD, "10.0.0.1")
    monkeypatch.setattr(module, "SESSION_S", -1)
    assert accounts.whose(session) is None


def test_the_key_is_for_the_server_alone_and_sessions_outlive_it(accounts, store, settings):
    accounts.add("ada", PASSWORD)
    session = accounts.sign_in("ada", PASSWORD, "10.0.0.1")
    key = settings.workspace / "secret.key"
    assert key.stat().st_mode & 0o077 == 0
    assert Accounts(store, key).whose(session).name == "ada"


def test_nobody_signs_in_with_an_account_that_a_proxy_made(accounts):
    assert accounts.vouched("carol").name == "carol"
    assert accounts.vouched("<script>") is None
    with pytest.raises(AccessError):
        accounts.sign_in("carol", module.NO_PASSWORD, "10.0.0.1")


def test_what_was_made_before_there_were_accounts_can_be_taken_over(studio, dataset):
    moved = studio._store.give_all("ada", "bob")
    assert moved >= 1
    assert studio.datasets.get("bob", dataset.id).id == dataset.id
    with pytest.raises(NotFound):
        studio.datasets.get("ada", dataset.id)


@pytest.mark.parametrize("changes", [{"host": "0.0.0.0"}, {"accounts": "required"}])
def test_a_server_for_others_does_not_start_without_accounts(settings, changes):
    with pytest.raises(HostError, match="no account yet"):
        Studio(settings.model_copy(update=changes)).start()


def test_a_server_for_others_starts_with_accounts_or_when_told_to_be_open(make_studio, accounts):
    make_studio(host="0.0.0.0", accounts="open").close()
    accounts.add("ada", PASSWORD)
    make_studio(host="0.0.0.0")
