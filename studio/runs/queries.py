"""Questions by a language model as a person deals with them: asked for, gone on with, kept. Off unless the host configures one."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.parquet as pq

from studio.catalog.recipes import QUERY_FIELDS
from studio.data.dataset import load_rows
from studio.data.pairs import PairConfig, all_passages
from studio.data.passages import words_in
from studio.data.rows import count, text_columns
from studio.errors import ConfigError, DataError, HostError, RunError
from studio.files import read_json
from studio.making.chat import service
from studio.runs.datasets import Datasets
from studio.runs.documents import Documents
from studio.runs.makings import Makings
from studio.runs.names import display_name
from studio.runs.records import MakingRecord
from studio.runs.store import new_id
from studio.runs.workspace import Workspace
from studio.settings import Settings

KIND = "queries"
LEAST_WORDS = 4
"""Of a text that can answer a question."""
PROMPT_TOKENS = 170
CHARACTERS_A_TOKEN = 4


@dataclass(frozen=True)
class QueryConfig:
    questions: int = QUERY_FIELDS[0].default
    most_passages: int = QUERY_FIELDS[1].default

    def __post_init__(self) -> None:
        """Raises ConfigError: out of bounds."""
        for known in QUERY_FIELDS:
            value = getattr(self, known.id)
            if isinstance(value, bool) or not isinstance(value, int) or not known.least <= value <= known.most:
                raise ConfigError(f"{known.label} must be a whole number from {known.least:,} to {known.most:,}.")


@dataclass(frozen=True)
class Ask:
    """What would be asked, before anybody presses a button."""

    passages: tuple[str, ...]
    available: int
    """Passages there are."""
    questions: int
    """At the most."""
    tokens: int
    """About how many are sent."""


class Queries:
    def __init__(
        self, settings: Settings, workspace: Workspace, datasets: Datasets, documents: Documents, makings: Makings
    ):
        self._settings = settings
        self._workspace = workspace
        self._datasets = datasets
        self._documents = documents
        self._makings = makings

    @property
    def service(self) -> str:
        """Machine that texts are sent to; empty: nothing is configured."""
        return service(self._settings)

    @property
    def model(self) -> str:
        return self._settings.llm_model if self.service else ""

    def of_dataset(self, owner: str, dataset_id: str, role: str, config: QueryConfig) -> Ask:
        """What would be asked for the distinct texts of one role. Raises DataError: no such role, no texts of use."""
        rows = load_rows(self._datasets.get(owner, dataset_id).folder)
        if role not in text_columns(rows):
            raise DataError("This dataset has no such texts.", hint=f"It has {', '.join(text_columns(rows))}.")
        return _ask(rows[role].unique().to_pylist(), config)

    def of_documents(self, owner: str, upload_id: str, pairs: PairConfig, config: QueryConfig) -> Ask:
        """What would be asked for the passages of documents, as long as ``pairs`` says."""
        return _ask(all_passages(self._documents.library(owner, upload_id), pairs), config)

    def start_with_dataset(
        self, owner: str, dataset_id: str, role: str, config: QueryConfig, name: str
    ) -> MakingRecord:
        """Raises DataError, ConfigError (nothing is configured)."""
        asked = self.of_dataset(owner, dataset_id, role, config)
        return self._start(owner, asked, config, name, f"'{self._datasets.get(owner, dataset_id).name}'", dataset_id)

    def start_with_documents(
        self, owner: str, upload_id: str, pairs: PairConfig, config: QueryConfig, name: str
    ) -> MakingRecord:
        asked = self.of_documents(owner, upload_id, pairs, config)
        documents = len(self._documents.library(owner, upload_id).documents)
        return self._start(owner, asked, config, name, count(documents, "document", "documents"), "")

    def can_go_on(self, making: MakingRecord) -> bool:
        """Whether it ended early and answers are there that were paid for."""
        return (
            making.kind == KIND
            and making.state in ("failed", "cancelled")
            and (making.folder / "answers.jsonl").exists()
        )

    def go_on(self, owner: str, making_id: str, finish: bool) -> MakingRecord:
        """Another making that begins where an ended one was; it takes the other's place.

        Args:
            finish: Ask for nothing more: make the dataset of the answers that are there.

        Raises:
            RunError: it has not ended, or has no answers.
        """
        making = self._makings.get(owner, making_id)
        if not self.can_go_on(making):
            raise RunError("There is nothing to go on with.", hint="Ask for new questions.")
        if not finish:
            self._check_configured()
        task = read_json(making.folder / "task.json")
        if not finish and self.model not in task["model"].split(" and "):
            task["model"] = f"{task['model']} and {self.model}"
        known = {record.id for record in self._datasets.list(owner)}
        dataset_id = making.dataset_id if making.dataset_id in known else ""
        # A copy, not a link: two processes must never write to one file.
        answers = self._workspace.tmp / f"{new_id()}.jsonl"
        try:
            shutil.copyfile(making.folder / "answers.jsonl", answers)
            files = {"answers.jsonl": answers, "passages.parquet": making.folder / "passages.parquet"}
            again = self._makings.create(
                owner, KIND, making.name, {**task, "finish": finish}, dataset_id=dataset_id, files=files
            )
        except OSError as error:
            raise HostError(f"The answers could not be taken over: {error.strerror}.") from error
        finally:
            answers.unlink(missing_ok=True)
        self._makings.delete(owner, making.id)
        return again

    def _start(
        self, owner: str, asked: Ask, config: QueryConfig, name: str, source: str, dataset_id: str
    ) -> MakingRecord:
        self._check_configured()
        passages = self._workspace.tmp / f"{new_id()}.parquet"
        task = {"questions": config.questions, "source": source, "model": self.model, "finish": False}
        try:
            pq.write_table(pa.table({"text": pa.array(asked.passages, pa.string())}), passages)
            return self._makings.create(
                owner, KIND, display_name(name, "Questions"), task, dataset_id=dataset_id, files={"passages.parquet": passages}
            )  # fmt: skip
        except OSError as error:
            raise HostError(f"The passages could not be stored: {error.strerror}.") from error
        finally:
            passages.unlink(missing_ok=True)

    def _check_configured(self) -> None:
        if not self.service:
            raise ConfigError(
                "No language model is configured.",
                hint="Whoever hosts the studio sets STUDIO_LLM_URL and STUDIO_LLM_MODEL.",
            )


def _ask(texts: Sequence[str], config: QueryConfig) -> Ask:
    """Texts from all through, in their order: the same ones for the same texts and settings."""
    fit = [text for text in texts if text and words_in(text) >= LEAST_WORDS]
    if not fit:
        raise DataError("There are no texts that are long enough to answer a question.", hint="Choose other texts.")
    step = max(1.0, len(fit) / config.most_passages)
    chosen = tuple(fit[int(step * at)] for at in range(min(len(fit), config.most_passages)))
    tokens = sum(PROMPT_TOKENS + len(text) // CHARACTERS_A_TOKEN for text in chosen)
    return Ask(chosen, len(fit), config.questions * len(chosen), tokens)
