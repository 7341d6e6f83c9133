"""Flushing a tree reaches every file, and each folder after its content."""

from __future__ import annotations

from pathlib import Path

from trainables.storage.flush import entries_of_tree, flush_tree


def test_flush_tree_of_nested_folders_reaches_every_file_and_each_folder_after_its_content(tmp_path: Path) -> None:
    (tmp_path / "a/b").mkdir(parents=True)
    (tmp_path / "a/b/deep").write_bytes(b"x")
    (tmp_path / "file").write_bytes(b"x")
    (tmp_path / "link").symlink_to("nowhere")
    entries = [str(entry.relative_to(tmp_path)) for entry in entries_of_tree(tmp_path)]
    assert entries == ["a/b/deep", "a/b", "a", "file", "."]
    flush_tree(tmp_path)
