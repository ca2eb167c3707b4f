import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from studio.compare.comparison import compare
from studio.compare.curves import POINTS, curves
from studio.compare.facts import read_facts
from studio.compare.leaderboard import leaderboard
from studio.compare.paired import differences
from studio.errors import RunError
from studio.files import write_json
from studio.training.folder import EventWriter
from tests.compare.scene import HELDOUT, found_first, judged_run


@pytest.fixture
def runs(tmp_path):
    """runs(name=values of each query or options) -> facts of each."""

    def make(**wanted):
        made = []
        for name, options in wanted.items():
            options = options if isinstance(options, dict) else {"tuned": options}
            made.append(read_facts(judged_run(tmp_path / name, **options).path))
        return made

    return make


def test_the_best_run_stands_first_with_its_base_model_as_a_line_of_its_own(runs):
    found = compare(runs(low=found_first(0.6, 1), high=found_first(0.9, 2), middle=found_first(0.7, 3)))
    (group,) = found.groups
    assert [one.name for one in group.standings] == [
        "high", "middle", "low", "Base model: WordLlama (static, 256 dimensions)",
    ]  # fmt: skip
    assert [one.place for one in group.standings] == [1, 2, 3, 4]
    assert group.standings[0].difference == 0
    assert group.standings[1].difference == pytest.approx(-0.2, abs=0.01)
    assert found.left == {}


def test_a_clear_lead_is_told_from_luck_by_the_rows_that_both_runs_were_judged_on(runs):
    ahead = np.ones(HELDOUT)
    behind = ahead.copy()
    behind[:6] = 0  # wrong where the other is right, and nowhere else
    found = compare(runs(ahead=ahead, behind=behind))
    second = found.groups[0].standings[1]
    assert second.name == "behind"
    assert second.interval.high < 0, "paired: the six rows never favour it"
    assert second.told_apart
    assert found.sentences[0] == (
        "'ahead' stands first: nDCG@10 1.000, +0.100 before 'behind' "
        f"(between {-second.interval.high:+.3f} and {-second.interval.low:+.3f})."
    )


def test_runs_that_are_right_on_different_rows_are_not_told_apart(runs):
    found = compare(runs(one=found_first(0.72, 1), other=found_first(0.70, 5)))
    assert found.groups[0].standings[1].told_apart is False
    assert "cannot be told from 'other'" in found.sentences[0]


def test_pairing_narrows_the_interval_of_runs_that_are_wrong_on_the_same_rows(runs):
    shared = found_first(0.6, 1)
    better = shared.copy()
    better[np.flatnonzero(shared == 0)[:3]] = 1
    alone = runs(better=better, shared=shared)
    paired = compare(alone).groups[0].standings[1].interval
    apart = compare(runs(x=better, y=found_first(0.6, 9))).groups[0].standings[1].interval
    assert paired.high - paired.low < 0.7 * (apart.high - apart.low)


def test_without_recorded_rows_the_verdicts_intervals_stand_alone(runs):
    found = compare(runs(one=found_first(0.9, 1), old={"tuned": found_first(0.7, 2), "evidence": False}))
    first, second, base = found.groups[0].standings
    assert second.interval is None
    assert second.told_apart is None
    assert second.low is not None
    assert base.interval is not None, "the first run's own verdict has that difference"
    assert found.sentences[0] == "'one' stands first: nDCG@10 0.900, then 'old' with 0.700."
    assert first.told_apart is None


def test_rows_that_are_not_the_same_are_not_paired(runs, tmp_path):
    one, other = runs(one=found_first(0.9, 1), other=found_first(0.7, 2))
    rows = other.folder.evidence / "rows.parquet"
    table = pq.read_table(rows)
    pq.write_table(table.take(np.arange(len(table))[::-1]), rows)
    places = [(run.folder.evidence, "tuned") for run in (one, other)]
    assert differences(places[0], places[1:], "ndcg@10") == [None]


def test_correlations_are_paired_by_each_row_s_similarity(runs):
    random = np.random.default_rng(0)
    target = random.random(HELDOUT)
    options = {"format": "scored_pair", "primary": "spearman", "metric": "spearman", "target": target}
    scores = {"good": target + 0.05 * random.random(HELDOUT), "poor": target + 2 * random.random(HELDOUT)}
    good, poor = runs(**{name: {"tuned": value, **options} for name, value in scores.items()})
    places = [(run.folder.evidence, "tuned") for run in (good, poor)]
    (difference,) = differences(places[0], places[1:], "spearman")
    assert -1 < difference.low < difference.high < 0


def test_only_settings_that_differ_are_shown(runs):
    value = found_first(0.7, 1)
    found = compare(runs(one={"tuned": value, "epochs": 1}, two={"tuned": value, "epochs": 3, "seed": 7}))
    assert dict(found.settings) == {"Epochs": ("1", "3"), "Seed": ("42", "7")}
    assert found.alike > 10


