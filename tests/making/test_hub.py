"""Datasets of the hub, from a hub that plays on this machine: what becomes of their columns, and refusals in plain words."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from studio.errors import DataError
from studio.making.hub import HubName, hub_name
from tests.making.datasethub import TOKEN, WITH_TOKEN, serve

REPOSITORY = Path(__file__).resolve().parents[2]
ASK = """
import json, sys
from pathlib import Path
import pyarrow.parquet as pq
from studio.errors import DataError
from studio.making.hub import bring, hub_name
place = Path(sys.argv[1])
for name in json.loads(sys.argv[2]):
    seen, path = [], place / "table.parquet"
    try:
        brought = bring(hub_name(name), path, 2_000, 100, lambda done, total, words: seen.append((done, total)))
        table = pq.read_table(path)
        print(json.dumps([name, brought.words, brought.name.file_name, table.slice(0, 2).to_pylist(), len(table), seen]))
    except DataError as error:
        print(json.dumps([name, error.message, error.hint, sorted(p.name for p in place.iterdir())]))
    path.unlink(missing_ok=True)
"""
GOOD = ("many/columns", "many/columns@test", "plain/csv", "two/languages:en", WITH_TOKEN)
BAD = (
    "many/columns@dev", "two/languages", "two/languages:fr", "bad/pictures", "bad/script", "bad/empty", "bad/torn", "no/such",
    "shy/gated", "shy/private", "shy/token", "shy/broken",
)  # fmt: skip
CARD = """---
configs:
- config_name: de
  data_files: de/train.jsonl
- config_name: en
  data_files: en/train.jsonl
---
# Two languages
"""


def rows(number: int) -> pa.Table:
    """Texts, labels, lists, records and bytes, as the hub's library stores them."""
    numbers = range(number)
    table = pa.table(
        {
            "q": [f"question {i}" for i in numbers],
            "intent": [i % 2 if i % 7 else -1 for i in numbers],
            "tags": [["x", f"y{i}"] for i in numbers],
            "translation": [{"de": f"de {i}", "en": f"en {i}"} for i in numbers],
            "raw": pa.array([b"1"] * number, pa.binary()),
        }
    )
    features = {
        "q": {"dtype": "string", "_type": "Value"},
        "intent": {"names": ["refund", "greeting"], "_type": "ClassLabel"},
        "tags": {"feature": {"dtype": "string", "_type": "Value"}, "_type": "List"},
        "translation": {name: {"dtype": "string", "_type": "Value"} for name in ("de", "en")},
        "raw": {"dtype": "binary", "_type": "Value"},
    }
    return table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    """name -> folder of datasets that the hub has, good and bad."""
    place, datasets = tmp_path_factory.mktemp("hub"), {}

    def put(name: str, file: str, content: str | bytes | pa.Table) -> None:
        datasets[name] = folder = place / name
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, pa.Table):
            pq.write_table(content, folder / file)
        else:
            (folder / file).write_bytes(content.encode() if isinstance(content, str) else content)

    put("many/columns", "data/train-00000-of-00001.parquet", rows(2500))
    put("many/columns", "data/test-00000-of-00001.parquet", rows(20))
    for name in ("plain/csv", WITH_TOKEN):
        put(name, "train.csv", "q,a\n" + "".join(f"question {i},answer {i}\n" for i in range(300)))
    put("two/languages", "README.md", CARD)
    for language in ("de", "en"):
        lines = [json.dumps({"q": f"{language} {i}", "a": f"answer {i}"}) for i in range(30)]
        put("two/languages", f"{language}/train.jsonl", "\n".join(lines))
    pictures = pa.table({"image": pa.array([{"bytes": b"x", "path": "a"}] * 5), "label": [1] * 5})
    features = {"image": {"_type": "Image"}, "label": {"names": ["cat", "dog"], "_type": "ClassLabel"}}
    info = {"huggingface": json.dumps({"info": {"features": features}})}
    put("bad/pictures", "train.parquet", pictures.replace_schema_metadata(info))
    put("bad/script", "script.py", "raise SystemExit")
    put("bad/empty", "README.md", "# Nothing")
    put("bad/torn", "train.parquet", b"PAR1" + b"x" * 100)
    return datasets


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    home = tmp_path_factory.mktemp("home")
    return lambda address, **more: {**os.environ, "HF_ENDPOINT": address, "HF_HOME": str(home), "HF_HUB_OFFLINE": "0", **more}  # fmt: skip


