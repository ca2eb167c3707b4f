"""Every finding on a real table where it is true, and on one where it is not; every fix likewise."""

import ast
import gzip
import io
import json
import zipfile
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from studio.catalog.findings import FINDINGS, FIX_KIND, FIXES, GROUPS, KIND
from studio.data.check import check, fixes_for, inspect_table
from studio.data.dataset import load_info, load_rows, save_dataset
from studio.data.fix import APPLY, NothingToMend, apply_fixes, fix_rows
from studio.data.prepare import prepare
from studio.data.read import read_table, read_tables
from studio.data.roles import guess_roles
from studio.data.table import Dialect, Roles, Table
from studio.training.config import make_config
from studio.training.estimate import estimate, row_lengths

BANK, PROGRAMS = Roles("question", "topic"), Roles("anchor", "positive", ("negative",))
SICK, STSB = (Roles("sentence1", "sentence2", score="score"),) * 2
CLASSED = Roles(text="question", class_="topic")
NLI = Roles("sentence1", "sentence2", label="entailment")


class Tables:
    """The real tables, each read once; some with one thing done to them that real tables suffer too."""

    def __init__(self, samples: Path, shared: Path, folder: Path):
        self.samples, self.shared, self.folder = samples, shared, folder

    @cache  # noqa: B019
    def read(self, name: str) -> Table:
        return read_table((self.samples if name in ("banking77.csv", "programs_triplets.csv") else self.shared) / name)

    def written(self, name: str, content: bytes) -> Table:
        path = self.folder / name
        path.write_bytes(content)
        return read_table(path)

    def where(self, name: str, keep: Callable[[dict], bool]) -> Table:
        table = self.read(name)
        mask = pa.array([keep(row) for row in table.data.to_pylist()])
        return Table(name, table.data.filter(mask), table.rows.filter(mask), table.dialect)

    def changed(self, name: str, change: Callable[[int, dict], dict]) -> Table:
        table = self.read(name)
        rows = [{**row, **change(i, row)} for i, row in enumerate(table.data.to_pylist())]
        return Table(name, pa.Table.from_pylist(rows, schema=table.data.schema), table.rows, table.dialect)


@pytest.fixture(scope="module")
def tables(samples, shared_data, tmp_path_factory):
    return Tables(samples, shared_data, tmp_path_factory.mktemp("tables"))


def zipped(tables: Tables) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name in ("banking77.csv", "programs_triplets.csv"):
            archive.write(tables.samples / name, name)
    return packed.getvalue()


def bank_lines(tables: Tables, extra: str = "") -> bytes:
    return (tables.samples / "banking77.csv").read_bytes() + extra.encode()


def beir(tables: Tables) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, file in (("corpus", "corpus"), ("queries", "queries_test"), ("qrels", "qrels_test")):
            archive.write(tables.shared / "gc_programs" / BEIR[file], f"{name}.csv")
    return packed.getvalue()


BEIR = {"corpus": "corpus_en.csv", "queries_test": "queries_test_en.csv", "qrels_test": "qrels_test.csv"}


def lists_of_positives(tables: Tables) -> bytes:
    rows = tables.read("banking77.csv").data.to_pylist()[:200]
    lines = [
        {"question": a["question"], "answers": [a["topic"], b["topic"]]} for a, b in zip(rows, rows[100:], strict=False)
    ]
    return gzip.compress("\n".join(map(json.dumps, lines)).encode())


