"""Write and read what a trial's process reports through Ray Tune: typed on both sides, a plain mapping on the way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from search_spaces.outcomes import AwaitsRoom, NodeDone, Progress, Started, TrialDone, UnitDone

_EVENTS: dict[str, type[Started | AwaitsRoom | UnitDone | NodeDone | TrialDone]] = {
    "started": Started,
    "awaits_room": AwaitsRoom,
    "unit_done": UnitDone,
    "node_done": NodeDone,
    "trial_done": TrialDone,
}
_NAMES = {event: name for name, event in _EVENTS.items()}


@dataclass(frozen=True)
class TuneResult:
    """One report of a trial: what happened, which process to watch, and when the next report is due."""

    trial: str
    event: Started | AwaitsRoom | Progress
    node_id: str
    """Ray's id of the node on which the process runs."""
    host: str
    """Name of that node, for people."""
    pid: int
    process_started: float
    """Seconds since the epoch: tells the process from a later one of its pid."""
    oom_kills: int | None
    """Processes around it that the kernel has killed for want of memory so far; None where that is not told."""
    timeout_s: float
    """Seconds after which the next report is overdue."""


def write_result(result: TuneResult) -> dict[str, Any]:
    """Write a report as the mapping that Tune passes on. Tune reads `done` of it, and adds keys of its own."""
    event = {"name": _NAMES[type(result.event)], **asdict(result.event)}
    return {**vars(result), "event": event, "done": isinstance(result.event, TrialDone)}


def read_result(mapping: Mapping[str, Any]) -> TuneResult:
    """Read the report in a mapping that Tune has passed on."""
    fields = dict(mapping["event"])
    event = _EVENTS[fields.pop("name")](**fields)
    return TuneResult(event=event, **{name: mapping[name] for name in TuneResult.__annotations__ if name != "event"})
