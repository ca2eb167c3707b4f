"""How long near duplicates, the split and the whole data check take: python benchmarks/near.py TABLE.csv [ROWS ...].

Each number of rows runs in a process of its own, so that the peak memory is its own too. Without a table, one is drawn
in which one row of ten repeats another with a word changed.
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow as pa

STEPS = "rows prepare_s near_duplicates_s found split_s shared check_s peak_mb".split()  # noqa: SIM905


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("table", nargs="?", help="table of texts; its columns are guessed")
    parser.add_argument("rows", nargs="*", type=int, help="numbers of rows (default: 10,000 100,000 1,000,000)")
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one is not None:
        print(json.dumps(measure(given.table, given.one)))
        return 0
    print("  ".join(STEPS))
    for rows in given.rows or (10_000, 100_000, 1_000_000):
        command = [sys.executable, __file__, *([given.table] if given.table else []), "--one", str(rows)]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        found = json.loads(done.stdout)
        print("  ".join(f"{found[name]!s:>{len(name)}}" for name in STEPS), flush=True)
    return 0


def measure(path: str | None, rows: int) -> dict[str, object]:
    from studio.data.check import check
    from studio.data.near import near_duplicates
    from studio.data.prepare import prepare
    from studio.data.read import read_table
    from studio.data.roles import guess_roles
    from studio.data.split import split
    from studio.data.table import Dialect, Roles, Table

    if path is None:
        data, numbers = drawn(rows), pa.array(range(2, rows + 2), pa.int64())
        table, roles = Table("drawn", data, numbers, Dialect("csv")), Roles("question", "answer")
    else:
        table = read_table(Path(path))
        roles = guess_roles(table)
    start = time.perf_counter()
    prepared = prepare(table, roles)
    times = [time.perf_counter() - start]
    data = prepared.data.slice(0, rows)
    results = []
    for step in (lambda: near_duplicates(data), lambda: split(data, 0.1, 42), lambda: check(prepared, table)):
        start = time.perf_counter()
        results.append(step())
        times.append(time.perf_counter() - start)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    found = (len(data), times[0], times[1], int(results[0].sum()), times[2], results[1].shared, times[3], peak)
    return {
        name: round(value, 1) if isinstance(value, float) else value for name, value in zip(STEPS, found, strict=True)
    }


def drawn(rows: int) -> pa.Table:
    """Questions of 12 words and answers of 30 from a vocabulary of 20,000, the frequent ones more often."""
    chance = np.random.default_rng(0)
    words = np.array(["".join(chr(97 + i // 26**k % 26) for k in range(4)) for i in range(20_000)], dtype=object)
    repeated = chance.choice(rows, rows // 10, replace=False)
    columns = {}
    for name, length in (("question", 12), ("answer", 30)):
        drawn = words[(20_000 * chance.random((rows, length)) ** 3).astype(np.int64)]
        drawn[repeated] = drawn[(repeated + 1) % rows]
        drawn[repeated, 0] = "other"
        columns[name] = [" ".join(row) for row in drawn]
    return pa.table(columns)


if __name__ == "__main__":
    sys.exit(main())
