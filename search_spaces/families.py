"""Name the families of evaluation sets of a user's own. Imports nothing, as the command line does."""

from __future__ import annotations

from typing import Literal

Family = Literal["vqa", "exact", "yes-no", "multiple-choice", "counting", "grounding"]
"""Families of evaluation sets of a user's own: what `options: {benchmark: ...}` of their source names."""

FAMILY_PROTOCOL = "plain"
"""Protocol of families where a study names none: the question as it is, with no word added."""
