"""Read the records that trials leave on storage: one that is damaged counts as not there, and is noted."""

from __future__ import annotations

from collections.abc import Collection
from typing import TypeVar

from orchestrator.state.losses import Loss
from search_spaces.errors import InputError
from trainables.storage.artifacts import Depth, record_damage, verify_examples
from trainables.storage.record_files import read
from trainables.storage.records import EvaluationResult
from trainables.storage.store import Store

R = TypeVar("R")

RESULT_AGAIN = "`ablate run` writes it again, without the GPU time that the trial has spent"
NO_FAILURE = "the trial counts as one that has not failed"
SCORED_AGAIN = "`ablate run` evaluates its trial again"


class TrialRecords:
    """Reader of the records of trials. A damaged one counts as not there, and is noted.

    Args:
        store: the storage.
        depth: how much is read of the scores per example.
    """

    def __init__(self, store: Store, depth: Depth):
        self._store, self._depth = store, depth
        self._evaluations: dict[str, EvaluationResult | None] = {}
        self._are_whole: dict[str, bool] = {}
        self.losses: list[Loss] = []

    def read(self, name: str, kind: type[R], consequence: str, files: Collection[str]) -> R | None:
        """Read a record if it is among the files of the study."""
        if name not in files:
            return None
        try:
            return read(self._store, name, kind)
        except InputError as error:
            self.losses.append(Loss(record_damage(self._store, name, error), consequence))
            return None

    def evaluation(self, name: str) -> EvaluationResult | None:
        """Read the result of an evaluation."""
        if name not in self._evaluations:
            try:
                self._evaluations[name] = read(self._store, name, EvaluationResult)
            except InputError as error:
                self.losses.append(Loss(record_damage(self._store, name, error), SCORED_AGAIN))
                self._evaluations[name] = None
        return self._evaluations[name]

    def is_whole(self, result: EvaluationResult) -> bool:
        """Tell whether the scores per example of an evaluation are whole, too."""
        if result.examples not in self._are_whole:
            damages = verify_examples(self._store, result, self._depth).damages
            self.losses += [Loss(damage, SCORED_AGAIN) for damage in damages]
            self._are_whole[result.examples] = not damages
        return self._are_whole[result.examples]
