"""Describe how a benchmark is asked: the prompt of an example, and how it is answered. No torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from trainables.benchmarks.contract import Benchmark, Example, Protocol

_SHOWN_OPTIONS = 26


@dataclass(frozen=True)
class Asked:
    """Question as a protocol puts it."""

    prompt: str
    """Without the chat format of a language model."""
    options: tuple[str, ...]
    """What is ranked by likelihood; none: the answer is generated."""
    max_new_tokens: int
    """Tokens of a generated answer, at most."""

    @property
    def answered(self) -> str:
        """Say how it is answered."""
        if not self.options:
            return f"generated greedily, {self.max_new_tokens} tokens at most"
        shown = ", ".join(self.options[:_SHOWN_OPTIONS])
        more = f" and {len(self.options) - _SHOWN_OPTIONS} more" if len(self.options) > _SHOWN_OPTIONS else ""
        return f"the likeliest of {shown}{more}"


def ask(protocol: Protocol, example: Example) -> Asked:
    """Put a question as a protocol does."""
    return Asked(protocol.prompt(example), protocol.options(example), protocol.max_new_tokens)


def ask_by_all(benchmark: Benchmark, example: Example) -> dict[str, Asked]:
    """Put a question as every protocol of a benchmark does, by their names."""
    return {name: ask(protocol, example) for name, protocol in benchmark.protocols.items()}


def placeholder(examples: Sequence[Example] = ()) -> Example:
    """Return the first of some examples; of none, one that says what stands where."""
    if examples:
        return examples[0]
    options = ("FIRST OPTION", "SECOND OPTION")
    return Example("ID", "IMAGE", "IMAGE", "QUESTION", options, {"tokens": "OCR TOKENS"}, {})
