import logging
import re
from pathlib import Path

import gradio as gr
import pytest

from studio.data.table import Roles
from studio.errors import DataError
from studio.training.config import TrainConfig, make_config
from studio.training.settings_file import to_yaml
from studio.ui import form
from studio.ui.handlers import explain, guarded

PAIRS = "question;answer\n" + "".join(f"How do I do thing {i}?;You do thing {i} so.\n" for i in range(60))


def test_an_error_that_people_can_mend_is_shown_as_it_is():
    def fails():
        raise DataError("row 3: <b>empty</b>", hint="Drop it.")

    *outputs, notice = guarded(fails, 2)()
    assert len(outputs) == 2
    assert "row 3: &lt;b&gt;empty" in notice
    assert "Drop it." in notice


def test_a_bug_is_logged_whole_and_shown_as_an_id(caplog):
    with caplog.at_level(logging.ERROR):
        words = explain(ZeroDivisionError("secret path /etc"))
    assert "secret" not in words
    assert "Traceback" not in words
    error_id = words.split("error id ")[1][:8]
    assert error_id in caplog.text
    assert "ZeroDivisionError: secret path" in caplog.text


def test_a_success_clears_the_notice():
    assert guarded(lambda: ("a", "b"), 2)() == ("a", "b", "")


def outputs_of(tab, names, values):
    return dict(zip([id(o) for o in names], values, strict=True))


def test_an_upload_is_read_guessed_and_shown(tabs, staged, request_double):
    data = tabs["data"]
    result = data.bring(staged("pairs.csv", PAIRS), request_double)
    upload_id, chosen_dataset = result[0], result[1]
    assert upload_id
    assert chosen_dataset == ""
    view = dict(zip(map(id, data.upload_outputs), result[7:], strict=False))
    assert "separated by semicolon" in view[id(data.dialect_line)]
    assert view[id(data.roles.anchor)]["value"] == "question"
    assert view[id(data.roles.positive)]["value"] == "answer"
    assert "How do I do thing 0?" in view[id(data.rows)]
    assert "Pairs" in view[id(data.format_line)]


@pytest.mark.parametrize(
    ("name", "content"),
    [("empty.csv", b""), ("header.csv", "question,answer\n"), ("binary.csv", bytes(range(256)) * 8), ("broken.parquet", b"PAR1xx")],
)  # fmt: skip
def test_a_file_that_cannot_be_read_changes_nothing(tabs, staged, request_double, studio, name, content):
    data = tabs["data"]
    before = studio.datasets.list("local")
    outputs = 7 + len(data.upload_outputs) + 1 + len(data.panels)
    *unchanged, notice = guarded(data.bring, outputs)(staged(name, content), request_double)
    assert 'role="alert"' in notice
    assert "Traceback" not in notice
    assert all(value == unchanged[0] for value in unchanged)  # all skipped
    assert studio.datasets.list("local") == before


def test_the_same_column_for_two_roles_is_refused_in_words(tabs, staged, request_double):
    data = tabs["data"]
    upload_id = data.bring(staged("pairs.csv", PAIRS), request_double)[0]
    as_read = ("", "", "", "", None)
    roles = ("2", "question", "question", [], "", "", "", "", False)
    view = data.recheck(upload_id, *as_read, *roles, request_double)
    shown = dict(zip(map(id, data.upload_outputs), view, strict=True))
    assert "Must be mended" in shown[id(data.report)]
    assert shown[id(data.save)]["interactive"] is False


def test_one_text_a_row_can_be_chosen_and_back(tabs, staged, request_double):
    data, as_read = tabs["data"], ("", "", "", "", None)
    rows = "".join(f"How do I do thing {i} today?,{'abcdefghijkl'[i % 12]} thing group\n" for i in range(120))
    upload_id = data.bring(staged("topics.csv", f"question,topic\n{rows}"), request_double)[0]
    two = ("question", "topic", [], "", "")
    view = data.recount(upload_id, *as_read, "1", *two, "", "", "labels", request_double)
    shown = dict(zip(map(id, data.upload_outputs), view, strict=True))
    assert (shown[id(data.roles.two)]["visible"], shown[id(data.roles.one)]["visible"]) == (False, True)
    assert (shown[id(data.roles.text)]["value"], shown[id(data.roles.class_)]["value"]) == ("question", "topic")
    assert "Texts with classes" in shown[id(data.format_line)]
    view = data.recheck(upload_id, *as_read, "1", *two, "question", "", "labels", request_double)
    shown = dict(zip(map(id, data.upload_outputs), view, strict=True))
    assert "Plain texts" in shown[id(data.format_line)]
    view = data.recount(upload_id, *as_read, "2", *("",) * 5, "question", "", "labels", request_double)
    shown = dict(zip(map(id, data.upload_outputs), view, strict=True))
    assert "Pairs" in shown[id(data.format_line)]