TRUE: dict[str, Callable[[Tables], tuple[Table, Roles | None]]] = {
    "no_format": lambda t: (t.read("tatoeba/jpn_eng.csv"), Roles("text")),
    "unusable_column": lambda t: (t.read("sick/train.csv"), Roles("sentence1", "sentence2", score="entailment")),
    "one_of_several_tables": lambda t: (t.written("both.zip", zipped(t)), None),
    "cut_off": lambda t: (t.read("nasty/25_truncated_upload.csv"), None),
    "skipped_rows": lambda t: (t.written("skipped.csv", bank_lines(t, "What,is,this,row?\n")), None),
    "repaired_rows": lambda t: (t.written("mended.csv", bank_lines(t, "Just one cell\n")), None),
    "done_to_rows": lambda t: (t.written("lists.jsonl.gz", lists_of_positives(t)), Roles("question", "answers")),
    "empty_text": lambda t: (t.read("nasty/11_iso_products_missing.csv"), Roles("name", "price")),
    "missing_score": lambda t: (t.changed("sick/dev.csv", lambda i, row: {"score": ""} if i % 50 == 0 else {}), SICK),
    "retrieval_set": lambda t: (t.written("scifact.zip", beir(t)), None),
    "several_files": lambda t: (read_tables([t.shared / "sick" / "dev.csv", t.shared / "sick" / "test.csv"]), SICK),
    "missing_class": lambda t: (t.changed("banking77.csv", lambda i, row: {"topic": ""} if i % 99 == 0 else {}), CLASSED),
    "unpaired_labels": lambda t: (t.read("sick/train.csv"), replace(NLI, as_triplets=True)),
    "one_class_only": lambda t: (t.where("banking77.csv", lambda row: row["topic"] == "Card arrival"), CLASSED),
    "classes_too_small": lambda t: (t.read("tatoeba/deu_eng.csv"), Roles(text="english", class_="text")),
    "many_classes": lambda t: (t.read("debian/pairs_with_duplicates.csv"), Roles(text="description", class_="summary")),
    "rare_classes": lambda t: (t.changed("banking77.csv", lambda i, row: {"topic": f"{i}"} if i % 99 == 0 else {}), CLASSED),
    "unbalanced_classes": lambda t: (
        t.where("banking77.csv", lambda row: row["topic"] == "Card arrival" or "late" in row["question"]), CLASSED,
    ),
    "contradictory_classes": lambda t: (
        t.changed("banking77.csv", lambda i, row: {"question": "Where is my card?"} if i % 99 == 0 else {}), CLASSED,
    ),
    "missing_label": lambda t: (t.changed("sick/dev.csv", lambda i, row: {"entailment": ""} if i % 50 == 0 else {}), NLI),
    "neutral_labels": lambda t: (t.read("sick/dev.csv"), NLI),
    "duplicate_rows": lambda t: (t.read("debian/pairs_with_duplicates.csv"), None),
    "too_few_rows": lambda t: (t.read("nasty/08_gc_si_semicolon.csv"), None),
    "near_duplicates": lambda t: (t.read("banking77.csv"), BANK),
    "anchor_equals_positive": lambda t: (t.read("banking77/train_pairs.csv"), BANK),
    "positive_equals_negative": lambda t: (
        t.changed("programs_triplets.csv", lambda i, row: {"negative": row["positive"].upper()} if i % 100 == 0 else {}), PROGRAMS,
    ),
    "anchor_equals_negative": lambda t: (
        t.changed("programs_triplets.csv", lambda i, row: {"negative": row["anchor"]} if i % 100 == 0 else {}), PROGRAMS,
    ),
    "one_anchor_only": lambda t: (
        t.where("banking77.csv", lambda row: row["topic"] == "Card arrival"), Roles("topic", "question"),
    ),
    "one_positive_only": lambda t: (t.where("banking77.csv", lambda row: row["topic"] == "Card arrival"), BANK),
    "few_anchors": lambda t: (t.read("nasty/03_sms_spam_empty_columns.csv"), Roles("v1", "v2")),
    "few_positives": lambda t: (t.read("nasty/03_sms_spam_empty_columns.csv"), Roles("v2", "v1")),
    "repeated_anchors": lambda t: (t.read("programs_triplets.csv"), PROGRAMS),
    "repeated_positives": lambda t: (t.read("banking77.csv"), BANK),
    "shared_texts": lambda t: (t.read("banking77.csv"), BANK),
    "swapped_columns": lambda t: (t.read("programs_triplets.csv"), Roles("positive", "anchor")),
    "personal_data": lambda t: (t.read("nasty/03_sms_spam_empty_columns.csv"), None),
    "very_short_texts": lambda t: (t.read("nasty/03_sms_spam_empty_columns.csv"), None),
    "very_long_texts": lambda t: (t.read("scifact/train_pairs.csv"), None),
    "cut_texts": lambda t: (t.read("programs_triplets.csv"), PROGRAMS),
    "broken_characters": lambda t: (t.read("nasty/03_sms_spam_empty_columns.csv"), None),
    "looks_like_numbers": lambda t: (t.read("nasty/11_iso_products_missing.csv"), Roles("name", "id")),
    "same_beginning": lambda t: (t.changed("banking77.csv", lambda i, row: {"question": f"Customer asks: {row['question']}"}), BANK),
    "unknown_language": lambda t: (t.read("gc_programs/train_pairs_fr.csv"), None),
    "several_languages": lambda t: (few_french_rows(t), BANK),
    "translations": lambda t: (t.read("tatoeba/jpn_eng.csv"), None),
    "all_scores_equal": lambda t: (t.where("stsb/dev.csv", lambda row: row["score"] == "5.000"), STSB),
    "score_scale": lambda t: (t.read("stsb/dev.csv"), STSB),
    "narrow_scores": lambda t: (
        t.where("stsb/dev.csv", lambda row: float(row["score"]) >= 4.9 or (row["score"] == "0.000" and "dog" in row["sentence1"])), STSB,
    ),
    "contradictory_scores": lambda t: (t.read("sick/train.csv"), SICK),
    "labels_read_as": lambda t: (t.read("sick/dev.csv"), NLI),
    "one_label_only": lambda t: (t.where("sick/dev.csv", lambda row: row["entailment"] == "ENTAILMENT"), NLI),
    "unbalanced_labels": lambda t: (
        t.where("sick/train.csv", lambda row: row["entailment"] == "ENTAILMENT" or row["sentence1"].startswith("The young")), NLI,
    ),
    "contradictory_labels": lambda t: (
        t.changed("sick/train.csv", lambda i, row: {"sentence2": "The sun is out", "sentence1": "It is day"} if i < 40 else {}), NLI,
    ),
}  # fmt: skip
"""Finding -> a table where it is true, and its roles (None: guessed)."""

