"""Keys for the embeddings service: each belongs to an account, is shown once and kept as a hash."""

import hashlib
import secrets
import time
from dataclasses import dataclass
from datetime import datetime

from studio.errors import AccessError
from studio.runs.accounts import check_may_start, is_in, may_start
from studio.runs.names import display_name
from studio.runs.records import when
from studio.runs.store import KEYS, Row, Store, new_id

PREFIX = "sk-studio-"
MOST = 20
"""Keys that an account may have."""
NOTED_S = 60
"""The time of last use is written at most so often."""


@dataclass(frozen=True)
class KeyRecord:
    id: str
    owner: str
    name: str
    created: datetime
    used: datetime | None
    """Within a minute; None: never."""


class Keys:
    def __init__(self, store: Store):
        self._store = store

    def make(self, owner: str, name: str = "") -> tuple[KeyRecord, str]:
        """A new key and its secret, which nobody can look up again. Raises AccessError: a viewer, or too many keys."""
        check_may_start(self._store, owner)
        if len(self.list(owner)) >= MOST:
            raise AccessError(f"There are {MOST} keys already.", hint="Revoke one that is not needed any more.")
        secret = f"{PREFIX}{secrets.token_urlsafe(32)}"
        row = self._store.add(
            KEYS, id=new_id(), owner=owner, name=display_name(name, "key"), hash=_hash(secret), created=time.time(), used=None
        )  # fmt: skip
        return _record(row), secret

    def list(self, owner: str) -> list[KeyRecord]:
        """Newest first."""
        return [_record(row) for row in self._store.all_of(KEYS, owner)]

    def revoke(self, owner: str, key_id: str) -> None:
        """End a key; the next request with it is refused."""
        self._store.get(KEYS, owner, key_id)
        self._store.remove(KEYS, owner, key_id)

    def whose(self, secret: str) -> str | None:
        """The account that a key speaks for; None: there is no such key, or its owner may not use it any more."""
        row = self._store.key(_hash(secret)) if secret.startswith(PREFIX) else None
        if row is None or not is_in(self._store, row["owner"]) or not may_start(self._store, row["owner"]):
            return None
        if row["used"] is None or time.time() - row["used"] > NOTED_S:
            self._store.use_key(row["id"], time.time())
        return row["owner"]


def _hash(secret: str) -> str:
    # 256 bits by chance cannot be guessed, so a slow hash would only slow down whoever has the key.
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def _record(row: Row) -> KeyRecord:
    return KeyRecord(row["id"], row["owner"], row["name"], when(row["created"]), when(row["used"]))
