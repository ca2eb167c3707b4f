"""What waits, whose turn it is, and how many may go on at a time."""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from studio.catalog.designs import DISTIL
from studio.errors import RunError
from studio.files import read_json, write_json
from studio.runs.slots import Devices, expected_starts, kind_of, place
from studio.runs.store import CORPORA, INDEXES, MAKINGS, RUNS, Row, Store
from studio.runs.workspace import Workspace
from studio.training.config import MODEL_FIELDS, TrainConfig
from studio.training.feed import Feeds
from studio.training.folder import EventWriter, RunFolder
from studio.training.memory import after_a_kill
from studio.training.speeds import Speeds

QUEUE_STATES = ("open", "paused", "draining")
"""paused: nothing more starts, what runs goes on; draining: nothing new is taken, what waits and runs is finished."""
SWITCH = "queue"


def turns(waiting: Sequence[Row], busy: Sequence[Row], last_served: Mapping[str, float]) -> list[Row]:
    """The waiting in the order they will be started.

    Owners take turns: first who has the fewest going on, then who was served longest ago, then who came first.
    Nobody waits behind one person's thirty runs. Of one owner's, first come is first served, but for those that the owner
    has put first.
    """
    lines: dict[str, list[Row]] = {}
    for row in sorted(waiting, key=lambda row: (-row.get("priority", 0), row["queued"])):
        lines.setdefault(row["owner"], []).append(row)
    going_on = Counter(row["owner"] for row in busy)
    served = dict(last_served)
    order: list[Row] = []
    while lines:
        owner = min(lines, key=lambda o: (going_on[o], served.get(o, 0.0), lines[o][0]["queued"]))
        order.append(lines[owner].pop(0))
        going_on[owner] += 1
        served[owner] = max(served.values(), default=0.0) + 1
        if not lines[owner]:
            del lines[owner]
    return order


class Lane:
    """A queue with slots, and what is done with one of its rows. The supervisor treats all lanes alike."""

    table = RUNS
    key: tuple[str, ...] = ("id",)
    busy: tuple[str, ...] = ("running", "stopping")
    """The first is what a claimed row becomes."""
    ends: Mapping[str, str] = {"succeeded": "succeeded", "failed": "failed", "cancelled": "cancelled"}
    """State in outcome.json -> state of the row."""
    module = "studio.worker"
    again_from = " from its last checkpoint"
    memory_hint = "Choose a smaller batch, shorter texts or a cached loss, and train again."

    def __init__(self, store: Store, workspace: Workspace, slots: int):
        self.store = store
        self.workspace = workspace
        self.slots = slots

    def id(self, row: Row) -> Row:
        return {name: row[name] for name in self.key}

    def folder(self, row: Row) -> Path:
        return self.workspace.runs / row["id"]

    def at_work(self) -> list[Row]:
        return self.store.in_states(self.table, *self.busy)

    def order(self, at_work: Sequence[Row] | None = None) -> list[Row]:
        waiting = self.store.in_states(self.table, "queued")
        if not waiting:
            return []
        at_work = self.at_work() if at_work is None else at_work
        return turns(waiting, at_work, self.store.last_served(self.table))

    def ready(self, at_work: Sequence[Row]) -> list[Row]:
        """Those that start now, beside what is at work."""
        free = max(0, self.slots - len(at_work))
        return self.order(at_work)[:free] if free else []

    def claim(self, row: Row) -> bool:
        """False: it was cancelled or deleted meanwhile."""
        fields = {"attempt": row["attempt"] + 1, "started": time.time(), "message": ""}
        return self._move(row, self.busy[0], ("queued",), **fields)

    def prepare(self, row: Row) -> None:
        """Make the folder ready for an attempt."""
        for name in ("outcome.json", "stop.json"):
            (self.folder(row) / name).unlink(missing_ok=True)

    def again(self, row: Row, message: str, *, counts: bool) -> None:
        """Back into the queue, at its old place. ``counts``: the attempt was one."""
        attempt = row["attempt"] if counts else row["attempt"] - 1
        self._move(row, "queued", self.busy[:1], message=message, attempt=attempt)

    def with_less_memory(self, row: Row) -> bool:
        """Prepare another start that needs less memory. False: there is none."""
        return False

    def end(self, row: Row, state: str, message: str = "", hint: str = "") -> None:
        """``state``: as in outcome.json."""
        self._move(row, self.ends[state], self.busy, **self.last_words(row, message, hint))

    def last_words(self, row: Row, message: str, hint: str) -> dict[str, Any]:
        """What is kept of how it ended."""
        return {"message": f"{message} {hint}".strip()}

    def _move(self, row: Row, to: str, of: tuple[str, ...], **fields: Any) -> bool:
        return self.store.move(self.table, self.id(row), to=to, of=of, **fields)


