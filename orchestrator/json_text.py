"""Write plain values as JSON that any program reads: JSON has no NaN and no infinities."""

from __future__ import annotations

import json
import math
from typing import Any

_ENCODER = json.JSONEncoder(allow_nan=False)


def json_text(value: Any) -> str:
    """Write a value on one line. A number that is not finite becomes null."""
    try:
        return _ENCODER.encode(value)
    except ValueError:  # some number is not finite: to look for it in every value would take longer than all the rest
        return _ENCODER.encode(_finite(value))


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
