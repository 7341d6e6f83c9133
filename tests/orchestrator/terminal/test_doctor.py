"""Claims about orchestrator/terminal/doctor.py."""

from __future__ import annotations

from orchestrator.doctor.findings import Finding
from orchestrator.terminal.doctor import MOST_LINES, findings_view

RIGHT = [
    Finding("machine", "right", "2 CPUs"),
    Finding("machine", "right", "no GPU"),
    Finding("storage", "right", "it can do all"),
    Finding("storage", "right", "76 GB are free"),
    Finding("storage", "right", "its clock agrees"),
    Finding("tracking", "right", "a run makes it"),
]
SLOW = [Finding("study", "slow", f"part {number} is slow") for number in range(20)]
FAILS = Finding("study", "fails", "a file is missing", "Fetch it.")


def lines(findings: list[Finding], *, details: bool = False) -> list[str]:
    return findings_view(findings, details=details).plain.splitlines()


def test_findings_view_areas_that_are_right_take_a_line_each() -> None:
    assert lines(RIGHT) == [
        "right   machine   2 CPUs; 1 more is right",
        "right   storage   it can do all; 2 more are right",
        "right   tracking  a run makes it",
        "Nothing will fail. 6 answers in all: --details shows each.",
    ]


def test_findings_view_what_is_not_right_is_shown_with_its_way_out_and_not_what_is_right_in_its_area() -> None:
    assert lines([*RIGHT, Finding("study", "right", "16 trials"), FAILS])[-3:] == [
        "fails   study     a file is missing",
        "                  Fetch it.",
        "1 thing will fail. 8 answers in all: --details shows each.",
    ]


def test_findings_view_more_than_ten_lines_keep_what_fails_and_count_the_rest() -> None:
    shown = lines([*RIGHT, *SLOW, FAILS])
    assert len(shown) == MOST_LINES
    assert any("a file is missing" in line for line in shown)
    assert shown[-1] == "1 thing will fail, 20 slow. 27 answers in all: --details shows each."


def test_findings_view_details_are_all_findings() -> None:
    shown = lines([*RIGHT, *SLOW, FAILS], details=True)
    assert [line for line in shown if "slow" in line][: len(SLOW)] == [
        f"slow    study     part {number} is slow" for number in range(20)
    ]
    assert shown[-1] == "1 thing will fail, 20 slow."
