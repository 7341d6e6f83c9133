"""In what two studies differ, on a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rich.console import Console
from rich.text import Text

from orchestrator.planning.study_difference import Change, StudyDifference
from search_spaces.yaml_source import show

_MOST = 12
"""Lines of each kind that are shown."""
_WIDTH = 10


def study_difference_to_terminal(difference: StudyDifference, console: Console) -> None:
    """Print what differs, a line for each change; what does not is one line together."""
    sections = {
        "fields": [_change(change) for change in difference.fields],
        "arms": list(_arms(difference)),
        "seeds": [f"{change.name}: {_words(change.first)} -> {_words(change.second)}" for change in difference.seeds],
        "benchmarks": [_change(change) for change in difference.benchmarks],
        "claims": [_change(change) for change in difference.claims],
    }
    for name, lines in sections.items():
        for number, line in enumerate(lines[:_MOST]):
            console.print(Text(f"  {name if number == 0 else '':{_WIDTH}}  {line}"), soft_wrap=True)
        if len(lines) > _MOST:
            console.print(f"  {'':{_WIDTH}}  and {len(lines) - _MOST:,} more (--json has all)")
    same = [name for name, lines in sections.items() if not lines]
    if same:
        console.print(f"  {'the same':{_WIDTH}}  {', '.join(same)}")


def _arms(difference: StudyDifference) -> Iterator[str]:
    yield from (f"+ {name}" for name in difference.arms_added)
    yield from (f"- {name}" for name in difference.arms_removed)
    yield from (f"{change.first} is now called {change.second}" for change in difference.arms_renamed)
    if difference.arms_changed:
        yield f"another model under the same name: {', '.join(difference.arms_changed)}"


def _change(change: Change) -> str:
    if change.first is None:
        return f"+ {change.name}: {_words(change.second)}"
    if change.second is None:
        return f"- {change.name}: {_words(change.first)}"
    if isinstance(change.first, dict) and isinstance(change.second, dict):
        keys = [key for key in {**change.first, **change.second} if change.first.get(key) != change.second.get(key)]
        parts = (f"{key}: {_words(change.first.get(key))} -> {_words(change.second.get(key))}" for key in keys)
        return f"{change.name}: {'; '.join(parts)}"
    return f"{change.name}: {_words(change.first)} -> {_words(change.second)}"


def _words(value: Any) -> str:
    """Write a value as a study file has it, a list by its items; a claim by its sentence, a benchmark by its source."""
    if isinstance(value, dict) and "claim" in value:
        return str(value["claim"])
    if isinstance(value, dict) and isinstance(value.get("source"), dict):
        return str(value["source"]["name"])
    if isinstance(value, list):
        return " ".join(map(show, value))
    return show(value)
