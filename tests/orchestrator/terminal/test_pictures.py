"""Pictures are shown in terminals that are known to show them, and arrive whole."""

from __future__ import annotations

import base64
import re

import pytest

from orchestrator.terminal.pictures import PictureProtocol, picture_protocol, picture_text

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 40


@pytest.mark.parametrize(
    ("environment", "protocol"),
    [
        ({"TERM": "xterm-kitty"}, "kitty"),
        ({"TERM": "xterm-256color", "KITTY_WINDOW_ID": "1"}, "kitty"),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "iTerm.app"}, "iterm2"),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "WezTerm"}, "iterm2"),
        ({"TERM": "xterm-256color"}, None),
        ({"TERM": "dumb"}, None),
        ({}, None),
        ({"TERM": "xterm-kitty", "TMUX": "/tmp/tmux-0/default,1,0"}, None),
        ({"TERM": "screen-256color", "TERM_PROGRAM": "iTerm.app"}, None),
    ],
)
def test_only_terminals_that_are_known_to_show_pictures_get_them(
    environment: dict[str, str], protocol: PictureProtocol | None
) -> None:
    assert picture_protocol(environment, is_terminal=True) == protocol
    assert picture_protocol(environment, is_terminal=False) is None


def test_kitty_gets_the_whole_picture_in_pieces_of_at_most_4096_characters() -> None:
    pieces = re.findall(r"\x1b_G([^;]*);([^\x1b]*)\x1b\\", picture_text(PNG, "kitty"))
    assert base64.b64decode("".join(data for _, data in pieces)) == PNG
    assert all(len(data) <= 4096 for _, data in pieces)
    assert pieces[0][0].startswith("a=T,f=100,")
    assert [keys.rpartition("m=")[2] for keys, _ in pieces] == ["1"] * (len(pieces) - 1) + ["0"]
    assert "".join(f"\x1b_G{keys};{data}\x1b\\" for keys, data in pieces) == picture_text(PNG, "kitty")


def test_iterm2_gets_the_whole_picture_with_its_size() -> None:
    text = picture_text(PNG, "iterm2")
    match = re.fullmatch(r"\x1b\]1337;File=inline=1;size=(\d+);height=8;preserveAspectRatio=1:([^\x07]*)\x07", text)
    assert match is not None
    assert int(match[1]) == len(PNG)
    assert base64.b64decode(match[2]) == PNG
