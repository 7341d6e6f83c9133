"""What a document shows of a command's output is compared with what the command prints."""

from __future__ import annotations

import pytest

from measurements.first_hour.shown_commands import ShownCommand, first_difference, shown_commands

PAGE = """
```
$ ablate plan my-study
my-study
...
$ ablate run my-study
```

```python
$ no = command
```
"""


def test_commands_come_with_the_lines_below_them() -> None:
    plan, run = ShownCommand("ablate plan my-study", ("my-study", "...")), ShownCommand("ablate run my-study")
    assert shown_commands(PAGE) == [plan, run]


@pytest.mark.parametrize(
    ("shown", "output"),
    [
        ((), "anything\n"),
        (("one", "two"), "one\ntwo  \n"),
        (("one", "...", "three"), "one\ntwo\nthree\nfour\n"),
        (("...", "two", "..."), "one\ntwo\nthree\n"),
    ],
)
def test_what_is_printed_as_it_is_shown_does_not_differ(shown: tuple[str, ...], output: str) -> None:
    assert first_difference(shown, output) is None


@pytest.mark.parametrize(
    ("shown", "output", "difference"),
    [
        (("one", "two"), "one\n", "2 lines are shown, 1 were printed"),
        (("one",), "one\ntwo\n", "1 lines are shown, 2 were printed"),
        (("one", "two"), "two\none\n", "not printed in this place: one"),
        (("...", "two", "one"), "one\ntwo\n", "not printed, or not in this place: one"),
        (("...", "5 trials"), "4 trials\n", "not printed, or not in this place: 5 trials"),
    ],
)
def test_a_difference_is_named(shown: tuple[str, ...], output: str, difference: str) -> None:
    assert first_difference(shown, output) == difference


def test_scores_may_have_other_digits() -> None:
    shown = ("arm scores 28.3 points lower (-41.5 to -15.2)",)
    assert first_difference(shown, "arm scores 5 points lower (-7 to -3.0)\n", exactly=False) is None
    assert first_difference(shown, "arm scores 5 points higher (3 to 7)\n", exactly=False) is not None
