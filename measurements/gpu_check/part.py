"""Run the parts of the check one after the other: each gives a line of JSON, whether it fails or not."""

from __future__ import annotations

import contextlib
import json
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from measurements.gpu_check.planned import Setting
from search_spaces.error_text import named_message
from trainables.training.device_memory import release_memory

Figures = dict[str, Any]
"""What a part has measured, by name; the unit stands at the name's end. Plain values of JSON."""


@dataclass(frozen=True)
class Part:
    """Part of the check."""

    name: str
    measure: Callable[[Setting], Figures]


@dataclass(frozen=True)
class Line:
    """Outcome of a part."""

    part: str
    seconds: float
    failure: str | None
    """None of a part that has its figures."""
    figures: Figures

    def as_json(self) -> str:
        """Write the line; figures stand beside the name of the part."""
        failure = {} if self.failure is None else {"failure": self.failure}
        return json.dumps({"part": self.part, "seconds": round(self.seconds, 2), **failure, **self.figures})


def run_parts(parts: Iterable[Part], setting: Setting) -> Iterator[Line]:
    """Run parts; yields the outcome of each, and goes on after one that fails."""
    for part in parts:
        began = time.perf_counter()
        failure, figures = None, Figures()
        try:
            with contextlib.redirect_stdout(sys.stderr):  # what the program tells on the way
                figures = part.measure(setting)
        except Exception as error:  # whatever it is: the other parts are told all the same
            failure, figures = named_message(error), {"where": traceback.format_exc(limit=-6)}
        release_memory()
        yield Line(part.name, time.perf_counter() - began, failure, figures)
