"""Take a model's decoded text to its scorer as a harness does, and find the bare answer in a text.

Decoding leaves special tokens out. What is left still carries the blank that byte-level tokenizers put before a word,
the line break of some prompt styles, or an end token that the tokenizer does not know as special.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Literal

ModelText = Literal["keep", "strip", "cut"]
"""What is done to a model's text before it is parsed: nothing; white space cut at both ends; also all from the first
end token on, and what the model thought before it answered."""

END_TOKENS = (
    *("</s>", "<|endoftext|>", "<|im_end|>", "<|eot_id|>", "<|end_of_text|>", "<|end|>", "<end_of_turn>", "<eos>"),
    *("<|eos|>", "<|return|>", "<|endofturn|>", "<EOS>", "[EOS]", "<|eot|>"),
)
"""How families of language models write the end of an answer, where their tokenizer does not leave it out."""

_REMEMBERED = 1 << 13
"""Answers repeat: distinct texts whose bare answer is remembered."""
_BEGIN_TOKENS = re.compile(r"^(?:\s*(?:<s>|<bos>|<pad>|<PAD>|<\|begin_of_text\|>|<\|pad\|>))+")
_FIRST_END = re.compile("|".join(map(re.escape, END_TOKENS)))
_THOUGHT = re.compile(r"<(think|thinking|reasoning)>.*?</\1>", re.DOTALL | re.IGNORECASE)
_THOUGHT_END = re.compile(r"^.*</(?:think|thinking|reasoning)>", re.DOTALL | re.IGNORECASE)
_UNFINISHED_THOUGHT = re.compile(r"<(?:think|thinking|reasoning)>.*$", re.DOTALL | re.IGNORECASE)
_ANSWER_TAG = re.compile(r"^<answer>(.*?)(?:</answer>)?$", re.DOTALL | re.IGNORECASE)
_ANSWER_IS = re.compile(r"^(?:(?:the|my|final|correct|short)\s+)*answer(?:\s*[:=]|\s+is\s*:?)\s*", re.IGNORECASE)
_BOXED = re.compile(r"^\$*\\boxed\{(?:\\text\{)?([^{}]*)\}?\}\$*$")
_APOSTROPHE = re.compile(r"(?<=\w)['\u2019](?=\w)")
_PAIRS = (
    *((mark, mark) for mark in ("***", "**", "__", "*", "_", "```", "`", '"', "'")),
    *(("\u201c", "\u201d"), ("\u2018", "\u2019"), ("\u00ab", "\u00bb"), ("\u300c", "\u300d")),
)
"""Signs of Markdown and quotes that stand around an answer."""
_FIRST_SIGNS = tuple(first for first, _ in _PAIRS)


def _keep(text: str) -> str:
    return text


def _strip(text: str) -> str:
    return text.strip()


def cut(text: str) -> str:
    """Cut a text at its first end token, leave out what was thought before the answer, and strip.

    A thought that never ends leaves no answer: its last words are none.
    """
    text = _THOUGHT_END.sub("", _THOUGHT.sub("", text))
    text = _UNFINISHED_THOUGHT.sub("", text)
    while begun := _BEGIN_TOKENS.match(text):
        text = text[begun.end() :]
    text = text.lstrip()
    while ended := _FIRST_END.match(text):  # an end token before an answer ended something else
        text = text[ended.end() :].lstrip()
    return _FIRST_END.split(text, maxsplit=1)[0].strip()


MODEL_TEXTS: Mapping[ModelText, Callable[[str], str]] = {"keep": _keep, "strip": _strip, "cut": cut}


@lru_cache(_REMEMBERED)
def bare_answer(text: str) -> str:
    """Take off what frames an answer: thoughts, end tokens, Markdown, quotes, `Answer:`, a full stop or `!` at the end.

    Never leaves nothing of a text that holds something else than thoughts and end tokens.
    """
    text = cut(text)
    while True:
        inner = _unframed(text).strip()
        if not inner or inner == text:
            return text
        text = inner


def _unframed(text: str) -> str:
    """Take off one frame, the outermost."""
    for first, last in _PAIRS if text.startswith(_FIRST_SIGNS) else ():
        inner = text.removeprefix(first).removesuffix(last)
        is_framed = len(text) == len(first) + len(inner) + len(last)
        within = _APOSTROPHE.sub("", inner)
        if is_framed and first not in within and last not in within:
            return inner
    for pattern in (_ANSWER_TAG, _BOXED):
        if match := pattern.match(text):
            return match.group(1)
    if match := _ANSWER_IS.match(text):
        return text[match.end() :]
    if re.match(r"\.[^\d.]", text):
        return text[1:]
    return text[:-1] if text.endswith((".", "!", "\u3002")) and not text.endswith("..") else text
