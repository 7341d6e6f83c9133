"""Stop what fails alike again and again: after so many equal failures no trial is started that has all they share.

A study whose every trial stumbles over one missing file must not work through all of them, and one broken arm must not
stop the others. So nothing is fixed in advance: what the failed trials have in common (an arm, values of axes, a shape
of workers) is what is not started any more, and each further failure of the same signature narrows it down.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

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
        facts: trial -> what it is, in words: its arm, its values, its shape of workers.
        most: failures of one signature that stop what they share; 0 for never.
    """

    def __init__(self, facts: Mapping[str, frozenset[str]], most: int = EQUAL_FAILURES):
        self._facts, self._most = facts, most
        self._failed: dict[str, set[str]] = defaultdict(set)

    def failed(self, trial: str, signature: str) -> Stopped | None:
        """Count a trial that was given up; returns what is not started any more because of this signature."""
        trials = self._failed[signature]
        trials.add(trial)
        if not self._most or len(trials) < self._most:
            return None
        return Stopped(signature, len(trials), frozenset.intersection(*(self._facts[name] for name in trials)))

    def has_all(self, trial: str, stopped: Stopped) -> bool:
        """Return whether a trial has everything that those have in common."""
        return stopped.shared <= self._facts[trial]

    def described(self, stopped: Stopped) -> str:
        """Say what is not started any more; empty if it is everything."""
        everywhere = frozenset.intersection(*self._facts.values())
        return ", ".join(sorted(stopped.shared - everywhere))
