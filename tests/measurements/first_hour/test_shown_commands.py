"""What a document shows of a command's output is compared with what the command prints."""

from __future__ import annotations

import pytest

from measurements.first_hour.shown_commands import (
    ShownCommand,
    first_difference,
    section_commands,
    shown_commands,
    without_answers,
    without_numbers,
)

PAGE = """
```
$ ablate plan my-study
my-study
...
$ ablate run my-study
```

```python
no = command
```

- In a list:

  ```console
  $ ablate report my-study
  ```
"""


def test_commands_come_with_the_lines_below_them() -> None:
    plan, run = ShownCommand("ablate plan my-study", ("my-study", "...")), ShownCommand("ablate run my-study")
    assert shown_commands(PAGE) == [plan, run, ShownCommand("ablate report my-study")]


@pytest.mark.parametrize(
    "block", ["```python\n$ ablate ls\n```", "```\nfirst:\n$ ablate ls\n```", "```\n  $ ablate ls\n```"]
)
def test_a_block_with_a_prompt_that_cannot_be_played_is_refused(block: str) -> None:
    with pytest.raises(ValueError, match="must begin with"):
        shown_commands(block)


def test_commands_below_a_heading_have_no_comments() -> None:
    page = "## First\n\nText.\n\n```\nablate ls     # all\n```\n\n## Second\n"
    assert section_commands(page, "First") == ["ablate ls"]
    with pytest.raises(ValueError, match="Second"):
        section_commands(page, "Second")


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
    assert first_difference(shown, "arm scores 5 points lower (-7 to -3.0)\n", without_numbers) is None
    assert first_difference(shown, "arm scores 5 points higher (3 to 7)\n", without_numbers) is not None


ANSWERS = """set: 4 of 8 questions on which arms differ, the first 1 of them

042.png-shape   /home/me/042.png
  Which shape is there?   right: square
    base            square (1) x3
    weights=random  star (0), square (1) x2
"""


def test_answers_may_be_others_to_another_question() -> None:
    shown = tuple(ANSWERS.splitlines())
    others = (
        ANSWERS.replace("042.png-shape", "7.png-color").replace("right: square", "right: red").replace("star", "red")
    )
    assert first_difference(shown, others, without_answers) is None


@pytest.mark.parametrize(
    ("printed", "instead"), [("base  ", "other "), ("   right:", "   wrong:"), ("\n    weights=random  star", "")]
)
def test_what_is_shown_of_answers_is_in_its_place(printed: str, instead: str) -> None:
    assert printed in ANSWERS
    broken = ANSWERS.replace(printed, instead)
    assert first_difference(tuple(ANSWERS.splitlines()), broken, without_answers) is not None
