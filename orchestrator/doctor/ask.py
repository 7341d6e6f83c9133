"""Ask for facts with a time limit each: file systems, servers and drivers may hang for ever."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from orchestrator.doctor.facts import Unanswered
from search_spaces.error_text import named_message


@dataclass
class Question:
    """Call that runs in a thread of its own; one that never returns ends with the process."""

    call: Callable[[], Any]
    answer: Any = field(init=False)

    def __post_init__(self) -> None:
        self.answer = None
        self._began = time.monotonic()
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def _work(self) -> None:
        try:
            self.answer = self.call()
        except Exception as error:  # of file systems, drivers and libraries; it is shown
            self.answer = Unanswered(f"could not be asked: {named_message(error)}")

    def wait(self, within_s: float) -> Any:
        """Return the answer, or that there was none within so many seconds of the question."""
        self._thread.join(max(0.0, self._began + within_s - time.monotonic()))
        if self._thread.is_alive():
            return Unanswered(f"gave no answer within {within_s:g} s")
        return self.answer


Name = TypeVar("Name", bound=str)


def ask_all(
    calls: Mapping[Name, Callable[[], Any]], within_s: float, longer: Mapping[Name, float] | None = None
) -> dict[Name, Any]:
    """Ask several questions at a time.

    Args:
        calls: by name.
        within_s: seconds that each may take.
        longer: other limits, by name.

    Returns:
        What each call returned, or `Unanswered`.
    """
    questions = {name: Question(call) for name, call in calls.items()}
    return {name: question.wait((longer or {}).get(name, within_s)) for name, question in questions.items()}
