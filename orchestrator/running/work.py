"""Describe the trials that a run has to do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from cluster.launcher import ResourceRequest


@dataclass(frozen=True)
class Work:
    """One trial to do. `costs` has the estimated seconds of each node of `path`."""

    trial_id: str
    path: tuple[str, ...]
    request: ResourceRequest
    costs: tuple[float, ...]
    is_begun: bool = False
    """Whether storage holds a part of what this trial has to produce."""
    facts: frozenset[str] = frozenset()
    """What the trial is, in words: what equal failures are told to have in common."""
    shape: str = ""
    """The one of these facts that names what decides whether it runs."""


def requests_by_trial(work: Iterable[Work]) -> Mapping[str, ResourceRequest]:
    """Map the id of each trial to its resource request."""
    return {item.trial_id: item.request for item in work}
