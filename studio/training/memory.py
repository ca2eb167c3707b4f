"""What a run has learnt about the memory it may use, kept in its folder: a restart does not make the same mistake. No torch.

The batch stays as it is and is computed in portions, which is the same training. Only where that is not possible, or
does not help, smaller batches are made, and it is said that this is another training.
"""

from dataclasses import asdict, dataclass, replace
from pathlib import Path

from studio.files import read_json, write_json

AFTER_A_KILL = 2
"""Halvings at once when the kernel killed the process: it leaves no time to try."""


@dataclass(frozen=True)
class Memory:
    """memory.json of a run."""

    batch_size: int | None = None
    """The largest batch that fits, found by trying; None: not asked for, or not found yet."""
    trying: int | None = None
    """The batch that was being tried: what a process that died there left behind."""
    halvings: int = 0
    """How often a portion was halved because memory ran out; 0: whole batches are computed at once."""
    checkpointing: bool = False
    """Portions of one row were too large still: layers are computed twice instead of remembered."""
    batch_most: int | None = None
    """Most rows of a batch, after all else was tried: no longer the training that was asked for. None: as asked."""
    kills: int = 0
    """How often the kernel killed the process for want of memory."""

    @classmethod
    def load(cls, path: Path) -> "Memory":
        return cls(**(read_json(path) or {}))

    def save(self, path: Path) -> None:
        write_json(path, asdict(self))

    def portion(self, whole: int) -> int | None:
        """Rows computed at a time where ``whole`` would be by the config; None: all of them."""
        return max(1, whole >> self.halvings) if self.halvings else None

    def smaller(self, portion: int, layers: bool, batch: int | None = None) -> "Memory | None":
        """What to try next after memory ran out; None: there is nothing.

        ``portion``: rows computed at a time until now; ``layers``: the model's layers can be computed twice; ``batch``:
        rows of a smaller batch, None when there is none.
        """
        if portion > 1:
            return replace(self, halvings=self.halvings + 1)
        if layers and not self.checkpointing:
            return replace(self, checkpointing=True)
        return None if batch is None else replace(self, batch_most=batch)


def after_a_kill(path: Path) -> bool:
    """The kernel killed the process of the run whose memory.json is ``path``. Whether it is worth another start."""
    memory = Memory.load(path)
    searching = memory.trying is not None
    if memory.kills and not searching:
        return False
    halvings = memory.halvings if searching else memory.halvings + AFTER_A_KILL
    replace(memory, halvings=halvings, kills=memory.kills + 1).save(path)
    return True
