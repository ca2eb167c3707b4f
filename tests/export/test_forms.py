"""Other forms of a model are the model: real files, made by the real exporters, read by the real runtimes."""

import json
import subprocess
import sys
import zipfile

import numpy as np
import pyarrow as pa
import pytest

from studio.catalog import exports
from studio.catalog.exports import EXPORT, EXPORT_FILE
from studio.data.dataset import DatasetInfo, load_rows, save_dataset
from studio.errors import HostError, ModelError
from studio.evaluation.measure import measure
from studio.evaluation.vectors import Vectors
from studio.export.archive import zip_export
from studio.export.checked import embed_apart
from studio.export.folder import save_model
from studio.export.forms import embedded, make_form
from studio.export.heldout import heldout_task
from studio.export.pipeline import pipeline_of
from studio.export.reading import read
from studio.export.snippets import onnx, openvino, snippets
from studio.files import write_json
from studio.training.config import make_config
from studio.training.folder import RunFolder
from studio.training.model import build_model
from tests.export.test_folder import VERDICT

pytestmark = pytest.mark.model
ROWS = 60
HARD = ["", "ünïcode 漢字 😀", " ".join(["a long text"] * 200), "My card is lost."]
PROMPTS = {"query": "query: ", "document": "passage: "}


@pytest.fixture(scope="module")
def run(tmp_path_factory, tiny_model, samples) -> RunFolder:
    """A run with a transformer that cuts texts at 40 tokens, a dense layer, and prompts; its last 30 rows are held out."""
    folder = RunFolder(tmp_path_factory.mktemp("runs") / "run")
    lines = (samples / "banking77.csv").read_text(encoding="utf-8").splitlines()[1 : ROWS + 1]
    texts = [line.rpartition(",") for line in lines]
    columns = {"anchor": [t[0] for t in texts], "positive": [t[2] for t in texts], "row": np.arange(2, ROWS + 2)}
    info = DatasetInfo("Questions", "pair", ROWS, {"anchor": "q", "positive": "t"}, "q.csv")
    save_dataset(folder.dataset, pa.table(columns), info)
    values = {"base_model": str(tiny_model), "max_seq_length": 40, "projection": 48, "normalize": "on"}
    config = make_config({**values, "query_prompt": PROMPTS["query"], "document_prompt": PROMPTS["document"]})
    write_json(folder.config, config.model_dump())
    rows = list(range(2, ROWS + 2))
    write_json(folder.split, {"train": rows[:30], "heldout": rows[30:], "validation": [], "shared": "nothing"})
    save_model(build_model(config), folder.model, config, VERDICT, info)
    return folder


@pytest.fixture(scope="module")
def made(run):
    """form -> (folder, what was measured)."""
    return {form: (run.path / "export" / form, make_form(run, form, run.path / "export" / form)) for form in EXPORT}


def alike(ours: np.ndarray, theirs: np.ndarray) -> float:
    """The least cosine of two vectors of the same text."""
    lengths = np.linalg.norm(ours, axis=1) * np.linalg.norm(theirs, axis=1)
    return float(((ours * theirs).sum(1) / lengths).min())


@pytest.mark.parametrize(
    ("file", "least"), [("onnx", 0.99999), ("onnx-int8", 0.9), ("openvino", 0.99999), ("openvino-int8", 0.99)]
)
def test_a_file_embeds_as_the_model_does(run, made, file, least):
    from sentence_transformers import SentenceTransformer

    form = exports.FORM_OF[file].id
    folder, _ = made[form]
    model = SentenceTransformer(str(run.model), local_files_only=True)
    theirs = read(folder / EXPORT_FILE[file].path, HARD)
    assert theirs.shape == (len(HARD), 48)
    assert np.allclose(np.linalg.norm(theirs, axis=1), 1, atol=1e-4)
    assert alike(model.encode(HARD, prompt=""), theirs) > least


def test_what_a_file_keeps_was_measured_with_the_file_itself(run, made):
    task, of_rows = heldout_task(run)
    assert (task.rows, of_rows) == (30, 30)
    from studio.training.bases import resolve_base
    from studio.training.model import load_base

    model = load_base(resolve_base(str(run.model))).eval()
    before = measure(model, task).metrics["ndcg@10"]
    for folder, record in made.values():
        for one in record["files"]:
            texts, _ = embedded(model, task, lambda: None)
            theirs = embed_apart(folder / EXPORT_FILE[one["file"]].path, texts)
            after = measure(Vectors(model, texts, theirs), task).metrics["ndcg@10"]
            assert one["before"] == pytest.approx(before, abs=1e-6)
            assert one["after"] == pytest.approx(after, abs=1e-6)
            assert one["keeps"] == pytest.approx(after / before, abs=1e-4)
            assert f"{before:.3f} \u2192 {after:.3f}" in one["words"]
            break  # int8 takes the same way
    float32, int8 = made["onnx"][1]["files"]
    assert int8["bytes"] < 0.4 * float32["bytes"]
    assert json.loads((made["onnx"][0] / "export.json").read_text())["files"][0]["keeps"] == float32["keeps"]


