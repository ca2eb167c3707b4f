"""Runs as a person deals with them."""

import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from studio.catalog.designs import DISTIL
from studio.data.dataset import load_rows, load_slice
from studio.errors import HostError, ModelError, NotFound, RunError, StudioError
from studio.evaluation.result import Verdict
from studio.files import read_json, write_json
from studio.runs.accounts import check_may_start
from studio.runs.datasets import Datasets
from studio.runs.names import display_name, safe_file_name
from studio.runs.queue import TrainingLane, located, write_run_config
from studio.runs.quotas import Quotas
from studio.runs.records import ENDED, RUN_STATES, DatasetRecord, RunPage, RunRecord, when
from studio.runs.slots import CPU, GPU
from studio.runs.store import RUNS, Row, Store, new_id
from studio.runs.supervisor import Supervisor
from studio.runs.workspace import Workspace, link_tree, remove, size_mb
from studio.training.bases import Base, base_of, limits, resolve_base
from studio.training.config import MODEL_FIELDS, TrainConfig
from studio.training.feed import Feeds
from studio.training.folder import RunFolder

if TYPE_CHECKING:
    from studio.training.judging import OwnTest

EXACT_CHECK_ROWS = 100_000
"""Up to so many rows the split is made when a run is asked for, to find out before it waits in the queue."""
RECKONED_ROWS = 10_000
"""Memory and time are reckoned from so many first rows: whoever presses Train does not wait for more."""
ROOM_PER_WEIGHTS = 10
"""Two checkpoints (weights and twice as much for the optimizer), one being written, and the model."""
UNKNOWN_WEIGHTS_MB = 500
LOG_BYTES = 256 * 1024
ID = re.compile("[a-z0-9]{10}")
ACTIVE = ("queued", "running", "stopping")
MOST_AT_ONCE = 200
"""Runs of one page of the list."""
MOST_TAGS = 20
LONGEST_TAG = 40
MOST_NOTES = 10_000
_VISIBLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
"""Control characters other than tab and line break."""
PLAIN = (
    "id", "owner", "name", "dataset_id", "dataset_name", "base_label", "state", "message", "hint", "attempt",
    "expected_s", "memory_mb", "device",
)  # fmt: skip