def test_the_files_of_a_retrieval_set_become_one_upload(tabs, shared_data, request_double, studio):
    data = tabs["data"]
    files = [str(shared_data / "banking77" / name) for name in ("corpus.csv", "queries_test.csv", "qrels_test.csv")]
    upload_id, *rest = data.bring(files, request_double)
    shown = dict(zip(map(id, data.upload_outputs), rest[6:], strict=False))
    assert "Retrieval set" in shown[id(data.dialect_line)]
    assert "77 documents" in shown[id(data.report)]
    record = data.keep_upload("local", upload_id, "Bank", Roles("query", "document"), None)
    assert record.info.corpus_rows == 77
    assert studio.corpora.create_from_dataset("local", record.id).rows == 77


def test_labels_can_be_made_triplets_or_classes(tabs, staged, request_double):
    data, as_read = tabs["data"], ("", "", "", "", None)
    said = ("contradiction", "entailment")
    rows = "".join(f"text {i // 2},answer {i},{said[i % 2]}\n" for i in range(120))
    upload_id = data.bring(staged("labelled.csv", f"sentence1,sentence2,label\n{rows}"), request_double)[0]
    roles = ("sentence1", "sentence2", [], "", "label", "", "")
    for use, format, rows_left in (
        ("triplets", "Triplets", 60),
        ("classes", "Pairs with classes", 120),
        ("labels", "Labelled pairs", 120),
    ):
        view = data.recheck(upload_id, *as_read, "2", *roles, use, request_double)
        shown = dict(zip(map(id, data.upload_outputs), view, strict=True))
        assert shown[id(data.roles.use)] == {"visible": True, "value": use, "__type__": "update"}
        assert shown[id(data.roles.label)]["value"] == "label"
        assert format in shown[id(data.format_line)]
        assert f"of {rows_left:,}" in shown[id(data.where)]


@pytest.fixture
def dataset(tabs, staged, request_double, studio):
    upload_id = tabs["data"].bring(staged("pairs.csv", PAIRS), request_double)[0]
    return tabs["data"].keep_upload("local", upload_id, "My pairs", Roles("question", "answer"), None)


def test_a_kept_dataset_can_be_trained_on_with_everything_suggested(tabs, dataset, request_double):
    train = tabs["train"]
    shown = dict(zip(map(id, train.outputs), train.show(dataset.id, request_double), strict=True))
    assert shown[id(train.panel)]["visible"]
    assert shown[id(train.train)]["interactive"]
    assert "Steps" in shown[id(train.estimate)]
    choices = [value for _, value in shown[id(train.widgets["loss"])]["choices"]]
    assert choices[0] == "MultipleNegativesRankingLoss"
    assert "TripletLoss" not in choices
    assert "Triplet" in shown[id(train.unfit)]


def test_a_setting_that_cannot_train_is_said_and_the_button_waits(tabs, dataset, request_double):
    train = tabs["train"]
    values = {**TrainConfig().model_dump(), "batch_size": 4000}
    words, button = train.reestimate(dataset.id, *(values[name] for name in form.ALL), request_double)
    assert "4000" in words
    assert 'role="alert"' in words
    assert button["interactive"] is False


