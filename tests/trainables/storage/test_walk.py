"""A walk finds files at any depth, follows links of the root alone, and says where it may not look."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from trainables.storage.walk import walk_folder


def test_links_are_followed_in_the_root_alone(tmp_path: Path) -> None:
    root, big = tmp_path / "root", tmp_path / "big"
    (big / "inside").mkdir(parents=True)
    (big / "file").write_bytes(b"123")
    root.mkdir()
    (root / "stages").symlink_to(big)
    (big / "inside" / "loop").symlink_to(big)
    found = {(entry.name, entry.is_folder) for entry in walk_folder(root, "")}
    assert found == {("stages/file", False), ("stages/inside/loop", False)}


def test_a_folder_that_may_not_be_read_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").write_bytes(b"1")
    scan = os.scandir

    def refuse(path: str) -> object:
        if str(path).endswith("/a"):
            raise PermissionError(13, "Permission denied", path)
        return scan(path)

    monkeypatch.setattr("trainables.storage.walk.os.scandir", refuse)
    assert {(entry.name, entry.is_readable) for entry in walk_folder(tmp_path, "")} == {("a", False), ("b", True)}
