"""Controls on Train of every group and kind change the config that the worker reads.

tests/ui/test_form.py does the same for every single field, without a browser.
"""

import json

import pytest
from playwright.sync_api import expect
from steps import choose, fill, folder_of, run_id, until, upload

from studio.training.config import FIELD, FIELDS, TrainConfig
from studio.ui.form import CHOICE_LABELS

PAIRS = {
    "base_model": "wordllama-l2-supercat-256", "pooling": "mean", "loss": "CachedMultipleNegativesRankingLoss", "epochs": 2.5,
    "batch_size": 6, "learning_rate": 0.003, "max_seq_length": 77, "loss_scale": 11.5, "mini_batch_size": 3, "heldout_share": 0.2,
    "max_train_rows": 25, "evaluations": 2, "warmup_ratio": 0.3, "lr_scheduler": "cosine", "weight_decay": 0.02,
    "max_grad_norm": 0.5, "gradient_accumulation_steps": 2, "precision": "fp32", "engine": "stock", "seed": 7,
    "projection": 48, "query_prompt": "query: ", "freeze_layers": 2, "keep_best": True, "modifier": "Matryoshka",
    "dataset_turns": "round_robin",
}  # fmt: skip
# A static model has no pooling and no cached loss: it is chosen in a run of its own.
STATIC = {"base_model": "wordllama-l2-supercat-256"}
TRIPLETS = {"loss": "TripletLoss", "loss_margin": 0.45}


def table(columns):
    rows = ",".join(columns) + "\n"
    return (rows + "".join(",".join(f"{name} text {i}" for name in columns) + "\n" for i in range(60))).encode()


def set_all(page, wanted):
    for fold in ("more", "architecture"):
        page.locator(f"#train-{fold} button").first.click()
    for field in sorted(FIELDS, key=lambda field: field.id not in ("loss", "modifier")):
        if field.id not in wanted:
            continue
        elem_id, value = f"train-{field.id.replace('_', '-')}", wanted[field.id]
        if field.id == "base_model":
            choose(page, elem_id, "WordLlama")
            until(lambda: page.locator("#train-learning-rate input").input_value() == "0.02", 20, "a learning rate")
        elif field.choices:
            choose(page, elem_id, CHOICE_LABELS[field.id][value])
            if field.id in ("loss", "modifier"):
                page.wait_for_timeout(1500)
            if field.id == "loss":
                page.locator("#train-loss-settings button").first.click()
                expect(page.locator("#train-loss-scale, #train-loss-margin").first).to_be_visible()
        elif field.kind is bool:
            page.locator(f"#{elem_id} input").set_checked(value)
        else:
            fill(page, elem_id, value)


@pytest.mark.parametrize(
    ("columns", "wanted"),
    [
        (("anchor", "positive"), {k: v for k, v in PAIRS.items() if k != "base_model"}),
        (("anchor", "positive"), STATIC),
        (("anchor", "positive", "negative"), TRIPLETS),
    ],
    ids=["all", "base model", "margin"],
)
def test_what_is_set_on_the_page_is_what_the_worker_reads(server, open_page, columns, wanted):
    page = open_page(server.url)
    upload(page, "table.csv", table(columns))
    page.locator("#data-save").click()
    expect(page.locator("#train-start")).to_be_enabled()
    set_all(page, wanted)
    expect(page.locator("#train-start")).to_be_enabled()
    page.locator("#train-start").click()
    run = run_id(page)
    path = folder_of(server, run) / "config.json"
    config = json.loads(until(lambda: path.exists() and path.read_text(), 10, "config.json"))
    defaults = TrainConfig().model_dump()
    for name, value in wanted.items():
        assert value != defaults[name], f"{name}: a value that is not the default shows that the control works"
    assert {name: config[name] for name in wanted} == wanted
    stop = page.locator("#run-stop")
    if stop.is_visible():
        stop.click()


def test_the_runs_above_set_fields_of_every_group_and_kind():
    chosen = [FIELD[name] for name in {**PAIRS, **STATIC, **TRIPLETS}]
    assert {field.group for field in chosen} == {field.group for field in FIELDS}
    assert {(field.kind, bool(field.choices)) for field in chosen} == {(f.kind, bool(f.choices)) for f in FIELDS}
