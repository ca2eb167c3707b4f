"""compare and report as a person types them."""

import json
import subprocess
import sys

import pytest

from tests.compare.scene import found_first, judged_run


def run(*arguments):
    command = [sys.executable, "-m", "studio", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    place = tmp_path_factory.mktemp("runs")
    return [
        judged_run(place / "one", found_first(0.9, 1), epochs=3).path,
        judged_run(place / "two", found_first(0.6, 2)).path,
        judged_run(place / "seeded", found_first(0.7, 3), heldout=range(3, 63), seed=7).path,
    ]


def test_compare_prints_one_object_or_words_and_writes_a_report(folders, tmp_path):
    done = run("compare", *folders, "--json", "--report", tmp_path / "all.html")
    assert (done.returncode, done.stderr) == (0, "")
    answer = json.loads(done.stdout)
    assert [one["run"] for one in answer["groups"][0]["standings"]] == ["one", "two", None]
    assert answer["left"] == {"seeded": "Other rows of the dataset were held out (seed 7, not 42)."}
    assert {"label": "Epochs", "values": ["3", "1", "1"]} in answer["settings"]
    assert "3 runs compared" in (tmp_path / "all.html").read_text()
    told = run("compare", folders[0], folders[1], "--against", folders[1])
    assert told.returncode == 0
    for said in (
        "'one' stands first: nDCG@10 0.900",
        "nDCG@10 on 60 held-out rows of Pairs",
        "two +0.3000 (+",
        "Epochs",
    ):
        assert said in told.stdout, said


def test_report_writes_one_file_and_says_what_is_no_run(folders, tmp_path):
    out = tmp_path / "report.html"
    done = run("report", folders[0], "--out", out)
    assert (done.returncode, done.stdout.strip()) == (0, str(out))
    assert "Right first for 90 of 100 questions." in out.read_text()
    again = run("report", folders[0], "--out", out)
    assert (again.returncode, again.stdout) == (2, "")
    assert "is there already" in again.stderr
    refused = run("compare", folders[0], tmp_path)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr.startswith(f"Error: {tmp_path} is no folder of a run.")