class TrainingLane(Lane):
    """Runs, each on one of the machine's devices; an admin may pause it or let it run empty."""

    def __init__(self, store: Store, workspace: Workspace, devices: Devices, feeds: Feeds, speeds: Speeds):
        super().__init__(store, workspace, sum(devices.places.values()))
        self.devices = devices
        self.feeds = feeds
        self.speeds = speeds

    @property
    def state(self) -> str:
        """One of QUEUE_STATES."""
        switch = self.switched()
        return "open" if switch is None else switch["value"]

    def switched(self) -> Row | None:
        """The queue's switch: value, who, since; None: nobody has touched it."""
        return self.store.switch(SWITCH)

    def set_state(self, state: str, who: str) -> None:
        assert state in QUEUE_STATES
        self.store.set_switch(SWITCH, state, who)

    def check_takes(self) -> None:
        """Raises RunError: nothing new is taken."""
        switch = self.switched()
        if switch is not None and switch["value"] == "draining":
            raise RunError(
                f"The queue takes nothing new: {switch['who']} lets it run empty.",
                hint="What waits and runs will be finished. Try again later, or ask.",
            )

    def ready(self, at_work: Sequence[Row]) -> list[Row]:
        """Each with the ``device`` that it is to train on and the ``environment`` that its process needs for that. What waits for memory is not overtaken by what needs less."""
        waiting = self.order(at_work)
        if not waiting or self.state == "paused":
            return []
        devices, busy, full, chosen = self.devices.now(), list(at_work), set(), []
        for row in waiting:
            kind = self.devices.kind(row)
            if kind in full:
                continue
            device, why = place(row, [d for d in devices if d.kind == kind], busy)
            if device is None:
                full.add(kind)
                if why and row["message"] != why:
                    self.store.note_run(row["id"], message=why)
                continue
            chosen.append({**row, "device": device.id, "environment": self.devices.environment(device)})
            busy.append(chosen[-1])
        return chosen

    def waiting(self) -> dict[str, tuple[int, float | None]]:
        """Id of a waiting run -> its place from 1, and in how many seconds it will start, where that can be reckoned."""
        at_work = self.at_work()
        order = self.order(at_work)
        if not order:
            return {}
        starts: dict[str, float | None] = {}
        if self.state != "paused":
            left = {row["id"]: self._left_s(row) for row in at_work}
            for kind, slots in self.devices.places.items():
                mine = [row for row in order if self.devices.kind(row) == kind]
                busy = [row for row in at_work if kind_of(row["device"]) == kind]
                starts |= expected_starts(mine, busy, left, slots)
        return {row["id"]: (place, starts.get(row["id"])) for place, row in enumerate(order, 1)}

    def _left_s(self, row: Row) -> float | None:
        """About how long a run at work still takes."""
        eta_s = self.feeds.of(RunFolder(self.folder(row)).events).progress()["eta_s"]
        if eta_s is not None or row["expected_s"] is None:
            return eta_s
        return max(0.0, row["expected_s"] - max(0.0, time.time() - row["started"]))

    def claim(self, row: Row) -> bool:
        fields = {"attempt": row["attempt"] + 1, "started": time.time(), "message": "", "device": row["device"]}
        return self._move(row, self.busy[0], ("queued",), **fields)

    def end(self, row: Row, state: str, message: str = "", hint: str = "") -> None:
        self._note_use(row)
        if state == "succeeded" and (speed := read_json(RunFolder(self.folder(row)).speed)):
            self.speeds.keep(speed)
        super().end(row, state, message, hint)

    def _note_use(self, row: Row) -> None:
        """Count an attempt's time on its device, until it last said anything: the machine may have been off since."""
        if row["state"] not in self.busy or row["device"] is None:
            return
        now, folder = time.time(), RunFolder(self.folder(row))
        said = [path.stat().st_mtime for path in (folder.events, folder.outcome) if path.exists()]
        until = min(now, max(said, default=now))
        self.store.add_usage(row["owner"], row["device"], now, max(0.0, until - row["started"]))

    def prepare(self, row: Row) -> None:
        super().prepare(row)
        folder = RunFolder(self.folder(row))
        write_json(folder.path / "environment.json", row["environment"])
        write_run_config(folder, read_json(folder.run), row["config"])

    def again(self, row: Row, message: str, *, counts: bool) -> None:
        self._note_use(row)
        super().again(row, message, counts=counts)
        note(RunFolder(self.folder(row)), message)

    def with_less_memory(self, row: Row) -> bool:
        return after_a_kill(RunFolder(self.folder(row)).memory)

    def last_words(self, row: Row, message: str, hint: str) -> dict[str, Any]:
        at = self.feeds.of(RunFolder(self.folder(row)).events).progress()
        return {"message": message, "hint": hint, "ended": time.time(), "step": at["step"], "steps": at["steps"]}