class Runs:
    def __init__(
        self,
        store: Store,
        workspace: Workspace,
        datasets: Datasets,
        feeds: Feeds,
        lane: TrainingLane,
        supervisor: Supervisor,
        quotas: Quotas,
    ):
        self._store = store
        self._workspace = workspace
        self._datasets = datasets
        self._feeds = feeds
        self._lane = lane
        self._supervisor = supervisor
        self._quotas = quotas

    def create(
        self,
        owner: str,
        dataset_id: str,
        config: TrainConfig,
        name: str = "",
        also: Sequence[str] = (),
        rows: Path | None = None,
        trial: tuple[str, int] | None = None,
        test: str = "",
    ) -> RunRecord:
        """Put a training into the queue. It keeps its own copy of the dataset and, of a model tuned earlier, of that.

        ``also``: ids of further datasets of this owner that train along. ``rows``: folder with a part of the dataset that
        takes its place; ``trial``: id of the sweep that this run belongs to, and its number there. ``test``: id of a
        dataset of this owner that judges instead of rows that are held out.

        ``config.base_model``: an id of the catalogue, a folder, a hub name, or ``run:<id>`` (or the id alone) of one
        of this owner's runs or of those that the lab shares.

        Raises:
            ConfigError, ModelError: what does not go together, before anything is started.
            HostError: the disk is too full.
            NotFound: no such dataset, or no such run to start from.
        """
        from studio.training.judging import own_test
        from studio.training.parts import (  # takes scipy along, which the first page can do without
            MOST_PARTS,
            check_part,
        )
        from studio.training.suggest import check_fit

        check_may_start(self._store, owner)
        self._lane.check_takes()
        self._quotas.check_run(owner, queued=trial is None)
        dataset = self._datasets.see(owner, dataset_id)
        runs: dict[str, Row] = {}
        for field in MODEL_FIELDS:
            config, found = self._with_earlier_run(owner, config, field)
            runs |= {} if found is None else {field: found}
        models = {field: self.model_folder(row["owner"], row["id"]) for field, row in runs.items()}
        full = config.model_copy(
            update={field: located(getattr(config, field), folder) for field, folder in models.items()}
        )
        data = load_rows(dataset.folder) if dataset.info.rows <= EXACT_CHECK_ROWS else None
        if rows is not None:
            data = load_rows(rows)
        judge = self._datasets.see(owner, test) if test else None
        if judge is not None and judge.id in (dataset.id, *also):
            raise RunError(
                f"'{judge.name}' cannot judge what is trained on it.", hint="Choose another dataset as test data."
            )
        own = own_test(judge.folder, full.seed) if judge and data is not None else None
        check_fit(dataset.info, full, data, own)
        others = [self._datasets.see(owner, id) for id in dict.fromkeys(also) if id != dataset.id]
        if len(others) > MOST_PARTS:
            raise RunError(f"{len(others)} datasets are too many to train along.", hint=f"Choose at most {MOST_PARTS}.")
        for other in others:
            few = other.info.rows <= EXACT_CHECK_ROWS
            check_part(other.info, full, load_rows(other.folder) if few else None)
        base = base_of(full)
        self._check_room(base, dataset.folder)
        needs = self._needs(dataset, data, full, others, base, own)

        label = base.label
        if "base_model" in runs:
            name_of = runs["base_model"]["name"]
            label = name_of if base.source is None else f"Static model of {name_of}"
        name = display_name(name, f"{dataset.name} with {label}")
        id = new_id()
        run: dict[str, Any] = {"id": id, "name": name, "dataset_name": dataset.name, "base_label": label}
        aside = RunFolder(self._workspace.tmp / id)
        try:
            link_tree(rows or dataset.folder, aside.dataset)
            for number, other in enumerate(others, 1):
                link_tree(other.folder, aside.datasets / str(number))
            if judge is not None:
                run["test_id"] = judge.id
                link_tree(judge.folder, aside.test)
            for field, row in runs.items():
                # The folder's name is what the model is called in its child's card.
                place = f"{field.removesuffix('_model')}/{safe_file_name(row['name'], row['id'])}"
                run |= {"base_folder": place} if field == "base_model" else {f"{field}_folder": place}
                link_tree(models[field], aside.path / place)
            write_json(aside.run, run)
            aside.path.rename(self._workspace.runs / id)
        except OSError as error:
            remove(aside.path)
            raise HostError(f"The run's folder could not be made: {error.strerror}.") from error
        folder = RunFolder(self._workspace.runs / id)
        config_json = config.model_dump_json()
        write_run_config(folder, run, config_json)
        now = time.time()
        row = self._store.add(
            RUNS, id=id, owner=owner, name=name, dataset_id=dataset.id, dataset_name=dataset.name, config=config_json,
            base_label=label, state="queued", keep=False, message="", hint="", step=0, steps=0, attempt=0,
            created=now, queued=now, started=None, ended=None, sweep_id=None if trial is None else trial[0],
            trial=None if trial is None else trial[1], tags="", notes="", device=None, priority=0, **needs,
        )  # fmt: skip
        self._supervisor.wake()
        return self._record(row, self._lane.waiting())

    def _needs(
        self,
        dataset: DatasetRecord,
        data: pa.Table | None,
        config: TrainConfig,
        also: Sequence[DatasetRecord],
        base: Base,
        own: "OwnTest | None",
    ) -> dict[str, Any]:
        """What a run is reckoned to need: kind of device, memory, time. Raises RunError: no device has enough memory."""
        from studio.training.estimate import STARTUP_S, estimate_together, fixed_memory_mb

        static = limits(base).layers == 0 and config.precision in ("auto", "fp32")
        needs = {"wants": CPU if static else GPU, "memory_mb": None, "expected_s": None}
        kind = self._lane.devices.kind(needs)
        least, most = fixed_memory_mb(config), self._lane.devices.largest_mb(kind)
        if least is not None and most is not None and least > most:
            raise RunError(
                f"Training {base.label} needs more than {least / 1000:,.0f} GB of memory; this machine has {most / 1000:,.0f} GB.",
                hint="Choose a smaller model, or train fewer of its weights (LoRA).",
            )
        if any(other.info.rows > RECKONED_ROWS for other in also):
            return needs
        total = dataset.info.rows if data is None else len(data)
        few = load_slice(dataset.folder, 0, RECKONED_ROWS) if data is None else data.slice(0, RECKONED_ROWS)
        along = [(o.info, load_rows(o.folder)) for o in also]
        try:
            guess = estimate_together(dataset.info, few, config, along, own, self._lane.speeds)
        except StudioError:  # the first rows alone cannot be trained on, such as those of a set with parts of its own
            return needs
        most_rows = config.max_train_rows or total
        times = max(1.0, min(total, most_rows) / max(1, min(len(few), most_rows)))
        seconds = None if guess.seconds is None else STARTUP_S + times * (guess.seconds - STARTUP_S)
        return needs | {"memory_mb": guess.memory_mb, "expected_s": seconds}

    def list(self, owner: str) -> list[RunRecord]:
        """Newest first."""
        waiting = self._lane.waiting()
        return [self._record(row, waiting) for row in self._store.all_of(RUNS, owner)]

    def page(
        self,
        owner: str,
        *,
        state: str = "",
        dataset_id: str = "",
        tag: str = "",
        words: str = "",
        offset: int = 0,
        limit: int = 50,
    ) -> RunPage:
        """Some of the runs that fit, own ones and those that others share with the lab, newest first, and how many there are.

        Args:
            state: One of RUN_STATES, or ``active`` for all that have not ended; empty: any.
            words: Each must stand in the name, the dataset's or base model's name, the tags or the notes.
        """  # fmt: skip
        states = ACTIVE if state == "active" else (state,) if state else ()
        limit, offset = max(1, min(limit, MOST_AT_ONCE)), max(0, offset)
        which = {"states": states, "dataset_id": dataset_id, "tag": tag, "words": words[:200]}
        rows, total = self._store.some_runs(owner, **which, offset=offset, limit=limit)
        kinds = self._store.kinds_of_runs(owner)
        waiting = self._lane.waiting() if any(row["state"] == "queued" for row in rows) else {}
        return RunPage(
            runs=tuple(self._record(row, waiting) for row in rows),
            total=total,
            datasets=tuple(sorted({(id, name) for id, name, *_ in kinds}, key=lambda known: known[1].casefold())),
            states=tuple(state for state in RUN_STATES if state in {kind[2] for kind in kinds}),
            tags=tuple(sorted({tag for kind in kinds for tag in _parted(kind[3])}, key=str.casefold)),
        )

    def get(self, owner: str, run_id: str) -> RunRecord:
        return self._record(self._store.get(RUNS, owner, run_id), self._lane.waiting())

    def see(self, viewer: str, run_id: str) -> RunRecord:
        """One of the viewer's own, or one that is shared with the lab: to be looked at, searched with, started from."""
        return self._record(self._store.see(RUNS, viewer, run_id), self._lane.waiting())

    def shared(self, viewer: str) -> Sequence[RunRecord]:
        """What others share with the lab, newest first."""
        waiting = self._lane.waiting()
        return [self._record(row, waiting) for row in self._store.shared_with(RUNS, viewer)]

    def feed(self, owner: str, run_id: str, since: int = 0) -> dict[str, Any]:
        """What to draw; see studio.runs.studio for the keys. ``since``: ``next`` of the answer before; 0: everything."""
        row = self._store.see(RUNS, owner, run_id)
        feed = self._feeds.of(self._folder(row).events).read(since)
        if row["state"] in ENDED:
            feed["eta_s"] = None
        return {"run": run_id, "state": row["state"], "message": row["message"], "hint": row["hint"], **feed}

    def log(self, owner: str, run_id: str, lines: int = 200) -> str:
        """The last lines that the worker printed."""
        path = self._folder(self._store.get(RUNS, owner, run_id)).log
        try:
            with path.open("rb") as file:
                file.seek(max(0, file.seek(0, 2) - LOG_BYTES))
                text = file.read().decode("utf-8", "replace")
        except FileNotFoundError:
            return ""
        return "\n".join(text.splitlines()[-lines:])

    def location(self, owner: str, base_model: str) -> str:
        """A base model's name as the training layer knows it: a model tuned earlier (``run:<id>``) is a folder there."""
        distil, mark, run_id = base_model.partition("run:")
        if not mark or distil not in ("", DISTIL):
            return base_model
        return f"{distil}{self.model_folder(self.see(owner, run_id).owner, run_id)}"

    def stop(self, owner: str, run_id: str, keep: bool) -> None:
        """End a run. ``keep``: save and judge what there is by then.

        Stop after Stop and keep gives up the result. Raises RunError when the run has ended already.
        """
        key = {"id": self._store.get(RUNS, owner, run_id)["id"]}
        cancelled = {"message": "Cancelled while it waited.", "hint": "", "ended": time.time()}
        with self._supervisor.lock:  # not between two states
            done = (
                self._store.move(RUNS, key, to="cancelled", of=("queued",), **cancelled)
                or self._store.move(RUNS, key, to="stopping", of=("running",), keep=keep, message="")
                or (not keep and self._store.move(RUNS, key, to="stopping", of=("stopping",), keep=False))
            )
            state = self._store.get(RUNS, owner, run_id)["state"]
        if not done and state != "stopping":
            raise RunError("This run has ended already.")
        self._supervisor.wake()

    @property
    def queue_state(self) -> str:
        """One of studio.runs.queue.QUEUE_STATES."""
        return self._lane.state

    def put_first(self, owner: str, run_id: str) -> None:
        """Let a waiting run go before the owner's other ones; others' are not touched. Raises RunError: it does not wait."""
        self._store.get(RUNS, owner, run_id)
        if not self._store.put_first(owner, run_id):
            raise RunError("This run does not wait any more.")

    def resume(self, owner: str, run_id: str) -> RunRecord:
        """Go on from the last checkpoint of a run that failed or was cancelled. Raises RunError when there is none."""
        check_may_start(self._store, owner)
        self._lane.check_takes()
        self._quotas.check_run(owner)
        record = self.get(owner, run_id)
        if not record.resumable:
            raise RunError(
                "This run cannot go on.", hint="Only a failed or cancelled run with a checkpoint can. Start a new one."
            )
        again = {"keep": False, "message": "", "hint": "", "ended": None, "queued": time.time(), "attempt": 0}
        self._store.move(RUNS, {"id": run_id}, to="queued", of=("failed", "cancelled"), **again)
        self._supervisor.wake()
        return self.get(owner, run_id)

    def delete(self, owner: str, run_id: str) -> None:
        """Put a run into the trash (see trash.py). Runs that wait with its model as their base have a copy of their own.

        Raises RunError while it is going on.
        """
        with self._supervisor.lock:  # not while it is being started
            done = self._store.put_away(RUNS, owner, run_id, states=("queued", *ENDED))
        if not done:
            self._store.get(RUNS, owner, run_id)
            raise RunError("This run is going on.", hint="Stop it first.")

    def describe(self, owner: str, run_id: str, tags: Sequence[str], notes: str) -> RunRecord:
        """Set what a person writes about a run: tags to find it by, and notes. Raises RunError: too much."""
        tags = tidy_tags(tags)
        notes = "\n".join(line.rstrip() for line in _VISIBLE.sub("", notes).splitlines()).strip()
        if len(notes) > MOST_NOTES:
            raise RunError(
                f"The notes have {len(notes):,} characters; at most {MOST_NOTES:,} are kept.", hint="Shorten them."
            )
        if not self._store.change_run(owner, run_id, tags=_joined(tags), notes=notes):
            self._store.get(RUNS, owner, run_id)
        return self.get(owner, run_id)

    def verdict(self, owner: str, run_id: str) -> Verdict | None:
        """None: it was not judged (yet)."""
        return Verdict.load(self._folder(self._store.see(RUNS, owner, run_id)).verdict)

    def model_folder(self, owner: str, run_id: str) -> Path:
        """Where the tuned model lies. Raises RunError when there is none."""
        row = self._store.get(RUNS, owner, run_id)
        folder = self._folder(row)
        if row["state"] != "succeeded" or not folder.model.is_dir():
            raise RunError(f"'{row['name']}' has no model.", hint="Only runs that succeeded have one.")
        return folder.model

    def base_folder(self, record: RunRecord) -> Path | None:
        """The run's own copy of the model that it started from, tuned earlier or built; None: it started from another
        kind of model."""
        built = RunFolder(record.folder).built
        if built.is_dir():
            return built
        folder = read_json(RunFolder(record.folder).run).get("base_folder")
        return None if folder is None else record.folder / folder

    def base_model(self, owner: str, name: str) -> tuple[str, Path | None]:
        """A base model for people, and the folder of a model tuned earlier (None: another kind). ``name`` as in a config.

        Raises:
            ModelError: there is no such model, or one that is still to be made.
            NotFound, RunError: no such run of this owner's, or one without a model.
        """
        earlier = self._earlier_run(owner, name)
        if earlier is None:
            base = resolve_base(name)
            if base.design is not None or base.source is not None:
                raise ModelError(
                    f"{base.label} has learnt nothing yet.", hint="Choose a model that knows what texts mean."
                )
            return base.label, None
        return earlier["name"], self.model_folder(earlier["owner"], earlier["id"])

    def _with_earlier_run(self, owner: str, config: TrainConfig, field: str) -> tuple[TrainConfig, Row | None]:
        """The config with an earlier run named as ``run:<id>`` in ``field``, and that run; (config, None) for other models."""
        given = (getattr(config, field) or "").strip()
        distil = DISTIL if given.startswith(DISTIL) else ""
        earlier = self._earlier_run(owner, given.removeprefix(distil))
        if earlier is None:
            return config, None
        return config.model_copy(update={field: f"{distil}run:{earlier['id']}"}), earlier

    def _earlier_run(self, owner: str, name: str) -> Row | None:
        """The run that ``name`` means; None: it means another kind of model.

        Folders inside the workspace are models of runs, or nobody's business.
        """
        name = name.strip()
        if not name:
            return None
        runs = self._workspace.runs.resolve()
        id = None
        if name.startswith("run:"):
            id = name.removeprefix("run:")
        elif name.startswith(("/", ".", "~")) or Path(name).exists():
            place = Path(name).expanduser().resolve()
            if place.is_relative_to(runs):
                id = place.relative_to(runs).parts[0] if place != runs else ""
            elif place.is_relative_to(self._workspace.path.resolve()):
                raise NotFound("There is no such model.", hint="Choose one of the list.")
        elif ID.fullmatch(name):
            id = name
        return None if id is None else self._store.see(RUNS, owner, id)

    def _check_room(self, base: Base, dataset: Path) -> None:
        if base.design is not None:
            weights_mb = (limits(base).parameters_m or UNKNOWN_WEIGHTS_MB / 4) * 4
        elif base.path is None:
            weights_mb = base.record.size_mb if base.record else UNKNOWN_WEIGHTS_MB
        else:
            files = [base.path] if base.path.is_file() else base.path.rglob("*.safetensors")
            weights_mb = size_mb(files)
        needed_mb = weights_mb * ROOM_PER_WEIGHTS + size_mb(dataset.glob("*"))
        self._workspace.check_room(needed_mb, f"training {base.label}")

    def _folder(self, row: Row) -> RunFolder:
        return RunFolder(self._workspace.runs / row["id"])

    def _record(self, row: Row, waiting: dict[str, tuple[int, float | None]]) -> RunRecord:
        position, starts_in_s = waiting.get(row["id"], (None, None))
        folder = self._folder(row)
        over = row["state"] in ENDED
        if over:  # what it came to is in the database: old runs' events need not be read to list them
            at = {"phase": "done", "step": row["step"], "steps": row["steps"], "eta_s": None}
        else:
            at = self._feeds.of(folder.events).progress()
        return RunRecord(
            **{name: row[name] for name in PLAIN},
            config=TrainConfig.model_validate_json(row["config"]),
            **at,
            created=when(row["created"]),
            started=when(row["started"]),
            ended=when(row["ended"]),
            folder=folder.path,
            position=position,
            starts_in_s=starts_in_s,
            tags=_parted(row["tags"]),
            notes=row["notes"],
            resumable=row["state"] in ("failed", "cancelled") and any(folder.checkpoints.glob("*/manifest.json")),
        )


def tidy_tags(tags: Sequence[str]) -> tuple[str, ...]:
    """Tags as they are kept: one line each, none twice (whatever its case), in the order given. Raises RunError: too many."""
    tidy: dict[str, str] = {}
    for tag in tags:
        for part in tag.split(","):
            if name := display_name(part[:LONGEST_TAG], ""):
                tidy.setdefault(name.casefold(), name)
    if len(tidy) > MOST_TAGS:
        raise RunError(f"A run can have {MOST_TAGS} tags, not {len(tidy)}.", hint="Keep the ones you search by.")
    return tuple(tidy.values())


def _joined(tags: Sequence[str]) -> str:
    """Tags as one text in which each stands between line breaks, so that one can be looked for."""
    return "".join(f"\n{tag}" for tag in tags) + "\n" if tags else ""


def _parted(text: str) -> tuple[str, ...]:
    return tuple(text.split("\n")[1:-1])
