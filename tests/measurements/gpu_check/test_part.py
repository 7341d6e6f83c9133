"""Parts of the check fail alone: each has its line, and the next one runs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from measurements.gpu_check.forms import SMALL
from measurements.gpu_check.part import Figures, Part, run_parts
from measurements.gpu_check.planned import Setting


def fails(setting: Setting) -> Figures:
    raise RuntimeError("out of memory")


def chats(setting: Setting) -> Figures:
    print("training stage finetune")
    return {"step_s": 0.5}


def test_a_part_that_fails_is_a_line_with_its_reason_and_the_next_one_runs() -> None:
    setting = Setting(SMALL, "cpu", Path("/nowhere"), Path("/nowhere"))
    lines = [json.loads(line.as_json()) for line in run_parts([Part("first", fails), Part("second", chats)], setting)]
    assert [line["part"] for line in lines] == ["first", "second"]
    assert "out of memory" in lines[0]["failure"]
    assert "fails" in lines[0]["where"]
    assert lines[1]["step_s"] == 0.5
    assert "failure" not in lines[1]


def test_what_the_program_prints_on_the_way_is_not_among_the_lines(capsys: pytest.CaptureFixture[str]) -> None:
    list(run_parts([Part("talks", chats)], Setting(SMALL, "cpu", Path("/nowhere"), Path("/nowhere"))))
    assert capsys.readouterr().out == ""
