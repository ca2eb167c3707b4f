import json
import math
from pathlib import Path

import numpy as np
import pytest

from studio.training.feed import MAX_POINTS, Feed, Feeds, extremes
from studio.training.folder import EventWriter


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "events.jsonl"


@pytest.fixture
def events(path: Path):
    writer = EventWriter(path)
    yield writer
    writer.close()


def train(events: EventWriter, *steps: int, loss: float = 1.0) -> None:
    for step in steps:
        events.write("train", step=step, loss=loss, learning_rate=0.1, rows_per_s=9.0, eta_s=3.0)


def test_a_run_without_events_has_an_empty_feed(path):
    feed = Feed(path).read(0)
    assert (feed["next"], feed["train"]["step"], feed["phase"], feed["base"]) == (0, [], "", {})


def test_only_what_is_new_comes_after_the_first_time(path, events):
    feed = Feed(path)
    train(events, 1, 2)
    first = feed.read(0)
    assert first["reset"]
    assert first["train"]["step"] == [1, 2]
    train(events, 3)
    later = feed.read(first["next"])
    assert not later["reset"]
    assert later["train"]["step"] == [3]
    assert feed.read(later["next"])["train"]["step"] == []


def test_a_line_that_is_still_being_written_waits(path, events):
    train(events, 1)
    with path.open("a") as file:
        file.write('{"t": 1, "event": "train", "step": 2, "lo')
        file.flush()
        feed = Feed(path)
        assert feed.read(0)["train"]["step"] == [1]
        file.write('ss": 0.5}\n')
    assert feed.read(1)["train"]["loss"] == [0.5]


def test_a_line_torn_by_a_crash_costs_only_itself(path):
    path.write_text('{"t": 1, "event": "train", "step": 1, "loss": 1.0}\n{"t": 2, "event": "tra')
    writer = EventWriter(path)
    train(writer, 2)
    writer.close()
    assert Feed(path).read(0)["train"]["step"] == [1, 2]


def test_lines_that_are_no_events_are_passed_over(path):
    path.write_text('[]\n{"event": "train"}\n\n{"t": 1, "event": "train", "step": 1, "loss": 2.0}\nnull\n')
    assert Feed(path).read(0)["train"]["loss"] == [2.0]


def test_steps_that_were_done_again_after_a_resume_replace_the_first_ones(path, events):
    train(events, 1, 2, 3, 4, loss=1.0)
    feed = Feed(path)
    seen = feed.read(0)["next"]
    train(events, 3, loss=7.0)
    again = feed.read(seen)
    assert again["reset"], "the caller holds points that are no longer so"
    assert again["train"]["step"] == [1, 2, 3]
    assert again["train"]["loss"] == [1.0, 1.0, 7.0]
    assert not feed.read(again["next"])["reset"]


def test_a_caller_with_a_number_from_another_life_gets_everything(path, events):
    train(events, 1)
    assert Feed(path).read(5000)["reset"]
    assert Feed(path).read(-3)["train"]["step"] == [1]


def test_metrics_that_appear_later_are_empty_before(path, events):
    events.write("eval", step=0, loss=None, metrics={"ndcg@10": 0.5})
    events.write("eval", step=5, loss=0.3, metrics={"ndcg@10": 0.6, "mrr@10": 0.4})
    feed = Feed(path).read(0)
    assert feed["eval"] == {"step": [0, 5], "loss": [None, 0.3], "ndcg@10": [0.5, 0.6], "mrr@10": [None, 0.4]}
    assert feed["metrics"] == ["ndcg@10", "mrr@10"]


def test_what_is_not_a_number_does_not_reach_json(path, events):
    train(events, 1, loss=math.nan)
    events.write("plan", steps=2, base={"ndcg@10": math.inf})
    feed = Feed(path).read(0)
    assert json.dumps(feed, allow_nan=False)
    assert feed["train"]["loss"] == [None]


def test_a_long_run_is_thinned_but_keeps_its_peaks_and_ends(path, events):
    losses = np.sin(np.arange(30_000) / 500)
    losses[12_345] = 40.0
    for step, loss in enumerate(losses.tolist()):
        events._file.write(json.dumps({"event": "train", "step": step, "loss": loss}) + "\n")
    events._file.flush()
    points = Feed(path).read(0)["train"]
    assert len(points["step"]) <= MAX_POINTS
    assert 12_345 in points["step"]
    assert max(points["loss"]) == 40.0
    assert (points["step"][0], points["step"][-1]) == (0, 29_999)
    assert points["step"] == sorted(set(points["step"]))


def test_thinning_copes_with_values_that_are_missing():
    values = np.full(10_000, np.nan)
    values[500] = 1.0
    assert 500 in extremes(values, 100)


def test_progress_is_that_of_the_newest_event(path, events):
    events.write("phase", phase="training")
    events.write("plan", steps=10)
    train(events, 1, 2, 3)
    train(events, 2)
    assert Feed(path).progress() == {"phase": "training", "step": 2, "steps": 10, "eta_s": 3.0}
    events.write("phase", phase="saving")
    assert Feed(path).progress()["eta_s"] is None


def test_notes_come_once(path, events):
    events.write("note", message="Careful.", severity="warning")
    feed = Feed(path)
    first = feed.read(0)
    assert [note["message"] for note in first["notes"]] == ["Careful."]
    assert feed.read(first["next"])["notes"] == []


def test_only_the_runs_looked_at_last_are_kept(tmp_path):
    feeds = Feeds(capacity=2)
    a, b, c = (tmp_path / name for name in "abc")
    kept = feeds.of(a)
    feeds.of(b)
    assert feeds.of(a) is kept
    feeds.of(c)
    assert feeds.of(a) is kept
    assert len(feeds._feeds) == 2
