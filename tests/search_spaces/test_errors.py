"""Claims about errors in a user's input: what is wrong is raised in one go, each problem once and in order."""

from __future__ import annotations

import pytest

from search_spaces.errors import InputError, InputProblemsError, Problems


def _fail(law: str) -> None:
    raise InputError(law)


def test_no_problem_raises_nothing() -> None:
    Problems().raise_all()


def test_one_problem_is_raised_itself_however_often_it_was_collected() -> None:
    problems = Problems()
    problems.add(InputError("a", key="k"))
    problems.add(InputError("a", key="k"))
    with pytest.raises(InputError) as caught:
        problems.raise_all()
    assert type(caught.value) is InputError
    assert str(caught.value) == "k: a"


def test_several_problems_are_raised_together_in_order_those_of_an_attempt_among_them() -> None:
    problems = Problems()
    problems.add(InputError("first"))
    assert problems.attempt(lambda: _fail("second")) is None
    assert problems.attempt(lambda: 7) == 7
    nested = Problems()
    nested.extend([InputError("third"), InputError("first"), InputError("fourth")])
    problems.attempt(nested.raise_all)
    with pytest.raises(InputProblemsError) as caught:
        problems.raise_all()
    assert [problem.law for problem in caught.value.problems] == ["first", "second", "third", "fourth"]
