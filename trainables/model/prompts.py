"""Render conversations as text, by prompt style. Strings are those of Prismatic VLMs (commit 874c5bb), exactly.

A conversation is rendered as segments, each with a flag whether the loss counts it. Segments are tokenised one by one,
so that a token never spans the border between a question and its answer.

For generation Prismatic strips the white space after the last question: `ASSISTANT:`, not `ASSISTANT: `. So that
training sees the very tokens that generation starts from, the blank between question and answer belongs to the answer's
segment; the text of the whole is the same, byte for byte.
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
    """Piece of a prompt's text; `is_target` if the model is to produce it. `END` is the tokenizer's end token."""

    text: str
    is_target: bool


END = "\x00"

Turn = tuple[str, str]


class Form(NamedTuple):
    """Turn of a prompt style: `before` is the question's side, `lead` + answer + `after` the answer's."""

    before: str
    lead: str
    after: str


CARRIES_BOS = frozenset({"phi-2"})
"""Styles whose text begins with the beginning-of-sequence token itself, as Phi-2's tokenizer adds none."""


def render(style: PromptStyle, turns: Sequence[Turn]) -> list[Segment]:
    """Render the segments of a whole conversation, without a beginning-of-sequence token of the tokenizer."""
    segments = []
    for number, (question, answer) in enumerate(turns):
        form = STYLES[style](question, number == 0)
        if form.before:
            segments.append(Segment(form.before, False))
        segments.append(Segment(answer_text(style, answer), True))
    return segments


def render_question(style: PromptStyle, turns: Sequence[Turn], question: str) -> list[Segment]:
    """Render the segments of a prompt that asks `question`.

    Args:
        style: any style but `template` (`chat_template.py`).
        turns: earlier turns of the conversation, as (question, answer).
        question: text of the question to be answered.
    """
    before = STYLES[style](question, not turns).before
    return [*(segment._replace(is_target=False) for segment in render(style, turns)), Segment(before, False)]


def answer_text(style: PromptStyle, answer: str) -> str:
    """Render the text of an answer's segment, its end included. An empty answer becomes one blank."""
    form = STYLES[style]("", False)
    return f"{form.lead}{answer or ' '}{form.after}"


def _bare(question: str, first: bool) -> Form:
    return Form(f"{question} ", "", END)


def _caption(question: str, first: bool) -> Form:
    return Form("", "", END)


def _pure(question: str, first: bool) -> Form:
    return Form(f"In: {question}\nOut:", " ", END)


def _vicuna(question: str, first: bool) -> Form:
    return Form(f"{_VICUNA_SYSTEM + ' ' if first else ''}USER: {question} ASSISTANT:", " ", END)


def _llama2_chat(opening: str) -> Callable[[str, bool], Form]:
    def style(question: str, first: bool) -> Form:
        system = f"{opening}\n{_LLAMA_SYSTEM}\n<</SYS>>\n\n" if first else ""
        return Form(f"[INST] {system}{question} [/INST]", " ", END)

    return style


def _mistral(question: str, first: bool) -> Form:
    return Form(f"[INST] {question} [/INST]", " ", END)


def _phi2(question: str, first: bool) -> Form:
    return Form(f"{'<|endoftext|>' if first else ''}Input: {question}\nOutput:", " ", "\n<|endoftext|>")


def _chatml(question: str, first: bool) -> Form:
    before = f"{'' if first else chr(10)}<|im_start|>user\n{question}<|im_end|>\n<|im_start|>assistant\n"
    return Form(before, "", "<|im_end|>")


STYLES: Mapping[PromptStyle, Callable[[str, bool], Form]] = {
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
"""All styles but `template`, which the tokenizer of the checkpoint renders itself."""
