"""Report what is wrong with a user's input: place, law, value and a way out."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

from search_spaces.credentials import without_credentials

T = TypeVar("T")

LONGEST_TEXT = 4_000
"""Characters that one part of an error has at most: it may quote a value of any length."""

MOST_SHOWN = 50
"""Problems that are shown of many; when they are mended, the next ones are."""


class InputError(ValueError):
    """Error in a user's input. The command line prints it without a traceback and exits with 2.

    Args:
        law: what must hold, and the value that does not ("must be one of letterbox, naive, crop, but got 'corp'").
        place: where, as precisely as is known: ``file:line`` or a path.
        key: the dotted key path inside the file (``axes.vision.resize[2]``).
        way_out: what to write or run instead.
    """

    def __init__(self, law: str, *, place: str | None = None, key: str | None = None, way_out: str | None = None):
        law, (place, key, way_out) = _cut(law), (part and _cut(part) for part in (place, key, way_out))
        super().__init__(law, place, key, way_out)  # all of them, so that it survives pickling between processes
        self.law, self.place, self.key, self.way_out = law, place, key, way_out

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild, (type(self), self.law, self.place, self.key, self.way_out))

    def __str__(self) -> str:
        where = ": ".join(part for part in (self.place, self.key) if part)
        message = f"{where}: {self.law}" if where else self.law
        return f"{message}\n{self.way_out}" if self.way_out else message


class InputProblemsError(InputError):
    """Several problems of one input, reported together so that they can be mended together."""

    def __init__(self, problems: Sequence[InputError]):
        self.problems = tuple(problems)
        super().__init__(f"{len(self.problems)} problems")

    def __reduce__(self) -> tuple[object, ...]:
        return (InputProblemsError, (self.problems,))

    def __str__(self) -> str:
        more = len(self.problems) - MOST_SHOWN
        shown = [*map(str, self.problems[:MOST_SHOWN]), *([f"... and {more:,} more problems"] if more > 0 else [])]
        return "\n\n".join(shown)


class Problems:
    """Collector of what is wrong with one input, so that it is raised in one go.

    Args:
        problems: those that are known already.
    """

    def __init__(self, problems: Iterable[InputError] = ()) -> None:
        self._collected = list(problems)

    def add(self, problem: InputError) -> None:
        """Collect one problem."""
        self._collected.append(problem)

    def extend(self, problems: Iterable[InputError]) -> None:
        """Collect several problems, in their order."""
        self._collected.extend(problems)

    def attempt(self, make: Callable[[], T]) -> T | None:
        """Return what `make` returns, or collect the InputError that it raises and return None."""
        try:
            return make()
        except InputError as error:
            self.add(error)
            return None

    @contextmanager
    def collected(self) -> Iterator[None]:
        """Collect the InputError that the block raises, and go on after it."""
        try:
            yield
        except InputError as error:
            self.add(error)

    def __len__(self) -> int:
        return len(self._collected)

    def raise_all(self) -> None:
        """Raise nothing, the one problem, or all of them together; equal ones once, in order of first occurrence."""
        flat = [part for problem in self._collected for part in getattr(problem, "problems", (problem,))]
        unique = {str(problem): problem for problem in flat}  # one mistake may show in many arms
        if len(unique) == 1:
            raise next(iter(unique.values()))
        if unique:
            raise InputProblemsError(list(unique.values()))


def _cut(text: str) -> str:
    """Leave out the middle of a long text, and what is secret in its addresses."""
    text = without_credentials(text)
    left_out = len(text) - LONGEST_TEXT
    return text if left_out <= 0 else f"{text[: LONGEST_TEXT // 2]} [... {left_out:,} characters ...] {text[-500:]}"


def _rebuild(kind: type[InputError], law: str, place: str | None, key: str | None, way_out: str | None) -> InputError:
    return kind(law, place=place, key=key, way_out=way_out)


def nearest(value: str, legal: Iterable[str]) -> str | None:
    """Suggest the legal value closest to `value` in a sentence; None when nothing is close."""
    matches = difflib.get_close_matches(value, list(legal), n=1, cutoff=0.5)
    return f"Did you mean {matches[0]!r}?" if matches else None
