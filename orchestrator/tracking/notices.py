"""Tell a person about trouble, once."""

from __future__ import annotations

from collections.abc import Callable

Notice = Callable[[str], None]
"""Shows one message to whoever runs the study."""


class NoticeOnce:
    """Passes on each message once, however often it is repeated.

    Args:
        notice: shows a message.
        prefix: put before every message.
    """

    def __init__(self, notice: Notice, prefix: str):
        self._notice, self._prefix = notice, prefix
        self._noticed: set[str] = set()

    def __call__(self, text: str) -> None:
        if text not in self._noticed:
            self._noticed.add(text)
            self._notice(f"{self._prefix}{text}")
