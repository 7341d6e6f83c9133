"""Flushing a tree reaches every file, and each folder after its content."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from trainables.storage.flush import entries_of_tree, flush_tree, make_folder


def test_flush_tree_of_nested_folders_reaches_every_file_and_each_folder_after_its_content(tmp_path: Path) -> None:
    (tmp_path / "a/b").mkdir(parents=True)
    (tmp_path / "a/b/deep").write_bytes(b"x")
    (tmp_path / "file").write_bytes(b"x")
    (tmp_path / "link").symlink_to("nowhere")
    entries = [str(entry.relative_to(tmp_path)) for entry in entries_of_tree(tmp_path)]
    assert entries == ["a/b/deep", "a/b", "a", "file", "."]
    flush_tree(tmp_path)


def test_the_name_of_every_new_folder_is_flushed_in_the_folder_above_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was flushed in a folder whose own name was not is gone with it after a power cut."""
    flushed: list[int] = []
    monkeypatch.setattr("os.fsync", lambda descriptor: flushed.append(os.fstat(descriptor).st_ino))
    (tmp_path / "there").mkdir()
    make_folder(tmp_path / "there/a/b")
    assert flushed == [(tmp_path / "there").stat().st_ino, (tmp_path / "there/a").stat().st_ino]
    make_folder(tmp_path / "there/a/b")
    assert len(flushed) == 2
