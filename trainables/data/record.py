"""One training or evaluation record, whatever file it came from."""

from __future__ import annotations

from dataclasses import dataclass

TEXT_ONLY = "text-only"
"""Tag that every record without an image carries."""


@dataclass(frozen=True)
class Record:
    """A conversation about at most one image."""

    id: str
    image: str | None
    """Key of the image within its source; None for text-only records."""
    turns: tuple[tuple[str, str], ...]
    """(question, answer) pairs, stripped, without image placeholders."""
    tags: tuple[str, ...] = ()
    example: str = ""
    """Of evaluation sources: the whole example of its benchmark, as JSON."""

    @property
    def characters(self) -> int:
        """Length of the text: near enough to tokens for grouping records, whatever the tokenizer."""
        return sum(len(question) + len(answer) for question, answer in self.turns)
