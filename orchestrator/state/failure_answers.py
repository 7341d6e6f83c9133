"""Say of each kind of failure what follows it: within the run, and when a later run begins."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from search_spaces.outcomes import FailureKind

Answer = Literal["again", "uncounted", "smaller", "storage", "never"]
"""What follows a failure within the run.

- `again`: another attempt from the last checkpoint, within a budget.
- `uncounted`: another attempt from the last checkpoint, however often, with pauses where it gets no further.
- `smaller`: another attempt with a smaller micro-batch, as long as there is one.
- `storage`: another attempt once storage can be written to; it counts only if storage was not found in trouble.
- `never`: the trial has failed.
"""


@dataclass(frozen=True)
class Answers:
    """What follows a kind of failure."""

    in_run: Answer
    may_have_gone: bool
    """Whether the cause lies outside of the trial, so that it may have gone by itself when a later run begins."""


ANSWERS: Mapping[FailureKind, Answers] = {
    "lost": Answers("again", may_have_gone=True),
    "preempted": Answers("uncounted", may_have_gone=True),
    "hung": Answers("again", may_have_gone=True),
    "memory": Answers("smaller", may_have_gone=False),
    "full": Answers("storage", may_have_gone=True),
    "damaged": Answers("again", may_have_gone=True),
    "error": Answers("never", may_have_gone=False),
    "killed": Answers("never", may_have_gone=True),
}
