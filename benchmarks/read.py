"""Rows a second and peak memory of importing a table, beside other readers: python benchmarks/read.py [ROWS]

A CSV of real words (one million rows have about 400 MB; quotes, commas and line breaks in cells, some rows empty) is read
in a process of its own each, in turn: by pandas.read_csv and pyarrow.csv, which parse and nothing more, by the studio's
reader, and by the studio's whole import (read, prepare, check, write). Prints the machine and what else ran on it.
"""

import argparse
import csv
import json
import os
import platform
import random
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

SAMPLE = Path(__file__).resolve().parent.parent / "assets" / "samples" / "banking77.csv"
CONTENDERS = {
    "pandas.read_csv": "import pandas; data = pandas.read_csv(sys.argv[1])",
    "pyarrow.csv": (
        "from pyarrow import csv; "
        "data = csv.read_csv(sys.argv[1], parse_options=csv.ParseOptions(newlines_in_values=True))"
    ),
    "studio, reading": (
        "from pathlib import Path; from studio.data.read import read_table; data = read_table(Path(sys.argv[1])).data"
    ),
    "studio, importing": (
        "from pathlib import Path; from studio.data.read import read_table; from studio.data.roles import guess_roles; "
        "from studio.data.dataset import import_dataset; from studio.training.estimate import row_lengths; "
        "table = read_table(Path(sys.argv[1])); data = table.data; "
        "import_dataset(Path(sys.argv[2]), table, guess_roles(table), 'large', row_lengths)"
    ),
}
PROCESS = """
import json, resource, sys, time
begun, cpu = time.perf_counter(), time.process_time()
{work}
peak = next(int(line.split()[1]) / 1024 for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(json.dumps([time.perf_counter() - begun, time.process_time() - cpu, len(data), peak]))
"""


def write_table(path: Path, rows: int) -> None:
    """Questions and answers out of the sample's words; the same for the same number of rows."""
    words = sorted({word for line in SAMPLE.read_text(encoding="utf-8").splitlines() for word in line.split()})
    chance = random.Random(7)
    with path.open("w", encoding="utf-8", newline="") as file:
        out = csv.writer(file)
        out.writerow(["id", "question", "answer"])
        for i in range(rows):
            question = " ".join(chance.choices(words, k=chance.randint(6, 16)))
            answer = chance.choices(words, k=chance.randint(10, 42))
            if i % 50 == 0:
                answer[1] += "\n"
            out.writerow([i, "" if i % 1000 == 999 else question, " ".join(answer)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", nargs="?", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    found: dict[str, list[list[float]]] = {name: [] for name in CONTENDERS}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "table.csv"
        write_table(path, asked.rows)
        size_mb = path.stat().st_size / 1e6
        print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
        print(f"Python {platform.python_version()}; {asked.rows:,} rows, {size_mb:,.0f} MB, {asked.rounds} rounds")
        for turn in range(asked.rounds):
            for name, work in CONTENDERS.items():
                command = [sys.executable, "-c", PROCESS.format(work=work), str(path), f"{folder}/{name}-{turn}"]
                done = subprocess.run(command, capture_output=True, text=True, check=True)
                found[name].append(json.loads(done.stdout))
    print(f"{'':<20}{'rows/s':>12}{'seconds':>10}{'CPU s':>8}{'peak MB':>10}{'times the file':>16}")
    for name, runs in found.items():
        seconds, cpu, _, peak = (statistics.median(values) for values in zip(*runs, strict=True))
        rate = asked.rows / seconds
        print(f"{name:<20}{rate:>12,.0f}{seconds:>10.1f}{cpu:>8.1f}{peak:>10,.0f}{peak / size_mb:>16.1f}")


if __name__ == "__main__":
    main()
