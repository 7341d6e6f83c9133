"""Log answers batch by batch, so that a killed evaluation resumes where it was. No torch.

Every worker appends to a file of its own, one line per batch. A line that was cut by a kill or damaged is skipped:
its batch is answered again. Batches that several workers have answered (in attempts of unequal size) have equal
answers.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from types import TracebackType

from trainables.storage import layout
from trainables.storage.store import Store

Answer = str | list[float]
"""A generated text, or the log-likelihood of each option."""


class AnswerLog:
    """Log of the answers of one model to one benchmark. Closing keeps the files; `discard` removes them.

    Args:
        store: the storage.
        key: identity of the score (`trainables.evaluation.results.evaluation_key`).
        benchmark: id of the benchmark.
        rank: of this worker, whose file is written.
    """

    def __init__(self, store: Store, key: str, benchmark: str, rank: int):
        self._store, self._folder = store, layout.evaluation_answers(key, benchmark)
        self._file = store.append(f"{self._folder}/rank-{rank}.jsonl")
        self._file.write(b"\n")  # whatever a killed writer left without its end

    def __enter__(self) -> AnswerLog:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._file.close()

    def read(self) -> dict[int, list[Answer]]:
        """Read the answers of all workers, by the number of their batch."""
        answers: dict[int, list[Answer]] = {}
        for name in self._store.list(self._folder):
            answers.update(_batches(self._store.get(name)))
        return answers

    def write(self, batch: int, answers: Sequence[Answer]) -> None:
        self._file.write(json.dumps([batch, list(answers)]).encode() + b"\n")

    def discard(self) -> None:
        self._store.remove(self._folder)


def _batches(content: bytes) -> dict[int, list[Answer]]:
    batches: dict[int, list[Answer]] = {}
    for line in content.splitlines(keepends=True):
        if not line.endswith(b"\n") or not line.strip():
            continue
        try:
            value = json.loads(line)
        except (ValueError, RecursionError):  # cut in the middle, then closed by the next writer
            continue
        match value:
            case [int(number), list(answers)] if all(_is_answer(answer) for answer in answers):
                batches[number] = answers
    return batches


def _is_answer(value: object) -> bool:
    return isinstance(value, str) or (
        isinstance(value, list) and all(isinstance(likelihood, float) for likelihood in value)
    )
