"""Show pictures in terminals that can: by kitty's graphics protocol, or by the inline images of iTerm2."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from typing import Literal, assert_never

PictureProtocol = Literal["kitty", "iterm2"]

ROWS = 8
"""Height of a picture in lines of text."""
_CHUNK = 4096
"""Characters of a picture that kitty takes at a time."""
_TERMINALS: Mapping[str, PictureProtocol] = {"iTerm.app": "iterm2", "WezTerm": "iterm2", "ghostty": "kitty"}
"""`TERM_PROGRAM` -> what the terminal understands."""


def picture_protocol(environment: Mapping[str, str], *, is_terminal: bool) -> PictureProtocol | None:
    """Find out how a terminal shows pictures, from its environment alone: nothing is sent to it to ask.

    Args:
        environment: variables of the process.
        is_terminal: whether the output is a terminal.

    Returns:
        None where that is not known to work: in a file or a pipe, inside of tmux and screen, in other terminals.
    """
    term = environment.get("TERM", "")
    if not is_terminal or "TMUX" in environment or "STY" in environment or term.startswith(("screen", "tmux")):
        return None
    if term == "xterm-kitty" or "KITTY_WINDOW_ID" in environment:
        return "kitty"
    return _TERMINALS.get(environment.get("TERM_PROGRAM", ""))


def picture_text(png: bytes, protocol: PictureProtocol) -> str:
    """Write a picture as the control sequence that shows it, `ROWS` lines high.

    Args:
        png: the file.
        protocol: that the terminal understands.
    """
    encoded = base64.b64encode(png).decode()
    match protocol:
        case "kitty":
            return "".join(_kitty(encoded))
        case "iterm2":
            return f"\x1b]1337;File=inline=1;size={len(png)};height={ROWS};preserveAspectRatio=1:{encoded}\x07"
        case _:
            assert_never(protocol)


def _kitty(encoded: str) -> Iterator[str]:
    """Write the commands that send a PNG in pieces and show it."""
    for start in range(0, len(encoded), _CHUNK):
        is_last = start + _CHUNK >= len(encoded)
        keys = f"a=T,f=100,r={ROWS},q=2," if start == 0 else ""  # q=2: no answer, which would be read as typed
        yield f"\x1b_G{keys}m={0 if is_last else 1};{encoded[start : start + _CHUNK]}\x1b\\"
