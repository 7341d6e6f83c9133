"""Search spaces of other tools are told from this program's own values."""

from __future__ import annotations

import pytest

from search_spaces.other_tools import foreign_space, is_template
from search_spaces.yaml_source import parse


@pytest.mark.parametrize(
    ("text", "texts", "is_range"),
    [
        ("{min: 1e-5, max: 1e-3}", ("1e-5", "1e-3"), True),
        ("{values: [1e-5, 1e-3], probabilities: [0.5, 0.5]}", ("1e-5", "1e-3"), False),
        ("{value: 4}", ("4",), False),
        ("{distribution: normal, mu: 1e-3, sigma: 1e-4}", ("1e-3",), True),
        ("{min: 1, max: 4, q: 1}", ("1", "2", "3", "4"), True),
        ("{_type: choice, _value: [naive, crop]}", ("naive", "crop"), False),
        ("{feasibleSpace: {min: '0.1', max: '0.5'}}", ("0.1", "0.5"), True),
        ("choice(1e-3, 1e-4)", ("1e-3", "1e-4"), False),
        ("range(1,5)", ("1", "2", "3", "4"), True),
        ("tag(log, interval(1e-5, 1e-3))", ("1e-5", "1e-3"), True),
        ("np.linspace(0, 1, 5)", ("0", "1"), True),
        ("trial.suggest_float('x', 1e-5, 1e-3, log=True)", ("1e-5", "1e-3"), True),
        ("hp.uniform('lr', 1e-5, 1e-3)", ("1e-5", "1e-3"), True),
        ("'loguniform[1e-5:1e-3]'", ("1e-5", "1e-3"), True),
        ("{max: 3}", ("3",), True),
        ("{dist: loguniform, args: [1e-5, 1e-3]}", ("1e-5", "1e-3"), True),
        ("{kind: choice, value: [1, 2]}", ("1", "2"), False),
        ("{log: [1e-5, 1e-3]}", ("1e-5", "1e-3"), True),
        ("naive|crop", ("naive", "crop"), False),
        ("naive,crop", ("naive", "crop"), False),
        ("'(4, 1)'", ("4", "1"), False),
        ("4..6", ("4", "5", "6"), True),
        ("crop", ("crop",), False),
        ("['choice(naive, crop)']", ("naive", "crop"), False),
        ("[{value: 4}, {value: 1}]", ("4", "1"), False),
    ],
)
def test_other_tools_words_are_recognised(text: str, texts: tuple[str, ...], is_range: bool) -> None:
    document = parse(text, "file")
    space = foreign_space(document.value, document, ())
    assert space is not None
    assert (space.texts, space.is_range) == (texts, is_range)


@pytest.mark.parametrize(
    "text",
    [
        "[naive, crop]",
        "[1e-3, 1e-4]",
        "{small: 1, large: 2}",
        "{low: 1, base: 2, high: 3}",
        "{min: naive, max: crop}",
        "{min: {vision.tokens: 1}, max: {vision.tokens: 4}}",
        "{64px: {}, 32px: {vision.resolution: 32}}",
        "['path:a,b', 'hub:a/b@main']",
        "[[finetune], [align, finetune]]",
    ],
)
def test_own_values_and_labels_are_left_alone(text: str) -> None:
    document = parse(text, "file")
    assert foreign_space(document.value, document, ()) is None


def test_templates_of_other_programs_are_told_from_text() -> None:
    assert all(map(is_template, ["${base.lr}", "{{ lr }}", "%(lr)s", "path:${oc.env:HOME}/x"]))
    assert not any(map(is_template, ["costs $5", "path:a/b", "100 %", "{a}"]))
