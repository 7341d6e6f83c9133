"""Define one training or evaluation record, the same for every source format."""

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
        """Length of the text: close enough to its tokens to group records, with any tokenizer."""
        return sum(len(question) + len(answer) for question, answer in self.turns)
