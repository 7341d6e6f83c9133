"""Put together what a study is made of: what it extends, its own file, and the values of the command line.

In such a study the value that an error stands at is often innocent: it was legal in the study that is extended, until
the file on top of it changed something else. `at_the_cause` moves the error to that change.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from search_spaces.errors import InputError, Problems
from search_spaces.overlay import merge, place_override
from search_spaces.short_forms import long_form
from search_spaces.suggestions import UntriedSuggestion
from search_spaces.yaml_source import Document, KeyPath, leaves


@dataclass(frozen=True)
class StudyLayers:
    """What a study is made of, from below."""

    below: Document | None
    """The study that is extended, in long form; None of a study that stands alone."""
    own: Document
    """The file's own text."""
    overrides: tuple[str, ...] = ()
    """`KEY=VALUE` texts of the command line."""

    def document(self) -> Document:
        """Lay everything together, in long form. Raises InputError for an override that has no place."""
        document = long_form(self.own if self.below is None else merge(self.below, self.own))
        for override in self.overrides:
            placed = place_override(document, override, name_maps=("axes", "arms"), null_removes=self.below is not None)
            document = long_form(placed)
        return document

    def is_on_top(self, place: str | None) -> bool:
        """Tell whether a place is in what was written last: on the command line or, without it, in the file itself."""
        if self.overrides:
            return place is not None and place.startswith("--set ")
        return self.below is None or place is None or _file(place) == _file(self.own.origin(()) or "")

    def ways_without(self, most: int) -> list[tuple[str, StudyLayers]]:
        """List each change of what is below, as its place and everything but this change.

        With more than `most` of them, all changes below one key of the file are one.
        """
        ways = list(self._ways_without([path for path, _ in leaves(self.own.value)]))
        return ways if len(ways) <= most else list(self._ways_without([(key,) for key in self.own.value]))

    def _ways_without(self, paths: Iterable[KeyPath]) -> Iterator[tuple[str, StudyLayers]]:
        for number, override in enumerate(self.overrides):
            others = (*self.overrides[:number], *self.overrides[number + 1 :])
            yield f"--set {override}", replace(self, overrides=others)
        if self.below is not None:
            for path in paths:
                if path and path[0] not in ("extends", "study", "question"):
                    yield self.own.origin(path) or "", replace(self, own=_without(self.own, path))


def at_the_cause(error: InputError, layers: StudyLayers, check: Callable[[Document], object], most: int) -> InputError:
    """Move errors from innocent values of what is extended to the change that brings them about.

    Args:
        error: one problem, or several together.
        layers: of the study that has them.
        check: finds problems of a document; raises InputError.
        most: changes that may be tried one by one.

    Returns:
        The same problems. One that vanishes with a single change stands at this change, and says where it shows.
    """
    problems: tuple[InputError, ...] = getattr(error, "problems", (error,))
    if all(layers.is_on_top(problem.place) for problem in problems):
        return error
    others = [(place, _names_of_problems(way, check)) for place, way in layers.ways_without(most)]
    moved = Problems(problem if layers.is_on_top(problem.place) else _moved(problem, others) for problem in problems)
    try:
        moved.raise_all()
    except InputError as all_of_them:
        return all_of_them
    return error


Name = tuple[str | None, str | None]
"""Place and key of a problem."""


def _moved(problem: InputError, others: list[tuple[str, set[Name] | None]]) -> InputError:
    for place, names in others:
        if names is not None and (problem.place, problem.key) not in names:
            law = f"{problem.law} (there: {problem.place})"
            return InputError(law, place=place, key=problem.key, way_out=problem.way_out)
    return problem


def _names_of_problems(layers: StudyLayers, check: Callable[[Document], object]) -> set[Name] | None:
    """Check a study and name its problems; None where that is not known without more work."""
    try:
        check(layers.document())
    except UntriedSuggestion:
        return None
    except InputError as error:
        return {(problem.place, problem.key) for problem in getattr(error, "problems", (error,))}
    return set()


def _without(document: Document, path: KeyPath) -> Document:
    """Copy a document without the value at a path."""

    def copied(value: Any, rest: KeyPath) -> Any:
        return {
            key: copied(child, rest[1:]) if key == rest[0] else child for key, child in value.items() if rest != (key,)
        }

    return Document(copied(document.value, path), document.origins, document.texts)


def _file(place: str) -> str:
    return place.rpartition(":")[0]
