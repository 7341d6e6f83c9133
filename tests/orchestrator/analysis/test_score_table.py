"""Files of scores that cannot be read are refused with the line."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.analysis.score_table import read_table
from search_spaces.errors import InputError


@pytest.mark.parametrize(
    ("csv", "message"),
    [
        ("m,a,b\nx,1\n", r"t\.csv:2: a line must have 3 cells"),
        ("m,a,b\nx,1,2\nx,1,2\n", r"t\.csv:3: .*'x' is there twice"),
        ("m,GQA,gqa\nx,1,2\n", r"t\.csv:1: a benchmark must be one column, but gqa"),
        ("m,a\nx,nan\n", r"t\.csv:2: a: a score must be a number"),
        ("m,a\nx,7%\n", r"t\.csv:2: a: a score must be a number"),
        ("m\nx\n", r"t\.csv: a table must have a header"),
        ("", r"t\.csv: a table must have a header"),
    ],
)
def test_broken_table_is_refused_with_its_line(tmp_path: Path, csv: str, message: str) -> None:
    path = tmp_path / "t.csv"
    path.write_text(csv)
    with pytest.raises(InputError, match=message):
        read_table(path)
