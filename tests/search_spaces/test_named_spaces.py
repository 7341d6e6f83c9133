"""Parameters are found in other tools' files, under the names that they have there."""

from __future__ import annotations

import pytest

from search_spaces.named_spaces import named_spaces
from search_spaces.yaml_source import parse


@pytest.mark.parametrize(
    "text",
    [
        "{lr: {values: [1, 2]}, depth: {min: 3, max: 4}}",
        "[{name: lr, type: choice, values: [1, 2]}, {name: depth, feasibleSpace: {min: 3, max: 4}}]",
        "{sweeper: {params: {lr: 'choice(1, 2)', depth: 'interval(3, 4)'}}}",
        "[{name: lr, values: [1, 2]}, {parameter_id: depth, integer_value_spec: {min_value: 3, max_value: 4}}]",
    ],
)
def test_parameters_are_found_by_name(text: str) -> None:
    document = parse(text, "file")
    found = {name.rpartition(".")[2]: space.texts for name, space in named_spaces(document.value, document, ())}
    assert found == {"lr": ("1", "2"), "depth": ("3", "4")}


def test_nested_parameters_have_dotted_names() -> None:
    document = parse("{parameters: {optimizer: {parameters: {lr: {values: [1, 2]}}}}}", "file")
    assert [name for name, _ in named_spaces(document.value, document, ())] == ["optimizer.lr"]
