"""Open a link in the browser of a desktop."""

from __future__ import annotations

import os
import sys
import webbrowser

TEXT_BROWSERS = frozenset({"www-browser", "links", "elinks", "lynx", "w3m"})
"""Browsers of the terminal that `webbrowser` offers where there is no other."""


def open_in_browser(link: str) -> bool:
    """Open a link where a browser can show itself: on this desktop, or where BROWSER names one.

    A browser of the terminal is only taken from BROWSER: it would stand where the output stands, and wait there.

    Returns:
        Whether a browser was told to open it.
    """
    is_named = bool(os.environ.get("BROWSER"))
    if not is_named and not _has_desktop():
        return False
    try:
        browser = webbrowser.get()
    except webbrowser.Error:  # none is installed: the link is on the terminal
        return False
    if not is_named and getattr(browser, "basename", "") in TEXT_BROWSERS:
        return False
    return browser.open(link)


def _has_desktop() -> bool:
    """Tell whether who types sees a desktop of this machine; on macOS over ssh it is in front of somebody else."""
    if sys.platform == "darwin":
        return not os.environ.get("SSH_CONNECTION")
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
