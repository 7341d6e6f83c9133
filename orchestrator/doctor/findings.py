"""Define what a check says, and of what."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

Area = Literal["machine", "packages", "cluster", "storage", "tracking", "study"]

State = Literal["right", "slow", "fails", "unknown"]
"""What a run would meet.

- `right`: nothing to do.
- `slow`: it works, and costs time or room that the finding names.
- `fails`: a run is refused, or ends before its work is done.
- `unknown`: it could not be found out.
"""


@dataclass(frozen=True)
class Finding:
    """Answer of one check."""

    area: Area
    state: State
    says: str
    """In one sentence, with the numbers."""
    way_out: str | None = None
    """What to do; None where there is nothing to do."""


def will_fail(findings: Sequence[Finding]) -> bool:
    """Check whether something of it makes a run fail."""
    return any(finding.state == "fails" for finding in findings)


def findings_json(findings: Sequence[Finding]) -> dict[str, Any]:
    """Turn findings into plain values."""
    return {"fails": will_fail(findings), "findings": [asdict(finding) for finding in findings]}