CALM = {
    "tatoeba": ("tatoeba/deu_eng.csv", None),
    "programs": ("programs_triplets.csv", PROGRAMS),
    "bank": ("banking77.csv", BANK),
    "stsb": ("stsb/test.csv", STSB),
    "nli": ("sick/dev.csv", NLI),
    "classes": ("banking77.csv", CLASSED),
}
FALSE = {
    **dict.fromkeys(KIND, "bank"),
    **dict.fromkeys(
        ("near_duplicates", "repeated_anchors", "repeated_positives", "shared_texts", "cut_texts"), "tatoeba"
    ),
    **dict.fromkeys(
        (
            "one_class_only",
            "classes_too_small",
            "many_classes",
            "rare_classes",
            "unbalanced_classes",
            "contradictory_classes",
            "missing_class",
        ),
        "classes",
    ),
    **dict.fromkeys(("positive_equals_negative", "anchor_equals_negative"), "programs"),
    **dict.fromkeys(
        ("all_scores_equal", "narrow_scores", "contradictory_scores", "missing_score", "neutral_labels"), "stsb"
    ),
    **dict.fromkeys(
        ("one_label_only", "unbalanced_labels", "contradictory_labels", "missing_label", "score_scale"), "nli"
    ),
}
"""Finding -> a table where it is not true, though it could be."""