def test_other_datasets_can_train_along(tabs, dataset, staged, request_double, studio):
    train, data = tabs["train"], tabs["data"]
    rows = "".join(f"How do I do thing {i} today?,Do thing {i} so,{i % 2}\n" for i in range(60))
    upload_id = data.bring(staged("labelled.csv", f"sentence1,sentence2,label\n{rows}"), request_double)[0]
    other = data.keep_upload("local", upload_id, "Labelled", Roles("sentence1", "sentence2", label="label"), None)
    shown = dict(zip(map(id, train.outputs), train.show(dataset.id, request_double), strict=True))
    also = shown[id(train.also)]
    assert also["visible"]
    assert other.id in [value for _, value in also["choices"]]
    assert dataset.id not in [value for _, value in also["choices"]]
    values = {**TrainConfig().model_dump(), "base_model": "wordllama-l2-supercat-256", "batch_size": 8}
    alone, together = (
        train.reestimate(dataset.id, *(values[name] for name in form.ALL), chosen, request_double)[0]
        for chosen in ([], [other.id])
    )
    assert ">7<" in alone
    assert ">14<" in together
    words, button = train.reestimate(dataset.id, *(values[name] for name in form.ALL), ["nosuch"], request_double)
    assert 'role="alert"' in words
    assert button["interactive"] is False
    judged = train.reestimate(dataset.id, *(values[name] for name in form.ALL), [], other.id, request_double)[0]
    assert "60 rows judge the result. They are the test data &#x27;Labelled&#x27;." in judged
    tests = [value for _, value in shown[id(train.test)]["choices"]]
    assert tests[0] == ""
    assert other.id in tests
    assert dataset.id not in tests
    words, button = train.reestimate(dataset.id, *(values[name] for name in form.ALL), [], dataset.id, request_double)
    assert "Nothing is left to train on" in words
    assert button["interactive"] is False


def test_another_base_model_brings_its_own_learning_rate(tabs, dataset, request_double):
    train = tabs["train"]
    values = {**TrainConfig().model_dump(), "base_model": "wordllama-l2-supercat-256", "batch_size": 8}
    pooling, _, rate, _, *_, words, button = train.rebase(
        dataset.id, *(values[name] for name in form.ALL), request_double
    )
    assert rate["value"] == 2e-2
    assert pooling["value"] == "default"
    assert button["interactive"], words


def test_only_what_goes_together_can_be_chosen(tabs, dataset, request_double):
    from studio.ui.train import FOLLOWS_BASE, OBJECTIVE

    train = tabs["train"]
    cached = {**TrainConfig().model_dump(), "loss": "CachedGISTEmbedLoss", "batch_size": 8}
    *fields, _, words, settings, _, _ = train.relearn(dataset.id, *(cached[name] for name in form.ALL), request_double)
    updates = dict(zip(OBJECTIVE, fields, strict=True))
    assert [id for _, id in updates["modifier"]["choices"]] == ["none", "Matryoshka"]
    assert updates["guide_model"]["visible"]
    assert not updates["teacher_model"]["visible"]
    assert settings["visible"]
    assert "Needs labelled pairs; this dataset has pairs." in words
    assert "computed again without the layers" in words

    static = {**cached, "base_model": "wordllama-l2-supercat-256"}
    *fields, _, words, _, _, button = train.rebase(dataset.id, *(static[name] for name in form.ALL), request_double)
    updates = dict(zip((*FOLLOWS_BASE, *OBJECTIVE), fields, strict=True))
    assert updates["loss"]["value"] == "MultipleNegativesRankingLoss"
    assert "CachedGISTEmbedLoss" not in [id for _, id in updates["loss"]["choices"]]
    assert "static models cannot be computed in portions" in words
    assert button["interactive"]


def test_what_is_put_on_top_of_the_loss_brings_its_settings(tabs, dataset, request_double):
    from studio.ui.train import OBJECTIVE

    train = tabs["train"]
    values = {**TrainConfig().model_dump(), "modifier": "Matryoshka", "loss_scale": 12, "batch_size": 8}
    *fields, words, _, _, _, button = train.restack(dataset.id, *(values[name] for name in form.ALL), request_double)
    updates = dict(zip(OBJECTIVE, fields, strict=True))
    assert updates["matryoshka_dims"]["visible"]
    assert not updates["layers_per_step"]["visible"]
    assert updates["loss_scale"]["value"] == 12
    assert "a sixth of the memory" in words
    assert button["interactive"]


