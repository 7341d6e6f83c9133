"""Ask the questions of a benchmark with other images than their own: a blank one, or that of other questions. No torch.

A model that scores as well without its image has not looked at it. Questions without an image stay as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, assert_never

import numpy as np

from search_spaces.spec import SWAP_SEED, BenchmarkSpec
from trainables.data.prepared import PreparedSource
from trainables.draws import generator
from trainables.evaluation.questions import Questions, open_questions

Rows = np.ndarray[Any, np.dtype[np.int32]]

ONE_PICTURE = "all questions are about one picture, so none could be swapped for another: a blank image was shown"
"""Warning of a result."""

_BLANK_ROW = 0
"""Stands for the blank image, which is no row of a source: all questions share one image."""


def open_asked(benchmark: BenchmarkSpec, source: PreparedSource) -> Questions:
    """Open the questions of a benchmark with the images that it shows.

    Args:
        benchmark: whose `images` says what is shown.
        source: its data.

    Raises:
        InputError: where the data do not hold the questions.
    """
    questions = open_questions(benchmark, source)
    match benchmark.images:
        case "own":
            return questions
        case "blank":
            return _blanked(questions)
        case "swapped":
            rows = swapped_rows(benchmark.id, questions.image_rows, source.picture_rows)
            if rows is not None:
                return replace(questions, image_rows=rows)
            return replace(_blanked(questions), warnings=(ONE_PICTURE,))
        case _:
            assert_never(benchmark.images)


def _blanked(questions: Questions) -> Questions:
    rows = tuple(_BLANK_ROW if row >= 0 else row for row in questions.image_rows)
    return replace(questions, image_rows=rows, is_blank=True)


def swapped_rows(benchmark: str, rows: Sequence[int], picture_rows: Sequence[int] | Rows) -> tuple[int, ...] | None:
    """Give every question the image of another one. Questions about one image get one other image.

    The draw is one cycle through all pictures of the benchmark (Sattolo 1986), so that no picture stays and each is
    shown in the place of exactly one other. It is the same for every model.

    Args:
        benchmark: its id.
        rows: row of each question's image, -1 where there is none.
        picture_rows: row of each image's picture; images of one picture are one and the same.

    Returns:
        Rows of images, -1 where there is none; None where all questions show one picture, as there is no other.
    """
    first = {int(picture_rows[row]): row for row in reversed(rows) if row >= 0}
    pictures = sorted(first, key=first.__getitem__)
    if len(pictures) == 1:
        return None
    shown = list(pictures)
    draw = generator("swapped", benchmark, SWAP_SEED)
    for last in range(len(shown) - 1, 0, -1):
        earlier = int(draw.integers(last))
        shown[last], shown[earlier] = shown[earlier], shown[last]
    image_of = {picture: first[instead] for picture, instead in zip(pictures, shown, strict=True)}
    return tuple(image_of[int(picture_rows[row])] if row >= 0 else row for row in rows)
