"""Claims about answers on their way from the model to the scorer, over every benchmark and kind of tokenizer."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

import pytest
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from tests.support import official_files
from tests.support.official_scores import read
from trainables.benchmarks.best_reachable import best_row
from trainables.benchmarks.contract import Example, Protocol
from trainables.benchmarks.registry import BENCHMARKS
from trainables.evaluation.questions import Questions
from trainables.model.tokenizer import byte_tokenizer, word_tokenizer

Decoded = Callable[[str], str]
"""From an answer's text to that of its tokens."""


@pytest.fixture(scope="module")
def examples(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Example]]:
    folders = {name: tmp_path_factory.mktemp("official") for name in BENCHMARKS}
    for name, folder in folders.items():
        official_files.WRITERS[name](folder)
    return {name: read(name, folder) for name, folder in folders.items()}


def _generating() -> list[tuple[str, str]]:
    return [(name, protocol) for name, benchmark in BENCHMARKS.items() for protocol in benchmark.protocols]


def _perfect(protocol: Protocol, examples: Sequence[Example]) -> Iterator[tuple[Example, str, float]]:
    """List the examples to which an answer is generated, each with a best answer and its score."""
    for example in examples:
        if not protocol.options(example):
            best = best_row(protocol, example)
            yield example, best.prediction, best.score


def _byte_level(texts: Sequence[str]) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=400, special_tokens=["<|endoftext|>"], initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def _sentencepiece(texts: Sequence[str]) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("\u2581"), normalizers.Replace(" ", "\u2581")])
    tokenizer.decoder = decoders.Sequence([decoders.Replace("\u2581", " "), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    tokenizer.train_from_iterator(
        texts, trainers.BpeTrainer(vocab_size=400, special_tokens=["<unk>", "<s>", "</s>"], show_progress=False)
    )
    return tokenizer


def _of(tokenizer: Tokenizer, end: str) -> Decoded:
    loaded = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token=end)
    return lambda text: str(loaded.decode(loaded.encode(text + end), skip_special_tokens=True))


@pytest.fixture(scope="module")
def tokenizers(examples: dict[str, list[Example]]) -> dict[str, Decoded]:
    texts = [
        f" {text}\n"
        for name, protocol in _generating()
        for _, text, _ in _perfect(BENCHMARKS[name].protocols[protocol], examples[name])
    ]
    words, bytes_ = word_tokenizer(texts), byte_tokenizer()
    return {
        "byte-level BPE": _of(_byte_level(texts), "<|endoftext|>"),
        "sentencepiece": _of(_sentencepiece(texts), "</s>"),
        "words": lambda text: words.decode([*words.encode(text), words.end]),
        "bytes": lambda text: bytes_.decode([*bytes_.encode(text), bytes_.end]),
    }


@pytest.mark.parametrize("kind", ["byte-level BPE", "sentencepiece", "words", "bytes"])
@pytest.mark.parametrize(("name", "protocol"), _generating())
def test_a_perfect_answer_keeps_its_score_through_every_tokenizer(
    name: str,
    protocol: str,
    kind: str,
    examples: dict[str, list[Example]],
    tokenizers: dict[str, Decoded],
) -> None:
    definition = BENCHMARKS[name].protocols[protocol]
    for example, text, best in _perfect(definition, examples[name]):
        for said in (f" {text}", text, f" {text}\n"):  # as prompt styles have answers follow a question, and end
            decoded = tokenizers[kind](said)
            if kind == "words" and decoded != text:
                continue  # words in lower case, with blanks between, are no perfect answer any more
            row = Questions((example,), (-1,), definition).rows([decoded])[0]
            assert row.score == best, decoded
            assert row.is_read == bool(text.strip()), decoded


@pytest.mark.parametrize(("name", "protocol"), _generating())
def test_likelihoods_that_are_no_numbers_rank_nothing(
    name: str, protocol: str, examples: dict[str, list[Example]]
) -> None:
    definition = BENCHMARKS[name].protocols[protocol]
    for example in examples[name]:
        if options := definition.options(example):
            row = Questions((example,), (-1,), definition).rows([[math.nan] * len(options)])[0]
            assert (row.score, row.is_read) == (0, False)
