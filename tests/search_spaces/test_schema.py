"""Claims about the JSON Schema of study files."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib import resources
from typing import Any

import pytest

from search_spaces.schema import FILE, schema_text, study_schema
from search_spaces.study_files import find_study, shipped_studies
from search_spaces.yaml_source import parse, read

jsonschema = pytest.importorskip("jsonschema")

BASE = "base: {vision: clip-vit-l, language: vicuna-v15-7b, stages: [finetune]}\nrecipe: prismatic\nstudy: s\n"


def _problems(value: Any) -> list[str]:
    return [error.message for error in jsonschema.Draft202012Validator(study_schema()).iter_errors(value)]


def test_committed_schema_is_current() -> None:
    """Write it anew where it is not: `ablate schema > search_spaces/study.schema.json`."""
    committed = resources.files("search_spaces").joinpath(FILE).read_text(encoding="utf-8")
    assert committed == schema_text()


def test_schema_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(study_schema())


def test_every_property_has_a_description() -> None:
    def bare(schema: Any, place: str) -> Iterator[str]:
        """Find properties without one anywhere, also in forms that a field may have instead."""
        if isinstance(schema, dict):
            properties = schema.get("properties", {})
            yield from (f"{place}.{name}" for name, each in properties.items() if not each.get("description"))
            for key, inner in schema.items():
                yield from bare(inner, f"{place}/{key}")
        elif isinstance(schema, list):
            for number, inner in enumerate(schema):
                yield from bare(inner, f"{place}[{number}]")

    assert list(bare(study_schema(), "")) == []


@pytest.mark.parametrize("name", shipped_studies())
def test_shipped_study_fits_the_schema_and_names_it(name: str) -> None:
    path = find_study(name)
    (named,) = re.findall(r"\A# yaml-language-server: \$schema=(\S+)\n", path.read_text())
    assert (path.parent / named).resolve() == find_study("quickstart").parent / FILE
    assert _problems(read(path).value) == []


@pytest.mark.parametrize(
    "addition",
    [
        "seeds: [7, 8]",
        "seeds: {default: [7], base: [7, 8]}",
        "benchmarks: prismatic-12",
        "benchmarks: [gqa, {id: vqav2, sample: 100}]",
        "recipe2: {}",
    ],
)
def test_schema_accepts_what_the_program_accepts(addition: str) -> None:
    value = parse(BASE + addition, "file").value
    assert bool(_problems(value)) == ("recipe2" in addition)


def test_schema_lets_a_study_that_extends_another_leave_things_out() -> None:
    assert _problems({"extends": "quickstart", "base": {"epochs": 2}}) == []
    assert _problems({"base": {"epochs": 2}}) != []
