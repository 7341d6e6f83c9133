"""Captions are read back as they were written, and only those of the same study."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.figures.captions import CAPTIONS, captions_text, read_captions
from search_spaces.errors import InputError

KINDS = ("forest", "curves")
CAPTIONS_OF = {"forest": "One line, with `$` and ## inside.", "curves-finetune-2": "Another one. Part 2 of 2."}


def test_captions_are_read_back_without_sections_that_somebody_else_has_written(tmp_path: Path) -> None:
    assert read_captions(tmp_path, "small", KINDS) == {}
    (tmp_path / CAPTIONS).write_text(captions_text("small", CAPTIONS_OF) + "\n## notes\n\nMine.\n")
    assert read_captions(tmp_path, "small", KINDS) == CAPTIONS_OF


def test_a_folder_with_figures_of_another_study_is_refused(tmp_path: Path) -> None:
    (tmp_path / CAPTIONS).write_text(captions_text("large", CAPTIONS_OF))
    with pytest.raises(InputError, match=r"must begin with '# Figures of small', but begins with '# Figures of large'"):
        read_captions(tmp_path, "small", KINDS)
