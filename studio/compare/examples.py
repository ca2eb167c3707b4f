"""The held-out rows on which base and tuned model differ most, from evidence/rows.parquet."""

from dataclasses import dataclass

import numpy as np
import pyarrow.parquet as pq

from studio.training.folder import RunFolder

MOST = 10
"""In each direction."""


@dataclass(frozen=True)
class Example:
    text: str
    beside: str
    """What ``belongs`` is: ``Right text``, or ``Second text``, of a pair."""
    belongs: str
    base: float
    tuned: float


def examples(folder: RunFolder, metric: str) -> tuple[list[Example], list[Example]]:
    """(won, lost), the largest differences first; nothing where the rows were not recorded."""
    path = folder.path / "evidence" / "rows.parquet"
    if not path.is_file():
        return [], []
    with pq.ParquetFile(path) as file:
        names = file.schema_arrow.names
        by = next((name for name in (metric, "agreement") if f"tuned:{name}" in names), None)
        if by is None:
            return [], []
        rows = file.read(["anchor", "positive", f"base:{by}", f"tuned:{by}"])
    base, tuned = (rows[f"{model}:{by}"].to_numpy() for model in ("base", "tuned"))
    change = np.nan_to_num(tuned - base)
    order = np.argsort(-change, kind="stable")
    won = [int(at) for at in order[:MOST] if change[at] > 0]
    lost = [int(at) for at in order[::-1][:MOST] if change[at] < 0]
    beside = "Second text" if by == "agreement" else "Right text"

    def told(at: int) -> Example:
        right = rows["positive"][at].as_py() or [""]
        return Example(rows["anchor"][at].as_py(), beside, right[0], float(base[at]), float(tuned[at]))

    return [told(at) for at in won], [told(at) for at in lost]
