"""Spell names as MLflow takes them, and labels so that its charts tell them apart."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import chain, count, takewhile

SHOWN = 10
"""Parallel coordinates show so many characters of a label, or, from this length on (seen with 3.17), its first and
last three. Labels that look the same there are drawn as one (mlflow#15484)."""


@lru_cache(4096)  # each point of a history has its name
def legal_name(name: str) -> str:
    """Spell a name of a metric, parameter or tag as MLflow takes it: ASCII letters, digits, ``_-. :/``, 250 at most."""
    spelt = name.replace("@", " at ").replace("+", "plus").replace("%", "percent")
    legal = re.sub(r"[^A-Za-z0-9_\-. :/]", "_", spelt)
    legal = posixpath.normpath(f"/{legal}"[:251]).strip("/ ")  # below a root, so that no `..` is left
    return legal or "_"


def distinct_labels(labels: Sequence[str], known: Mapping[str, str]) -> dict[str, str]:
    """Return label -> its spelling in MLflow, so that all look different where its charts shorten them.

    A label that would look like another one gets in front what tells it apart: `siglip-vit-b16` and `siglip-vit-so400m`
    become `b16 siglip-vit-b16` and `so400m siglip-vit-so400m`; where that does not help, a number. `known` are choices
    made before, which hold: MLflow never changes a parameter.
    """
    spellings = {label: known[label] for label in labels if label in known}
    taken = {look for text in known.values() for look in looks(text)}
    for label in labels:
        if label in spellings:
            continue
        numbered = (f"{number} {label}" for number in count(1))
        telling = _telling_first(label, [other for other in labels if other != label and looks(other) & looks(label)])
        spellings[label] = next(text for text in chain([telling], numbered) if not looks(text) & taken)
        taken |= looks(spellings[label])
    return spellings


def looks(label: str) -> set[str]:
    """Return the ways in which a label may be shortened."""
    return {label} if len(label) < SHOWN else {label[:SHOWN], f"{label[:3]}...{label[-3:]}"}


def _telling_first(label: str, rivals: list[str]) -> str:
    """Put in front of a label the words by which it differs from its rivals; itself where it has none."""
    if not rivals:
        return label
    shared = min(
        sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(label, r, strict=False))) for r in rivals
    )
    start = max(label.rfind(border, 0, shared) + 1 for border in "-_+./ ")
    return f"{label[start:]} {label}" if 0 < start < len(label) else label
