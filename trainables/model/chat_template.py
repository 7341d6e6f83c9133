"""The prompt style `template`: a tokenizer's own chat template, cut into the segments of `prompts`.

A template renders whole conversations. What the assistant says is found by rendering the conversation up to each of its
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
    """Renders conversations with a template.

    Args:
        name: of the checkpoint, for errors.
        render: applies the template.
        end: text of the tokenizer's end token.
        carries_bos: whether the template itself writes the beginning-of-sequence token.
    """

    def __init__(self, name: str, render: Render, end: str, carries_bos: bool):
        self._name, self._render, self._end = name, render, end
        self.carries_bos = carries_bos

    def render(self, turns: Sequence[Turn]) -> list[Segment]:
        """Segments of a whole conversation; targets are exactly what the assistant says, and its end."""
        segments: list[Segment] = []
        said, done, rest = list[dict[str, str]](), "", ""
        for question, answer in turns:
            said.append({"role": "user", "content": question})
            asked = self._text(said, opens=True)
            said.append({"role": "assistant", "content": answer or " "})
            whole = self._text(said, opens=False)
            segments.append(Segment(rest + self._behind(done, asked), False))
            spoken, rest = self._split(self._behind(asked, whole), answer)
            segments.append(Segment(spoken, True))
            done = whole
        return segments

    def render_question(self, turns: Sequence[Turn], question: str) -> list[Segment]:
        """Segments after which the model is to answer `question`."""
        said = [{"role": role, "content": text} for turn in turns for role, text in zip(_ROLES, turn, strict=True)]
        before = self.render(turns)
        asked = self._text([*said, {"role": "user", "content": question}], opens=True)
        text = "".join(segment.text.replace(END, "") for segment in before)
        return [*(segment._replace(is_target=False) for segment in before), Segment(self._behind(text, asked), False)]

    def answer_text(self, answer: str) -> str:
        """The segment of an answer, its end included."""
        return self.render([("?", answer)])[-1].text

    def _text(self, messages: list[dict[str, str]], opens: bool) -> str:
        try:
            return self._render(messages, opens)
        except Exception as error:  # of the template: it may raise what it likes
            raise InputError(f"the chat template of {self._name} refuses a conversation: {error}") from error

    def _behind(self, start: str, text: str) -> str:
        if not text.startswith(start):
            raise InputError(
                f"the chat template of {self._name} must keep what was said when more is said, but it does not: its"
                " conversations have no answers that could be told apart",
                way_out="Name one of the other prompt styles.",
            )
        return text[len(start) :]

    def _split(self, said: str, answer: str) -> tuple[str, str]:
        """What the assistant says, end included, and what the template writes behind it."""
        content = answer.strip()
        begin = said.find(content)
        if begin < 0:
            raise InputError(f"the chat template of {self._name} must render answers as they are, but does not")
        end = begin + len(content)
        marked = said.find(self._end, end) if self._end else -1
        if marked >= 0:
            end = marked + len(self._end)
            return said[:end], said[end:]
        spoken = said.rstrip() if said[end:].strip() else said[:end] + END  # an end of its own, or none
        return spoken, said[len(spoken.removesuffix(END)) :]


_ROLES = ("user", "assistant")

_DATE = "26 Jul 2024"
"""For templates that write a date: the one that Llama 3's fall back to. Today's would make every day another study."""


def chat_template(tokenizer: Any, name: str) -> ChatTemplate | None:
    """The template of a transformers tokenizer, if it has one."""
    source = tokenizer.chat_template
    if not source:
        return None

    def render(messages: list[dict[str, str]], opens: bool) -> str:
        if "strftime_now" in str(source) and "date_string" not in str(source):
            raise ValueError("it writes today's date: no two days would train alike")
        options = {"tokenize": False, "add_generation_prompt": opens, "date_string": _DATE}
        return str(tokenizer.apply_chat_template(messages, **options))

    return ChatTemplate(name, render, tokenizer.eos_token or "", "bos_token" in str(source))
