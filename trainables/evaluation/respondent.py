"""Answer batches of a benchmark's questions with a model: load their images, ask, and read tokens as text."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from typing import assert_never

import numpy as np
import torch

from search_spaces.spec import BenchmarkSpec, TrialSpec
from trainables.evaluation.answer_log import Answer
from trainables.evaluation.answering import Answerer, Images
from trainables.evaluation.encoded_questions import EncodedQuestions
from trainables.evaluation.question_batches import QuestionBatch, plan_batches
from trainables.feature_files import Features
from trainables.features import IMAGES_AT_ONCE, encode_pixels, load_images
from trainables.model.images import Pixels
from trainables.model.precision import dtype_of
from trainables.model.vision import VisionEncoder
from trainables.model.vlm import VLM
from trainables.trial_data import TrialData


def precision(spec: TrialSpec) -> torch.dtype:
    """Return the precision of evaluation: that of the last stage."""
    return dtype_of(spec.stages[-1].precision)


class Respondent:
    """Model with its images and tokenizer, which answers batches of questions."""

    def __init__(
        self,
        questions: EncodedQuestions,
        benchmark: BenchmarkSpec,
        model: VLM,
        data: TrialData,
        spec: TrialSpec,
        device: str,
    ):
        self._questions, self._model, self._spec, self._device = questions, model, spec, device
        self._source, self._features = data.source(benchmark.source), data.features(benchmark.source)
        self._data = data
        self._tokenizer = data.tokenizer
        self._answerer = Answerer(model, data.tokenizer.pad, data.tokenizer.end, device, precision(spec))

    def batches(self) -> list[QuestionBatch]:
        """Plan which questions are answered together."""
        return plan_batches(
            self._questions.plan, self._spec.vision.tokens, self._answerer.most_positions, self._answerer.window
        )

    @property
    def decodes(self) -> bool:
        """Whether images are decoded, rather than their features read."""
        return self._features is None and not self._questions.questions.is_blank

    def load(self, batches: Iterable[QuestionBatch], threads: int) -> Generator[Pixels, None, None]:
        """Load the images of batches in their order, as many at once as the encoder takes; none that are not decoded.

        Args:
            batches: that will be answered.
            threads: that load ahead.
        """
        with_image = [batch for batch in batches if self.decodes and batch.has_image]
        chunks = [chunk for batch in with_image for chunk in _chunks(self._image_rows(batch))]
        return load_images(self._source, self._spec.vision, chunks, threads)

    def answer(self, batch: QuestionBatch, loaded: Iterator[Pixels]) -> list[Answer]:
        """Answer a batch.

        Args:
            batch: the next one.
            loaded: images of this batch and those after it (`load`).
        """
        prompts = [self._questions.prompts[number] for number in batch.numbers]
        images = self.images(batch, loaded) if batch.has_image else None
        options = [self._questions.options[number] for number in batch.numbers]
        match batch.way:
            case "generate":
                texts = self._answerer.generate(prompts, images, self._questions.most_tokens)
                return [self._tokenizer.decode_answer(self._spec.language.prompt, text) for text in texts]
            case "first-token":
                return [*self._answerer.rank_first_tokens(prompts, images, options)]
            case "whole-options":
                return [*self._answerer.rank_options(prompts, images, options)]
            case _:
                assert_never(batch.way)

    def images(self, batch: QuestionBatch, loaded: Iterator[Pixels]) -> Images:
        if self._questions.questions.is_blank:
            blank_BPC = self._data.blank_features(self._model.vision, self._device)
            return Images(torch.from_numpy(blank_BPC), [0] * len(batch.numbers))
        unique = self._image_rows(batch)
        position = {row: i for i, row in enumerate(unique)}
        of_prompt = [position[self._questions.questions.image_rows[number]] for number in batch.numbers]
        return Images(torch.from_numpy(self._encoded(unique, loaded)), of_prompt)

    def _image_rows(self, batch: QuestionBatch) -> list[int]:
        return sorted({self._questions.questions.image_rows[number] for number in batch.numbers})

    def _encoded(self, rows: list[int], loaded: Iterator[Pixels]) -> Features:
        """Return features of some images: cached ones, or the encoder's, whose batches follow from the plan, too."""
        if self._features is not None:
            return self._features.rows(self._source.picture_rows[rows])
        encoder = self._model.vision
        assert isinstance(encoder, VisionEncoder)
        return np.concatenate([encode_pixels(encoder, next(loaded), self._device) for _ in _chunks(rows)])


def _chunks(rows: list[int]) -> list[list[int]]:
    """Split images into those that the encoder takes at once."""
    return [rows[start : start + IMAGES_AT_ONCE] for start in range(0, len(rows), IMAGES_AT_ONCE)]
