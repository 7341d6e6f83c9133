"""Claims about what a study is evaluated on."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.small_studies import BASE, plan_of

OWN = """\
sources:
  mine: {reader: questions, path: mine.jsonl, options: {benchmark: FAMILY}}
benchmarks: [{id: mine, source: mine}, {id: named, source: mine, protocol: official}]
"""


@pytest.mark.parametrize(("family", "protocol"), [("exact", "plain"), ("yes-no", "plain"), ("vqav2", "official")])
def test_sets_of_ones_own_are_asked_as_they_are_unless_the_study_names_a_protocol(
    family: str, protocol: str, tmp_path: Path
) -> None:
    plan = plan_of(tmp_path, BASE + OWN.replace("FAMILY", family))
    assert [benchmark.protocol for benchmark in plan.benchmarks] == [protocol, "official"]
