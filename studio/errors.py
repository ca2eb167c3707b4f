"""Every error that a person may see.

    StudioError
    ├── DataError        the table, a column, a row
    ├── ConfigError      a setting, or settings that do not go together
    ├── ModelError       a base model that cannot be had or used
    ├── RunError         a run that cannot be started, stopped or continued
    ├── SearchError      a corpus, an index or a query
    ├── NotFound         no such thing, or not yours
    ├── AccessError      who may come in
    └── HostError        the machine: port, disk, memory, Python

A StudioError is shown to people as it is: what happened, then what to do. Anything else is a bug and is logged whole.
"""


class StudioError(Exception):
    """What happened, and (``hint``) what to do about it. Both are plain sentences."""

    def __init__(self, message: str, *, hint: str = ""):
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()

    def __reduce__(self):
        return _rebuild, (type(self), self.message, self.hint)


def _rebuild(kind, message, hint):
    return kind(message, hint=hint)


class DataError(StudioError):
    """A table, column or row that cannot be used."""


class ConfigError(StudioError):
    """A setting out of bounds, or settings that do not go together."""


class ModelError(StudioError):
    """A base model that cannot be found, loaded or used."""


class RunError(StudioError):
    """A run that cannot be started, stopped or continued."""


class SearchError(StudioError):
    """A corpus, index or query that cannot be used."""


class NotFound(StudioError):
    """No such thing, or it belongs to somebody else: the two look alike on purpose."""


class AccessError(StudioError):
    """A name or password that is wrong, or an account that may not do this."""


class HostError(StudioError):
    """The machine is in the way: port taken, folder not writable, disk full."""
