"""Claims about studies that were broken anywhere: a problem has a place and a law, and nothing is a traceback."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from search_spaces.errors import InputError, InputProblemsError
from search_spaces.expansion.expand import plan_study
from search_spaces.study_files import find_study, load_study
from search_spaces.yaml_source import KeyPath, read

WRONG_VALUES = (None, True, -1, 1.5, "x", [], ["x", "x"], {}, {"x": 1})


def _places(value: Any, path: KeyPath = ()) -> Iterator[KeyPath]:
    """List the paths of everything inside of a value."""
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in children:
        yield (*path, key)
        yield from _places(child, (*path, key))


def _broken(tree: dict[str, Any], path: KeyPath) -> Iterator[dict[str, Any]]:
    """Make studies with one slip at a path: left out, misspelt, given twice, extended, or of a wrong type."""
    *above, key = path

    def changed() -> tuple[dict[str, Any], Any]:
        study: Any = copy.deepcopy(tree)
        node = study
        for step in above:
            node = node[step]
        return study, node

    study, node = changed()
    value = node.pop(key)
    yield study
    if isinstance(node, dict):
        node[f"{key[:-1]}~"] = value
    else:
        node[key:key] = [value, value]
    yield study
    if isinstance(value, str | dict):
        study, node = changed()
        node[key] = f"{value[:-1]}~" if isinstance(value, str) else {**value, "unknown": 1}
        yield study
    for wrong in WRONG_VALUES:
        study, node = changed()
        node[key] = wrong
        yield study


def _problems(folder: Path, tree: dict[str, Any]) -> list[InputError]:
    path = folder / "study.yaml"
    path.write_text(yaml.safe_dump(tree, sort_keys=False))
    try:
        plan_study(load_study(str(path)))
    except InputProblemsError as error:
        return list(error.problems)
    except InputError as error:
        return [error]
    return []


@pytest.mark.parametrize("part", ["study", "base", "recipe", "axes", "seeds", "benchmarks", "resources", "hypotheses"])
def test_a_slip_anywhere_is_accepted_or_refused_with_place_and_law(tmp_path: Path, part: str) -> None:
    tree = read(find_study("quickstart")).value
    refused = 0
    for path in [place for place in _places(tree) if place[0] == part]:
        for study in _broken(tree, path):
            problems = _problems(tmp_path, study)
            refused += bool(problems)
            for problem in problems:
                assert problem.law
                assert problem.key
                assert (problem.place or "").startswith(f"{tmp_path / 'study.yaml'}:"), (path, str(problem))
            assert len(set(map(str, problems))) == len(problems), "one problem is reported once"
    assert refused >= 5


def test_slips_at_several_places_are_reported_together(tmp_path: Path) -> None:
    tree = read(find_study("quickstart")).value
    tree["base"]["language"] = "llama-2x97"
    tree["axes"]["epochs"] = [1, 1]
    tree["axes"]["vision.rezise"] = ["crop"]
    tree["benchmarks"] = "easy-vqaa"
    assert [problem.key for problem in _problems(tmp_path, tree)] == [
        "benchmarks[0]",
        "base.language.model",
        "axes.epochs[1]",
        "axes.vision.rezise",
    ]
