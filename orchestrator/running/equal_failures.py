"""Stop what fails alike again and again: after so many equal failures no trial is started that has all they share.

One broken arm must not stop the others. So nothing is fixed in advance: what the failed trials have in common (an arm,
values of axes, workers, a shape) is what is not started any more, and each further failure of the same signature tells
more of it. Failures that have nothing in common but what every trial of the study has stop no study: they are counted
for each shape of trials by itself, so that at most so many trials of each shape fail alike.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from orchestrator.running.work import Work
from search_spaces.quantities import number_of

EQUAL_FAILURES = 3
"""Failures of one signature after which what they share is not started any more."""


@dataclass(frozen=True)
class Stopped:
    """What is not started any more, because all of it failed alike so far."""

    signature: str
    failed: int
    """Trials that failed with this signature."""
    shared: frozenset[str]
    """What these have in common."""
    shape: str = ""
    """Shape of these, where only failures of this shape count; empty where those of all shapes do."""
    left_out: tuple[str, ...] = ()
    """Ids of the trials that were not started because of it."""

    def sentence(self, of: str) -> str:
        """Say what failed, what is left out and how to go on; `of`: what the trials share, empty if everything."""
        what = f"no more trials with {of} are started" if of else "no more trials are started"
        return (
            f"{self.failed} trials failed alike ({self.signature}): {what}, {number_of(len(self.left_out), 'trial')}"
            " left out. Mend the cause; the same command goes on."
        )


class EqualFailures:
    """Counts failures by their signature.

    Args:
        work: the trials, with their shapes and with what they are in words.
        most: failures of one signature that stop what they share; 0 for never.
    """

    def __init__(self, work: Iterable[Work], most: int = EQUAL_FAILURES):
        self._work, self._most = {item.trial_id: item for item in work}, most
        self._everywhere = self._shared(self._work)
        self._failed: dict[str, set[str]] = defaultdict(set)

    def failed(self, trial: str, signature: str) -> Stopped | None:
        """Count a trial that was given up; returns what is not started any more because of this signature."""
        trials = self._failed[signature]
        trials.add(trial)
        if not self._most or len(trials) < self._most:
            return None
        shared = self._shared(trials)
        if shared > self._everywhere:
            return Stopped(signature, len(trials), shared)
        shape = self._work[trial].shape
        of_shape = {name for name in trials if self._work[name].shape == shape}
        if len(of_shape) < self._most:
            return None
        return Stopped(signature, len(of_shape), self._shared(of_shape), shape)

    def has_all(self, trial: str, stopped: Stopped) -> bool:
        """Return whether a trial has everything that those have in common."""
        return stopped.shared <= self._work[trial].facts

    def described(self, stopped: Stopped) -> str:
        """Say what is not started any more, in as few facts as single it out; empty if it is everything."""
        meant, facts = self._with_all(stopped.shared), stopped.shared
        for fact in sorted(facts, reverse=True):  # `the shape of ...` before `the arm ...` before an arm's values
            if self._with_all(facts - {fact}) == meant:
                facts -= {fact}
        return ", ".join(sorted(facts))

    def _with_all(self, facts: frozenset[str]) -> list[str]:
        return [trial for trial, item in self._work.items() if facts <= item.facts]

    def _shared(self, trials: Collection[str]) -> frozenset[str]:
        return frozenset.intersection(*(self._work[name].facts for name in trials)) if trials else frozenset()
