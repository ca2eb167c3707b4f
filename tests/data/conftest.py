import random
from pathlib import Path

import pyarrow as pa
import pytest

from studio.data.read import read_table
from studio.data.table import Dialect, Table

WORDS = "the cat sat on a mat while rain fell over green hills and people walked home slowly with bread".split()  # noqa: SIM905


@pytest.fixture
def table():
    """Builds a table in memory; rows are numbered as below a header."""

    def build(columns: dict[str, list], **fields) -> Table:
        data = pa.table(
            {
                n: pa.array(v, pa.list_(pa.string()) if any(isinstance(x, list) for x in v) else pa.string())
                for n, v in columns.items()
            }
        )
        return Table(
            "t.csv", data, pa.array(range(2, len(data) + 2), pa.int64()), Dialect("csv", header=True), **fields
        )

    return build


@pytest.fixture
def texts():
    """Draws different texts of ``words`` words."""
    chance = random.Random(7)

    def draw(count: int, words: int = 8) -> list[str]:
        return [" ".join([str(i), *chance.choices(WORDS, k=words)]) for i in range(count)]

    return draw


@pytest.fixture(scope="session")
def wordnet(shared_data: Path) -> Table:
    """206,978 rows, read once."""
    return read_table(shared_data / "nasty" / "24_wordnet_207k_rows.csv")
