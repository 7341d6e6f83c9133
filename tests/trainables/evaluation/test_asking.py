"""Claims about how benchmarks are shown to be asked."""

from __future__ import annotations

import pytest

from trainables.benchmarks.contract import Example
from trainables.benchmarks.registry import BENCHMARKS
from trainables.benchmarks.sets.families import FAMILIES
from trainables.benchmarks.sets.open_answers import BENCHMARK as OPEN
from trainables.evaluation.asking import Asked, ask_by_all, placeholder

ALL = {**BENCHMARKS, **FAMILIES, OPEN.id: OPEN}


@pytest.mark.parametrize("name", ALL)
def test_every_protocol_puts_a_placeholder_in_the_place_of_the_question(name: str) -> None:
    asked = ask_by_all(ALL[name], placeholder())
    assert list(asked) == list(ALL[name].protocols)
    assert all("question" in how.prompt.lower() and how.answered for how in asked.values())


def test_the_first_of_real_examples_stands_for_all() -> None:
    examples = [Example("1", "i", "i", "What?"), Example("2", "i", "i", "Who?")]
    assert ask_by_all(FAMILIES["exact"], placeholder(examples))["plain"].prompt == "What?"


def test_long_lists_of_options_are_cut() -> None:
    asked = Asked("?", tuple(map(str, range(30))), 16)
    assert asked.answered.endswith("24, 25 and 4 more")