CONFIGS: dict[str, tuple[dict, dict]] = {
    "no_repeats_in_a_batch": ({"batch_size": 16}, {"data": "tatoeba/deu_eng.csv"}),
    "small_batches": ({"batch_size": 4}, {"batch_size": 32}),
    "rows_left_out": ({"data": "nasty/03_sms_spam_empty_columns.csv"}, {"batch_size": 32}),
    "few_steps": ({"data": "sick/triplets_train.csv", "batch_size": 128}, {"batch_size": 32}),
    "few_heldout": ({"data": "sick/triplets_train.csv", "heldout_share": 0.05}, {"heldout_share": 0.1}),
    "cut_texts": ({"max_seq_length": 8}, {"max_seq_length": 256}),
    "unknown_language": ({"data": "tatoeba/deu_eng.csv"}, {"data": "tatoeba/deu_eng.csv", "base_model": "intfloat/multilingual-e5-small"}),
}  # fmt: skip
"""Finding about a config -> settings (on the sample, or on ``data``) where it is true, and where it is not."""


def codes(found) -> set[str]:
    return {finding.code for finding in found}


def report(table: Table, roles: Roles | None, *, lengths: bool = False):
    return inspect_table(table, roles, row_lengths if lengths else None)


@pytest.fixture(scope="module")
def calm(tables):
    """name of CALM -> its findings, checked once."""
    found = {name: report(tables.read(file), roles, lengths=name == "tatoeba") for name, (file, roles) in CALM.items()}
    return {name: codes(one.findings) for name, one in found.items()}


def test_every_finding_and_every_fix_is_tried_on_real_tables():
    of_files = {kind.code for kind in FINDINGS if kind.group != "training"}
    of_configs = {kind.code for kind in FINDINGS if kind.group == "training"}
    assert set(TRUE) == of_files
    assert of_configs <= set(CONFIGS)
    assert set(FALSE) == set(KIND)
    assert set(APPLY) == set(FIX_KIND)
    assert {fix.code for fix in FIXES} <= of_files


def test_every_finding_that_the_code_can_make_is_in_the_catalogue():
    made = set()
    for path in (Path(__file__).parents[2] / "studio").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("Finding", "finding"):
                made.update(arg.value for arg in node.args[:1] if isinstance(arg, ast.Constant))
    assert made - set(KIND) == set()
    assert len(made) > 30


def test_the_catalogue_says_everything_of_every_finding():
    assert len(KIND) == len(FINDINGS)
    for kind in FINDINGS:
        assert kind.group in GROUPS
        assert kind.label
        assert kind.effect.endswith(".")
        assert not kind.advice or kind.advice.endswith(".")


@pytest.mark.parametrize("code", TRUE)
def test_a_finding_is_made_where_it_is_true_and_only_there(tables, calm, code):
    table, roles = TRUE[code](tables)
    found = report(table, roles, lengths=code == "cut_texts")
    (finding, *_) = [f for f in found.findings if f.code == code]
    assert finding.message.endswith(".")
    assert finding.count or code in ("done_to_rows", "no_format", "unusable_column")
    assert set(finding.rows) <= {*table.rows.to_pylist(), *(note.row for note in table.skipped)}
    assert code not in calm[FALSE[code]]


@pytest.mark.parametrize("code", CONFIGS)
def test_a_finding_about_a_config_is_made_where_it_is_true_and_only_there(tables, code):
    for given, wanted in zip(CONFIGS[code], (True, False), strict=True):
        settings = dict(given)
        table = tables.read(settings.pop("data", "banking77.csv"))
        prepared = prepare(table, Roles("v2", "v1") if "v2" in table.columns else guess_roles(table))
        info = info_of(prepared)
        found = estimate(info, prepared.data, make_config({"batch_size": 16, **settings}))
        assert (code in codes(found.findings)) is wanted
        assert all(finding.code in KIND for finding in found.findings)


def info_of(prepared):
    from studio.data.dataset import DatasetInfo

    roles = {name: name for name in prepared.data.column_names if name != "row"}
    return DatasetInfo("x", prepared.format, len(prepared.data), roles, "x.csv", score_scale=prepared.score_scale)