def test_another_loss_shows_its_own_settings_only(tabs, dataset, request_double):
    train = tabs["train"]
    values = {**TrainConfig().model_dump(), "loss": "CachedMultipleNegativesRankingLoss", "batch_size": 8}
    *fields, words, _, _, _, button = train.relearn(dataset.id, *(values[name] for name in form.ALL), request_double)
    from studio.ui.train import OBJECTIVE

    visible = {name for name, update in zip(OBJECTIVE, fields, strict=True) if update.get("visible")}
    assert visible == {"loss_scale", "mini_batch_size", "contrast", "hardness_mode", "hardness_strength"}
    assert "small portions" in words
    assert button["interactive"]


def test_a_file_of_settings_fills_the_form_and_a_wrong_one_changes_nothing(tabs, dataset, staged, request_double):
    train = tabs["train"]
    wanted = make_config({"seed": 7, "epochs": 2, "loss": "CachedMultipleNegativesRankingLoss", "mini_batch_size": 4})
    path = staged("run.yaml", to_yaml(wanted, "A run"))
    *shown, words = train.fill_in(path, dataset.id, request_double)
    shown = dict(zip(map(id, train.outputs), shown, strict=True))
    given = {name: shown[id(train.widgets[name])].get("value") for name in form.ALL}
    assert form.read(given).model_dump() == wanted.model_dump()
    assert "run.yaml" in words
    assert not Path(path).exists()
    for text, said in (
        ("epochs: 2\nlearnig_rate: 1", "run.yaml, line 2: there is no setting &#x27;learnig_rate&#x27;"),
        ("seed: 1\nepochs: -1", "run.yaml, line 2: Epochs (epochs) cannot be -1"),
        ("loss: TripletLoss", "Triplet needs triplets"),
        ("base_model: run:0123456789", "no such"),
    ):
        *kept, notice = guarded(train.fill_in, len(train.outputs) + 1)(
            staged("run.yaml", text), dataset.id, request_double
        )
        assert 'role="alert"' in notice
        assert said.lower() in notice.lower().replace("&#39;", "&#x27;"), notice
        assert all(value == kept[0] for value in kept)  # all skipped


def test_a_dataset_that_is_gone_shows_what_to_do(tabs, request_double):
    train = tabs["train"]
    shown = dict(zip(map(id, train.outputs), train.show("nosuch", request_double), strict=True))
    assert shown[id(train.blank)]["visible"]
    assert not shown[id(train.panel)]["visible"]


def test_deleting_a_dataset_empties_the_page(tabs, dataset, request_double, studio):
    tabs["data"].remove(dataset.id, request_double)
    assert dataset.id not in {d.id for d in studio.datasets.list("local")}


def test_fixes_are_offered_for_what_is_wrong_and_make_a_new_version(tabs, staged, request_double, studio):
    data = tabs["data"]
    content = PAIRS + "Who?;Write to ada@example.org\n"
    upload_id = data.bring(staged("pairs.csv", content), request_double)[0]
    kept = data.keep_upload("local", upload_id, "Mine", Roles("question", "answer"), None)

    def shown(dataset_id):
        updates = dict(zip(map(id, data.outputs), data.show(dataset_id, request_double), strict=True))
        report = updates[id(data.report)]
        return set(re.findall(r'data-fix="([^"]+)"', report)), report

    def press(dataset_id, **what):
        return data.act(dataset_id, gr.EventData(None, {"fixes": [], "version": "", **what}), request_double)[0]

    fixes, report = shown(kept.id)
    assert "personal_data:mask" in fixes
    assert "contradictory_labels" not in fixes
    assert report.count("Write to ada@example.org") == 1  # the example row, in the finding's own words
    new_id = press(kept.id, fixes=["personal_data"])
    fixes, report = shown(new_id)
    assert "personal_data" not in fixes
    assert "1 row left out: personal data" in report
    assert f'data-version="{kept.id}"' in report
    assert studio.datasets.get("local", new_id).info.rows == 60
    assert studio.datasets.get("local", kept.id).info.rows == 61
    assert press(new_id, version=kept.id) == kept.id
    masked = studio.datasets.get("local", press(kept.id, fixes=["personal_data:mask"]))
    assert (masked.name, masked.info.parent) == ("Mine (version 2)", kept.id)
    assert "Write to [e-mail]" in studio.datasets.rows("local", masked.id, 60, 1)["positive"].to_pylist()
    assert shown("")[0] == set()
    studio.datasets.delete("local", kept.id)
    assert "data-version" not in shown(new_id)[1]
