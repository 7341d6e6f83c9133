"""Show pictures in terminals that can: by kitty's graphics protocol, or by the inline images of iTerm2."""

from __future__ import annotations

import base64
import struct
from collections.abc import Iterator, Mapping
from typing import Literal, assert_never

PictureProtocol = Literal["kitty", "iterm2"]

ROWS = 8
"""Height of a picture in lines of text."""
COLUMNS = 64
"""Width of a picture in letters, at most; wider ones are less high."""
_LINE_TO_LETTER = 2
"""Height of a line of text against the width of a letter, about."""
_CHUNK = 4096
"""Characters of a picture that kitty takes at a time."""
_TERMINALS: Mapping[str, PictureProtocol] = {"iTerm.app": "iterm2", "WezTerm": "iterm2", "ghostty": "kitty"}
"""`TERM_PROGRAM` -> what the terminal understands."""
_TERMS: Mapping[str, PictureProtocol] = {"xterm-kitty": "kitty", "xterm-ghostty": "kitty"}
"""`TERM` -> what the terminal understands."""
_MULTIPLEXERS = ("TMUX", "STY", "ZELLIJ")
"""Variables that programs set between which and the terminal no picture gets through."""
_OTHERS = ("TERM_PROGRAM", "KONSOLE_VERSION", "VTE_VERSION", "ALACRITTY_WINDOW_ID")
"""Variables of other terminals, which inherit `KITTY_WINDOW_ID` where they are started from kitty."""
_FORCED: PictureProtocol = "iterm2"
"""What is sent to a terminal that is not known, where pictures are asked for: most that show any understand it."""


def picture_protocol(
    environment: Mapping[str, str], *, is_terminal: bool, wanted: bool | None = None
) -> PictureProtocol | None:
    """Find out how a terminal shows pictures, from its environment alone: nothing is sent to it to ask.

    Args:
        environment: variables of the process.
        is_terminal: whether the output is a terminal.
        wanted: whether there are to be pictures, whatever is found out; None: where they are known to be shown, which
            they are not in a file or a pipe, inside of tmux, screen and zellij, and in other terminals.

    Returns:
        None where there are to be no pictures.
    """
    if wanted is not None:
        return (_known(environment) or _FORCED) if wanted else None
    is_inside = any(environment.get(name) for name in _MULTIPLEXERS)
    if not is_terminal or is_inside or environment.get("TERM", "").startswith(("screen", "tmux")):
        return None
    return _known(environment)


def _known(environment: Mapping[str, str]) -> PictureProtocol | None:
    """Tell what a terminal understands; who it is, it says itself before what it has inherited does."""
    named = _TERMS.get(environment.get("TERM", "")) or _TERMINALS.get(environment.get("TERM_PROGRAM", ""))
    is_other = any(environment.get(name) for name in _OTHERS)
    return named or ("kitty" if environment.get("KITTY_WINDOW_ID") and not is_other else None)


def picture_text(png: bytes, protocol: PictureProtocol, columns: int = COLUMNS) -> str:
    """Write a picture as the control sequence that shows it, `ROWS` lines high, or less where it would be too wide.

    Args:
        png: the file.
        protocol: that the terminal understands.
        columns: width at most, in letters.
    """
    width, height = struct.unpack(">II", png[16:24])  # of the first chunk, which every PNG begins with
    is_wide = width * ROWS * _LINE_TO_LETTER > columns * height
    encoded = base64.b64encode(png).decode()
    match protocol:
        case "kitty":
            return "".join(_kitty(encoded, f"c={columns}" if is_wide else f"r={ROWS}"))
        case "iterm2":
            size = f"width={columns}" if is_wide else f"height={ROWS}"
            return f"\x1b]1337;File=inline=1;size={len(png)};{size};preserveAspectRatio=1:{encoded}\x07"
        case _:
            assert_never(protocol)


def _kitty(encoded: str, size: str) -> Iterator[str]:
    """Write the commands that send a PNG in pieces and show it."""
    for start in range(0, len(encoded), _CHUNK):
        is_last = start + _CHUNK >= len(encoded)
        keys = f"a=T,f=100,{size},q=2," if start == 0 else ""  # q=2: no answer, which would be read as typed
        yield f"\x1b_G{keys}m={0 if is_last else 1};{encoded[start : start + _CHUNK]}\x1b\\"