class IndexLane(Lane):
    table = INDEXES
    key = ("corpus_id", "model_key")
    busy = ("building", "stopping")
    ends: Mapping[str, str] = {"succeeded": "ready", "failed": "failed", "cancelled": "stopped"}
    module = "studio.search.indexer"

    def folder(self, row: Row) -> Path:
        return self.workspace.indexes / row["corpus_id"] / row["model_key"]


class MakingLane(Lane):
    table = MAKINGS
    module = "studio.making.maker"
    again_from = ""
    memory_hint = "Use fewer rows or a smaller model."

    def folder(self, row: Row) -> Path:
        return self.workspace.makings / row["id"]

    def with_less_memory(self, row: Row) -> bool:
        """Prepare another start that needs less memory. False: there is none."""
        return False

    def end(self, row: Row, state: str, message: str = "", hint: str = "") -> None:
        if state == "succeeded":
            self._adopt(row)
        super().end(row, state, message, hint)

    def last_words(self, row: Row, message: str, hint: str) -> dict[str, Any]:
        return {"message": message, "hint": hint, "ended": time.time()}

    def _adopt(self, row: Row) -> None:
        """A dataset or corpus that it made becomes one of the owner's, under the same id: done twice, it is still one."""
        self._adopt_corpus(row)
        made, target = self.folder(row) / "dataset", self.workspace.datasets / row["id"]
        if made.is_dir() and not target.exists():
            made.rename(target)
        if target.is_dir():
            self.store.add_made(row["owner"], row["id"], row["name"])

    def _adopt_corpus(self, row: Row) -> None:
        folder = self.folder(row)
        made, update = folder / "corpus", read_json(folder / "task.json", {}).get("update", "")
        result = read_json(folder / "outcome.json", {}).get("result") or {}
        said = {"rows": result.get("rows", 0), "note": result.get("note", "")}
        target = self.workspace.corpora / (update or row["id"])
        if update and made.is_dir() and target.is_dir():
            (made / "texts.parquet").replace(target / "texts.parquet")
            self.store.change_corpus(row["owner"], update, **said)
            made.rmdir()
        elif not update and made.is_dir() and not target.exists():
            made.rename(target)
        if not update and target.is_dir():
            self.store.add_made(row["owner"], row["id"], row["name"], CORPORA, dataset_id=None, **said)


def write_run_config(folder: RunFolder, run: dict[str, Any], config_json: str) -> None:
    """config.json as the worker needs it: a model tuned earlier is the copy that lies in the run's own folder."""
    config = TrainConfig.model_validate_json(config_json)
    copies = {"base_model": "base_folder", **{field: f"{field}_folder" for field in MODEL_FIELDS[1:]}}
    here = {f: located(getattr(config, f), folder.path / run[at]) for f, at in copies.items() if run.get(at)}
    config = config.model_copy(update=here)
    write_json(folder.config, config.model_dump())


def located(base_model: str, folder: Path) -> str:
    """``run:<id>``, or ``static-of:run:<id>``, with the folder of the model in its place."""
    return f"{DISTIL if base_model.startswith(DISTIL) else ''}{folder}"


def note(folder: RunFolder, message: str) -> None:
    """Say something in the run's events. Only while no worker writes there."""
    if folder.path.is_dir():
        writer = EventWriter(folder.events)
        writer.write("note", message=message, severity="warning")
        writer.close()
