"""Tokenize text: word-level and byte-level tokenizers built here, or a checkpoint's own, with one interface."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, assert_never

import numpy as np

from search_spaces.errors import InputError
from search_spaces.spec import LanguageSpec, PromptStyle
from trainables.model.chat_template import ChatTemplate, chat_template
from trainables.model.gguf_files import gguf_file
from trainables.model.prompts import CARRIES_BOS, END, Segment, Turn, answer_text, render, render_question

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

IGNORE = -100
"""Label of a token that the loss does not count (the convention of torch's cross entropy)."""

PLACE = "{prompt}"
"""Stands for a question in the form of a prompt style."""

PAD = "<PAD>"
"""The padding token of Prismatic VLMs."""

PADDED = frozenset({"llama", "mistral"})
"""Families whose tokenizers get `PAD` where they have no padding token."""
_BLANK = "\u2581"
"""How sentencepiece writes a blank."""

SPECIAL = ("<pad>", "<s>", "</s>", "<unk>")
"""First tokens of the tokenizers built here."""
MOST_WORDS = 16_384
"""Words that a vocabulary of a study's own mix has at most; a larger mix needs a tokenizer of subwords."""
WORD = re.compile(r"\d+\.\d+|\w+|[^\w\s]")
"""Words, punctuation marks, and numbers with a decimal point: a coordinate is one token, and whole when read back."""

Tokens = np.ndarray[Any, np.dtype[np.int64]]


@dataclass(frozen=True)
class Tokenizer:
    """Tokenizer of a language model. `encode` adds no special tokens."""

    encode: Callable[[str], list[int]]
    decode: Callable[[Sequence[int]], str]
    """Text of generated tokens, special ones left out."""
    size: int
    bos: int
    """Beginning of sequence; where a family has none, its end token stands in, as the image must follow something."""
    end: int
    pad: int
    """Fills shorter records of a batch up, on the right.

    Which token it is never changes a loss: a position of padding is no target, it stands after all text of its record,
    which by causal attention does not see it, and the attention mask hides it from whatever else would.
    """
    adds_blank: bool = False
    """Whether `encode` puts a blank in front of every text, as sentencepiece does: its own is then dropped."""
    template: ChatTemplate | None = None
    """The chat template of a checkpoint's tokenizer, if it has one."""
    words: tuple[str, ...] = ()
    """Of a word-level tokenizer: its words, numbered after the special tokens."""
    bos_text: str = ""
    """How a checkpoint's tokenizer writes the beginning of sequence."""
    name: str = ""
    """Name of the model, for errors."""

    def segments(self, style: PromptStyle, turns: Sequence[Turn]) -> list[Segment]:
        """Render the segments of a conversation as the model reads them after beginning of sequence and image."""
        return self._without_bos(style, self._template().render(turns) if style == "template" else render(style, turns))

    def question_segments(self, style: PromptStyle, turns: Sequence[Turn], question: str) -> list[Segment]:
        """Render the segments of a prompt that asks `question`, after earlier `turns`."""
        if style == "template":
            return self._without_bos(style, self._template().render_question(turns, question))
        return self._without_bos(style, render_question(style, turns, question))

    def question_form(self, style: PromptStyle) -> str:
        """Write what the model reads after beginning of sequence and image, with `PLACE` where the question stands."""
        return "".join(segment.text for segment in self.question_segments(style, (), PLACE))

    def encode_segments(self, segments: Sequence[Segment]) -> tuple[list[int], list[bool]]:
        """Encode segments as token ids and, for each, whether it is a target; no beginning-of-sequence token."""
        ids: list[int] = []
        is_target: list[bool] = []
        for segment in segments:
            text, ends = segment.text.removesuffix(END), segment.text.endswith(END)
            piece = self.encode(text.removeprefix(" ") if self.adds_blank else text) + ([self.end] if ends else [])
            ids += piece
            is_target += [segment.is_target] * len(piece)
        return ids, is_target

    def encode_turns(self, style: PromptStyle, turns: Sequence[Turn], max_length: int) -> tuple[Tokens, Tokens]:
        """Encode a training conversation.

        Args:
            style: prompt style.
            turns: the conversation, as (question, answer).
            max_length: number of tokens after which it is cut.

        Returns:
            Ids and labels, T each; labels are `IGNORE` outside answers.
        """
        ids, is_target = self.encode_segments(self.segments(style, turns))
        ids_T = np.asarray(ids[:max_length], np.int64)
        return ids_T, np.where(np.asarray(is_target[:max_length], bool), ids_T, IGNORE)

    def encode_question(
        self, style: PromptStyle, question: str, max_length: int, turns: Sequence[Turn] = ()
    ) -> list[int]:
        """Encode a prompt for generation: the ids that stand before the answer in training.

        Args:
            style: prompt style.
            question: text of the question.
            max_length: number of tokens after which the prompt is cut.
            turns: earlier turns of the conversation.
        """
        return self.encode_segments(self.question_segments(style, turns, question))[0][:max_length]

    def encode_answer(self, style: PromptStyle, answer: str) -> list[int]:
        """Encode an answer and its end, as they follow a question in training."""
        text = self._template().answer_text(answer) if style == "template" else answer_text(style, answer)
        return self.encode_segments([Segment(text, True)])[0]

    def decode_answer(self, style: PromptStyle, ids: Sequence[int]) -> str:
        """Decode generated tokens up to the end that answers have in training.

        Some styles end an answer with a text of their own, as `<|im_end|>`, which is not every tokenizer's end token:
        what a model writes after it answers nothing.
        """
        end, ids = self._answer_end(style), list(ids)
        if not end:
            return self.decode(ids)
        mark = self.answer_end_ids(style)
        first = next((at for at in range(len(ids)) if ids[at : at + len(mark)] == mark), len(ids))
        return self.decode(ids[:first]).split(end)[0]

    def answer_end_ids(self, style: PromptStyle) -> list[int]:
        """Encode the text that ends an answer in training; nothing where the end token does."""
        end = self._answer_end(style)
        return self.encode(f"A{end}")[len(self.encode("A")) :] if end else []  # behind a word, without a blank

    def _answer_end(self, style: PromptStyle) -> str:
        """Return the text that ends an answer in training; nothing where the end token does."""
        text = self._template().answer_text("A") if style == "template" else answer_text(style, "A")
        after = text.lstrip().removeprefix("A")
        return "" if END in after else after.strip()

    def _template(self) -> ChatTemplate:
        if self.template is None:
            raise InputError(
                f"the prompt style `template` needs a chat template, but the tokenizer of {self.name} has none",
                way_out="Name one of the other styles as `language.prompt`.",
            )
        return self.template

    def _without_bos(self, style: PromptStyle, segments: list[Segment]) -> list[Segment]:
        """Drop a beginning-of-sequence token that the style's text has: the model puts it before the image."""
        carries = style in CARRIES_BOS or (style == "template" and self._template().carries_bos)
        if not carries:
            return segments
        first = segments[0]
        return [first._replace(text=first.text.removeprefix(self.bos_text)), *segments[1:]]


def word_tokenizer(texts: Iterable[str], most: int | None = None) -> Tokenizer:
    """Build a word-level tokenizer: a token for each lower-cased word or punctuation mark of `texts`, sorted.

    Args:
        texts: all texts of the vocabulary.
        most: number of words that are kept where there are more, the most frequent first and of equals the first in
            the alphabet; None for all.
    """
    counted = Counter(word for text in texts for word in WORD.findall(text.lower()))
    ranked = sorted(counted, key=lambda word: (-counted[word], word))
    words = sorted(ranked[:most])
    number = {word: i for i, word in enumerate((*SPECIAL, *words))}
    unknown = number["<unk>"]

    @lru_cache(maxsize=65_536)
    def encode(text: str) -> tuple[int, ...]:
        return tuple(number.get(word, unknown) for word in WORD.findall(text.lower()))

    def decode(ids: Sequence[int]) -> str:
        return " ".join(words[i - len(SPECIAL)] for i in ids if i >= len(SPECIAL))

    return Tokenizer(lambda text: list(encode(text)), decode, len(number), bos=1, end=2, pad=0, words=tuple(words))


def byte_tokenizer() -> Tokenizer:
    """Build a byte-level tokenizer: a token for each UTF-8 byte, so that it needs no vocabulary."""
    shift = len(SPECIAL)

    def decode(ids: Sequence[int]) -> str:
        return bytes(i - shift for i in ids if shift <= i < 256 + shift).decode(errors="replace")

    return Tokenizer(lambda text: [byte + shift for byte in text.encode()], decode, 256 + shift, bos=1, end=2, pad=0)


def pretrained_tokenizer(path: Path, family: str) -> PreTrainedTokenizerFast:
    """Load a language model's tokenizer with transformers, from its folder or GGUF file.

    Where it has no padding token, models of the families llama and mistral get a new one, `<PAD>`, as in Prismatic VLMs
    (the embeddings grow with it, see `build_language`); elsewhere the end token stands in.

    Raises InputError if its files cannot be read.
    """
    from transformers import AutoTokenizer

    gguf = gguf_file(path)
    where: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
    where |= {"gguf_file": gguf.name} if gguf else {}
    try:
        loaded = AutoTokenizer.from_pretrained(gguf.parent if gguf else path, **where)
    except Exception as error:  # of whatever reads its files: some raise bare exceptions
        text = " ".join(str(error).split())[:200] or type(error).__name__
        raise InputError(
            f"the tokenizer must be one that transformers can load, but: {text}",
            place=str(path),
            way_out="Copy the tokenizer's files from the model's repository again.",
        ) from error
    if loaded.pad_token_id is None and family in PADDED:
        loaded.add_special_tokens({"pad_token": PAD})
    return loaded


def checkpoint_tokenizer(path: Path, family: str, name: str) -> Tokenizer:
    """Load the tokenizer of a language model's checkpoint.

    Args:
        path: folder or GGUF file of the checkpoint.
        family: `model_type` of its configuration.
        name: name of the model, for errors.

    Raises:
        InputError: it has no end token.
    """
    loaded = pretrained_tokenizer(path, family)
    end = loaded.eos_token_id
    if end is None:
        raise InputError("a tokenizer must have an end token, or answers could not end, but it has none", place=name)
    first = "".join(loaded.convert_ids_to_tokens(loaded.encode("a", add_special_tokens=False))[:1])
    return Tokenizer(
        lambda text: loaded.encode(text, add_special_tokens=False) if text else [],
        lambda ids: str(loaded.decode(ids, skip_special_tokens=True)),
        len(loaded),
        bos=end if loaded.bos_token_id is None else loaded.bos_token_id,
        end=end,
        pad=end if loaded.pad_token_id is None else loaded.pad_token_id,
        adds_blank=first.startswith(_BLANK),
        template=chat_template(loaded, name),
        bos_text=loaded.bos_token or "",
        name=name,
    )


def build_tokenizer(language: LanguageSpec, texts: Callable[[], Iterable[str]], path: Path | None) -> Tokenizer:
    """Build or load the tokenizer of a language model.

    Args:
        language: specification of the model with its kind of tokenizer.
        texts: returns all texts of the vocabulary's sources; only called for word-level tokenizers.
        path: folder or GGUF file of the checkpoint; None for a model without one.

    Raises:
        InputError: a checkpoint's tokenizer has no end token.
        ValueError: a checkpoint's tokenizer is specified for a model without a checkpoint.
    """
    match language.tokenizer.kind:
        case "words":
            return word_tokenizer(texts(), None if language.tokenizer.source else MOST_WORDS)
        case "bytes":
            return byte_tokenizer()
        case "checkpoint":
            if path is None:
                raise ValueError(f"language {language.name!r}: a checkpoint's tokenizer needs a checkpoint")
            return checkpoint_tokenizer(path, language.family, language.name)
        case _:
            assert_never(language.tokenizer.kind)
