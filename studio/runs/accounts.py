"""Accounts: who may use this server, their passwords, and the sessions of their browsers."""

import os
import re
import secrets
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerifyMismatchError
from itsdangerous import BadSignature, URLSafeTimedSerializer
from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from studio.errors import AccessError, NotFound
from studio.runs.records import when
from studio.runs.store import Row, Store

ROLES = ("admin", "member", "viewer")
"""admin: looks after accounts, queue and disk; member: has things of their own; viewer: sees what is shared and searches."""
NAME = re.compile(r"[a-z0-9][a-z0-9._@-]{0,63}")
LOCAL = "local"
"""The one owner of a server that nobody signs in to."""
MIN_PASSWORD = 10
NO_PASSWORD = "!"
"""No hash: nobody can sign in with one, only a proxy can vouch for the account."""
SESSION_S = 14 * 24 * 3600
TRIES = RateLimitItemPerMinute(8, 10)
"""Wrong passwords for one name, or from one address, in ten minutes."""


@dataclass(frozen=True)
class AccountRecord:
    name: str
    role: str
    """One of ROLES."""
    disabled: bool
    created: datetime

    @property
    def is_admin(self) -> bool:
        return self.role == "admin"


class Accounts:
    def __init__(self, store: Store, secret: Path):
        """``secret``: the file that holds the key which sessions are signed with; made when it is missing."""
        self._store = store
        self._secret = secret
        self._hasher = PasswordHasher()
        self._limiter = MovingWindowRateLimiter(MemoryStorage())
        self._nobody = self._hasher.hash(secrets.token_urlsafe())

    def any(self) -> bool:
        """Whether somebody could sign in."""
        return any(not row["disabled"] for row in self._store.accounts())

    def list(self) -> list[AccountRecord]:
        """By name."""
        return [_record(row) for row in self._store.accounts()]

    def get(self, name: str) -> AccountRecord:
        """Raises NotFound."""
        row = self._store.account(name)
        if row is None:
            raise NotFound(f"There is no account '{name}'.")
        return _record(row)

    def add(self, name: str, password: str, role: str = "member") -> AccountRecord:
        """Raises AccessError: a name that cannot be or is taken, a password that is too short."""
        name = name.strip().lower()
        if not NAME.fullmatch(name) or name == LOCAL:
            raise AccessError(
                f"'{name}' cannot be the name of an account.",
                hint="Names have up to 64 small letters, digits and . _ - @, and begin with a letter or digit.",
            )
        _check_role(role)
        values = {"name": name, "role": role, "password": self._hash(password), "epoch": 0, "disabled": False}
        if not self._store.add_account(**values, created=time.time()):
            raise AccessError(f"There is an account '{name}' already.", hint="Choose another name.")
        return self.get(name)

    def reset(self, name: str, password: str) -> None:
        """Give a new password; whoever is signed in with this account has to sign in again."""
        self._change(name, password=self._hash(password))

    def disable(self, name: str) -> None:
        """Nobody can sign in with it any more, and its sessions end. What it owns stays.

        Raises:
            AccessError: nobody would be left to look after the others.
        """
        self._check_another_admin(name)
        self._change(name, disabled=True)

    def enable(self, name: str) -> None:
        self._change(name, disabled=False)

    def may_start(self, name: str) -> bool:
        """Whether somebody may start work and have things; see :func:`may_start`."""
        return may_start(self._store, name)

    def set_role(self, name: str, role: str) -> None:
        """Raises AccessError: no such role, or nobody would be left to look after the others."""
        _check_role(role)
        if role != "admin":
            self._check_another_admin(name)
        self._change(name, role=role)

    def _check_another_admin(self, name: str) -> None:
        if self.get(name).is_admin and not any(a.is_admin and not a.disabled and a.name != name for a in self.list()):
            raise AccessError(f"'{name}' is the only admin.", hint="Make another account an admin first.")

    def sign_in(self, name: str, password: str, address: str) -> str:
        """A session for the browser at ``address``.

        Raises:
            AccessError: wrong name or password (which of them is not said), or too many wrong ones.
        """
        name = name.strip().lower()
        keys = (f"name {name}", f"address {address}")
        if not all(self._limiter.test(TRIES, key) for key in keys):
            raise AccessError("Too many wrong passwords.", hint="Try again in ten minutes.")
        row = self._store.account(name)
        try:
            # A name that does not exist takes as long as a wrong password.
            self._hasher.verify(row["password"] if row is not None else self._nobody, password)
            right = row is not None and not row["disabled"]
        except (VerifyMismatchError, InvalidHashError):
            right = False
        if not right:
            for key in keys:
                self._limiter.hit(TRIES, key)
            raise AccessError("Name or password is wrong.", hint="Ask whoever hosts the studio if you forgot it.")
        if self._hasher.check_needs_rehash(row["password"]):
            self._store.change_account(name, password=self._hasher.hash(password))
        return self._signer().dumps([name, row["epoch"]])

    def whose(self, session: str) -> AccountRecord | None:
        """The account of a session; None: it is forged, too old, or was ended."""
        try:
            name, epoch = self._signer().loads(session, max_age=SESSION_S)
        except (BadSignature, ValueError, TypeError):
            return None
        row = self._store.account(name)
        if row is None or row["disabled"] or row["epoch"] != epoch:
            return None
        return _record(row)

    def vouched(self, name: str) -> AccountRecord | None:
        """The account that a proxy in front vouches for, made when it comes for the first time; None: it cannot be a name."""
        if not NAME.fullmatch(name) or name == LOCAL:
            return None
        values = {"name": name, "role": "member", "password": NO_PASSWORD, "epoch": 0, "disabled": False}
        if self._store.account(name) is None:
            self._store.add_account(**values, created=time.time())
        return self.get(name)

    def sign_in_vouched(self, name: str) -> str:
        """A session for somebody whom a provider vouches for. Raises AccessError: it cannot be a name, or is kept out."""
        record = self.vouched(name)
        if record is None:
            raise AccessError(
                "The lab's accounts gave a name that cannot be one here.", hint="Ask whoever hosts the studio."
            )
        if record.disabled:
            raise AccessError("This account is kept out.", hint="Ask whoever hosts the studio.")
        return self._signer().dumps([name, self._store.account(name)["epoch"]])

    def seal(self, value: Any, purpose: str) -> str:
        """A value that a browser may keep and nobody may change."""
        return URLSafeTimedSerializer(self._key(), salt=f"studio {purpose}").dumps(value)

    def unseal(self, sealed: str, purpose: str, max_age_s: int) -> Any:
        """None: forged, or too old."""
        try:
            return URLSafeTimedSerializer(self._key(), salt=f"studio {purpose}").loads(sealed, max_age=max_age_s)
        except BadSignature:
            return None

    def end_sessions(self, name: str) -> None:
        """Sign an account out everywhere."""
        self._change(name)

    def _change(self, name: str, **fields: object) -> None:
        row = self._store.account(name)
        if row is None:
            raise NotFound(f"There is no account '{name}'.")
        self._store.change_account(name, epoch=row["epoch"] + 1, **fields)

    def _hash(self, password: str) -> str:
        if len(password) < MIN_PASSWORD:
            raise AccessError(f"The password is too short: it needs at least {MIN_PASSWORD} characters.")
        if len(password) > 1000:
            raise AccessError("The password is too long: at most 1,000 characters.")
        return self._hasher.hash(password)

    def _signer(self) -> URLSafeTimedSerializer:
        return URLSafeTimedSerializer(self._key(), salt="studio session")

    def _key(self) -> str:
        try:
            return self._secret.read_text()
        except FileNotFoundError:
            pass
        try:
            with open(self._secret, "x", opener=_private) as file:
                file.write(secrets.token_urlsafe(48))
        except FileExistsError:
            pass
        return self._secret.read_text()


def may_start(store: Store, owner: str) -> bool:
    """Whether somebody may start work and have things; a server that nobody signs in to lets everybody."""
    row = store.account(owner)
    return row is None or row["role"] != "viewer"


def check_may_start(store: Store, owner: str) -> None:
    """Raises AccessError for a viewer. Everything that makes something or begins work asks first."""
    if not may_start(store, owner):
        raise AccessError(
            "You may look and search here, but not start anything.", hint="An admin can make you a member."
        )


def is_in(store: Store, owner: str) -> bool:
    """Whether somebody is let in at all; nobody is kept out of a server without accounts."""
    row = store.account(owner)
    return row is None or not row["disabled"]


def _check_role(role: str) -> None:
    if role not in ROLES:
        raise AccessError(f"There is no role '{role}'.", hint=f"Roles are: {', '.join(ROLES)}.")


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _record(row: Row) -> AccountRecord:
    return AccountRecord(row["name"], row["role"], row["disabled"], when(row["created"]))
