"""Questions that a language model writes for passages: a dataset of pairs, question and passage.

In the folder lie ``passages.parquet`` (column ``text``) and, as they come in, the answers: ``answers.jsonl``, one line a
passage. Started again, it asks for those that have no line yet.
"""

import asyncio
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from studio.data.check import check
from studio.data.dataset import DatasetInfo, save_dataset
from studio.data.prepare import Prepared
from studio.data.rows import count
from studio.errors import DataError, HostError
from studio.making.chat import Chat, Unanswered
from studio.making.kinds import Report
from studio.making.maker import Stopped
from studio.making.questions import copies, max_tokens, prompt, read_questions
from studio.settings import Settings

LOOK_S = 0.2
"""Seconds between looks at Stop."""
GIVE_UP_AFTER = 8
"""Passages in a row without an answer, after all tries, until the rest is not asked for."""
REFUSED, EMPTY, COPIED, AGAIN, FAILED = (
    "the language model refused", "the passage answers no question, said the language model", "the question copies the passage",
    "the same question again", "the language model did not answer",
)  # fmt: skip


@dataclass
class _Answers:
    """What was answered, in memory and in the file."""

    path: Path
    questions: dict[int, list[str]] = field(default_factory=dict)
    """Passage -> what the model wrote."""
    refused: set[int] = field(default_factory=set)
    tokens: int = 0

    def load(self) -> None:
        """A torn last line, of a process that was killed, is cut off."""
        whole = 0
        content = self.path.read_bytes() if self.path.exists() else b""
        for line in content.splitlines(keepends=True):
            try:
                self._take(json.loads(line))
            except (ValueError, KeyError, TypeError):
                break
            if not line.endswith(b"\n"):
                break
            whole += len(line)
        if whole < len(content):
            with self.path.open("r+b") as file:
                file.truncate(whole)

    def add(self, passage: int, questions: list[str] | None, tokens: int) -> None:
        value = {"passage": passage, "questions": questions or [], "refused": questions is None, "tokens": tokens}
        self._take(value)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(value, ensure_ascii=False) + "\n")

    def _take(self, value: dict[str, Any]) -> None:
        passage = int(value["passage"])
        self.questions[passage] = list(value["questions"])
        self.tokens += int(value["tokens"])
        if value["refused"]:
            self.refused.add(passage)


def write(folder: Path, task: dict[str, Any], report: Report, stopped: Callable[[], bool]) -> dict[str, Any]:
    """Task: ``questions`` (a passage), ``source`` (what the passages are, for people), ``model`` (for the history), ``finish``
    (true: ask for no more).

    Raises:
        ConfigError: no language model is configured, or its key or address is wrong.
        HostError: it cannot be reached.
        DataError: no question came of it.
        Stopped
    """
    settings = Settings()
    passages = pq.read_table(folder / "passages.parquet")["text"].to_pylist()
    answers = _Answers(folder / "answers.jsonl")
    answers.load()
    todo = [at for at in range(len(passages)) if at not in answers.questions]
    failed = 0
    if todo and not task.get("finish"):
        failed = asyncio.run(_ask_all(settings, passages, todo, task["questions"], answers, report, stopped))
    model = task["model"]
    data, left_out = _pairs(passages, answers, failed)
    if not len(data):
        raise DataError("No question came of it." + _why(left_out), hint="Try other texts, or another language model.")
    _save(folder / "dataset", data, left_out, task, model, answers)
    tokens = f", {answers.tokens:,} tokens" if answers.tokens else ""
    message = f"{count(len(data), 'question', 'questions')} for {count(len(answers.questions), 'passage', 'passages')}{tokens}."
    return {"message": message, "questions": len(data), "tokens": answers.tokens, "left_out": left_out}


async def _ask_all(
    settings: Settings,
    passages: list[str],
    todo: list[int],
    questions: int,
    answers: _Answers,
    report: Report,
    stopped: Callable[[], bool],
) -> int:
    """Ask for all of ``todo``, several at a time; returns how many had no answer."""
    waiting = iter(todo)
    failed = in_a_row = 0
    written = sum(map(len, answers.questions.values()))

    async def work(chat: Chat) -> None:
        nonlocal failed, in_a_row, written
        for at in waiting:
            try:
                reply = await chat.ask(*prompt(passages[at], questions), max_tokens(questions))
            except Unanswered as problem:
                failed, in_a_row = failed + 1, in_a_row + 1
                if in_a_row >= GIVE_UP_AFTER:
                    raise HostError(
                        f"{in_a_row} passages in a row got no answer. {problem.message}",
                        hint="Try again later: what was answered so far is kept.",
                    ) from None
                continue
            in_a_row = 0
            found = None if reply.refused else read_questions(reply.text, questions)
            answers.add(at, found, reply.tokens_in + reply.tokens_out)
            written += len(found or ())
            tokens = f", {answers.tokens:,} tokens" if answers.tokens else ""
            report(len(answers.questions), len(passages), f"{written:,} questions{tokens}")

    report(len(answers.questions), len(passages), f"Asking {settings.llm_model}")
    async with Chat(settings) as chat:
        tasks = {asyncio.create_task(work(chat)) for _ in range(settings.llm_concurrency)}
        try:
            while tasks:
                done, tasks = await asyncio.wait(tasks, timeout=LOOK_S)
                for each in done:
                    each.result()
                if stopped():
                    raise Stopped
        finally:
            for each in tasks:
                each.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
    return failed


def _pairs(passages: list[str], answers: _Answers, failed: int) -> tuple[pa.Table, dict[str, int]]:
    """Question and passage, and how often what was left out."""
    rows: list[tuple[str, str]] = []
    seen: set[str] = set()
    left_out = Counter({REFUSED: len(answers.refused), FAILED: failed})
    for at in sorted(answers.questions):
        written = answers.questions[at]
        left_out[EMPTY] += not written and at not in answers.refused
        for question in written:
            key = " ".join(question.casefold().split())
            if copies(question, passages[at]):
                left_out[COPIED] += 1
            elif key in seen:
                left_out[AGAIN] += 1
            else:
                seen.add(key)
                rows.append((question, passages[at]))
    data = pa.table(
        {
            "anchor": pa.array([question for question, _ in rows], pa.string()),
            "positive": pa.array([passage for _, passage in rows], pa.string()),
            "row": pa.array(range(1, len(rows) + 1), pa.int64()),
        }
    )
    return data, {reason: many for reason, many in left_out.items() if many}


def _save(
    folder: Path, data: pa.Table, left_out: dict[str, int], task: dict[str, Any], model: str, answers: _Answers
) -> None:
    from studio.training.estimate import row_lengths

    findings = check(Prepared(data, "pair", {}), None, row_lengths(data))
    problem = next((finding for finding in findings if finding.severity == "error"), None)
    if problem:
        raise DataError(problem.message, hint="Ask for more passages.")
    tokens = f", {answers.tokens:,} tokens" if answers.tokens else ""
    history = (
        f"Questions written by {model} for {count(len(answers.questions), 'passage', 'passages')} of {task['source']} "
        f"(at most {task['questions']} each{tokens})"
    )
    info = DatasetInfo(
        name=task["name"],
        format="pair",
        rows=len(data),
        roles={"anchor": "question", "positive": "passage"},
        file_name=task["source"],
        dropped=left_out,
        findings=findings,
        history=(history,),
    )
    save_dataset(folder, data, info)


def _why(left_out: dict[str, int]) -> str:
    return f" {'; '.join(f'{many:,}: {reason}' for reason, many in left_out.items())}." if left_out else ""
