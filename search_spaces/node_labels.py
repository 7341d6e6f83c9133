"""Read labels of a cluster's nodes, and selectors of them, in the form that Ray and Kubernetes give both.

A selector of a label is a value, ``in(a,b)`` for one of several, or either of them after a ``!`` for all others. A node
without the label has none of the values: it fits the negated forms alone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Annotated, NamedTuple

from pydantic import AfterValidator

ACCELERATOR_LABEL = "ray.io/accelerator-type"
"""Label with the kind of a node's accelerators, which Ray gives by itself: ``H100``."""


def accelerator_type(device: str) -> str:
    """Name the kind of an accelerator as Ray's label does.

    Args:
        device: its name as the driver reports it: ``NVIDIA A100-SXM4-80GB`` is an ``A100``, ``NVIDIA GeForce RTX 4090``
            a ``GeForce-RTX-4090``.
    """
    series = list[str]()
    for word in device.split()[1:]:
        model = re.match("[A-Z0-9]*", word)
        if word.isalpha() and word.isupper():
            series.append(word)
        elif model is not None and re.search(r"\d", model[0]):
            return "-".join([*series, model[0]])
        else:
            break
    return "-".join(device.removeprefix("NVIDIA ").split())


NODE_LABEL = "ray.io/node-id"
"""Label with the id that Ray gives every node."""

_WORD = r"[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?"
_VALUE = re.compile(_WORD)
_KEY = re.compile(rf"(?:[a-z0-9](?:[a-z0-9.-]{{0,251}}[a-z0-9])?/)?{_WORD}")
_SELECTOR = re.compile(rf"(?P<none>!?)(?:in\((?P<several>{_WORD}(?:, ?{_WORD})*)\)|(?P<one>{_WORD}))")


class _Selector(NamedTuple):
    values: frozenset[str]
    is_negated: bool


def is_selected(selector: str, value: str | None) -> bool:
    """Check whether a label's value fits a selector; None for a node that does not have the label.

    Raises:
        ValueError: for what is no selector.
    """
    read = _read(selector)
    return (value in read.values) != read.is_negated


@lru_cache(maxsize=1024)
def _read(selector: str) -> _Selector:
    found = _SELECTOR.fullmatch(selector)
    if found is None:
        raise ValueError(f"must be a value, in(value,value) or one of them after a `!`, but got {selector!r}")
    several = found["several"]
    values = several.replace(" ", "").split(",") if several else [found["one"]]
    return _Selector(frozenset(values), bool(found["none"]))


def _selector(text: str) -> str:
    _read(text)
    return text


def label_value(text: str) -> str:
    """Check the value of a label, and return it. Raises ValueError."""
    if _VALUE.fullmatch(text) is None:
        raise ValueError(
            f"must have 1 to 63 of A-Z a-z 0-9 . _ - with a letter or digit at both ends, but got {text!r}"
        )
    return text


def label_key(text: str) -> str:
    """Check the name of a label, and return it. Raises ValueError."""
    if _KEY.fullmatch(text) is None:
        law = "must be a name of 1 to 63 of A-Z a-z 0-9 . _ -, maybe after a domain and a slash"
        raise ValueError(f"{law}, but got {text!r}")
    return text


def _own_key(text: str) -> str:
    if text.startswith("ray.io/"):
        raise ValueError(f"must not begin with ray.io/, as labels do that Ray gives by itself, but got {text!r}")
    return label_key(text)


LabelKey = Annotated[str, AfterValidator(label_key)]
"""Name of a label."""

OwnLabelKey = Annotated[str, AfterValidator(_own_key)]
"""Name of a label that people give to nodes."""

LabelValue = Annotated[str, AfterValidator(label_value)]
"""Value of a label."""

LabelSelector = Annotated[str, AfterValidator(_selector)]
"""What the value of a label must be."""


def are_selected(selectors: Mapping[str, str], labels: Mapping[str, str]) -> bool:
    """Check whether a node's labels fit all selectors.

    Args:
        selectors: name of a label -> what its value must be.
        labels: of the node.
    """
    return all(is_selected(selector, labels.get(key)) for key, selector in selectors.items())
