"""Claims about the plan of an evaluation: it is a function of the questions, and every question is in it once."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from search_spaces.question_memory import MOST_POSITIONS
from trainables.evaluation.question_batches import MOST_QUESTIONS, Question, QuestionBatch, plan_batches

_questions = st.lists(
    st.builds(
        Question,
        length=st.integers(1, 3_000),
        image=st.integers(-1, 12),
        way=st.sampled_from(["first-token", "whole-options", "generate"]),
        extra=st.integers(1, 200),
        options=st.integers(0, 20),
    ),
    max_size=300,
)


@given(_questions, st.integers(1, 800))
def test_every_question_is_in_one_batch_with_others_of_its_kind(questions: list[Question], visual: int) -> None:
    batches = plan_batches(questions, visual, MOST_POSITIONS)
    assert Counter(n for batch in batches for n in batch.numbers) == Counter(range(len(questions)))
    for batch in batches:
        assert {(questions[n].way, questions[n].image >= 0) for n in batch.numbers} == {(batch.way, batch.has_image)}


@given(_questions, st.integers(1, 800), st.integers(1, MOST_POSITIONS))
def test_a_batch_keeps_within_its_positions(questions: list[Question], visual: int, most: int) -> None:
    for batch in plan_batches(questions, visual, most):
        longest = max(questions[n].length + questions[n].extra for n in batch.numbers)
        before = 1 + (visual if batch.has_image else 0)
        assert len(batch.numbers) <= MOST_QUESTIONS
        assert len(batch.numbers) == 1 or len(batch.numbers) * (before + longest) <= most


@given(_questions, st.integers(1, 800), st.integers(1, 1000))
def test_where_a_window_is_shorter_than_a_row_prompts_of_a_batch_are_equally_long(
    questions: list[Question], visual: int, window: int
) -> None:
    batches = plan_batches(questions, visual, MOST_POSITIONS, window)
    assert Counter(n for batch in batches for n in batch.numbers) == Counter(range(len(questions)))
    if window >= max((1 + visual + question.length + question.extra for question in questions), default=0):
        assert batches == plan_batches(questions, visual, MOST_POSITIONS)
    else:
        assert all(len({questions[n].length for n in batch.numbers}) == 1 for batch in batches)


@given(_questions)
def test_questions_about_an_image_are_split_only_where_they_fill_a_batch(questions: list[Question]) -> None:
    batches = [set(batch.numbers) for batch in plan_batches(questions, 16, MOST_POSITIONS)]
    kinds: dict[tuple[int, str], set[int]] = {}
    for number, question in enumerate(questions):
        if question.image >= 0:
            kinds.setdefault((question.image, question.way), set()).add(number)
    for members in kinds.values():
        holding = [batch for batch in batches if batch & members]
        assert all(batch <= members for batch in holding[:-1])


def test_images_with_the_longest_questions_come_first() -> None:
    lengths = {0: [3, 4], 1: [9, 1], 2: [5]}
    questions = [Question(n, image, "generate", 16) for image, all_of in lengths.items() for n in all_of]
    (batch,) = plan_batches(questions, 4, MOST_POSITIONS)
    assert batch.numbers == (2, 3, 4, 1, 0)


@given(st.integers(1, MOST_QUESTIONS), st.integers(1, 2 * MOST_QUESTIONS))
def test_split_batch_has_the_same_questions_in_the_same_order(size: int, parts: int) -> None:
    batch = QuestionBatch(tuple(range(size)), "generate", has_image=True)
    split = list(batch.split(parts))
    assert [number for part in split for number in part.numbers] == [*batch.numbers]
    assert len(split) <= parts
    assert max(len(part.numbers) for part in split) == -(-size // parts)
