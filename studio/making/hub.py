"""A dataset of the hub becomes a table on this machine, in rows and columns as a file that somebody brings.

It is streamed: no more is downloaded than is wanted. No code of a dataset is run (the ``datasets`` library has none any
more). HF_TOKEN, HF_ENDPOINT and HF_HUB_OFFLINE of the environment are honoured. What is written is one Parquet file.
"""

import errno
import logging
import os
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from studio.data.rows import count
from studio.errors import DataError
from studio.making.kinds import Report
from studio.making.maker import Stopped

PREFIX = "hub:"
"""What a hub dataset begins with where a file could stand as well."""
FILE = "table.parquet"
BATCH = 1_000
ANSWER_S = 10
"""Seconds in which the hub has to answer at all."""
LISTED = 12
TOKEN_HINT = "Check the spelling; private ones need a token (hf auth login, or HF_TOKEN where the studio runs)."


@dataclass(frozen=True)
class HubName:
    """``owner/name``, which of its configs and which split; empty: the only one, or its default."""

    name: str
    config: str = ""
    split: str = ""

    def __str__(self) -> str:
        return self.name + (f":{self.config}" if self.config else "") + (f"@{self.split}" if self.split else "")

    @property
    def file_name(self) -> str:
        """For people, as the name of a file."""
        owner, _, name = self.name.rpartition("/")
        return " ".join(part for part in (owner, name, self.config, self.split) if part) + ".parquet"


@dataclass(frozen=True)
class Brought:
    rows: int
    total: int | None
    """Rows of the split; None: the hub does not say."""
    whole: bool
    left: tuple[str, ...]
    """Columns that are no text, number or label."""
    name: HubName
    """With the config and the split that were taken."""

    @property
    def words(self) -> str:
        said = f"{count(self.rows)} came from the hub"
        if not self.whole:
            of = f" of {self.total:,}" if self.total else ""
            said = f"The first {self.rows:,} rows{of} came from the hub; more were not asked for"
        columns = f" Not brought: {', '.join(self.left[:LISTED])} (no texts or numbers)." if self.left else ""
        return f"{said}.{columns}"


def hub_name(text: str, config: str = "", split: str = "") -> HubName:
    """What somebody typed: ``[hub:]owner/name[:config][@split]``, or the address of the dataset's page.

    Raises:
        DataError: not such a name.
    """
    given = re.sub(r"^https?://[^/]+/datasets/([^/?#]+/[^/?#]+).*$", r"\1", text.strip().removeprefix(PREFIX))
    part = r"[\w.-]{1,96}"
    found = re.fullmatch(rf"({part}/{part}|{part})(?::([\w.+ -]{{1,96}}))?(?:@([\w.-]{{1,96}}))?", given)
    if found is None or ".." in given:
        raise DataError(
            f"'{text.strip()[:100]}' is no name of a dataset of the hub." if text.strip() else "No dataset is named.",
            hint="Names look like owner/name, for example sentence-transformers/stsb.",
        )
    return HubName(found[1], config.strip() or found[2] or "", split.strip() or found[3] or "")


def make(folder: Path, task: dict[str, Any], report: Report, stopped: Callable[[], bool]) -> dict[str, Any]:
    """Task: ``hub`` (fields of HubName), ``most_rows``, ``most_mb``. The table is then ``FILE`` in the folder."""
    brought = bring(HubName(**task["hub"]), folder / FILE, task["most_rows"], task["most_mb"], report, stopped)
    return {"message": brought.words, "rows": brought.rows, "file_name": brought.name.file_name}


