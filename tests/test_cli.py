"""The command line as a person uses it: real commands in their own processes."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pytest

from studio.catalog.formats import FORMAT
from studio.catalog.losses import LOSSES
from studio.training.config import FIELDS

STATIC = ("--base", "wordllama-l2-supercat-256")
QUICK = (*STATIC, "--epochs", "1", "--batch-size", "16", "--evaluations", "1", "--no-general-check")


def run(*arguments: object, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "studio", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, cwd=folder, stdin=subprocess.DEVNULL)


def answer(*arguments: object) -> dict:
    """The one JSON object that a command prints."""
    done = run(*arguments, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def refused(*arguments: object) -> str:
    """What standard error says when a command ends with 2; nothing may be on standard output."""
    done = run(*arguments)
    assert (done.returncode, done.stdout) == (2, ""), done
    assert "Traceback" not in done.stderr
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("Error: ")
    return lines[0]


@pytest.fixture(scope="module")
def questions(samples: Path) -> list[dict[str, str]]:
    with (samples / "banking77.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def table(tmp_path: Path) -> Callable[..., Path]:
    def write(header: Iterable[str], rows: Iterable[Iterable[object]], name: str = "table.csv") -> Path:
        with (tmp_path / name).open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([header, *rows])
        return tmp_path / name

    return write


@pytest.fixture
def pairs(questions, table) -> Path:
    return table(["question", "topic"], [(q["question"], q["topic"]) for q in questions[:300]])


@pytest.fixture
def judged(questions, table) -> Callable[..., Path]:
    """Pairs of questions with ``column``: one value for the same topic, another for different ones."""

    def write(column: str, same: object, different: object) -> Path:
        by_topic: dict[str, list[str]] = {}
        for row in questions[:600]:
            by_topic.setdefault(row["topic"], []).append(row["question"])
        groups = [group for group in by_topic.values() if len(group) > 1]
        rows = []
        for i, group in enumerate(groups):
            rows.append((group[0], group[1], same))
            rows.append((group[0], groups[i - 1][1], different))
        return table(["sentence1", "sentence2", column], rows)

    return write


# check


def test_how_a_file_is_read_can_be_said(tmp_path):
    file = tmp_path / "table.txt"
    rows = [f"'caf\xe9 {i}; or so'\tanswer {i}" for i in range(40)]
    file.write_bytes("\n".join([*rows, rows[3].upper()]).encode("cp1252"))
    named = ("--anchor", "column_1", "--positive", "column_2")
    said = ("--encoding", "cp1252", "--delimiter", "tab", "--no-header", "--quote")
    report = answer("check", file, *named, *said, "'")
    assert [report[name] for name in ("encoding", "delimiter", "quote", "header")] == ["cp1252", "\t", "'", False]
    assert (report["rows"], report["format"]) == (41, "pair")
    out = tmp_path / "mended.csv"
    done = run("fix", file, "--do", "near_duplicates", "--out", out, *named, *said, "none")
    assert done.returncode == 0, done.stderr
    assert out.read_text(encoding="utf-8").splitlines()[:2] == ["anchor,positive", "'caf\xe9 0; or so',answer 0"]
    assert "nonsense" in refused("check", file, "--encoding", "nonsense")
    assert "ab" in refused("train", "--data", file, "--out", tmp_path / "run", "--delimiter", "ab")


def test_check_says_how_a_file_is_read(pairs):
    report = answer("check", pairs)
    assert report["columns"] == ["question", "topic"]
    assert report["roles"] == {"anchor": "question", "positive": "topic"}
    assert (report["format"], report["rows"], report["skipped"]) == ("pair", 300, 0)
    assert (report["encoding"], report["delimiter"]) == ("utf-8", ",")
    assert all({"code", "severity", "rows", "message"} <= finding.keys() for finding in report["findings"])


def test_check_prints_the_same_for_people(pairs):
    done = run("check", pairs)
    assert done.returncode == 0
    assert "300 rows" in done.stdout
    assert "anchor: question" in done.stdout
    assert done.stderr == ""


def test_named_roles_replace_the_guess(pairs):
    report = answer("check", pairs, "--anchor", "topic", "--positive", "question")
    assert report["roles"] == {"anchor": "topic", "positive": "question"}


def test_a_role_that_is_not_named_is_guessed_from_the_other_columns(pairs):
    assert answer("check", pairs, "--anchor", "topic")["roles"] == {"anchor": "topic", "positive": "question"}
    assert answer("check", pairs, "--positive", "question")["roles"] == {"anchor": "topic", "positive": "question"}


def test_nothing_is_guessed_beside_two_named_texts(judged):
    file = judged("label", 1, 0)
    assert answer("check", file)["format"] == "labelled_pair"
    report = answer("check", file, "--anchor", "sentence1", "--positive", "sentence2")
    assert report["format"] == "pair"


def test_a_named_score_joins_the_guessed_texts(judged):
    report = answer("check", judged("label", 5, 1), "--score", "label")
    assert report["roles"] == {"anchor": "sentence1", "positive": "sentence2", "score": "label"}


def test_a_text_and_its_class_can_be_named(pairs):
    report = answer("check", pairs, "--class", "topic")
    assert (report["format"], report["roles"]) == ("classed_text", {"text": "question", "class": "topic"})
    assert answer("check", pairs, "--text", "question")["format"] == "texts"
    assert (
        "either one text"
        in answer("check", pairs, "--text", "question", "--positive", "topic")["findings"][0]["message"]
    )


def test_labelled_pairs_can_be_made_triplets(judged, pairs):
    assert "no column of labels was found" in refused("check", pairs, "--as", "triplets")
    report = answer("check", judged("label", "entailment", "contradiction"), "--as", "triplets")
    assert (report["format"], report["roles"]["label"]) == ("triplet", "label")
    assert any("labelled pairs make" in finding["message"] for finding in report["findings"])


def test_check_is_quick_because_torch_is_not_imported(pairs):
    program = f"import sys; sys.argv = ['sentence-studio', 'check', {str(pairs)!r}]\ntry:\n import studio.cli; studio.cli.main()\nfinally: print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "False"


def test_pairs_are_made_from_a_folder_of_documents(repository, tmp_path):
    out = tmp_path / "pairs.csv"
    (tmp_path / "docs").mkdir()
    for path in (repository / "docs").glob("*.md"):
        (tmp_path / "docs" / path.name).write_bytes(path.read_bytes())
    (tmp_path / "docs" / "torn.pdf").write_bytes(b"%PDF-1.7 torn")
    words = (
        "Swallows build their nests of mud under the roofs of barns, and come back to the same place year after year."
    )
    (tmp_path / "docs" / "birds.md").write_text(f"# Birds\n\nA page.\n\n## Nests of swallows\n\n{words}\n")
    made = answer("pairs", tmp_path / "docs", "--recipe", "title_body", "--recipe", "heading_paragraph", "--out", out)
    with out.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert made["pairs"] == len(rows) == sum(made["recipes"].values()) > 50
    assert made["unread"] == [{"name": "torn.pdf", "reason": "is broken or no PDF"}]
    assert set(rows[0]) == {"anchor", "positive", "document", "place", "recipe"}
    assert any(row["anchor"] == "Nests of swallows" and row["document"] == "birds.md" for row in rows)
    report = answer("check", out)
    assert (report["format"], report["roles"]) == ("pair", {"anchor": "anchor", "positive": "positive"})
    assert "is there already" in refused("pairs", tmp_path / "docs", "--recipe", "title_body", "--out", out)
    assert "no recipe 'magic'" in refused(
        "pairs", repository / "README.md", "--recipe", "magic", "--out", tmp_path / "x.csv"
    )


def test_fix_writes_a_mended_copy(table, tmp_path):
    rows = [
        *((f"What is number {i} for?", f"For thing {i}.") for i in range(40)),
        ("what is number 3 for", "For thing 3"),
        ("Who?", "=a@b.org"),
    ]
    file, out = table(("question", "answer"), rows), tmp_path / "out.csv"
    before = file.read_bytes()
    assert "near_duplicates" in {f["code"] for f in answer("check", file)["findings"]}
    said = answer("fix", file, "--do", "near_duplicates", "--do", "swapped_columns", "--out", out)
    assert said == {
        "out": str(out),
        "rows": 41,
        "history": ["1 row left out: near duplicates", "41 rows changed: anchor and positive were swapped"],
    }
    lines = out.read_text(encoding="utf-8").splitlines()
    assert (lines[0], lines[1], lines[-1]) == (
        "anchor,positive",
        "For thing 0.,What is number 0 for?",
        "'=a@b.org,Who?",
    )
    assert file.read_bytes() == before
    assert "there already" in refused("fix", file, "--do", "near_duplicates", "--out", out)
    assert "no fix 'magic'" in refused("fix", file, "--do", "magic", "--out", tmp_path / "other.csv")
    assert "change nothing" in refused("fix", out, "--do", "near_duplicates", "--out", tmp_path / "other.csv")
    assert not (tmp_path / "other.csv").exists()


# bad input

UNREADABLE = {
    "empty": (b"", "The file is empty"),
    "header only": (b"question,answer\r\n", "no rows below its header"),
    "binary": (bytes(range(256)) * 40, "Choose a table"),
    "picture": (b"\x89PNG\r\n\x1a\n" + bytes(200), "Choose a table"),
    "cut-off Parquet": (b"PAR1" + b"\x15\x04\x15" * 30, "broken or cut off"),
    "cut-off Excel": (b"PK\x03\x04" + b"\x14\x00" * 40, "Choose a table"),
}


@pytest.mark.parametrize(("content", "words"), UNREADABLE.values(), ids=UNREADABLE)
def test_a_file_that_is_no_table_is_refused(tmp_path, content, words):
    file = tmp_path / "table.csv"
    file.write_bytes(content)
    assert words in refused("check", file)
    assert words in refused("train", "--data", file, "--out", tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_missing_file_is_named(tmp_path):
    assert "nothing.csv" in refused("check", tmp_path / "nothing.csv")
    assert "nothing.csv" in refused("train", "--data", tmp_path / "nothing.csv", "--out", tmp_path / "run")
    assert "nothing.csv" in refused("search", STATIC[1], tmp_path / "nothing.csv", "query")


MESSAGES = {
    "one column": (["question"], [["a b"], ["c d"]], ("--anchor", "question"), ("one column only",)),
    "a role empty in every row": (
        ["question", "answer"], [["a b", ""], ["c d", ""]],
        ("--anchor", "question", "--positive", "answer"), ("answer", "empty in every row"),
    ),
    "a column twice": (
        ["question", "answer"], [["a b", "c d"]], ("--anchor", "question", "--positive", "question"), ("question",),
    ),
    "a missing column": (["question", "answer"], [["a b", "c d"]], ("--anchor", "query"), ("query",)),
    "labels that are not 0/1": (
        ["a", "b", "label"], [["x y", "z w", "2"], ["p q", "r s", "0"]],
        ("--anchor", "a", "--positive", "b", "--label", "label"), ("label", "Row 2"),
    ),
    "scores as text": (
        ["a", "b", "score"], [["x y", "z w", "0.5"], ["p q", "r s", "very similar"]],
        ("--anchor", "a", "--positive", "b", "--score", "score"), ("score", "Row 3"),
    ),
}  # fmt: skip


@pytest.mark.parametrize(("header", "rows", "options", "words"), MESSAGES.values(), ids=MESSAGES)
def test_a_table_that_cannot_be_trained_on_is_refused_before_anything_is_made(
    table, tmp_path, header, rows, options, words
):
    file = table(header, rows)
    message = refused("train", "--data", file, *options, "--out", tmp_path / "run")
    for word in words:
        assert word in message
    assert not (tmp_path / "run").exists()
    findings = answer("check", file, *options)["findings"]
    assert "error" in {finding["severity"] for finding in findings}


def test_fewer_rows_than_a_batch_are_refused(table, questions, tmp_path):
    file = table(["question", "topic"], [(q["question"], q["topic"]) for q in questions[:20]])
    message = refused("train", "--data", file, "--out", tmp_path / "run", "--batch-size", 64)
    assert "64" in message
    assert not (tmp_path / "run").exists()


# train


def check_run(result: dict, folder: Path, format: str) -> None:
    assert result["run_dir"] == str(folder)
    assert Path(result["model"], "modules.json").is_file()
    primary = FORMAT[format].primary_metric
    assert primary in result["base"]
    assert result["base"].keys() == result["tuned"].keys()
    assert all(-1 <= value <= 1 for value in (*result["base"].values(), *result["tuned"].values()))
    assert result["metrics"][0]["id"] == primary
    assert result["metrics"][0]["low"] <= result["metrics"][0]["high"]
    assert result["train_rows"] > 0
    assert result["heldout_rows"] > 0
    assert result["seconds"] > 0
    assert result["verdict"]


def test_pairs_train_and_the_tuned_model_can_be_searched_with(pairs, tmp_path):
    folder = tmp_path / "run"
    result = answer("train", "--data", pairs, "--out", folder, *QUICK, "--learning-rate", 0.02)
    check_run(result, folder, "pair")
    assert result["loss"] == "MultipleNegativesRankingLoss"
    config = json.loads((folder / "config.json").read_text())
    assert config == result["config"]
    assert (config["batch_size"], config["evaluations"]) == (16, 1)

    found = answer("search", folder / "model", pairs, "my card was stolen", "--text", "question", "--top-k", 3)
    assert [hit["rank"] for hit in found["hits"]] == [1, 2, 3]
    assert found["column"] == "question"
    with pairs.open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    assert all(rows[hit["row"] - 1][0] == hit["text"] for hit in found["hits"])

    won_and_lost = answer("evidence", folder, "--limit", 3)
    counts = won_and_lost["counts"]
    assert counts["better"] + counts["worse"] + counts["same"] == counts["all"] > 0
    assert len(won_and_lost["rows"]["better"]) == min(3, counts["better"])
    row = won_and_lost["rows"]["better"][0]
    assert rows[row["numbers"][0] - 1][0] == row["anchor"]  # leads back to the row of the file
    assert {"base", "tuned", "bm25"} == set(row["hits"])
    assert {one["by"] for one in won_and_lost["slices"]} & {"length", "language", "positive"}
    assert "Won most" in run("evidence", folder).stdout
    run("evidence", folder, "--csv", tmp_path / "rows.csv")
    with (tmp_path / "rows.csv").open(encoding="utf-8", newline="") as file:
        assert len(list(csv.DictReader(file))) == counts["all"]
    assert "is there already" in refused("evidence", folder, "--csv", tmp_path / "rows.csv")
    assert "all, better, worse" in refused("evidence", folder, "--show", "none")
    assert "no folder of a run" in refused("evidence", tmp_path)

    by_run = answer("search", folder, pairs, "my card was stolen", "--text", "question", "--top-k", 3)
    assert by_run["hits"] == found["hits"]

    untuned = answer("search", STATIC[1], pairs, "my card was stolen", "--text", "question", "--top-k", 3)
    assert not np.allclose([h["score"] for h in untuned["hits"]], [h["score"] for h in found["hits"]])

    assert "is not empty" in refused("train", "--data", pairs, "--out", folder)


def test_mined_negatives_are_written_known_again_and_judged_by_searching(pairs, tmp_path):
    out = tmp_path / "triplets.csv"
    told = answer("negatives", pairs, *STATIC, "--out", out, "--num-negatives", 2)
    assert told["rows"] > told["left_out"]
    with out.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["anchor", "positive", "mined_negative_1", "mined_negative_2"]
    assert all(row["positive"] not in (row["mined_negative_1"], row["mined_negative_2"]) for row in rows)
    trained = answer("train", "--data", out, *QUICK, "--out", tmp_path / "run")
    assert trained["metrics"][0]["id"] == "ndcg@10"
    assert "triplet_accuracy" not in trained["base"]
    assert "is there already" in refused("negatives", pairs, *STATIC, "--out", out)
    assert "Negatives a row" in refused("negatives", pairs, "--num-negatives", 9, "--out", tmp_path / "other.csv")


def test_suspects_lists_the_oddest_rows_first(pairs):
    told = answer("suspects", pairs, *STATIC)
    assert told["suspects"][0]["similarity"] <= told["suspects"][-1]["similarity"]
    assert "little alike" in told["suspects"][0]["why"]
    assert told["message"].startswith(f"{len(told['suspects'])} rows are worth a look")


def test_triplets_train_with_the_loss_that_was_named(samples, tmp_path):
    file = samples / "programs_triplets.csv"
    result = answer(
        "train", "--data", file, "--out", tmp_path / "run", *QUICK, "--loss", "triplet", "--max-train-rows", 100
    )
    check_run(result, tmp_path / "run", "triplet")
    assert result["loss"] == "TripletLoss"
    assert result["train_rows"] == 100


def test_scored_pairs_train(judged, tmp_path):
    result = answer("train", "--data", judged("similarity", 5, 1), "--out", tmp_path / "run", *QUICK)
    check_run(result, tmp_path / "run", "scored_pair")
    assert result["loss"] == "CoSENTLoss"


def test_labelled_pairs_train_and_a_verdict_on_test_data_is_printed_for_people(judged, tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"base_model": STATIC[1], "epochs": 2, "batch_size": 8, "loss": "ContrastiveLoss"}))
    table = judged("label", 1, 0)
    lines = table.read_text(encoding="utf-8").splitlines(keepends=True)
    exam = tmp_path / "exam.csv"
    exam.write_text("".join([lines[0], *lines[-40:]]), encoding="utf-8")
    done = run("train", "--data", table, "--test", exam, "--out", folder, "--config", config, "--epochs", 1)
    assert done.returncode == 0, done.stderr
    assert "General ability: base 0." in done.stdout
    assert "Judged on 40 rows that training never saw. They are the test data 'exam.csv'" in done.stdout
    assert f"Model: {folder / 'model'}" in done.stdout
    assert "average_precision" in done.stdout
    assert "training" in done.stderr
    written = json.loads((folder / "config.json").read_text())
    assert (written["epochs"], written["batch_size"], written["base_model"]) == (1, 8, STATIC[1])


def test_a_run_that_is_interrupted_leaves_no_worker(questions, table, tmp_path):
    file = table(["question", "topic"], [(q["question"], q["topic"]) for q in questions])
    folder = tmp_path / "run"
    command = [sys.executable, "-m", "studio", "train", "--data", file, "--out", folder, *STATIC, "--epochs", "100"]
    process = subprocess.Popen(
        list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    events = folder / "events.jsonl"
    while not (events.exists() and '"train"' in events.read_text()) and process.poll() is None:
        time.sleep(0.1)
    os.kill(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert out == ""
    assert "Traceback" not in err
    before = events.stat().st_size
    time.sleep(1)
    assert events.stat().st_size == before
    assert json.loads((folder / "outcome.json").read_text())["state"] == "cancelled"


# settings


def test_every_setting_is_an_option():
    text = run("train", "--help").stdout
    for field in FIELDS:
        assert "--" + field.id.replace("_", "-") in text
    for loss in LOSSES:
        assert loss.id in text


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--epochs", "0"), ("Epochs",)),
        (("--loss", "HingeLoss"), ("HingeLoss", "CoSENTLoss")),
        (("--loss", "CoSENTLoss"), ("CoSENT", "scored pairs")),
        (("--loss-margin", "0.5"), ("Margin",)),
        (("--loss", "MegaBatchMargin", "--modifier", "AdaptiveLayer"), ("Adaptive layers", "portions")),
        (("--loss", "gistembed", "--guide-model", "wordllama-l2-supercat-256"), ("cannot guide",)),
        (("--loss", "CachedGISTEmbed", *STATIC[:2]), ("cannot be computed in portions",)),
        (("--modifier", "Matryoshka", "--matryoshka-dims", "9999"), ("9999", "384, 256, 128")),
        (("--pooling", "sideways"), ("Pooling", "mean")),
        (("--base", "no-such-model"), ("no-such-model",)),
    ],
)
def test_a_setting_that_does_not_go_is_refused_before_anything_is_made(pairs, tmp_path, options, words):
    message = refused("train", "--data", pairs, "--out", tmp_path / "run", *options)
    for word in words:
        assert word in message
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("content", "words"),
    [("{", "JSON"), ("[]", "no settings"), ('{"epoch": 3}', "epoch"), ('{"epochs": "many"}', "Epochs")],
)
def test_a_bad_config_file_is_refused(pairs, tmp_path, content, words):
    config = tmp_path / "config.json"
    config.write_text(content)
    assert words in refused("train", "--data", pairs, "--out", tmp_path / "run", "--config", config)


@pytest.mark.parametrize("arguments", [("train",), ("train", "--epochs", "many"), ("fly",), ("check",)])
def test_a_wrong_call_ends_with_2(arguments):
    done = run(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert "Error" in done.stderr


# search and serve


def test_a_table_is_indexed_once_searched_often_and_brought_up_to_date(tmp_path):
    table, out = tmp_path / "help.csv", tmp_path / "index"
    rows = ["title,body,stars", "Cards,My card was stolen,3", "Rates,The exchange rate of the day,1"]
    table.write_text("\n".join(rows))
    made = answer("index", table, "--out", out, "--model", STATIC[1], "--title", "title", "--field", "stars")
    assert [(one["model"], one["entries"], one["reused"]) for one in made["indexes"]] == [
        ("keyword", 2, 0),
        (STATIC[1], 2, 0),
    ]
    found = answer("search", STATIC[1], out, "thief", "--where", "stars=2..4", "--hybrid")
    assert [(hit["title"], hit["fields"]) for hit in found["hits"]] == [("Cards", {"stars": 3.0})]
    assert answer("search", "keyword", out, "rate")["hits"][0]["title"] == "Rates"
    table.write_text("\n".join([*rows, "New,Another text,2"]))
    again = answer("index", table, "--out", out, "--model", STATIC[1], "--title", "title")
    assert (again["indexes"][1]["entries"], again["indexes"][1]["reused"]) == (3, 2)
    assert "no folder that 'index' has made" in refused("search", STATIC[1], tmp_path, "x")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("", "--text", "question"), "query is empty"),
        (("card", "--text", "answer"), "There is no column 'answer'"),
        (("card", "--top-k", "0"), "not 0"),
    ],
)
def test_a_search_that_cannot_be_done_is_refused(pairs, arguments, words):
    assert words in refused("search", STATIC[1], pairs, *arguments)


def test_search_with_a_folder_that_is_no_model_is_refused(pairs, tmp_path):
    assert "no model" in refused("search", tmp_path, pairs, "card")


def test_search_prints_hits_for_people(pairs):
    done = run("search", STATIC[1], pairs, "my card was stolen", "--top-k", 2)
    assert done.returncode == 0
    first, second = done.stdout.splitlines()
    assert first.startswith("  1  0.")
    assert second.startswith("  2  0.")


def test_serve_says_in_one_line_that_the_workspace_cannot_be_used(tmp_path):
    (tmp_path / "file").write_text("")
    done = run("serve", "--port", 0, "--workspace", tmp_path / "file" / "workspace")
    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.strip().splitlines()) == 1


def test_a_bug_has_an_id_and_no_traceback(monkeypatch, capsys, tmp_path):
    from studio import cli

    def broken(*_: object) -> None:
        raise RuntimeError("inner words")

    monkeypatch.setattr("studio.cli.tables.open_table", broken)
    monkeypatch.setattr("studio.cli.base.tempfile.gettempdir", lambda: str(tmp_path))
    monkeypatch.setattr(sys, "argv", ["sentence-studio", "check", "x.csv", "--anchor", "a"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "inner words" not in printed.err
    (log,) = tmp_path.glob("sentence-studio-*.log")
    assert str(log) in printed.err
    assert "inner words" in log.read_text()
