"""Plan which questions are answered together: a function of questions and model, never of workers or devices. No torch.

Kernels are not invariant to the shape of a batch, so a fixed plan is what makes scores the same on any hardware. All
questions about one image stand together, because what is computed for the image serves all of them; images with long
questions come first, so that rows of a batch are of about one length and a batch that is too large shows at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple, assert_never

MOST_QUESTIONS = 128

Way = Literal["first-token", "whole-options", "generate"]
"""How a question is answered: by the likelihood of its options' first tokens or of all their tokens, or freely."""


class Question(NamedTuple):
    """Properties of a question that decide its batch."""

    length: int
    """Of its prompt, in tokens."""
    image: int
    """Row of its image; -1 where there is none."""
    way: Way
    extra: int
    """Most tokens that come on top: the longest option, or what may be generated."""
    options: int = 0


@dataclass(frozen=True)
class QuestionBatch:
    """Positions of questions that are answered together, all in one way, all with an image or none."""

    numbers: tuple[int, ...]
    way: Way
    has_image: bool

    def split(self, parts: int) -> Iterator[QuestionBatch]:
        """Split the batch into parts of about equal size, which need less memory one after another.

        Args:
            parts: how many; a batch with fewer questions is split into single ones.
        """
        size = -(-len(self.numbers) // parts)
        for start in range(0, len(self.numbers), size):
            yield replace(self, numbers=self.numbers[start : start + size])


def plan_batches(
    questions: Sequence[Question], image_positions: int, most_positions: int, window: int | None = None
) -> list[QuestionBatch]:
    """Group the questions of a benchmark into batches, each question in one of them.

    Args:
        questions: in the order of the benchmark.
        image_positions: visual tokens of an image.
        most_positions: of a batch: its rows times the longest row, what is still to be written included
            (`question_memory.positions_at_once`). A question that has more is a batch of its own.
        window: positions that a token attends to, in some layers at least; None for all. It is counted over padding,
            too: where a row is longer, only prompts of one length, which need no padding, are answered together.
    """
    longest = max((1 + image_positions + _size(question) for question in questions), default=0)
    is_padded = window is None or longest <= window
    kinds: dict[tuple[bool, Way, int], list[int]] = {}
    for number, question in enumerate(questions):
        alike = (question.image >= 0, question.way, 0 if is_padded else question.length)
        kinds.setdefault(alike, []).append(number)
    return [
        QuestionBatch(numbers, way, has_image)
        for (has_image, way, _), members in sorted(kinds.items())
        for numbers in _packed(questions, members, 1 + image_positions if has_image else 1, most_positions)
    ]


def _rows(question: Question) -> int:
    """Count the rows of a batch that a question takes."""
    match question.way:
        case "whole-options":
            return max(1, question.options)
        case "first-token" | "generate":
            return 1
        case _:
            assert_never(question.way)


def _packed(
    questions: Sequence[Question], members: Sequence[int], before: int, most_positions: int
) -> Iterator[tuple[int, ...]]:
    """Pack whole images into batches, in the order of their longest question; cut where a batch is full."""
    rows = max(_rows(questions[n]) for n in members)

    def room(longest: int) -> int:
        """Compute how many questions fit into a batch with this longest one."""
        return max(1, min(MOST_QUESTIONS, most_positions // ((before + longest) * rows)))

    batch: list[int] = []
    for group in _by_image(questions, members):
        longest = _size(questions[(batch or group)[0]])
        if batch and len(batch) + len(group) > room(longest):
            yield tuple(batch)
            batch, longest = [], _size(questions[group[0]])
        for number in group:
            if len(batch) == room(longest):  # one image alone may have more questions than fit
                yield tuple(batch)
                batch = []
            batch.append(number)
    yield tuple(batch)


def _by_image(questions: Sequence[Question], members: Sequence[int]) -> list[list[int]]:
    """Group questions by image, longest first; a question without an image is a group of its own."""
    groups: dict[int, list[int]] = {}
    for number in members:
        image = questions[number].image
        groups.setdefault(image if image >= 0 else -1 - number, []).append(number)
    for group in groups.values():
        group.sort(key=lambda number: (-_size(questions[number]), number))
    return sorted(groups.values(), key=lambda group: (-_size(questions[group[0]]), group[0]))


def _size(question: Question) -> int:
    return question.length + question.extra
