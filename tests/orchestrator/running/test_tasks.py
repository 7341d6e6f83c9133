"""Claims about orchestrator/running/tasks.py."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

from orchestrator.running.tasks import make_task
from search_spaces.plan import Plan
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
