"""A plan says how much training a kill costs at most."""

from __future__ import annotations

from pathlib import Path

from orchestrator.planning.lost_work import lost_work_sentence, most_work_lost
from orchestrator.planning.plan_json import plan_json
from orchestrator.terminal.plan import plan_view
from tests.support.small_studies import TWO_STAGES, plan_of
from tests.support.terminal_text import shown

RESOURCES = """
resources:
  checkpoint_every_minutes: 5
  stages:
    align: {checkpoint_every_steps: 20, checkpoint_every_minutes: 1.5}
"""


def test_the_default_is_500_steps_or_10_minutes_and_the_plan_shows_it(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, TWO_STAGES)
    sentence = "loses at most 500 steps or 10 minutes and a step."
    assert lost_work_sentence(plan).endswith(sentence)
    text = shown(lambda console: console.print(plan_view(plan)))
    assert sentence in " ".join(text.split())
    assert plan_json(plan)["most_work_lost"]["finetune"] == {"steps": 500, "minutes": 10}


def test_a_checkpoint_that_is_copied_in_the_background_may_be_the_one_before(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, TWO_STAGES + RESOURCES + "    finetune: {checkpoint_copy: background}\n")
    assert most_work_lost(plan) == {"align": (20, 1.5), "finetune": (1000, 10)}
    assert "of finetune: two intervals where checkpoints are written in the background." in lost_work_sentence(plan)


def test_stages_that_differ_are_told_apart(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, TWO_STAGES + RESOURCES)
    assert most_work_lost(plan) == {"align": (20, 1.5), "finetune": (500, 5)}
    assert "20 steps or 1.5 minutes and a step of align; 500 steps or 5 minutes and a step of finetune" in (
        lost_work_sentence(plan)
    )
