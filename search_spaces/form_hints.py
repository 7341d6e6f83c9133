"""Say what to write instead of keys and forms that other tools' files have and a study has not."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from search_spaces.errors import InputError, Problems
from search_spaces.field_paths import base_fields, near_fields
from search_spaces.flow_text import flow_text, plain_value
from search_spaces.named_spaces import SPACES, named_spaces
from search_spaces.other_tools import foreign_space, is_template, word_of, words
from search_spaces.yaml_source import Document, KeyPath, key_text, value_at

_FREE_TEXT = frozenset({"question", "claim", "note", "reason", "source", "study", "extends"})
_SEEDS = words("seed seeds randomseed numseeds nseeds repeats replicates runs seedlist")
_COUNTS = words("count n num number numseeds nseeds repeats replicates runs")

MOST_SEEDS = 20
"""A larger number of seeds is not written out."""


def explained(error: InputError, document: Document) -> InputError:
    """Add what to write instead to the errors of a study's form, where another tool's form is recognised.

    Args:
        error: one problem, or several together.
        document: the study, as plain values.
    """
    problems: tuple[InputError, ...] = getattr(error, "problems", (error,))
    all_of_them = Problems(_explained(problem, document) for problem in problems)
    try:
        all_of_them.raise_all()
    except InputError as explained_error:
        return explained_error
    return error


def template_problems(document: Document) -> Iterator[InputError]:
    """Find texts such as ``${name}`` that another program would fill in: here they would be taken as they are."""
    for path, text in _texts(document.value, ()):
        if is_template(text) and not any(key in _FREE_TEXT for key in path):
            yield InputError(
                f"nothing is filled in here, but got {text!r}",
                place=document.origin(path),
                key=key_text(path),
                way_out="Write the value itself, or give it with --set.",
            )


_TEXTS = (("sources", "*", "version"), ("benchmarks", "*", "answers", "*"), ("samples", "*", "answers", "*"),
          ("suites", "*", "*", "answers", "*"))  # fmt: skip
"""Where a number is taken for text."""


def number_problems(document: Document) -> Iterator[InputError]:
    """Find numbers that stand for texts and would be other ones: a version 1.10 would be 1.1."""
    for path, text in document.texts.items():
        is_text = any(
            len(path) == len(pattern) and all(part in ("*", key) for part, key in zip(pattern, path, strict=True))
            for pattern in _TEXTS
        )
        if not is_text:
            continue
        number = plain_value(text)
        is_other = isinstance(number, int | float) and not isinstance(number, bool) and str(number) != text
        if is_other and not isinstance(value_at(document.value, path), str):
            yield InputError(
                f"a text that looks like a number must be in quotes, or it would be {number}, but got {text}",
                place=document.origin(path),
                key=key_text(path),
                way_out=f"Write `'{text}'`.",
            )


def _texts(value: Any, path: KeyPath) -> Iterator[tuple[KeyPath, str]]:
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, Mapping):
        for key, child in value.items():
            yield from _texts(child, (*path, key))
    elif isinstance(value, list):
        for i, child in enumerate(value):
            yield from _texts(child, (*path, i))


def _explained(problem: InputError, document: Document) -> InputError:
    key = problem.key or ""
    if key.startswith("seeds."):
        return _of_seed_counts(problem, document)
    if not isinstance(document.value, Mapping) or key not in document.value:
        return problem
    value = document.value[key]
    explain = _EXPLAINED.get(key)
    law, way_out = explain(value, document) if explain is not None else _unknown_key(key, value, document, problem)
    if way_out is None:
        return problem
    return InputError(law or problem.law, place=problem.place, key=problem.key, way_out=way_out)


def _of_seed_counts(problem: InputError, document: Document) -> InputError:
    """Explain ``seeds: {count: 3}``, which is read as the seeds of an arm called count."""
    seeds = document.value.get("seeds")
    is_count = isinstance(seeds, Mapping) and all(word_of(key) in _COUNTS for key in seeds)
    way_out = _seeds(seeds, document, ("seeds",)) if is_count else None
    if way_out is None:
        return problem
    return InputError("seeds are listed, and not counted", place=problem.place, key="seeds", way_out=way_out)


Explanation = tuple[str | None, str | None]
"""Another law, or None for the one that there is, and a way out, or None where nothing is recognised."""


def _unknown_key(key: str, value: Any, document: Document, problem: InputError) -> Explanation:
    word = word_of(key)
    if word in _SEEDS:
        return None, _seeds(value, document, (key,))
    is_unknown = problem.law.startswith("must be one of study,")
    spaces = dict(named_spaces(value, document, (key,))) if is_unknown and word in SPACES else {}
    if spaces:
        entries = [f"{_field(name, document)}: [{', '.join(space.texts)}]" for name, space in spaces.items()]
        law = f"a study has `axes`, which list their values, but got {key!r} of another tool"
        return law, f"Write `axes: {{{', '.join(entries)}}}`."
    if is_unknown and word in SPACES:
        return f"a study runs all of its arms and has no {key!r}", "Leave it out."
    return None, None


def _field(name: str, document: Document) -> str:
    """Name the field that a parameter of another tool stands for; the name itself where none is similar."""
    base = document.value.get("base")
    stages = base.get("stages") if isinstance(base, Mapping) else None
    own = [stage for stage in stages if isinstance(stage, str)] if isinstance(stages, list) else []
    bare = name.removeprefix("base.")
    if bare in base_fields() or bare in ("vision", "projector", "language", "recipe"):
        return bare
    near = near_fields(bare, own)
    return near[0] if near else bare


def _of_seeds(value: Any, document: Document) -> Explanation:
    return None, _seeds(value, document, ("seeds",))


def _seeds(value: Any, document: Document, path: KeyPath) -> str | None:
    """Say how seeds are listed: one, a range of them, or so many of them."""
    if isinstance(value, Mapping) and len(value) == 1 and word_of(next(iter(value))) in _COUNTS:
        value = next(iter(value.values()))
        path = ("numseeds",)
    if isinstance(value, int) and not isinstance(value, bool):
        is_count = word_of(str(path[0])) in _COUNTS and 0 < value <= MOST_SEEDS
        return f"Write `seeds: {list(range(value)) if is_count else [value]}`."
    space = foreign_space(value, document, path)
    texts = list(space.texts) if space is not None else []
    if isinstance(value, list) and path != ("seeds",) and all(isinstance(item, int) for item in value):
        texts = list(map(str, value))
    if texts and all(isinstance(plain_value(text), int) for text in texts):
        return f"Write `seeds: [{', '.join(texts)}]`."
    return "Write `seeds: [7]`, which is what a study without seeds has." if value is None else None


def _of_axes(value: Any, document: Document) -> Explanation:
    if not isinstance(value, list):
        return None, None
    found = dict(named_spaces(value, document, ("axes",)))
    entries = [f"{_field(name, document)}: [{', '.join(space.texts)}]" for name, space in found.items()]
    return None, f"Write `axes: {{{', '.join(entries)}}}`." if entries else "Write `axes: {FIELD: [VALUE, VALUE]}`."


def _of_arms(value: Any, document: Document) -> Explanation:
    if not isinstance(value, list):
        return None, None
    named = {
        str(item.get("name", item.get("arm"))): {
            key: child for key, child in item.items() if key not in ("name", "arm")
        }
        for item in value
        if isinstance(item, Mapping) and ("name" in item or "arm" in item)
    }
    return None, f"Write `arms: {flow_text(named)}`." if named else "Write `arms: {NAME: {FIELD: VALUE}}`."


_EXPLAINED: Mapping[str, Callable[[Any, Document], Explanation]] = {
    "seeds": _of_seeds,
    "axes": _of_axes,
    "arms": _of_arms,
}
