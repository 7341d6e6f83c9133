"""`ablate figures` as a user calls it."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.commands.figures import inches
from search_spaces.errors import InputError
from tests.support.command_line import ablate


def test_lengths_are_read_with_their_unit() -> None:
    assert [inches(text) for text in ("3.3in", "84mm", "8.4 cm", "252pt")] == pytest.approx(
        [3.3, 3.307, 3.307, 3.5], abs=1e-3
    )


@pytest.mark.parametrize("text", ["3.3", "in", "0.1in", "900mm", "wide"])
def test_a_length_without_unit_or_room_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="must be a length of 2 to 20 inches"):
        inches(text)


def test_a_study_without_results_has_nothing_to_draw(small: Path, tmp_path: Path) -> None:
    (tmp_path / "s" / "studies").mkdir(parents=True)
    done = ablate("figures", str(small), "-o", str(tmp_path / "fig"), storage=tmp_path / "s", check=2)
    assert "none yet" in done.stderr
    assert not (tmp_path / "fig").exists()


def test_unknown_formats_and_figures_are_refused_with_the_nearest(small: Path, tmp_path: Path) -> None:
    done = ablate("figures", str(small), "-o", "fig", "--format", "svg,pfd", storage=tmp_path / "s", check=2)
    assert "svg, pdf, png" in done.stderr
    assert "'pdf'" in done.stderr
    done = ablate("figures", str(small), "-o", "fig", "--only", "forrest", storage=tmp_path / "s", check=2)
    assert "forest" in done.stderr
