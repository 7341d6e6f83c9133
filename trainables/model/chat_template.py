"""Render the prompt style `template`: a tokenizer's own chat template, cut into the segments of `prompts`.

A template renders whole conversations. The assistant's text is located by rendering the conversation up to each of its
turns, with and without the turn: whatever the template adds for it is the answer's segment.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from search_spaces.errors import InputError
from trainables.model.prompts import END, Segment, Turn

Render = Callable[[list[dict[str, str]], bool], str]
"""Messages, and whether to open the assistant's next turn -> text."""


class ChatTemplate:
    """Chat template of a checkpoint's tokenizer.

    Args:
        name: name of the checkpoint, for errors.
        render: function that applies the template.
        end: text of the tokenizer's end token; empty if it has none.
        carries_bos: whether the template itself writes the beginning-of-sequence token.
    """

    def __init__(self, name: str, render: Render, end: str, carries_bos: bool):
        self._name, self._render, self._end = name, render, end
        self.carries_bos = carries_bos

    def render(self, turns: Sequence[Turn]) -> list[Segment]:
        """Render the segments of a whole conversation; targets are exactly the assistant's answers with their ends."""
        segments: list[Segment] = []
        messages, previous, remainder = list[dict[str, str]](), "", ""
        for question, answer in turns:
            messages.append({"role": "user", "content": question})
            prompt = self._text(messages, opens=True)
            messages.append({"role": "assistant", "content": answer or " "})
            conversation = self._text(messages, opens=False)
            segments.append(Segment(remainder + self._suffix(previous, prompt), False))
            reply, remainder = self._split_reply(self._suffix(prompt, conversation), answer)
            segments.append(Segment(reply, True))
            previous = conversation
        return segments

    def render_question(self, turns: Sequence[Turn], question: str) -> list[Segment]:
        """Render the segments after which the model is to answer `question`."""
        messages = [{"role": role, "content": text} for turn in turns for role, text in zip(_ROLES, turn, strict=True)]
        before = self.render(turns)
        prompt = self._text([*messages, {"role": "user", "content": question}], opens=True)
        text = "".join(segment.text.replace(END, "") for segment in before)
        return [*(segment._replace(is_target=False) for segment in before), Segment(self._suffix(text, prompt), False)]

    def answer_text(self, answer: str) -> str:
        """Render the text of an answer's segment, its end included."""
        return self.render([("?", answer)])[-1].text

    def _text(self, messages: list[dict[str, str]], opens: bool) -> str:
        try:
            return self._render(messages, opens)
        except Exception as error:  # of the template: it may raise what it likes
            raise InputError(f"the chat template of {self._name} refuses a conversation: {error}") from error

    def _suffix(self, start: str, text: str) -> str:
        """Return the part of a text that follows `start`. Raises InputError where the text begins otherwise."""
        if not text.startswith(start):
            raise InputError(
                f"the chat template of {self._name} must keep what was said when more is said, but it does not: its"
                " conversations have no answers that could be told apart",
                way_out="Name one of the other prompt styles.",
            )
        return text[len(start) :]

    def _split_reply(self, text: str, answer: str) -> tuple[str, str]:
        """Split the text of an assistant's turn into its reply, end included, and what the template adds after it."""
        content = answer.strip()
        begin = text.find(content)
        if begin < 0:
            raise InputError(f"the chat template of {self._name} must render answers as they are, but does not")
        end = begin + len(content)
        marked = text.find(self._end, end) if self._end else -1
        if marked >= 0:
            end = marked + len(self._end)
            return text[:end], text[end:]
        reply = text.rstrip() if text[end:].strip() else text[:end] + END  # an end of its own, or none
        return reply, text[len(reply.removesuffix(END)) :]


_ROLES = ("user", "assistant")

_DATE = "26 Jul 2024"
"""For templates that write a date: the one that Llama 3's fall back to. Today's would make every day another study."""


def chat_template(tokenizer: Any, name: str) -> ChatTemplate | None:
    """Return the chat template of a transformers tokenizer, or None if it has none.

    `name` is the checkpoint's, for errors.
    """
    source = tokenizer.chat_template
    if not source:
        return None

    def render(messages: list[dict[str, str]], opens: bool) -> str:
        if "strftime_now" in str(source) and "date_string" not in str(source):
            raise ValueError("it writes today's date: no two days would train alike")
        options = {"tokenize": False, "add_generation_prompt": opens, "date_string": _DATE}
        return str(tokenizer.apply_chat_template(messages, **options))

    return ChatTemplate(name, render, tokenizer.eos_token or "", "bos_token" in str(source))
