import sqlite3
import threading
import time
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from studio.errors import HostError, NotFound
from studio.runs import store as store_module
from studio.runs.migrations import HEAD
from studio.runs.store import LEGAL, RUNS, UPLOADS, Store, new_id

VERSIONS = Path(store_module.__file__).with_name("migrations") / "versions"
_versions = Config()
_versions.set_main_option("script_location", "studio.runs:migrations")
EARLIER = sorted(
    one.revision for one in ScriptDirectory.from_config(_versions).walk_revisions() if one.revision != HEAD
)


@pytest.fixture
def store(tmp_path: Path):
    store = Store(f"sqlite:///{tmp_path / 'studio.db'}")
    store.open()
    yield store
    store.close()


def add_run(store: Store, **changes: object) -> str:
    row = {
        "id": new_id(), "owner": "ada", "name": "n", "dataset_id": "d", "dataset_name": "d", "config": "{}",
        "base_label": "b", "state": "queued", "keep": False, "message": "", "hint": "", "step": 0, "steps": 0,
        "attempt": 0, "created": time.time(), "queued": time.time(), "started": None, "ended": None, **changes,
    }  # fmt: skip
    return store.add(RUNS, **row)["id"]


def test_migrations_make_exactly_the_tables_that_the_code_expects(store):
    with store._reading() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, store_module._metadata) == []


def test_the_version_that_is_compared_at_start_is_the_newest_migration():
    config = Config()
    config.set_main_option("script_location", "studio.runs:migrations")
    assert ScriptDirectory.from_config(config).get_heads() == [HEAD]


@pytest.mark.parametrize("version", EARLIER)
def test_a_database_of_every_earlier_version_keeps_what_it_holds(tmp_path, version):
    """One row in each table that there was, every column filled; then a start of today's studio."""
    place = tmp_path / "studio.db"
    engine = sa.create_engine(f"sqlite:///{place}")
    with engine.begin() as connection:
        config = Config(attributes={"connection": connection})
        config.set_main_option("script_location", "studio.runs:migrations")
        command.upgrade(config, version)
        old = sa.MetaData()
        old.reflect(connection)
        before = {}
        for table in old.sorted_tables:
            if table.name == "alembic_version":
                continue
            # Text is a number too, so that a column that changes its type has something that it can become.
            before[table.name] = {
                column.name: 1 if isinstance(column.type, (sa.Boolean, sa.Integer, sa.Float)) else "1"
                for column in table.columns
            }
            connection.execute(table.insert().values(**before[table.name]))
    engine.dispose()
    assert "runs" in before
    store = Store(f"sqlite:///{place}")
    store.open()
    with store._reading() as connection:
        new = sa.MetaData()
        new.reflect(connection)
        for name, values in before.items():
            [row] = connection.execute(new.tables[name].select()).mappings()
            assert {column: row[column] for column in values} == values
    store.close()


def test_a_database_is_opened_again_with_what_it_holds(store, tmp_path):
    id = add_run(store)
    again = Store(f"sqlite:///{tmp_path / 'studio.db'}")
    again.open()
    assert again.get(RUNS, "ada", id)["id"] == id
    again.close()


def test_a_database_of_a_newer_studio_is_left_alone(store, tmp_path):
    with sqlite3.connect(tmp_path / "studio.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    newer = Store(f"sqlite:///{tmp_path / 'studio.db'}")
    with pytest.raises(HostError, match="newer version"):
        newer.open()
    newer.close()


def test_a_database_that_cannot_be_opened_is_said_in_one_line(tmp_path):
    store = Store(f"sqlite:///{tmp_path / 'missing' / 'studio.db'}")
    with pytest.raises(HostError, match="cannot be opened"):
        store.open()
    store.close()


def test_a_locked_database_is_waited_for(store, tmp_path):
    id = add_run(store)
    other = sqlite3.connect(tmp_path / "studio.db", isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    release = threading.Timer(0.7, lambda: other.execute("ROLLBACK"))
    release.start()
    begun = time.monotonic()
    assert store.get(RUNS, "ada", id)["state"] == "queued", "readers do not wait at all"
    assert time.monotonic() - begun < 0.5
    assert store.move(RUNS, {"id": id}, to="running", of=("queued",))
    assert time.monotonic() - begun >= 0.5
    release.join()
    other.close()


def test_of_many_that_claim_a_run_one_gets_it(store):
    id = add_run(store)
    won: list[bool] = []
    claim = lambda: won.append(store.move(RUNS, {"id": id}, to="running", of=("queued",)))  # noqa: E731
    threads = [threading.Thread(target=claim) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(won) == [False] * 7 + [True]


@pytest.mark.parametrize("ended", ["succeeded", "failed", "cancelled"])
def test_an_ended_run_cannot_be_moved_as_if_it_were_running(store, ended):
    id = add_run(store, state=ended)
    for to, sources in LEGAL[RUNS].items():
        live = tuple(state for state in sources if state in ("queued", "running", "stopping"))
        assert not store.move(RUNS, {"id": id}, to=to, of=live)
    assert store.get(RUNS, "ada", id)["state"] == ended


def test_a_move_that_the_table_of_states_does_not_know_is_a_bug(store):
    with pytest.raises(AssertionError):
        store.move(RUNS, {"id": add_run(store)}, to="succeeded", of=("queued",))


def test_what_is_somebody_else_s_looks_like_what_does_not_exist(store):
    id = add_run(store)
    with pytest.raises(NotFound) as theirs:
        store.get(RUNS, "bob", id)
    with pytest.raises(NotFound) as missing:
        store.get(RUNS, "bob", "nothing")
    assert str(theirs.value) == str(missing.value)
    assert not store.remove(RUNS, "bob", id)


def test_old_uploads_are_forgotten_and_new_ones_kept(store):
    store.add(UPLOADS, id="old", owner="ada", file_name="x", created=100.0)
    store.add(UPLOADS, id="new", owner="ada", file_name="x", created=300.0)
    assert store.remove_uploads_before(200.0) == ["old"]
    assert store.get(UPLOADS, "ada", "new")


def test_ids_cannot_be_guessed_from_one_another():
    ids = {new_id() for _ in range(1000)}
    assert len(ids) == 1000
    assert len({id[:2] for id in ids}) > 300
