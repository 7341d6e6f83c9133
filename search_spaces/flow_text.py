"""Write plain values as YAML on one line, in their author's own words, for what messages tell a user to write."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from search_spaces.yaml_source import Document, KeyPath, parse, show

_PLAIN = re.compile(r"[A-Za-z0-9_./@=+~-][A-Za-z0-9_./@=+~ :-]*")


def flow_text(value: Any, document: Document | None = None, path: KeyPath = ()) -> str:
    """Write a value in YAML's flow style.

    Args:
        value: a plain value.
        document: knows how its scalars were written (``1e-5`` rather than ``1e-05``); None where nothing was written.
        path: where the document has it.
    """
    if isinstance(value, Mapping):
        inside = (f"{flow_text(key)}: {flow_text(child, document, (*path, key))}" for key, child in value.items())
        return "{" + ", ".join(inside) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(flow_text(child, document, (*path, i)) for i, child in enumerate(value)) + "]"
    if isinstance(value, str):
        return value if _reads_as(value, value) else json.dumps(value, ensure_ascii=not value.isprintable())
    written = document.text(path, value) if document is not None else show(value)
    return written if _reads_as(written, value) else show(value)


def plain_value(text: str) -> Any:
    """Read a text as the YAML value that it would be without quotes; the text itself where it is none."""
    try:
        return parse(text, "text", line_numbers=False).value
    except ValueError:
        return text


def _reads_as(text: str, value: Any) -> bool:
    """Tell whether a plain text inside of brackets is read as a value."""
    is_plain = bool(_PLAIN.fullmatch(text)) and ": " not in text and not text.endswith((":", " "))
    try:
        read = parse(text, "text").value if is_plain else None
    except ValueError:
        return False
    return type(read) is type(value) and bool(read == value)
