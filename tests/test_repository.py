"""What must not stand anywhere in the project."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FORBIDDEN = {
    "a path of one machine": re.compile(r"(?<![\w.])/(work|farm|home/\w+|Users/\w+)/"),
    "an unfinished marker": re.compile(r"\b(TO" + r"DO|FIX" + r"ME|XX" + r"X)\b|raise Not" + r"ImplementedError"),
    "a pickle that is loaded": re.compile(r"\bpickle\.load|torch\.load\((?!.*weights_only=True)"),
    "code of a model that is run": re.compile(r"trust_remote_code=True"),
}


def tracked() -> list[Path]:
    done = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    texts = (".py", ".md", ".toml", ".sh", ".css", ".js", "Makefile", "run", ".gitignore")
    return [ROOT / name for name in done.stdout.split("\0") if name.endswith(texts) and (ROOT / name).is_file()]


@pytest.mark.parametrize("what", FORBIDDEN)
def test_the_project_is_free_of(what):
    files = tracked()
    assert len(files) > 50
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in files
        if path.name != "test_repository.py"
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if FORBIDDEN[what].search(line)
    ]
    assert not found, "\n".join(found)


def test_nothing_large_is_tracked():
    done = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    large = [n for n in done.stdout.split("\0") if n and (ROOT / n).is_file() and (ROOT / n).stat().st_size > 2_000_000]
    assert large == []
