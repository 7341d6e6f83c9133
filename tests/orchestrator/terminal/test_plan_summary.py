"""A plan is summed up in some ten lines: what it does, what is there, time, disk, what it decides, what is wrong."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from cluster.fit import NodeResources
from orchestrator.analysis.plan_power import plan_power
from orchestrator.planning import plan_summary as summed
from orchestrator.planning.estimates import Assumptions
from orchestrator.planning.plan_summary import plan_summary
from orchestrator.terminal.plan_summary import plan_summary_lines
from search_spaces.expansion.expand import plan_study
from search_spaces.study_files import load_study
from tests.support.small_studies import TWO_STAGES
from trainables.storage.store import LocalStore


def _lines(name: str, tmp_path: Path, overrides: Sequence[str] = ()) -> list[str]:
    study = load_study(name, overrides)
    planned = plan_study(study)
    shown = plan_summary(planned, LocalStore(tmp_path / "s"), tmp_path, Assumptions(), plan_power(study, planned))
    return list(plan_summary_lines(shown))


@pytest.fixture(autouse=True)
def two_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = (NodeResources("this machine", 2, 0, socket.gethostname()),)
    monkeypatch.setattr(summed, "this_machine", lambda: machine)


def _beginning(lines: list[str], label: str) -> str:
    """Return the lines of a label as one."""
    start = next(number for number, line in enumerate(lines) if line.startswith(label))
    end = next(number for number in range(start + 1, len(lines)) if not lines[number].startswith(" "))
    return " ".join(line.strip() for line in lines[start:end])


def test_the_quickstart_is_summed_up_in_at_most_fifteen_lines_of_80_columns(tmp_path: Path) -> None:
    lines = _lines("quickstart", tmp_path)
    assert len(lines) <= 15
    assert max(len(line) for line in lines if not line.startswith("storage")) <= 80  # a path is not broken
    assert lines[1] == "does      8 arms, 16 trials, 18 stages, 4 benchmarks, 4,016 steps"
    assert lines[2] == f"storage   {tmp_path / 's'}: empty"
    assert "on this machine, 2 cores; at most 216.3 MB of disk" in _beginning(lines, "takes")
    assert _beginning(lines, "inputs") == "inputs    data and weights are there; the run reads 4 of them first"
    decided = _beginning(lines, "decides")
    assert (
        "resolution-shape, pretraining and negation-needs-data: can tell a difference of 4.3 points at best, 16 at "
        "worst (2 seeds, 80 % power)" in decided
    )
    assert "tokens: can show that a difference is below 4.7 points at best, 15 at worst" in decided
    assert _beginning(lines, "warning") == (
        "warning   even at best, tokens would stay open though there is no difference (margin 2) (--tables)"
    )
    assert lines[-1] == "more      --tables, --resolved, --json"


def test_few_arms_have_a_line_each_with_their_differences(tmp_path: Path) -> None:
    (tmp_path / "study.yaml").write_text(TWO_STAGES)
    lines = _lines(str(tmp_path / "study.yaml"), tmp_path)
    arms = next(number for number, line in enumerate(lines) if line.startswith("arms"))
    assert lines[arms].split() == ["arms", "base"]
    assert lines[arms + 1].startswith(" " * 10)
    assert ": " in lines[arms + 1]


def test_what_is_missing_and_what_the_machine_cannot_run_is_said(tmp_path: Path) -> None:
    lines = _lines("prismatic/design_space", tmp_path)
    assert _beginning(lines, "inputs").startswith("inputs    MISSING ")
    assert _beginning(lines, "inputs").endswith("more")
    assert "GPU-hours on h100 (with --profile on a cluster)" in _beginning(lines, "takes")
    assert "this machine cannot run it: one-stage+7b asks for 8 workers" in _beginning(lines, "warning")
    assert "and 48 more arms" in _beginning(lines, "warning")


def test_what_a_study_says_of_itself_is_shown_and_never_obeyed(tmp_path: Path) -> None:
    question = "Is it \\x1b]0;owned\\a red \\x1b[31m" + " or is it a long question" * 8
    lines = _lines("quickstart", tmp_path, [f'question="{question}"'])
    assert all(line.isprintable() for line in lines)
    assert lines[0].startswith(r"quickstart: Is it \x1b]0;owned\x07 red \x1b[31m or is it")
    assert max(len(line) for line in lines if not line.startswith("storage")) <= 80  # a path is not broken
    assert lines[1].endswith(" ...")


def test_claims_that_are_not_known_are_told_apart_by_what_is_missing(tmp_path: Path) -> None:
    study = load_study("quickstart")
    planned = plan_study(study)
    powers = [
        replace(power, smallest_effect=None, assumptions=(f"reason {min(number, 1)}",))
        for number, power in enumerate(plan_power(study, planned))
    ]
    shown = plan_summary(planned, LocalStore(tmp_path / "s"), tmp_path, Assumptions(), powers)
    decided = _beginning(list(plan_summary_lines(shown)), "decides")
    assert "resolution-shape: not known yet, reason 0" in decided
    assert "pretraining, negation-needs-data and tokens: not known yet, reason 1" in decided
