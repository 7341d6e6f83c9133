"""Open a link in the browser of a desktop."""

from __future__ import annotations

import os
import sys
import webbrowser


def open_in_browser(link: str) -> bool:
    """Open a link where a browser can show itself: on a desktop, or where BROWSER names one.

    A browser of the terminal (lynx, w3m) is only taken from BROWSER: it would stand where the output stands.

    Returns:
        Whether a browser was told to open it.
    """
    has_desktop = sys.platform == "darwin" or "DISPLAY" in os.environ or "WAYLAND_DISPLAY" in os.environ
    if not has_desktop and "BROWSER" not in os.environ:
        return False
    try:
        return webbrowser.open(link)
    except webbrowser.Error:  # none is installed: the link is on the terminal
        return False
