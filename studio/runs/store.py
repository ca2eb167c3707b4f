"""All SQL. SQLite (WAL) inside the workspace, or PostgreSQL where a lab points ``STUDIO_DATABASE_URL`` at one.

Times are seconds since 1970, UTC. Folders are not stored: they follow from ids, so that a workspace can be moved.
Every look-up of a person's things takes the owner; what is somebody else's is as absent as what does not exist.
"""

import secrets
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from studio.errors import HostError, NotFound
from studio.runs.migrations import HEAD

Row = dict[str, Any]

LOCK_WAIT_S = 30
"""How long a statement waits for another process's lock on SQLite before it fails."""

_metadata = sa.MetaData()

UPLOADS = sa.Table(
    "uploads", _metadata,
    sa.Column("id", sa.String(16), primary_key=True),
    sa.Column("owner", sa.String(200), nullable=False),
    sa.Column("file_name", sa.String(255), nullable=False),
    sa.Column("created", sa.Double, nullable=False),
)  # fmt: skip
DATASETS = sa.Table(
    "datasets", _metadata,
    sa.Column("id", sa.String(16), primary_key=True),
    sa.Column("owner", sa.String(200), nullable=False, index=True),
    sa.Column("name", sa.String(200), nullable=False),
    sa.Column("created", sa.Double, nullable=False),
    sa.Column("deleted", sa.Double),
)  # fmt: skip
RUNS = sa.Table(
    "runs", _metadata,
    sa.Column("id", sa.String(16), primary_key=True),
    sa.Column("owner", sa.String(200), nullable=False, index=True),
    sa.Column("name", sa.String(200), nullable=False),
    sa.Column("dataset_id", sa.String(16), nullable=False),
    sa.Column("dataset_name", sa.String(200), nullable=False),
    sa.Column("config", sa.Text, nullable=False),
    sa.Column("base_label", sa.String(200), nullable=False),
    sa.Column("state", sa.String(16), nullable=False, index=True),
    sa.Column("keep", sa.Boolean, nullable=False),
    sa.Column("message", sa.Text, nullable=False),
    sa.Column("hint", sa.Text, nullable=False),
    sa.Column("step", sa.Integer, nullable=False),
    sa.Column("steps", sa.Integer, nullable=False),
    sa.Column("attempt", sa.Integer, nullable=False),
    sa.Column("created", sa.Double, nullable=False),
    sa.Column("queued", sa.Double, nullable=False),
    sa.Column("started", sa.Double),
    sa.Column("ended", sa.Double),
    sa.Column("sweep_id", sa.String(16), index=True),
    sa.Column("trial", sa.Integer),
    sa.Column("tags", sa.Text, nullable=False, server_default=""),
    sa.Column("notes", sa.Text, nullable=False, server_default=""),
    sa.Column("deleted", sa.Double),
    sa.Column("device", sa.String(16)),
    sa.Column("wants", sa.String(8), nullable=False, server_default="gpu"),
    sa.Column("memory_mb", sa.Double),
    sa.Column("expected_s", sa.Double),
    sa.Column("priority", sa.Integer, nullable=False, server_default="0"),
)  # fmt: skip
CORPORA = sa.Table(
    "corpora", _metadata,
    sa.Column("id", sa.String(16), primary_key=True),
    sa.Column("owner", sa.String(200), nullable=False, index=True),
    sa.Column("name", sa.String(200), nullable=False),
    sa.Column("rows", sa.Integer, nullable=False),
    sa.Column("note", sa.Text, nullable=False),
    sa.Column("dataset_id", sa.String(16)),
    sa.Column("created", sa.Double, nullable=False),
)  # fmt: skip
INDEXES = sa.Table(
    "indexes", _metadata,
    sa.Column("corpus_id", sa.String(16), sa.ForeignKey("corpora.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("model_key", sa.String(32), primary_key=True),
    sa.Column("owner", sa.String(200), nullable=False),
    sa.Column("state", sa.String(16), nullable=False, index=True),
    sa.Column("message", sa.Text, nullable=False),
    sa.Column("attempt", sa.Integer, nullable=False),
    sa.Column("queued", sa.Double, nullable=False),
    sa.Column("started", sa.Double),
    sa.Column("used", sa.Double),
)  # fmt: skip
SEARCHES = sa.Table(
    "searches", _metadata,
    sa.Column("id", sa.String(16), primary_key=True),
    sa.Column("owner", sa.String(200), nullable=False, index=True),
    sa.Column("corpus_id", sa.String(16), sa.ForeignKey("corpora.id", ondelete="CASCADE"), nullable=False, index=True),
    sa.Column("query", sa.Text, nullable=False),
    sa.Column("asked", sa.Text, nullable=False),
    sa.Column("created", sa.Double, nullable=False),
)  # fmt: skip
MARKS = sa.Table(
    "marks", _metadata,
    sa.Column("id", sa.String(16), primary_key=True),
    sa.Column("owner", sa.String(200), nullable=False, index=True),
    sa.Column("corpus_id", sa.String(16), nullable=False, index=True),
    sa.Column("query", sa.Text, nullable=False),
    sa.Column("key", sa.String(24), nullable=False),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("mark", sa.String(16), nullable=False),
    sa.Column("above", sa.Text, nullable=False),
    sa.Column("created", sa.Double, nullable=False),
)  # fmt: skip
VOTES = sa.Table(
    "votes", _metadata,
    sa.Column("id", sa.String(16), primary_key=True),
    sa.Column("owner", sa.String(200), nullable=False, index=True),
    sa.Column("corpus_id", sa.String(16), sa.ForeignKey("corpora.id", ondelete="CASCADE"), nullable=False, index=True),
    sa.Column("query", sa.Text, nullable=False),
    sa.Column("left", sa.String(200), nullable=False),
    sa.Column("right", sa.String(200), nullable=False),
    sa.Column("better", sa.String(200)),
    sa.Column("created", sa.Double, nullable=False),
)  # fmt: skip
MAKINGS = sa.Table(
    "makings", _metadata,
    sa.Column("id", sa.String(16), primary_key=True),
    sa.Column("owner", sa.String(200), nullable=False, index=True),
    sa.Column("kind", sa.String(40), nullable=False),
    sa.Column("name", sa.String(200), nullable=False),
    sa.Column("dataset_id", sa.String(16), nullable=False),
    sa.Column("state", sa.String(16), nullable=False, index=True),
    sa.Column("message", sa.Text, nullable=False),
    sa.Column("hint", sa.Text, nullable=False),
    sa.Column("attempt", sa.Integer, nullable=False),
    sa.Column("created", sa.Double, nullable=False),
    sa.Column("queued", sa.Double, nullable=False),
    sa.Column("started", sa.Double),
    sa.Column("ended", sa.Double),
)  # fmt: skip
ACCOUNTS = sa.Table(
    "accounts", _metadata,
    sa.Column("name", sa.String(64), primary_key=True),
    sa.Column("role", sa.String(16), nullable=False),
    sa.Column("password", sa.String(200), nullable=False),
    sa.Column("epoch", sa.Integer, nullable=False),
    sa.Column("disabled", sa.Boolean, nullable=False),
    sa.Column("created", sa.Double, nullable=False),
)  # fmt: skip

SWEEPS = sa.Table(
    "sweeps", _metadata,
    sa.Column("id", sa.String(16), primary_key=True),
    sa.Column("owner", sa.String(200), nullable=False, index=True),
    sa.Column("name", sa.String(200), nullable=False),
    sa.Column("dataset_id", sa.String(16), nullable=False),
    sa.Column("dataset_name", sa.String(200), nullable=False),
    sa.Column("state", sa.String(16), nullable=False, index=True),
    sa.Column("message", sa.Text, nullable=False),
    sa.Column("created", sa.Double, nullable=False),
    sa.Column("ended", sa.Double),
)  # fmt: skip

SHARES = sa.Table(
    "shares", _metadata,
    sa.Column("kind", sa.String(8), primary_key=True),
    sa.Column("thing_id", sa.String(16), primary_key=True),
    sa.Column("way", sa.String(8), primary_key=True),
    sa.Column("created", sa.Double, nullable=False),
)  # fmt: skip
DEMOS = sa.Table(
    "demos", _metadata,
    sa.Column("run_id", sa.String(16), primary_key=True),
    sa.Column("corpus_id", sa.String(16), nullable=False, index=True),
    sa.Column("owner", sa.String(200), nullable=False),
    sa.Column("token", sa.String(64), nullable=False, unique=True),
    sa.Column("created", sa.Double, nullable=False),
)  # fmt: skip
KEYS = sa.Table(
    "keys", _metadata,
    sa.Column("id", sa.String(16), primary_key=True),
    sa.Column("owner", sa.String(200), nullable=False, index=True),
    sa.Column("name", sa.String(200), nullable=False),
    sa.Column("hash", sa.String(64), nullable=False, unique=True),
    sa.Column("created", sa.Double, nullable=False),
    sa.Column("used", sa.Double),
)  # fmt: skip

USAGE = sa.Table(
    "usage", _metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("owner", sa.String(200), nullable=False, index=True),
    sa.Column("device", sa.String(16), nullable=False),
    sa.Column("ended", sa.Double, nullable=False),
    sa.Column("seconds", sa.Double, nullable=False),
)  # fmt: skip
SWITCHES = sa.Table(
    "switches", _metadata,
    sa.Column("name", sa.String(32), primary_key=True),
    sa.Column("value", sa.String(32), nullable=False),
    sa.Column("who", sa.String(200), nullable=False),
    sa.Column("since", sa.Double, nullable=False),
)  # fmt: skip

LAB, API = "lab", "api"
"""Ways to share: everybody with an account may see it; a model answers at /v1/embeddings."""

_NOUN = {
    UPLOADS: "upload",
    DATASETS: "dataset",
    RUNS: "run",
    CORPORA: "corpus",
    MAKINGS: "making",
    SWEEPS: "sweep",
    KEYS: "key",
    SEARCHES: "search",
    MARKS: "mark",
    VOTES: "blind comparison",
}

FOLDER_OF = {
    "uploads": UPLOADS,
    "datasets": DATASETS,
    "runs": RUNS,
    "corpora": CORPORA,
    "makings": MAKINGS,
    "sweeps": SWEEPS,
}
"""Folder of the workspace -> table whose rows each have a folder in it, named by their id."""

_WORK = {
    "queued": ("running", "failed", "cancelled"),
    "running": ("queued",),
    "stopping": ("running", "stopping"),
    "succeeded": ("running", "stopping"),
    "failed": ("queued", "running", "stopping"),
    "cancelled": ("queued", "running", "stopping"),
}
LEGAL = {
    RUNS: _WORK,
    MAKINGS: _WORK,
    SWEEPS: {
        "stopping": ("running",),
        "succeeded": ("running",),
        "failed": ("running", "stopping"),
        "cancelled": ("running", "stopping"),
    },
    INDEXES: {
        "queued": ("building", "failed", "stopped", "freed", "ready"),
        "building": ("queued",),
        "stopping": ("building",),
        "ready": ("building", "stopping"),
        "failed": ("queued", "building", "stopping"),
        "stopped": ("queued", "building", "stopping"),
        "freed": ("ready",),
    },
}
"""State -> states that it may be entered from. queued from failed, cancelled, stopped, freed or ready: a person asked to go on, or the
corpus has changed."""

BEING_REMOVED = -1.0
"""``deleted`` of what cannot be brought back any more: its folder is going, then its row."""

_ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789"


def new_id() -> str:
    """Ten letters and digits by chance (52 bits): safe in URLs and file names, and not to be guessed."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(10))


def copy_sqlite(source: Path, target: Path) -> None:
    """Copy a database of SQLite as it is at one moment, while others write to it."""
    with closing(sqlite3.connect(f"file:{source}?mode=ro", uri=True)) as one, closing(sqlite3.connect(target)) as copy:
        one.backup(copy)


class Store:
    def __init__(self, url: str):
        self._url = sa.make_url(url)
        self._is_sqlite = self._url.get_backend_name() == "sqlite"
        arguments = {"timeout": LOCK_WAIT_S} if self._is_sqlite else {}
        self._engine = sa.create_engine(self._url, connect_args=arguments)
        if self._is_sqlite:
            sa.event.listen(self._engine, "connect", _prepare_sqlite)
            sa.event.listen(self._engine, "begin", _begin_sqlite)

    def open(self) -> None:
        """Create the database or bring it to the newest version.

        Raises:
            HostError: it cannot be reached, or a newer studio made it.
        """
        try:
            with self._writing() as connection:
                if _version(connection) != HEAD:
                    _migrate(connection)
        except HostError as error:
            if error.__cause__ is None:
                raise
            where = self._url.render_as_string(hide_password=True)
            raise HostError(f"The database {where} cannot be opened: {error.message}", hint=error.hint) from error
        except sa.exc.DBAPIError as error:
            where = self._url.render_as_string(hide_password=True)
            raise HostError(f"The database {where} cannot be opened: {error.orig}.") from error

    def close(self) -> None:
        self._engine.dispose()

    # watching

    def counts(self) -> dict[str, dict[str, int]]:
        """How many of everybody's are in which state, by table."""
        with self._reading() as connection:
            return {
                table.name: dict(
                    connection.execute(sa.select(table.c.state, sa.func.count()).group_by(table.c.state)).all()
                )
                for table in LEGAL
            }

    def longest_wait_s(self) -> float:
        """How long the run waits that is queued longest; 0 when none is."""
        with self._reading() as connection:
            since = connection.scalar(
                sa.select(sa.func.min(RUNS.c.queued)).where(RUNS.c.state == "queued", *_there(RUNS))
            )
        return 0.0 if since is None else max(0.0, time.time() - since)

    # backups

    def ids(self, table: sa.Table) -> list[str]:
        """Of everybody's."""
        with self._reading() as connection:
            return list(connection.scalars(sa.select(table.c.id)))

    def strike(self, table: sa.Table, id: str) -> None:
        """Remove a row of anybody's, whatever state it is in."""
        with self._writing() as connection:
            connection.execute(table.delete().where(table.c.id == id))

    def drop_indexes(self) -> None:
        """Forget all indexes; each is built again when somebody searches."""
        with self._writing() as connection:
            connection.execute(INDEXES.delete())

    @contextmanager
    def _writing(self) -> Iterator[sa.Connection]:
        try:
            with self._engine.connect().execution_options(writing=True) as connection, connection.begin():
                yield connection
        except sa.exc.OperationalError as error:
            told = _in_the_way(error)
            if told is None:
                raise
            raise told from error

    @contextmanager
    def _reading(self) -> Iterator[sa.Connection]:
        with self._engine.connect() as connection, connection.begin():
            yield connection

    # what a person has

    def add(self, table: sa.Table, **values: Any) -> Row:
        with self._writing() as connection:
            connection.execute(table.insert().values(**values))
        return values

    def get(self, table: sa.Table, owner: str, id: str) -> Row:
        """Raises NotFound."""
        with self._reading() as connection:
            row = connection.execute(table.select().where(table.c.id == id, table.c.owner == owner)).mappings().first()
        if row is None:
            raise NotFound(f"There is no such {_NOUN[table]}.", hint="It may have been deleted.")
        if row.get("deleted") is not None:
            raise NotFound(
                f"The {_NOUN[table]} '{row['name']}' was deleted.",
                hint="Bring it back from 'Deleted runs' below the list of runs, as long as it stands there.",
            )
        return dict(row)

    def add_made(self, owner: str, id: str, name: str, table: sa.Table = DATASETS, **values: Any) -> None:
        """A dataset (or corpus) that a making has made, once."""
        with self._writing() as connection:
            if connection.execute(table.select().where(table.c.id == id)).first() is None:
                connection.execute(table.insert().values(id=id, owner=owner, name=name, created=time.time(), **values))

    def all_of(self, table: sa.Table, owner: str) -> list[Row]:
        """Newest first."""
        mine = (table.c.owner == owner, *_there(table))
        query = table.select().where(*mine).order_by(table.c.created.desc(), table.c.id)
        with self._reading() as connection:
            return [dict(row) for row in connection.execute(query).mappings()]

    def remove(self, table: sa.Table, owner: str, id: str, *, states: tuple[str, ...] | None = None) -> bool:
        """Delete one thing (with ``states``: only in one of them); whether it was there."""
        query = table.delete().where(table.c.id == id, table.c.owner == owner)
        if states is not None:
            query = query.where(table.c.state.in_(states))
        with self._writing() as connection:
            removed = connection.execute(query).rowcount == 1
            if removed:
                _unshare(connection, table, id)
            return removed

    def remove_uploads_before(self, created: float) -> list[str]:
        """Forget old uploads; their ids."""
        with self._writing() as connection:
            return list(connection.scalars(UPLOADS.delete().where(UPLOADS.c.created < created).returning(UPLOADS.c.id)))

    # the trash: what was deleted is there for some days, and to nobody but the methods below

    def put_away(self, table: sa.Table, owner: str, id: str, *, states: tuple[str, ...] | None = None) -> bool:
        """Delete one thing so that it can be brought back (with ``states``: only in one of them); whether it was there."""
        query = table.update().where(table.c.id == id, table.c.owner == owner, *_there(table))
        if states is not None:
            query = query.where(table.c.state.in_(states))
        with self._writing() as connection:
            return connection.execute(query.values(deleted=time.time())).rowcount == 1

    def bring_back(self, table: sa.Table, owner: str, id: str) -> bool:
        """Undo :meth:`put_away`; False: there is nothing to bring back (any more)."""
        mine = (table.c.id == id, table.c.owner == owner, table.c.deleted > 0)
        with self._writing() as connection:
            return connection.execute(table.update().where(*mine).values(deleted=None)).rowcount == 1

    def deleted(self, table: sa.Table, owner: str) -> list[Row]:
        """What can be brought back, deleted last first."""
        query = table.select().where(table.c.owner == owner, table.c.deleted > 0).order_by(table.c.deleted.desc())
        with self._reading() as connection:
            return [dict(row) for row in connection.execute(query).mappings()]

    def give_up(self, table: sa.Table, *, before: float, owner: str | None = None, id: str | None = None) -> list[Row]:
        """What was deleted before a time (of one owner, one thing) cannot be brought back from now on; also what was given
        up earlier and is still there. Its folder is to be removed, then its row: :meth:`forget_deleted`."""
        which = [table.c.deleted < before]
        which += [] if owner is None else [table.c.owner == owner]
        which += [] if id is None else [table.c.id == id]
        query = table.update().where(*which).values(deleted=BEING_REMOVED).returning(table)
        with self._writing() as connection:
            return [dict(row) for row in connection.execute(query).mappings()]

    def forget_deleted(self, table: sa.Table, id: str) -> None:
        """The last of what was given up."""
        with self._writing() as connection:
            connection.execute(table.delete().where(table.c.id == id, table.c.deleted == BEING_REMOVED))
            _unshare(connection, table, id)

    # runs

    def change_run(self, owner: str, id: str, **fields: Any) -> bool:
        """Set what a person writes about a run; whether it is there."""
        query = RUNS.update().where(RUNS.c.id == id, RUNS.c.owner == owner, *_there(RUNS)).values(**fields)
        with self._writing() as connection:
            return connection.execute(query).rowcount == 1

    def some_runs(
        self,
        owner: str,
        *,
        states: tuple[str, ...] = (),
        dataset_id: str = "",
        tag: str = "",
        words: str = "",
        offset: int = 0,
        limit: int = 50,
    ) -> tuple[list[Row], int]:
        """Runs that fit, an owner's and those shared with the lab, newest first, and how many there are without the limit.

        Args:
            tag: As it stands between line breaks in the column.
            words: Each must stand in the name, the dataset, the base model, the tags or the notes.
        """  # fmt: skip
        which = _seen(RUNS, owner)
        which += [RUNS.c.state.in_(states)] if states else []
        which += [RUNS.c.dataset_id == dataset_id] if dataset_id else []
        which += [RUNS.c.tags.contains(f"\n{tag}\n", autoescape=True)] if tag else []
        said = (RUNS.c.name, RUNS.c.dataset_name, RUNS.c.base_label, RUNS.c.tags)
        for word in words.split():
            noted = sa.and_(
                RUNS.c.owner == owner, RUNS.c.notes.icontains(word, autoescape=True)
            )  # notes are nobody else's
            which.append(sa.or_(noted, *(column.icontains(word, autoescape=True) for column in said)))
        query = RUNS.select().where(*which).order_by(RUNS.c.created.desc(), RUNS.c.id).offset(offset).limit(limit)
        with self._reading() as connection:
            total = connection.scalar(sa.select(sa.func.count()).select_from(RUNS).where(*which))
            return [dict(row) for row in connection.execute(query).mappings()], total

    def kinds_of_runs(self, owner: str) -> list[tuple[str, str, str, str]]:
        """What runs can be chosen by: the different (dataset id, dataset name, state, tags) of the runs that an owner sees."""
        columns = (RUNS.c.dataset_id, RUNS.c.dataset_name, RUNS.c.state, RUNS.c.tags)
        query = sa.select(*columns).where(*_seen(RUNS, owner)).distinct()
        with self._reading() as connection:
            return [tuple(row) for row in connection.execute(query)]

    # sharing

    def see(self, table: sa.Table, viewer: str, id: str) -> Row:
        """One thing that is the viewer's own or shared with the lab. Raises NotFound."""
        with self._reading() as connection:
            row = connection.execute(table.select().where(table.c.id == id, *_seen(table, viewer))).mappings().first()
        return self.get(table, viewer, id) if row is None else dict(row)  # whose own it was hears that it was deleted

    def shared_with(self, table: sa.Table, viewer: str) -> list[Row]:
        """What others share with the lab, newest first."""
        query = table.select().where(table.c.owner != viewer, *_seen(table, viewer))
        with self._reading() as connection:
            found = connection.execute(query.order_by(table.c.created.desc(), table.c.id)).mappings()
            return [dict(row) for row in found]

    def served(self, viewer: str) -> list[Row]:
        """Runs whose models answer at /v1/embeddings for this account: its own and those that the lab shares."""
        query = RUNS.select().where(_shared(RUNS, API), *_seen(RUNS, viewer)).order_by(RUNS.c.created.desc(), RUNS.c.id)
        with self._reading() as connection:
            return [dict(row) for row in connection.execute(query).mappings()]

    def share(self, table: sa.Table, id: str, way: str, on: bool) -> None:
        """The caller has checked whose it is."""
        key = {"kind": _NOUN[table], "thing_id": id, "way": way}
        with self._writing() as connection:
            connection.execute(SHARES.delete().where(*_is(SHARES, key)))
            if on:
                connection.execute(SHARES.insert().values(**key, created=time.time()))

    def ways(self, table: sa.Table, id: str) -> set[str]:
        """How a thing is shared."""
        query = sa.select(SHARES.c.way).where(SHARES.c.kind == _NOUN[table], SHARES.c.thing_id == id)
        with self._reading() as connection:
            return set(connection.scalars(query))

    def demo(self, **key: str) -> Row | None:
        """By ``run_id=`` or ``token=``."""
        with self._reading() as connection:
            row = connection.execute(DEMOS.select().where(*_is(DEMOS, key))).mappings().first()
        return None if row is None else dict(row)

    def set_demo(self, run_id: str, **values: Any) -> None:
        """The one demo link of a run; without ``values`` there is none any more."""
        with self._writing() as connection:
            connection.execute(DEMOS.delete().where(DEMOS.c.run_id == run_id))
            if values:
                connection.execute(DEMOS.insert().values(run_id=run_id, created=time.time(), **values))

    def key(self, hash: str) -> Row | None:
        with self._reading() as connection:
            row = connection.execute(KEYS.select().where(KEYS.c.hash == hash)).mappings().first()
        return None if row is None else dict(row)

    def use_key(self, id: str, now: float) -> None:
        """Note that a key was used."""
        with self._writing() as connection:
            connection.execute(KEYS.update().where(KEYS.c.id == id).values(used=now))

    # accounts

    def accounts(self) -> list[Row]:
        """By name."""
        with self._reading() as connection:
            return [dict(row) for row in connection.execute(ACCOUNTS.select().order_by(ACCOUNTS.c.name)).mappings()]

    def account(self, name: str) -> Row | None:
        with self._reading() as connection:
            row = connection.execute(ACCOUNTS.select().where(ACCOUNTS.c.name == name)).mappings().first()
        return None if row is None else dict(row)

    def add_account(self, **values: Any) -> bool:
        """False: there is one of that name."""
        with self._writing() as connection:
            if connection.execute(ACCOUNTS.select().where(ACCOUNTS.c.name == values["name"])).first() is not None:
                return False
            connection.execute(ACCOUNTS.insert().values(**values))
            return True

    def change_account(self, name: str, **fields: Any) -> None:
        with self._writing() as connection:
            connection.execute(ACCOUNTS.update().where(ACCOUNTS.c.name == name).values(**fields))

    def give_all(self, before: str, after: str) -> int:
        """Everything that belongs to one owner belongs to another from now on; how many things that were."""
        tables = (
            UPLOADS,
            DATASETS,
            RUNS,
            CORPORA,
            INDEXES,
            SEARCHES,
            MARKS,
            VOTES,
            MAKINGS,
            SWEEPS,
            DEMOS,
            KEYS,
            USAGE,
        )
        with self._writing() as connection:
            return sum(
                connection.execute(table.update().where(table.c.owner == before).values(owner=after)).rowcount
                for table in tables
            )

    # what is queued and running: runs, makings and indexes

    def move(self, table: sa.Table, key: Row, *, to: str, of: tuple[str, ...], **fields: Any) -> bool:
        """Change the state of one run, making or index, in one transaction; False when it is in none of the states ``of``."""
        assert set(of) <= set(LEGAL[table][to]), f"{of} -> {to}"
        query = table.update().where(*_is(table, key), table.c.state.in_(of), *_there(table)).values(state=to, **fields)
        with self._writing() as connection:
            return connection.execute(query).rowcount == 1

    def in_states(self, table: sa.Table, *states: str) -> list[Row]:
        """Those of all owners, first come first."""
        query = table.select().where(table.c.state.in_(states), *_there(table)).order_by(table.c.queued)
        with self._reading() as connection:
            return [dict(row) for row in connection.execute(query).mappings()]

    def last_served(self, table: sa.Table) -> dict[str, float]:
        """Owner -> when something of theirs was last started; no entry: never."""
        query = sa.select(table.c.owner, sa.func.max(table.c.started).label("started")).where(
            table.c.started.is_not(None)
        )
        with self._reading() as connection:
            return {row.owner: row.started for row in connection.execute(query.group_by(table.c.owner))}

    def put_first(self, owner: str, id: str) -> bool:
        """A waiting run goes before the others of its owner; whether it was waiting."""
        mine = (RUNS.c.owner == owner, RUNS.c.state == "queued", *_there(RUNS))
        with self._writing() as connection:
            most = connection.scalar(sa.select(sa.func.max(RUNS.c.priority)).where(*mine))
            query = RUNS.update().where(RUNS.c.id == id, *mine).values(priority=(most or 0) + 1)
            return connection.execute(query).rowcount == 1

    def note_run(self, id: str, **fields: Any) -> None:
        """Anything but its state: what the server itself finds out."""
        assert "state" not in fields
        with self._writing() as connection:
            connection.execute(RUNS.update().where(RUNS.c.id == id).values(**fields))

    def add_usage(self, owner: str, device: str, ended: float, seconds: float) -> None:
        with self._writing() as connection:
            connection.execute(USAGE.insert().values(owner=owner, device=device, ended=ended, seconds=seconds))

    def gpu_seconds(self, owner: str, since: float) -> float:
        """What the runs of an owner, deleted ones too, have used of GPUs since then."""
        query = sa.select(sa.func.sum(USAGE.c.seconds)).where(
            USAGE.c.owner == owner, USAGE.c.ended >= since, USAGE.c.device.startswith("gpu")
        )
        with self._reading() as connection:
            return connection.scalar(query) or 0.0

    def switch(self, name: str) -> Row | None:
        with self._reading() as connection:
            row = connection.execute(SWITCHES.select().where(SWITCHES.c.name == name)).mappings().first()
        return None if row is None else dict(row)

    def set_switch(self, name: str, value: str, who: str) -> None:
        with self._writing() as connection:
            connection.execute(SWITCHES.delete().where(SWITCHES.c.name == name))
            connection.execute(SWITCHES.insert().values(name=name, value=value, who=who, since=time.time()))

    def owners(self) -> list[str]:
        """Everybody who has something here, by name."""
        tables = (UPLOADS, DATASETS, RUNS, CORPORA, MAKINGS, SWEEPS)
        with self._reading() as connection:
            return sorted({owner for t in tables for owner in connection.scalars(sa.select(t.c.owner).distinct())})

    def ids_of(self, table: sa.Table, owner: str) -> list[str]:
        with self._reading() as connection:
            return list(connection.scalars(sa.select(table.c.id).where(table.c.owner == owner)))

    # sweeps

    def running_sweeps(self) -> list[Row]:
        """Those of all owners that are not over, first come first."""
        query = SWEEPS.select().where(SWEEPS.c.state.in_(("running", "stopping"))).order_by(SWEEPS.c.created)
        with self._reading() as connection:
            return [dict(row) for row in connection.execute(query).mappings()]

    def runs_of_sweep(self, sweep_id: str) -> list[Row]:
        """Its trials, by number."""
        query = RUNS.select().where(RUNS.c.sweep_id == sweep_id, *_there(RUNS)).order_by(RUNS.c.trial)
        with self._reading() as connection:
            return [dict(row) for row in connection.execute(query).mappings()]

    # corpora and their indexes

    def change_corpus(self, owner: str, id: str, **fields: Any) -> None:
        with self._writing() as connection:
            query = CORPORA.update().where(CORPORA.c.id == id, CORPORA.c.owner == owner)
            connection.execute(query.values(**fields))

    def of_corpus(self, table: sa.Table, owner: str, corpus_id: str, most: int | None = None) -> list[Row]:
        """Searches, marks or votes of a corpus, newest first."""
        query = table.select().where(table.c.corpus_id == corpus_id, table.c.owner == owner)
        query = query.order_by(table.c.created.desc(), table.c.id)
        with self._reading() as connection:
            return [dict(row) for row in connection.execute(query.limit(most)).mappings()]

    def remove_all_but(self, table: sa.Table, owner: str, corpus_id: str, newest: int) -> None:
        """Forget all but the newest of a corpus's."""
        kept = [row["id"] for row in self.of_corpus(table, owner, corpus_id, newest)]
        query = table.delete().where(table.c.corpus_id == corpus_id, table.c.owner == owner, table.c.id.not_in(kept))
        with self._writing() as connection:
            connection.execute(query)

    def set_mark(self, owner: str, corpus_id: str, query: str, key: str, values: Row | None) -> None:
        """What a person says of a hit (by its key) for a query; None: nothing more."""
        same = (MARKS.c.owner == owner, MARKS.c.corpus_id == corpus_id, MARKS.c.query == query, MARKS.c.key == key)
        with self._writing() as connection:
            connection.execute(MARKS.delete().where(*same))
            if values is not None:
                keys = {"owner": owner, "corpus_id": corpus_id, "query": query, "key": key}
                connection.execute(MARKS.insert().values(**keys, **values))

    def vote(self, owner: str, id: str, better: str) -> bool:
        """False: no such blind comparison, or it has been decided."""
        query = VOTES.update().where(VOTES.c.id == id, VOTES.c.owner == owner, VOTES.c.better.is_(None))
        with self._writing() as connection:
            return connection.execute(query.values(better=better)).rowcount == 1

    def indexes_of(self, owner: str, corpus_id: str) -> list[Row]:
        query = INDEXES.select().where(INDEXES.c.corpus_id == corpus_id, INDEXES.c.owner == owner)
        with self._reading() as connection:
            return [dict(row) for row in connection.execute(query.order_by(INDEXES.c.queued)).mappings()]

    def use_index(self, corpus_id: str, model_key: str) -> None:
        """Note that it was searched just now."""
        query = INDEXES.update().where(*_is(INDEXES, {"corpus_id": corpus_id, "model_key": model_key}))
        with self._writing() as connection:
            connection.execute(query.values(used=time.time()))

    def index(self, corpus_id: str, model_key: str) -> Row | None:
        with self._reading() as connection:
            query = INDEXES.select().where(*_is(INDEXES, {"corpus_id": corpus_id, "model_key": model_key}))
            row = connection.execute(query).mappings().first()
        return None if row is None else dict(row)

    def add_index(self, owner: str, corpus_id: str, model_key: str) -> None:
        """Queue an index unless there is one already."""
        key = {"corpus_id": corpus_id, "model_key": model_key}
        with self._writing() as connection:
            if connection.execute(INDEXES.select().where(*_is(INDEXES, key))).first() is None:
                now = time.time()
                values = {"owner": owner, "state": "queued", "message": "", "attempt": 0, "queued": now, "used": now}
                connection.execute(INDEXES.insert().values(**key, **values))

    def remove_indexes(self, **key: str) -> list[Row]:
        """Forget the indexes of a corpus (``corpus_id=``) or of a model (``model_key=``), whoever asked for them; what they
        were. The caller has checked whose corpus or model it is."""
        query = INDEXES.delete().where(*_is(INDEXES, key)).returning(INDEXES)
        with self._writing() as connection:
            return [dict(row) for row in connection.execute(query).mappings()]


def _there(table: sa.Table) -> list[sa.ColumnElement[bool]]:
    """Not deleted, where that can be."""
    return [table.c.deleted.is_(None)] if "deleted" in table.c else []


def _unshare(connection: sa.Connection, table: sa.Table, id: str) -> None:
    """What is gone is shared with nobody, in no way."""
    connection.execute(SHARES.delete().where(SHARES.c.kind == _NOUN[table], SHARES.c.thing_id == id))
    connection.execute(DEMOS.delete().where(sa.or_(DEMOS.c.run_id == id, DEMOS.c.corpus_id == id)))


def _seen(table: sa.Table, viewer: str) -> list[sa.ColumnElement[bool]]:
    """The viewer's own, or shared with the lab; and not deleted."""
    return [sa.or_(table.c.owner == viewer, _shared(table, LAB)), *_there(table)]


def _shared(table: sa.Table, way: str) -> sa.ColumnElement[bool]:
    key = {"kind": _NOUN[table], "way": way}
    return sa.exists().where(SHARES.c.thing_id == table.c.id, *_is(SHARES, key))


def _is(table: sa.Table, key: Row) -> list[sa.ColumnElement[bool]]:
    return [table.c[name] == value for name, value in key.items()]


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # transactions are begun by _begin_sqlite, not by the driver
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: sa.Connection) -> None:
    # A transaction that will write takes the lock at once: one that starts reading and then wants to write fails
    # instead of waiting when another has written in between.
    writing = connection.get_execution_options().get("writing", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")


_IN_THE_WAY = {
    "SQLITE_BUSY": ("Another program holds the studio's database.", "Nothing was changed. Try again in a moment."),
    "SQLITE_FULL": ("The disk is full.", "Nothing was changed. Make room on the disk, then try again."),
    "SQLITE_IOERR": (
        "The studio's database cannot be written.",
        "Nothing was changed. See whether the disk is full or failing.",
    ),
}


def _in_the_way(error: sa.exc.OperationalError) -> HostError | None:
    """What a person is told where the machine, and no mistake of ours, kept a change from being written."""
    code = getattr(error.orig, "sqlite_errorname", "")
    return next(
        (HostError(words, hint=hint) for name, (words, hint) in _IN_THE_WAY.items() if code.startswith(name)), None
    )


def _version(connection: sa.Connection) -> str | None:
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    return connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()


def _migrate(connection: sa.Connection) -> None:
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", "studio.runs:migrations")
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        raise HostError(
            "The workspace's database was made by a newer version of the studio.",
            hint="Upgrade the studio, or choose another workspace.",
        ) from error
