"""Follow what errors of a study suggest, as a person would who reads the message beside the file."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from search_spaces.errors import InputError
from search_spaces.expansion.expand import plan_study
from search_spaces.overlay import merge
from search_spaces.plan import Plan
from search_spaces.short_forms import long_form
from search_spaces.study_files import load_study
from search_spaces.yaml_source import KeyPath, key_text, parse


def problems_and_plan(path: Path) -> tuple[list[InputError], Plan | None]:
    """Plan a study file; what is wrong with it, or its plan."""
    try:
        return [], plan_study(load_study(str(path)))
    except InputError as error:
        return list(getattr(error, "problems", (error,))), None


def following(text: str, problem: InputError) -> Iterator[tuple[str, str]]:
    """List what a problem of a study of one file suggests, each with the text of the study that follows it.

    A suggestion whose form is not known here fails: then this function, or the suggestion, has to be mended.
    """
    way_out = problem.way_out
    if way_out is None:
        return
    try:
        tree = long_form(parse(text, "file")).value
    except InputError:
        written = re.match(r"Write `(.+?)`", way_out)
        if written:
            wrong = problem.law.rpartition("but got ")[2]
            yield written[1], text.replace(wrong, written[1])
        return
    path = next((path for path in _paths(tree) if key_text(path) == problem.key), None)
    for name, new in _followed(tree, path, problem, way_out) if path else ():
        yield name, yaml.safe_dump(new, sort_keys=False)


def _followed(tree: Any, path: KeyPath, problem: InputError, way_out: str) -> Iterator[tuple[str, Any]]:
    if way_out.startswith("Did you mean "):
        for name in re.findall(r"'([^']+)'", way_out):
            yield name, _named(tree, path, name, problem)
    elif near := re.match(r"The nearest is (\S+)\.(?: |$)", way_out):
        yield near[1], _set(tree, path, parse(near[1], "text").value)
    elif way_out.startswith("Write `"):
        entries = [parse(entry, "text").value for entry in re.findall(r"`([^`]+)`", way_out.partition(". If ")[0])]
        yield way_out, _with_entries(tree, path, entries)
    elif way_out in ("Leave it out.", "Leave out the tag."):
        yield way_out, _without(tree, path)
    elif way_out.startswith("Set `vision.interpolate: true`"):
        yield way_out, _set(tree, ("base", "vision", "interpolate"), True)
    elif match := re.match(r"Encoders made for \d+ px: ([\w.-]+)", way_out):
        yield match[1], _set(tree, ("base", "vision", "backbone"), match[1])


def _named(tree: Any, path: KeyPath, name: str, problem: InputError) -> Any:
    node = _node(tree, path)
    got = problem.law.rpartition("but got ")[2]
    if isinstance(path[-1], str) and got == repr(path[-1]) and node != path[-1]:
        new = copy.deepcopy(tree)
        inside = _node(new, path[:-1])
        if isinstance(inside.get(name), dict) and isinstance(node, dict):
            inside[name] |= inside.pop(path[-1])
            return new
        items = [(name if key == path[-1] else key, child) for key, child in inside.items()]
        inside.clear()
        inside.update(items)
        return new
    return _set(tree, path, name)


def _with_entries(tree: Any, path: KeyPath, entries: list[Any]) -> Any:
    if not all(isinstance(entry, dict) for entry in entries):
        return _set(tree, path, entries[0])
    new = _without(tree, path)
    for entry in entries:
        long = long_form(merge(parse(yaml.safe_dump(_node(new, path[:-1])), "a"), parse(yaml.safe_dump(entry), "b")))
        node = _node(new, path[:-1])
        node.clear()
        node.update(long.value)
    return new


def _paths(value: Any, path: KeyPath = ()) -> Iterator[KeyPath]:
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in children:
        yield (*path, key)
        yield from _paths(child, (*path, key))


def _node(tree: Any, path: KeyPath) -> Any:
    for key in path:
        tree = tree[key]
    return tree


def _set(tree: Any, path: KeyPath, value: Any) -> Any:
    new = copy.deepcopy(tree)
    _node(new, path[:-1])[path[-1]] = value
    return new


def _without(tree: Any, path: KeyPath) -> Any:
    new = copy.deepcopy(tree)
    del _node(new, path[:-1])[path[-1]]
    return new
