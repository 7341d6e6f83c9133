"""The page on one's own data shows records as they are in the files that it draws.

Its commands are run by `tests/measurements/first_hour`.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.support.command_line import ROOT

PAGE = (ROOT / "docs" / "own-data.md").read_text()


def test_the_records_that_the_page_shows_are_those_of_the_files(tmp_path: Path) -> None:
    subprocess.run([sys.executable, str(ROOT / "examples/own-vqa/draw.py"), "shapes"], cwd=tmp_path, check=True)
    (test,) = [line for line in PAGE.splitlines() if line.startswith('{"id": "040.png-color"')]
    assert test in (tmp_path / "shapes" / "test.jsonl").read_text().splitlines()
    question = r"<image>\nWhat color is the shape?"
    assert question in PAGE
    assert question in (tmp_path / "shapes" / "train.json").read_text()
