"""Tokenizers behind one small interface: word-level and byte-level ones built here, or a checkpoint's own."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from search_spaces.spec import LanguageSpec, PromptStyle
from trainables.model.prompts import END, Segment, Turn, render, render_question

IGNORE = -100
"""Label of a token that the loss does not count (the convention of torch's cross entropy)."""

SPECIAL = ("<pad>", "<s>", "</s>", "<unk>")
"""First tokens of the tokenizers built here."""
WORD = re.compile(r"\w+|[^\w\s]")

Tokens = np.ndarray[Any, np.dtype[np.int64]]


@dataclass(frozen=True)
class Tokenizer:
    """Text to token ids. `encode` adds no special tokens."""

    encode: Callable[[str], list[int]]
    size: int
    bos: int
    """Beginning of sequence; where a family has none, its end token stands in, as the image must follow something."""
    end: int
    pad: int
    words: tuple[str, ...] = ()
    """Of a word-level tokenizer: its words, numbered behind the special tokens."""

    def encode_segments(self, segments: Sequence[Segment]) -> tuple[list[int], list[bool]]:
        """Token ids and, for each, whether it is a target. The beginning-of-sequence token is not among them."""
        ids: list[int] = []
        is_target: list[bool] = []
        for segment in segments:
            text, ends = segment.text.removesuffix(END), segment.text.endswith(END)
            piece = self.encode(text) + ([self.end] if ends else [])
            ids += piece
            is_target += [segment.is_target] * len(piece)
        return ids, is_target

    def encode_turns(self, style: PromptStyle, turns: Sequence[Turn], max_length: int) -> tuple[Tokens, Tokens]:
        """Ids and labels of a training conversation, cut at `max_length`; labels are `IGNORE` outside answers."""
        ids, is_target = self.encode_segments(render(style, turns))
        ids_T = np.asarray(ids[:max_length], np.int64)
        return ids_T, np.where(np.asarray(is_target[:max_length], bool), ids_T, IGNORE)

    def encode_question(self, style: PromptStyle, question: str, max_length: int) -> list[int]:
        """Ids of a prompt after which the answer is to come. Trailing white space is stripped, as in training text."""
        return self.encode_segments(render_question(style, (), question))[0][:max_length]


def word_tokenizer(texts: Iterable[str]) -> Tokenizer:
    """One token for each lower-cased word or punctuation mark of `texts`, numbered in sorted order."""
    words = sorted({word for text in texts for word in WORD.findall(text.lower())})
    number = {word: i for i, word in enumerate((*SPECIAL, *words))}
    unknown = number["<unk>"]

    @lru_cache(maxsize=65_536)
    def encode(text: str) -> tuple[int, ...]:
        return tuple(number.get(word, unknown) for word in WORD.findall(text.lower()))

    return Tokenizer(lambda text: list(encode(text)), len(number), bos=1, end=2, pad=0, words=tuple(words))


def byte_tokenizer() -> Tokenizer:
    """One token for each UTF-8 byte: any text, no vocabulary."""
    shift = len(SPECIAL)
    return Tokenizer(lambda text: [byte + shift for byte in text.encode()], 256 + shift, bos=1, end=2, pad=0)


def checkpoint_tokenizer(folder: str) -> Tokenizer:
    """The tokenizer that came with a language model."""
    from transformers import AutoTokenizer

    loaded = AutoTokenizer.from_pretrained(folder)
    end = loaded.eos_token_id
    return Tokenizer(
        lambda text: loaded.encode(text, add_special_tokens=False),
        len(loaded),
        bos=end if loaded.bos_token_id is None else loaded.bos_token_id,
        end=end,
        pad=end if loaded.pad_token_id is None else loaded.pad_token_id,
    )


def build_tokenizer(language: LanguageSpec, texts: Callable[[], Iterable[str]], folder: str | None) -> Tokenizer:
    """The tokenizer of a language model.

    Args:
        language: what is asked for.
        texts: all texts of the vocabulary's source; only called for word-level tokenizers.
        folder: the checkpoint's folder or hub id, where there is one.
    """
    if language.tokenizer.kind == "words":
        return word_tokenizer(texts())
    if language.tokenizer.kind == "bytes":
        return byte_tokenizer()
    if folder is None:
        raise ValueError(f"language {language.name!r}: a checkpoint's tokenizer needs a checkpoint")
    return checkpoint_tokenizer(folder)
