"""Claims about answers to a user's own sets: what is plain is read, and nothing else is taken for an answer."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainables.benchmarks.contract import Example
from trainables.benchmarks.scorers import own_sets
from trainables.benchmarks.scorers.soft_accuracy import soft_accuracy

ANY = Example("1", "1", None, "?")


@pytest.mark.parametrize(
    ("output", "answer"),
    [
        *(
            (text, "yes")
            for text in ("yes", "Yes.", "TRUE", "true", "1", "y", "Yes!", "yes, it is", "Yes it is.", "Yes. A dog")
        ),
        *(
            (text, "no")
            for text in ("no\n", "NO", "False", "0", "N", "No, there is not.", "<think>yes?</think> no</s>")
        ),
        *(
            (text, None)
            for text in ("", "maybe", "not sure", "yes and no", "no idea", "Yes, or no?", "2", "nope", "none")
        ),
        *(
            (text, None)
            for text in ("There is no dog", "No, yes", "true, but false", "<think>yes", "10", "yes/no", "-1")
        ),
    ],
)
def test_yes_and_no_are_read_where_they_are_plain(output: str, answer: str | None) -> None:
    parsed = own_sets.yes_or_no(output, ANY)
    assert (parsed.value, parsed.ok) == (answer, answer is not None)


CHOICES = Example("1", "1", None, "?", options=("fox", "Cow", "red fox"))
LETTERS = Example("1", "1", None, "?", options=("b", "A", "c"))


@pytest.mark.parametrize(
    ("output", "position"),
    [
        *(
            (text, 1)
            for text in ("B", "b", "(B)", "b)", "[B]", "B.", "B:", "**B**", "Answer: B", "Option B", "letter b")
        ),
        *(
            (text, 1)
            for text in ("cow", "Cow.", "B. cow", "(b) Cow", "B: Cow", "The answer is (B).", "B) because it moos")
        ),
        *((text, None) for text in ("D", "A. cow", "A or B", "a fox", "both", "", "A, B", "i. think", "bird", "AB")),
    ],
)
def test_choices_are_read_by_letter_text_or_both(output: str, position: int | None) -> None:
    for parse in (own_sets.lettered, own_sets.text_or_letter):
        assert parse(output, CHOICES).value == position, output


def test_options_that_are_letters_are_read_as_they_were_asked_for() -> None:
    assert own_sets.lettered("A", LETTERS).value == 0
    assert not own_sets.lettered("b", LETTERS).ok
    assert not own_sets.text_or_letter("A", LETTERS).ok
    assert own_sets.text_or_letter("C", LETTERS).value == own_sets.text_or_letter("B. A", LETTERS).value + 1 == 2


@pytest.mark.parametrize(
    ("output", "whole", "only"),
    [
        *((text, 3, 3) for text in ("3", " 3.", "three", "Three", "3.0", "**3**", "Answer: 3", "3<|im_end|>")),
        ("1,234", 1234, 1234),
        *((text, None, 3) for text in ("3 dogs", "There are 3 dogs.", "There are three dogs", "about 3")),
        *((text, None, None) for text in ("", "many", "3 or 4", "between 3 and 4", "-3", "3.5", "3/4", "twenty one")),
        *((text, None, None) for text in ("None", "nan", "3rd", "1e3", "\u00b2", "10:30", "3%", "9" * 12, "1,23")),
    ],
)
def test_counts_are_read_where_there_is_one(output: str, whole: int | None, only: int | None) -> None:
    assert own_sets.whole_count(output, ANY).value == whole
    assert own_sets.only_count(output, ANY).value == only


@pytest.mark.parametrize(
    ("output", "box"),
    [
        *((text, (0.1, 0.2, 0.5, 0.6)) for text in ("[0.1, 0.2, 0.5, 0.6]", "(0.1 0.2 0.5 0.6).", "0.1,0.2,0.5,0.6")),
        ("<think>[0,0,1,1]</think>The 2 dogs are at [10, 20, 50, 60]</s>", (10, 20, 50, 60)),
        ('```{"bbox_2d": [10, 20, 50, 60]}```', (10, 20, 50, 60)),
        *(
            (text, None)
            for text in ("", "[0.1, 0.2, 0.5]", "[NaN, 0, 1, 1]", "[0, 0, Infinity, 1]", "[0, 0, 1e999, 1]")
        ),
        *(
            (text, None)
            for text in ("[0.6, 0.6, 0.1, 0.1]", "[1, 1, 1, 1]", "[0,0,1,1] [0,0,2,2]", "0,1, 0,2, 0,5, 0,6")
        ),
    ],
)
def test_one_box_with_an_area_is_read(output: str, box: tuple[float, ...] | None) -> None:
    parsed = own_sets.one_box(output)
    assert (None if parsed is None else parsed.box) == box


@given(
    references=st.lists(st.sampled_from("abcd"), min_size=1, max_size=14),
    answer=st.sampled_from("abcde"),
)
def test_what_most_people_said_is_right_in_full_below_ten_references(references: list[str], answer: str) -> None:
    score = own_sets.right_share(answer, references)
    assert 0 <= score <= 1
    assert (score > 0) == (answer in references) or len(references) >= own_sets.ANNOTATORS
    if len(references) >= own_sets.ANNOTATORS:
        assert score == soft_accuracy(answer, references)
    elif references.count(answer) == max(map(references.count, references)):
        assert score == 1


@pytest.mark.parametrize(
    ("references", "score"), [("a", 1), ("ab", 1), ("abb", 1), ("abbb", 1 / 1.2), ("aabbb", 1), ("abbbbbbbb", 1 / 2.7)]
)
def test_below_ten_references_three_tenths_of_them_are_full_marks(references: str, score: float) -> None:
    assert own_sets.right_share("a", list(references)) == pytest.approx(score)
