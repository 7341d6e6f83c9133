"""OCID-Ref's protocols on the cases in which the original programs were seen to differ."""

from __future__ import annotations

from pathlib import Path

import pytest

from search_spaces.errors import InputError
from tests.support.official_files.ocidref import write_ocidref
from tests.support.official_scores import read, scored


def test_ocidref_needs_a_quarter_and_reads_corners(tmp_path: Path) -> None:
    write_ocidref(tmp_path, box="[0, 0, 320, 240]")
    examples = read("ocidref", tmp_path)
    clutter = [example.groups["clutter"] for example in examples]
    assert clutter == ["minimum", "minimum", "medium", "medium", "maximum", "maximum"]
    quarter = "[0, 0, 0.25, 0.25]"
    result = scored("ocidref", "prismatic", examples, [quarter] * 5 + ["[0, 0, 0.1, 0.1]"])
    assert result.metrics["accuracy/minimum"] == 100
    assert result.metrics["accuracy/maximum"] == 50
    assert result.metrics["accuracy"] == pytest.approx(500 / 6)


def test_ocidref_takes_beyond_20_are_refused(tmp_path: Path) -> None:
    write_ocidref(tmp_path, takes=(21,))
    with pytest.raises(InputError, match=r"take_id.*within 0 and 20"):
        read("ocidref", tmp_path)
