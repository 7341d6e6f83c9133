"""Text of what the program prints to a terminal."""

from __future__ import annotations

import io
from collections.abc import Callable

from rich.console import Console


def shown(show: Callable[[Console], None], width: int = 200) -> str:
    """Collect what is shown on a terminal without colours, `width` characters wide."""
    out = io.StringIO()
    show(Console(file=out, width=width, color_system=None))
    return out.getvalue()