def asked(names, place, env):
    """name -> what came of it."""
    command = [sys.executable, "-c", ASK, str(place), json.dumps(names)]
    run = subprocess.run(command, env=env, cwd=REPOSITORY, capture_output=True, text=True, timeout=120)
    assert run.returncode == 0, run.stderr
    return {name: rest for name, *rest in map(json.loads, run.stdout.splitlines())}


@pytest.fixture(scope="module")
def answers(hub, environment, tmp_path_factory):
    log = []
    with serve(hub, log) as address:
        found = asked([*GOOD, *BAD], tmp_path_factory.mktemp("out"), environment(address, HF_TOKEN=TOKEN))
    assert not any("train.csv" in line for line in log if line.startswith("GET /datasets/bad"))
    return found


def test_texts_labels_lists_and_records_become_columns_and_bytes_stay_where_they_are(answers):
    words, file_name, first, number, seen = answers["many/columns"]
    assert first == [
        {"q": "question 0", "intent": None, "tags": ["x", "y0"], "translation.de": "de 0", "translation.en": "en 0"},
        {"q": "question 1", "intent": "greeting", "tags": ["x", "y1"], "translation.de": "de 1", "translation.en": "en 1"},
    ]  # fmt: skip
    assert number == 2000
    assert words.startswith("The first 2,000 rows came from the hub; more were not asked for. Not brought: raw")
    assert file_name == "many columns train.parquet"
    assert [done for done, _ in seen] == [0, 0, 1000, 2000]
    assert answers["many/columns@test"][0].startswith("20 rows came from the hub.")


def test_a_config_a_split_and_a_token_are_honoured(answers):
    assert answers["two/languages:en"][2][0] == {"q": "en 0", "a": "answer 0"}
    assert answers["plain/csv"][:2] == ["300 rows came from the hub.", "plain csv train.parquet"]
    assert answers[WITH_TOKEN][3] == 300


@pytest.mark.parametrize(
    ("name", "message", "hint"),
    [
        ("many/columns@dev", "no split 'dev'", "train, test"),
        ("two/languages", "several configs", "Choose one of: de, en."),
        ("two/languages:fr", "no config 'fr'", "Choose one of: de, en."),
        ("bad/pictures", "holds no texts (it holds image)", "Choose a dataset of texts"),
        ("bad/script", "made by a program, which the studio does not run", "holds files"),
        ("bad/empty", "holds no table that can be read", "another dataset"),
        ("bad/torn", "holds no table that can be read", "another dataset"),
        ("no/such", "has no dataset 'no/such'", "Check the spelling"),
        ("shy/gated", "accepted its terms only", "HF_TOKEN"),
        ("shy/private", "has no dataset 'shy/private' that this machine may read", "need a token"),
        ("shy/token", "does not let this machine read", "a new one"),
        ("shy/broken", "status 500", "later"),
    ],
)
def test_what_cannot_be_brought_says_why_and_leaves_nothing(answers, name, message, hint):
    said, advice, left = answers[name]
    assert message in said
    assert hint in advice
    assert left == []


def test_a_hub_that_cannot_be_reached_is_said_as_such(environment, tmp_path):
    offline = {**environment("http://127.0.0.1:9"), "HF_HUB_OFFLINE": "1"}
    for env in (environment("http://127.0.0.1:9"), offline):
        message, hint, left = asked(["plain/csv"], tmp_path, env)["plain/csv"]
        assert message == "The hub cannot be reached, so 'plain/csv' cannot be brought."
        assert "upload the table as a file" in hint
        assert left == []


def test_the_command_line_reads_a_dataset_of_the_hub(hub, environment):
    with serve(hub, []) as address:
        command = [sys.executable, "-m", "studio", "check", "hub:many/columns", "--class", "intent", "--text", "q", "--json"]  # fmt: skip
        env = environment(address, STUDIO_MAX_HUB_ROWS="1500")
        run = subprocess.run(command, env=env, cwd=REPOSITORY, capture_output=True, text=True, timeout=120)
    assert run.returncode == 0, run.stderr
    report = json.loads(run.stdout)
    assert (report["file"], report["format"], report["rows"]) == ("many columns train.parquet", "classed_text", 1500)
    assert "The first 1,500 rows came from the hub" in run.stderr


def test_names_are_read_as_people_write_them():
    assert hub_name("hub:o/n:de@test") == HubName("o/n", "de", "test") == hub_name(" o/n ", "de", "test")
    assert hub_name("https://hub.example/datasets/o/n/viewer?x=1") == HubName("o/n")
    for wrong in ("", "/etc/passwd", "../x", "o/n/m", "o n", "o/n:", "file:///etc"):
        with pytest.raises(DataError, match=r"no name of a dataset|No dataset is named"):
            hub_name(wrong)