def bring(
    name: HubName,
    path: Path,
    most_rows: int,
    most_mb: int,
    report: Report = lambda done, total, words: None,
    stopped: Callable[[], bool] = lambda: False,
) -> Brought:
    """Write at most ``most_rows`` rows, and about ``most_mb`` megabytes, of a dataset to ``path``, as Parquet.

    Labels are written as their names, fields of nested columns as columns of their own. ``path`` is whole or not there.

    Raises:
        DataError: no network, no such dataset, config or split, no permission, or no texts in it.
        Stopped: ``stopped()`` was true.
    """
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
    report(0, 0, f"Looking for {name.name} on the hub")
    with _explained(name.name):
        _ask(name.name)
        stream, config, total = _open(name)
        chosen = HubName(name.name, name.config or config, stream[0])
        features = stream[1].features or stream[1]._resolve_features().features
    kept = [column for column, feature in features.items() if _is_wanted(feature)]
    if not any(_has_text(features[column]) for column in kept):
        what = sorted({type(feature).__name__.lower() for feature in features.values()} - {"value", "classlabel"})
        raise DataError(
            f"'{name.name}' holds no texts" + (f" (it holds {', '.join(what)})." if what else "."),
            hint="Choose a dataset of texts.",
        )
    left = tuple(column for column in features if column not in kept)
    wanted = min(most_rows, total) if total else most_rows
    report(0, wanted, "Downloading, rows")
    aside = path.with_name(f".{path.name}.part")
    rows, whole, writer = 0, True, None
    try:
        with _explained(name.name):
            for batch in stream[1].select_columns(kept).with_format("arrow").iter(BATCH):
                if stopped():
                    raise Stopped
                if rows >= most_rows or (rows and aside.stat().st_size > most_mb * 1_000_000):
                    whole = False
                    break
                table = _plain(batch.slice(0, most_rows - rows), {column: features[column] for column in kept})
                whole = len(table) == len(batch)
                writer = writer or pq.ParquetWriter(aside, table.schema, compression="zstd")
                writer.write_table(table.cast(writer.schema))
                rows += len(table)
                report(rows, max(wanted, rows), "Downloading, rows")
                if not whole:
                    break
        if writer is None:
            raise DataError(f"'{chosen}' has no rows.", hint="Choose another split.")
        writer.close()
        aside.replace(path)
    finally:
        if writer is not None:
            writer.close()
        aside.unlink(missing_ok=True)
    return Brought(rows, total, whole, left, chosen)


def _ask(name: str) -> None:
    """Whether the hub has it and gives it to us; raises what its client raises."""
    from huggingface_hub import HfApi

    hub = HfApi()
    info = hub.dataset_info(name, timeout=ANSWER_S)
    if info.gated:
        hub.auth_check(name, repo_type="dataset")
    if any(file.rfilename == f"{name.rpartition('/')[2]}.py" for file in info.siblings or ()):
        readable = (".parquet", ".csv", ".tsv", ".json", ".jsonl", ".arrow", ".txt", ".gz", ".zst", ".zip")
        if not any(file.rfilename.endswith(readable) for file in info.siblings):
            raise DataError(
                f"'{name}' is made by a program, which the studio does not run.",
                hint="Look for a copy of it that holds files, such as Parquet.",
            )


def _open(name: HubName) -> tuple[tuple[str, Any], str, int | None]:
    """((split, its rows as a stream), config, how many rows it has if that is known)."""
    import datasets

    datasets.utils.logging.set_verbosity_error()
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)
    # A connection that breaks is tried again, but nobody waits for minutes.
    for step in ("STREAMING_READ", "STREAMING_OPEN"):
        setattr(datasets.config, f"{step}_MAX_RETRIES", 3)
        setattr(datasets.config, f"{step}_RETRY_INTERVAL", 1)
    datasets.config.STREAMING_READ_SERVER_UNAVAILABLE_RETRY_INTERVAL = 3
    try:
        builder = datasets.load_dataset_builder(name.name, name.config or None)
    except ValueError:
        configs = datasets.get_dataset_config_names(name.name)
        if name.config in configs or (not name.config and len(configs) < 2):
            raise
        said = f"'{name.name}' has no config '{name.config}'." if name.config else f"'{name.name}' has several configs."
        raise DataError(said, hint=f"Choose one of: {_list(configs)}.") from None
    streams = builder.as_streaming_dataset()
    split = name.split or (next(iter(streams)) if len(streams) == 1 else "train")
    if split not in streams:
        said = f"'{name.name}' has no split '{split}'." if name.split else f"'{name.name}' has several splits."
        raise DataError(said, hint=f"Choose one of: {_list(streams)}.")
    known = (builder.info.splits or {}).get(split)
    config = builder.config.name
    return (
        (split, streams[split]),
        "" if config == "default" else config,
        (known.num_examples or None) if known else None,
    )