def test_runs_on_other_rows_data_or_tasks_are_not_ranked_together_and_it_says_why(runs):
    value = found_first(0.7, 1)
    other = pa.table({"anchor": ["a"] * 90, "positive": ["b"] * 90, "row": np.arange(2, 92)})
    scored = {"format": "scored_pair", "primary": "spearman", "metric": "spearman", "target": np.arange(HELDOUT) / 9}
    found = compare(
        runs(
            one={"tuned": value},
            two={"tuned": found_first(0.8, 2)},
            seeded={"tuned": value, "heldout": range(3, HELDOUT + 3), "seed": 7},
            mended={"tuned": value, "data": other},
            scored={"tuned": value, **scored},
            searched={"tuned": value, "verdict": {"corpus_size": 500}},
            broken={"tuned": None, "state": "failed"},
            going={"tuned": None, "state": "running"},
            undefined={"tuned": value, "verdict": {"metrics": ()}},
        )
    )
    assert set(found.groups[0].runs) == {"one", "two"}
    assert found.left == {
        "seeded": "Other rows of the dataset were held out (seed 7, not 42).",
        "mended": "It was judged on another version or part of the dataset ('Pairs', 90 rows).",
        "scored": "It is another task: scored pairs, judged by Spearman, not pairs by nDCG@10.",
        "searched": "Its queries were searched in 500 texts, not in 20.",
        "broken": "It failed before it was judged.",
        "going": "It is not done yet.",
        "undefined": "Its held-out rows do not say how good a model is.",
    }
    assert "7 runs are not ranked with these" in found.sentences[-1]
    json.dumps(found.plain(), allow_nan=False)


def test_runs_of_one_dataset_are_comparable_though_each_has_a_file_of_its_own(runs):
    one, two = runs(one=found_first(0.7, 1), two=found_first(0.8, 2))
    assert one.folder.path != two.folder.path
    assert one.judged_on == two.judged_on


def test_own_test_data_make_runs_of_different_datasets_comparable(runs):
    value = found_first(0.7, 1)
    other = pa.table({"anchor": ["a"] * 90, "positive": ["b"] * 90, "row": np.arange(2, 92)})
    made = runs(one=value, two={"tuned": value, "data": other})
    assert made[0].judged_on.data != made[1].judged_on.data
    for run in made:
        (run.folder.path / "test").mkdir()
        for name in ("data.parquet", "dataset.json"):
            source = (made[0].folder.dataset / name).read_bytes()
            (run.folder.path / "test" / name).write_bytes(source)
        (run.folder.verdict).touch()
    again = [read_facts(run.folder.path) for run in made]
    assert again[0].judged_on.data == again[1].judged_on.data


def test_a_worse_best_run_is_said_plainly(runs):
    found = compare(runs(one=found_first(0.3, 1), two=found_first(0.4, 2)))
    assert found.sentences[0].startswith("The base model stands first (nDCG@10 0.500): none of these runs is better.")
    assert found.groups[0].standings[0].run is None


def test_any_run_can_be_the_one_that_others_are_measured_against(runs):
    made = runs(one=found_first(0.9, 1), two=found_first(0.7, 2))
    group = compare(made, against="two").groups[0]
    assert group.against == "two"
    assert [round(one.difference, 2) for one in group.standings] == [0.2, 0.0, -0.2]
    assert group.standings[0].interval.low > 0 > group.standings[2].interval.high


def test_runs_of_one_name_are_told_apart_and_one_alone_is_no_comparison(runs):
    value = found_first(0.7, 1)
    named = compare(runs(a={"tuned": value, "name": "same"}, b={"tuned": value, "name": "same"}))
    assert [run.name for run in named.runs] == ["same", "same (2)"]
    with pytest.raises(RunError, match="nothing to compare"):
        compare(named.runs[:1])
    with pytest.raises(RunError, match="51 runs are too many"):
        compare([named.runs[0]] * 51)


def test_a_leaderboard_has_every_run_of_the_dataset_once(runs):
    value = found_first(0.7, 1)
    made = runs(
        one=value, two=found_first(0.9, 2), failed={"tuned": None, "state": "failed"},
        seeded={"tuned": value, "heldout": range(3, HELDOUT + 3), "seed": 7},
    )  # fmt: skip
    board = leaderboard(made)
    assert [group.runs for group in board.groups] == [("two", "one"), ("seeded",)]
    assert set(board.left) == {"failed", "seeded"}
    assert [one.run for one in board.groups[0].standings] == ["two", "one", None]
    json.dumps(board.plain(), allow_nan=False)


def test_curves_are_thinned_and_keep_their_extremes(tmp_path):
    folder = judged_run(tmp_path / "run", found_first(0.7, 1))
    events = EventWriter(folder.events)
    for step in range(31, 4000):
        events.write("train", step=step, loss=9.0 if step == 2222 else 1.0, learning_rate=0.1, rows_per_s=1.0)
    events.close()
    found = curves(folder)
    assert len(found["train"]["step"]) <= POINTS
    assert max(found["train"]["loss"]) == 9.0
    assert found["eval"]["ndcg@10"] == [0.4, 0.5, pytest.approx(0.7)]
    assert found["base"] == {"ndcg@10": 0.5}


@pytest.mark.parametrize("broken", ["nothing", "half"])
def test_a_folder_that_is_no_run_is_refused_in_words(tmp_path, broken):
    if broken == "half":
        write_json(tmp_path / "config.json", {})
    with pytest.raises(RunError, match="is no folder of a run"):
        read_facts(tmp_path)
