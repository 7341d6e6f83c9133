"""Compare how a benchmark asks with how a mix was asked: what a protocol adds to a question, and what training saw.

The comparison is of endings and beginnings alone, so that it is cheap: an instruction that a protocol puts after (or
before) every question, looked for after (or before) the training questions; and an ending that all training questions
share, looked for after the prompts. No torch.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Literal

from trainables.benchmarks.contract import Example, Protocol

_FORMS = 4
"""Forms of a benchmark that are looked for, the most frequent first."""
_FREQUENT = 0.1
"""Share of the prompts that have a form which is looked for."""
_TAIL = 24
"""Characters of an ending that all training questions share."""
_SURVEYED = 20_000
"""Training questions that are looked at for an ending that all share."""

Side = Literal["ends", "begins"]


@dataclass(frozen=True)
class UnseenForm:
    """Words around a question that one of prompts and training questions has, and the other has nowhere."""

    side: Side
    words: str
    prompts: int
    """Prompts that have the words; 0 where all training questions have them."""
    of: int
    """All prompts."""

    def is_of(self, text: str) -> bool:
        """Check whether a text has the words at their side."""
        return _has(text, self.side, self.words)

    def sentence(self, mix: str) -> str:
        """Say what never matches, with the name of the mix."""
        where = "end" if self.side == "ends" else "begin"
        if self.prompts:
            count = "all" if self.prompts == self.of else f"{self.prompts:,} of {self.of:,}"
            return f"no training question of {mix} {self.side} with {self.words!r}, as {count} prompts do"
        return f"every training question of {mix} {self.side} with {self.words!r}, and no prompt does {where} so"


def unseen_forms(
    protocol: Protocol, examples: Sequence[Example], training: Callable[[], Iterable[str]]
) -> list[UnseenForm]:
    """Find the words around questions that prompts have and training has nowhere, or the other way round.

    Args:
        protocol: asks the examples.
        examples: of a benchmark.
        training: returns every question that a stage trains on.
    """
    prompts = [protocol.prompt(example) for example in examples]
    pairs = list(zip(prompts, examples, strict=True))
    forms = Counter(form for prompt, example in pairs for form in _added(prompt, example.question))
    unseen = [
        UnseenForm(side, words, count, len(prompts))
        for (side, words), count in forms.most_common(_FORMS)
        if count >= _FREQUENT * len(prompts) and not any(_has(question, side, words) for question in training())
    ]
    tail = _shared_tail([question.strip() for question in islice(training(), _SURVEYED)])
    if not unseen and tail and not any(_has(prompt, "ends", tail) for prompt in prompts):
        unseen.append(UnseenForm("ends", tail, 0, len(prompts)))
    return unseen


def _added(prompt: str, question: str) -> list[tuple[Side, str]]:
    """List what a protocol puts before a question, and the last line of what it puts after it."""
    at = prompt.lower().find(question.lower())  # some protocols begin it with a capital
    if at < 0:
        return []
    before, behind = prompt[:at], prompt[at + len(question) :]
    lines = behind.strip().splitlines()
    forms: list[tuple[Side, str]] = [("ends", lines[-1].strip())] if lines else []
    forms.append(("begins", before.strip()))
    return [(side, words) for side, words in forms if any(map(str.isalnum, words))]


def _has(text: str, side: Side, words: str) -> bool:
    return text.rstrip().endswith(words) if side == "ends" else text.lstrip().startswith(words)


def _shared_tail(questions: Sequence[str]) -> str:
    """Return the last line, or the ending, that all questions share; nothing where they share less."""
    lines = {question.splitlines()[-1] for question in questions if question}
    if len(lines) == 1 and all("\n" in question for question in questions):
        return lines.pop()
    tails = {question[-_TAIL:] for question in questions}
    if len(tails) != 1:
        return ""
    (tail,) = tails
    whole = all(question == tail for question in questions)
    return tail if whole or " " not in tail else tail[tail.index(" ") + 1 :]
