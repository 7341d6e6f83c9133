"""Put the questions of a benchmark into token ids of a model, and describe what their batches are planned from."""

from __future__ import annotations

from search_spaces.errors import InputError
from search_spaces.spec import TrialSpec
from trainables.evaluation.question_batches import Question, Way
from trainables.evaluation.questions import Questions
from trainables.model.tokenizer import Tokenizer


class EncodedQuestions:
    """Questions of a benchmark as token ids of a model."""

    def __init__(self, spec: TrialSpec, questions: Questions, tokenizer: Tokenizer):
        self.questions, self._tokenizer = questions, tokenizer
        language, protocol = spec.language, questions.protocol
        if language.prompt == "caption":
            raise InputError("the prompt style of a language model must ask questions, but `caption` drops them")
        self.most_tokens = protocol.max_new_tokens
        self.prompts = [
            tokenizer.encode_question(language.prompt, protocol.prompt(example), language.max_length)
            for example in questions.examples
        ]
        encoded: dict[tuple[str, ...], list[list[int]]] = {(): []}
        self.options: list[list[list[int]]] = []
        for example in questions.examples:
            texts = protocol.options(example)
            if texts not in encoded:
                encoded[texts] = [tokenizer.encode_answer(language.prompt, text) for text in texts]
            self.options.append(encoded[texts])
        self.plan = [
            self._question(prompt, image, options)
            for prompt, image, options in zip(self.prompts, questions.image_rows, self.options, strict=True)
        ]

    def _question(self, prompt: list[int], image: int, options: list[list[int]]) -> Question:
        if not options:
            return Question(len(prompt), image, "generate", self.most_tokens)
        distinct = len({option[0] for option in options}) == len(options)
        way: Way = "first-token" if distinct else "whole-options"
        longest = 1 if distinct else max(map(len, options))
        return Question(len(prompt), image, way, longest, len(options))
