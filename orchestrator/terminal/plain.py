"""Print lines that quote a user's data: brackets in them are no markup."""

from __future__ import annotations

from collections.abc import Callable

from rich.console import Console


def plain_lines(console: Console) -> Callable[[str], None]:
    """Return a function that prints a line as it is."""

    def line(text: str) -> None:
        console.print(text, markup=False, highlight=False)

    return line
