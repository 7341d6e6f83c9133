"""Write conditions in MLflow's filter language."""

from __future__ import annotations


def tag(name: str) -> str:
    """Name a tag of this program in a condition."""
    return f"tags.`ablate.{name}`"


def quoted(text: str) -> str:
    """Quote a string: the language has no escapes."""
    quote = "'" if "'" not in text else '"'
    return f"{quote}{text}{quote}"
