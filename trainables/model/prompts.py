"""Prompt styles: how a conversation becomes text. Strings are those of Prismatic VLMs (commit 874c5bb), exactly.

A conversation is rendered as segments, each with a claim whether the loss counts it. Segments are tokenised one by one,
so that a token never spans the border between a question and its answer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from search_spaces.spec import PromptStyle

_VICUNA_SYSTEM = (
    "A chat between a curious user and an artificial intelligence assistant. "
    "The assistant gives helpful, detailed, and polite answers to the user's questions."
)
_LLAMA_SYSTEM = (
    "You are a helpful language and vision assistant. You are able to understand the visual content that the user "
    "provides, and assist the user with a variety of tasks using natural language."
)


class Segment(NamedTuple):
    """A piece of text; `is_target` if the model is to produce it. `END` stands for the tokenizer's end token."""

    text: str
    is_target: bool


END = "\x00"

Turn = tuple[str, str]


def render(style: PromptStyle, turns: Sequence[Turn]) -> list[Segment]:
    """Segments of a whole conversation, without the beginning-of-sequence token."""
    segments = []
    for number, (question, answer) in enumerate(turns):
        before, after = _STYLES[style](question, number == 0)
        if before:
            segments.append(Segment(before, False))
        segments.append(Segment(f"{answer or ' '}{after}", True))
    return segments


def render_question(style: PromptStyle, turns: Sequence[Turn], question: str) -> list[Segment]:
    """Segments after which the model is to answer `question`; `turns` are what was said before."""
    before, _ = _STYLES[style](question, not turns)
    return [*(segment._replace(is_target=False) for segment in render(style, turns)), Segment(before, False)]


def _bare(question: str, first: bool) -> tuple[str, str]:
    return f"{question} ", END


def _caption(question: str, first: bool) -> tuple[str, str]:
    return "", END


def _pure(question: str, first: bool) -> tuple[str, str]:
    return f"In: {question}\nOut: ", END


def _vicuna(question: str, first: bool) -> tuple[str, str]:
    return f"{_VICUNA_SYSTEM + ' ' if first else ''}USER: {question} ASSISTANT: ", END


def _llama2_chat(opening: str) -> Callable[[str, bool], tuple[str, str]]:
    def style(question: str, first: bool) -> tuple[str, str]:
        system = f"{opening}\n{_LLAMA_SYSTEM}\n<</SYS>>\n\n" if first else ""
        return f"[INST] {system}{question} [/INST] ", END

    return style


def _mistral(question: str, first: bool) -> tuple[str, str]:
    return f"[INST] {question} [/INST] ", END


def _phi2(question: str, first: bool) -> tuple[str, str]:
    return f"{'<|endoftext|>' if first else ''}Input: {question}\nOutput: ", "\n<|endoftext|>"


def _chatml(question: str, first: bool) -> tuple[str, str]:
    return f"{'' if first else chr(10)}<|im_start|>user\n{question}<|im_end|>\n<|im_start|>assistant\n", "<|im_end|>"


_STYLES: Mapping[str, Callable[[str, bool], tuple[str, str]]] = {
    "bare": _bare,
    "caption": _caption,
    "pure": _pure,
    "vicuna-v15": _vicuna,
    "llama2-chat": _llama2_chat("<<SYS>>"),
    "llama2-chat-prismatic": _llama2_chat("<<SYS>"),
    "mistral-instruct": _mistral,
    "phi-2": _phi2,
    "chatml": _chatml,
}