def _list(names: Iterable[str]) -> str:
    names = [*names]
    return ", ".join(names[:LISTED]) + (f" and {len(names) - LISTED:,} more" if len(names) > LISTED else "")


def _is_wanted(feature: Any) -> bool:
    """Text, numbers, labels, and lists and records of such; no pictures, sounds, bytes or arrays."""
    from datasets import ClassLabel, LargeList, List, Translation, TranslationVariableLanguages, Value

    if isinstance(feature, dict):
        return all(map(_is_wanted, feature.values()))
    if isinstance(feature, List | LargeList):
        return _is_wanted(feature.feature)
    if isinstance(feature, Value):
        return "binary" not in feature.dtype
    return isinstance(feature, ClassLabel | Translation | TranslationVariableLanguages)


def _has_text(feature: Any) -> bool:
    from datasets import LargeList, List, Translation, TranslationVariableLanguages, Value

    if isinstance(feature, dict):
        return any(map(_has_text, feature.values()))
    if isinstance(feature, List | LargeList):
        return _has_text(feature.feature)
    if isinstance(feature, Value):
        return "string" in feature.dtype
    return isinstance(feature, Translation | TranslationVariableLanguages)


def _plain(batch: pa.Table, features: dict[str, Any]) -> pa.Table:
    """Labels by name; records as columns ``record.field``."""
    from datasets import ClassLabel

    columns = {}
    for name, feature in features.items():
        column = batch[name]
        if isinstance(feature, ClassLabel):
            # -1, or null: a row without a label
            column = pc.if_else(pc.greater_equal(column, 0), column, None)
            column = pa.array(feature.names, pa.string()).take(column.combine_chunks())
        columns[name] = column
    table = pa.table(columns)
    while any(pa.types.is_struct(field.type) for field in table.schema):
        table = table.flatten()
    return table


@contextmanager
def _explained(name: str) -> Iterator[None]:
    """Errors of the hub's client as what a person can do about them."""
    from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, RepositoryNotFoundError

    try:
        yield
    except (DataError, Stopped):
        raise
    except Exception as error:
        causes = [*_causes(error)]
        status = next((getattr(c.response, "status_code", None) for c in causes if isinstance(c, HfHubHTTPError)), None)
        if any(isinstance(cause, GatedRepoError) for cause in causes):
            raise DataError(
                f"'{name}' is given to people who have accepted its terms only.",
                hint="Accept them on the dataset's page, then put your token where the studio runs (hf auth login, or "
                "HF_TOKEN).",
            ) from error
        if any(isinstance(cause, RepositoryNotFoundError) for cause in causes):
            raise DataError(f"The hub has no dataset '{name}' that this machine may read.", hint=TOKEN_HINT) from error
        if status in (401, 403):
            raise DataError(
                f"The hub does not let this machine read '{name}' (status {status}).",
                hint="The token may be wrong or too old: put a new one there (hf auth login, or HF_TOKEN).",
            ) from error
        if _is_of_files(causes):
            raise DataError(
                f"'{name}' holds no table that can be read here.", hint="Choose another dataset or config."
            ) from error
        if status is not None:
            raise DataError(
                f"The hub answered with an error while '{name}' was asked for (status {status}).",
                hint="Try again later.",
            ) from error
        if any(getattr(cause, "errno", None) in (errno.ENOSPC, errno.EDQUOT) for cause in causes):
            raise DataError(f"The disk is too full for '{name}'.", hint="Make room, or take fewer rows.") from error
        raise DataError(
            f"The hub cannot be reached, so '{name}' cannot be brought.",
            hint="Connect the machine that the studio runs on to the internet (HF_HUB_OFFLINE must not be set), or upload the "
            "table as a file.",
        ) from error


def _is_of_files(causes: list[BaseException]) -> bool:
    """What is there cannot be read, rather than reached."""
    from datasets.exceptions import DatasetsError

    if any(isinstance(c, ConnectionError | TimeoutError) or type(c).__module__.startswith("httpx") for c in causes):
        return False
    kinds = (DatasetsError, FileNotFoundError, ValueError, TypeError, KeyError, NotImplementedError, pa.ArrowException)
    return isinstance(causes[0], kinds)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
