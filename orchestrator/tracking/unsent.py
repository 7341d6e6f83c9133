"""Count what a tracking server did not take, and tell a person of each kind and reason once."""

from __future__ import annotations

from collections import Counter
from typing import Literal, get_args

from orchestrator.tracking.notices import Notice
from orchestrator.tracking.tracker import TrackerRefusedError

Kind = Literal["file", "value of a metric", "set of parameters and tags", "list of data", "model", "trial", "view"]
"""What can be refused by itself."""

KINDS: dict[Kind, str] = {
    "file": "files",
    "value of a metric": "values of metrics",
    "set of parameters and tags": "sets of parameters and tags",
    "list of data": "lists of data",
    "model": "models",
    "trial": "trials",
    "view": "views",
}
"""Kind -> its plural."""

assert set(KINDS) == set(get_args(Kind))

GIVEN_UP_AFTER = 5
"""Files refused for one reason after which no more are tried, where none was ever taken: each may take seconds."""


class Unsent:
    """What was refused so far, by kind and reason.

    Args:
        notice: shows a message; each kind and reason is shown when it is met first.
    """

    def __init__(self, notice: Notice):
        self._notice = notice
        self._counts: Counter[tuple[Kind, str]] = Counter()
        self._first: dict[tuple[Kind, str], str] = {}
        self._files_taken = 0

    def add(self, kind: Kind, name: str, refused: TrackerRefusedError | str) -> None:
        """Count one refusal.

        Args:
            kind: of what was refused.
            name: of it.
            refused: what the server says.
        """
        cause = refused if isinstance(refused, str) else refused.cause
        self._counts[kind, cause] += 1
        if (kind, cause) not in self._first:
            self._first[kind, cause] = f"{name}: {refused}"
            self._notice(f"tracking: not recorded: {name}: {refused}")

    def file_taken(self) -> None:
        """Note that the server takes files."""
        self._files_taken += 1

    @property
    def takes_no_files(self) -> bool:
        """Whether so many files were refused for one reason, and none taken, that no more need be tried."""
        most = max((count for (kind, _), count in self._counts.items() if kind == "file"), default=0)
        return not self._files_taken and most >= GIVEN_UP_AFTER

    def skip_file(self) -> None:
        """Count a file that was not tried, for the reason of those before it."""
        reasons = {key: count for key, count in self._counts.items() if key[0] == "file"}
        self._counts[max(reasons, key=lambda key: reasons[key])] += 1

    def sentence(self) -> str | None:
        """Say what did not arrive, with counts, and why; None if everything did."""
        if not self._counts:
            return None
        parts = [
            f"{count:,} {kind if count == 1 else KINDS[kind]} ({self._first[kind, cause]})"
            for (kind, cause), count in self._counts.items()
        ]
        return "; ".join(parts)