@pytest.mark.parametrize(("file", "code"), [("onnx", onnx), ("openvino-int8", openvino)])
def test_a_downloaded_zip_runs_with_the_program_of_the_page(made, tmp_path, file, code):
    form = exports.FORM_OF[file].id
    zip_export(made[form][0], file, tmp_path / "mine.zip")
    with zipfile.ZipFile(tmp_path / "mine.zip") as archive:
        archive.extractall(tmp_path)
    others = {path for id, other in EXPORT_FILE.items() if id != file for path in other.paths}
    assert not any((tmp_path / "mine" / other).exists() for other in others)
    assert EXPORT[form].label in (tmp_path / "mine" / "README.md").read_text(encoding="utf-8")
    program = code("mine", PROMPTS, EXPORT_FILE[file].path) + "\nimport sys; assert 'torch' not in sys.modules"
    alone = "import sys; sys.modules['openvino_telemetry'] = None\n"
    done = subprocess.run([sys.executable, "-c", alone + program], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert -1 <= float(done.stdout) <= 1


def test_an_export_that_was_stopped_leaves_nothing(run, tmp_path):
    class Enough(Exception):
        pass

    looks = iter(range(3))

    def look():
        if next(looks, None) is None:
            raise Enough

    with pytest.raises(Enough):
        make_form(run, "openvino", tmp_path / "openvino", look=look)
    assert list(tmp_path.iterdir()) == []


def test_what_is_not_installed_is_said_with_the_command_that_installs_it(run, tmp_path, monkeypatch):
    monkeypatch.setattr(exports, "find_spec", lambda name: None)
    exports.cannot_be_made.cache_clear()
    with pytest.raises(HostError, match="pip install onnx onnxruntime onnxscript"):
        make_form(run, "onnx", tmp_path / "onnx")
    exports.cannot_be_made.cache_clear()


def test_a_broken_file_is_refused_and_not_kept(made, tmp_path):
    folder = tmp_path / "broken"
    (folder / "onnx").mkdir(parents=True)
    (folder / "tokenizer.json").write_bytes((made["onnx"][0] / "tokenizer.json").read_bytes())
    (folder / "onnx" / "model.onnx").write_bytes(b"no model")
    with pytest.raises(ModelError, match=r"model\.onnx could not be used"):
        embed_apart(folder / "onnx" / "model.onnx", ["a text"])


def test_a_static_model_is_onnx_too(static_model, tmp_path):
    from studio.export.onnx import write_onnx, write_onnx_int8
    from studio.export.pipeline import example_of, write_tokenizer

    write_tokenizer(static_model, tmp_path)
    write_onnx(pipeline_of(static_model), example_of(static_model, tmp_path), tmp_path)
    write_onnx_int8(tmp_path)
    ours = static_model.encode(HARD[1:])
    assert alike(ours, read(tmp_path / EXPORT_FILE["onnx"].path, HARD[1:])) > 0.9999
    assert alike(ours, read(tmp_path / EXPORT_FILE["onnx-int8"].path, HARD[1:])) > 0.99
    assert not read(tmp_path / EXPORT_FILE["onnx"].path, [""]).any(), "a text without tokens is a vector of zeros"


def test_held_out_rows_are_those_of_the_run_and_at_most_as_many_as_wanted(run):
    task, of_rows = heldout_task(run, most_rows=7)
    anchors = load_rows(run.dataset)["anchor"].to_pylist()
    assert (task.rows, of_rows) == (7, 30)
    assert set(task.anchors) <= set(anchors[30:])
    assert heldout_task(run, most_rows=7)[0].anchors == task.anchors


def test_the_curl_program_is_shown_only_where_the_studio_answers():
    shown = {one.id: one for one in snippets("mine", PROMPTS, "http://localhost:7860", "abc", True)}
    assert set(shown) == {"python", "javascript", "onnx", "openvino", "curl"}
    assert "http://localhost:7860/v1/embeddings" in shown["curl"].code
    assert "query: What is" in shown["javascript"].code
    assert "encode_query" in shown["python"].code
    assert "curl" not in {one.id for one in snippets("mine", {}, "http://localhost:7860", "abc", False)}
    compile(shown["python"].code, "python", "exec")
