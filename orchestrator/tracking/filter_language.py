"""Write conditions in MLflow's filter language."""

from __future__ import annotations

from collections.abc import Mapping


def tag_field(name: str) -> str:
    """Name a tag in a condition, an order or a column."""
    return f"tags.`{name}`"


def metric_field(name: str) -> str:
    """Name a metric in a condition, an order or a column."""
    return f"metrics.`{name}`"


def param_field(name: str) -> str:
    """Name a parameter in a condition, an order or a column."""
    return f"params.`{name}`"


def quoted(text: str) -> str:
    """Quote a string: the language has no escapes."""
    quote = "'" if "'" not in text else '"'
    return f"{quote}{text}{quote}"


def has_tags(tags: Mapping[str, str]) -> str:
    """Write the condition that all of these tags have these values."""
    return " and ".join(f"{tag_field(name)} = {quoted(value)}" for name, value in tags.items())
