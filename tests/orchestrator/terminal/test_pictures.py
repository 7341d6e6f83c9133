"""Pictures are shown in terminals that are known to show them, and arrive whole."""

from __future__ import annotations

import base64
import io
import re

import pytest
from PIL import Image

from orchestrator.terminal.pictures import PictureProtocol, picture_protocol, picture_text

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 40


@pytest.mark.parametrize(
    ("environment", "protocol"),
    [
        ({"TERM": "xterm-kitty"}, "kitty"),
        ({"TERM": "xterm-256color", "KITTY_WINDOW_ID": "1"}, "kitty"),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "iTerm.app"}, "iterm2"),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "WezTerm"}, "iterm2"),
        ({"TERM": "xterm-ghostty"}, "kitty"),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "vscode", "KITTY_WINDOW_ID": "1"}, None),
        ({"TERM": "xterm-256color", "KONSOLE_VERSION": "240802", "KITTY_WINDOW_ID": "1"}, None),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "WezTerm", "KITTY_WINDOW_ID": "1"}, "iterm2"),
        ({"TERM": "xterm-kitty", "ZELLIJ": "0"}, None),
        ({"TERM": "xterm-kitty", "TMUX": ""}, "kitty"),
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


def test_who_asks_for_pictures_gets_them_and_who_asks_for_none_does_not() -> None:
    kitty, unknown = {"TERM": "xterm-kitty", "TMUX": "/tmp/tmux-0/default,1,0"}, {"TERM": "xterm-256color"}
    assert picture_protocol(kitty, is_terminal=False, wanted=True) == "kitty"
    assert picture_protocol(unknown, is_terminal=True, wanted=True) == "iterm2"
    assert picture_protocol({"TERM": "xterm-kitty"}, is_terminal=True, wanted=False) is None


@pytest.mark.parametrize(
    ("size", "kitty", "iterm2"),
    [((240, 24), "c=64,", "width=64;"), ((240, 120), "r=8,", "height=8;"), ((24, 240), "r=8,", "height=8;")],
)
def test_a_picture_is_no_wider_than_its_columns(size: tuple[int, int], kitty: str, iterm2: str) -> None:
    file = io.BytesIO()
    Image.new("RGB", size).save(file, "PNG")
    for protocol, expected in (("kitty", kitty), ("iterm2", iterm2)):
        head = picture_text(file.getvalue(), protocol)[:80]  # type: ignore[arg-type]  # of the loop
        assert expected in head
        assert len(re.findall(r"(?:\b[cr]|width|height)=\d+", head)) == 1  # both would stretch it


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
