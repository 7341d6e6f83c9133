"""Claims about orchestrator/running/tasks.py."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

from orchestrator.running.tasks import make_task, shape_names
from search_spaces.plan import Plan
from tests.support.small_plans import small_plan
from tests.support.small_studies import TWO_STAGES, plan_of


def keyed(plan: Plan) -> Plan:
    """Give every node a key and steps, as a preflight would."""
    nodes = {name: replace(node, key=f"key-{name}", steps=node.steps or 10) for name, node in plan.nodes.items()}
    return replace(plan, nodes=nodes)


def test_make_task_expected_memory_is_given_for_every_micro_batch_that_halving_leads_to(tmp_path: Path) -> None:
    plan = keyed(plan_of(tmp_path, TWO_STAGES, features="stream"))
    task = make_task(plan, plan.trials[0], {}, tmp_path, tmp_path)
    for order in task.stages:
        sizes = [micro for micro, _ in order.expected_memory]
        expected = [size_bytes for _, size_bytes in order.expected_memory]
        assert sizes[-1] == 1
        assert all(before >= 2 * after for before, after in itertools.pairwise(sizes))
        assert expected == sorted(expected, reverse=True)
        assert expected[0] > expected[-1] > 0


def test_shape_names_arms_that_run_alike_share_the_name_of_the_first_and_another_model_has_its_own() -> None:
    plan = small_plan((64, 32, 16), seeds=(7, 8))
    small = {trial.arm: trial.spec for trial in plan.trials}["resolution=32px"]
    alike = tuple(replace(trial, spec=small) if trial.arm == "resolution=16px" else trial for trial in plan.trials)
    assert shape_names(replace(plan, trials=alike)) == {
        "base": "the shape of base",
        "resolution=32px": "the shape of resolution=32px",
        "resolution=16px": "the shape of resolution=32px",
    }