@pytest.mark.parametrize("id", FIX_KIND)
def test_a_fix_mends_a_real_table_in_a_copy(tables, tmp_path, id):
    code = FIX_KIND[id].code
    table, roles = TRUE[code](tables)
    if id == "unknown_language":
        table, roles = few_french_rows(tables), BANK
    if id == "broken_characters:mend":
        table, roles = wrongly_decoded(tables), None
    prepared = prepare(table, roles or guess_roles(table))
    before = check(prepared)
    wrong = sum(f.count for f in before if f.code == code)
    assert wrong
    assert id in {fix.id for fix in fixes_for(before, prepared.format, len(prepared.data))}
    save_dataset(tmp_path / "old", prepared.data, info_of(prepared))
    after = apply_fixes(tmp_path / "old", tmp_path / "new", [id], parent="old")
    left = sum(f.count for f in after.findings if f.code == code)
    assert left < 0.1 * wrong if id == "broken_characters:mend" else left == 0
    assert after.history == (FIX_KIND[id].done.format(rows=after.history[0].split(" left")[0].split(" changed")[0]),)
    assert after.parent == "old"
    assert load_rows(tmp_path / "old").equals(prepared.data)
    assert load_info(tmp_path / "new") == after


def few_french_rows(tables: Tables) -> Table:
    bank = tables.read("banking77.csv").data.slice(0, 900).to_pylist()
    french = tables.read("tatoeba/fra_eng.csv").data.slice(0, 100).to_pylist()
    rows = [*bank, *({"question": row["text"], "topic": row["english"]} for row in french)]
    return Table("mixed.csv", pa.Table.from_pylist(rows), pa.array(range(2, 1002), pa.int64()), Dialect("csv"))


def wrongly_decoded(tables: Tables) -> Table:
    """What a spreadsheet makes of UTF-8 that it takes for Windows-1252."""
    path = tables.shared / "gc_programs" / "train_pairs_fr.csv"
    return read_table(path, dialect=Dialect(kind="", encoding="cp1252"))


@pytest.mark.parametrize("id", FIX_KIND)
def test_a_fix_leaves_a_real_table_alone_where_there_is_nothing_to_mend(tables, id):
    if id == "swapped_columns":
        return  # swapping is always possible, but offered only where columns look swapped
    file, roles = CALM[FALSE[FIX_KIND[id].code]]
    table = tables.read(file)
    prepared = prepare(table, roles or guess_roles(table))
    assert id not in {fix.id for fix in fixes_for(check(prepared), prepared.format, len(prepared.data))}
    with pytest.raises(NothingToMend, match="change nothing"):
        fix_rows(prepared.data, prepared.format, id)


def test_masked_texts_keep_everything_else(tables):
    table = tables.read("nasty/03_sms_spam_empty_columns.csv")
    data = prepare(table, Roles("v2", "v1")).data
    fixed, _ = fix_rows(data, "pair", "personal_data:mask")
    changed = np.array(data["anchor"].to_pylist()) != np.array(fixed["anchor"].to_pylist())
    assert 300 < changed.sum() < 400
    assert all("[phone]" in text or "[e-mail]" in text for text in np.array(fixed["anchor"].to_pylist())[changed])
    assert fixed["positive"].equals(data["positive"])


def test_passages_hold_the_whole_text(tables):
    data = prepare(tables.read("scifact/train_pairs.csv"), Roles("query", "document")).data
    fixed, done = fix_rows(data, "pair", "very_long_texts:passages")
    assert len(fixed) > len(data)
    assert max(map(len, fixed["positive"].to_pylist())) <= 2000
    row = next(row for row in data.to_pylist() if len(row["positive"]) > 2000)
    parts = [
        other["positive"]
        for other in fixed.to_pylist()
        if other["row"] == row["row"] and other["anchor"] == row["anchor"]
    ]
    assert " ".join(parts).split() == row["positive"].split()
    assert "cut into passages" in done
