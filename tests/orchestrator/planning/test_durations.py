"""Claims about orchestrator/planning/durations.py."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.planning.durations import durations
from orchestrator.planning.estimates import Assumptions, estimates
from orchestrator.state.ledger import read_ledger
from search_spaces.expansion.expand import plan_study
from search_spaces.study_files import load_study
from tests.support.several_studies import declare, finish
from trainables.storage.store import LocalStore


def test_durations_of_stages_on_gpus_are_their_estimated_gpu_hours_divided_by_the_gpus(tmp_path: Path) -> None:
    plan, store = plan_study(load_study("prismatic/design_space")), LocalStore(tmp_path)
    by_node = durations(plan, read_ledger(plan, store), store)
    for name, estimate in estimates(plan, Assumptions()).items():
        assert estimate is not None
        assert estimate.gpu_hours is not None
        assert by_node[name].seconds == pytest.approx(estimate.gpu_hours * 3600 / 8)
        assert by_node[name].source == "estimated"
        assert by_node[name].low < by_node[name].seconds < by_node[name].high


def test_durations_of_what_is_left_follow_the_stages_that_are_done(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    study = declare(store, "corrected", steps=[10, 20, 30])
    before = durations(study.plan, read_ledger(study.plan, store), store)
    done = study.trial(10, 7)
    finish(store, study.plan, [done])
    ledger = read_ledger(study.plan, store)
    after = durations(study.plan, ledger, store)
    last = {trial.spec.stages[-1].max_steps: trial.stage_nodes(study.plan)[-1].id for trial in study.plan.trials}
    assert last[10] in ledger.done_nodes
    assert after[last[20]].source == "measured"
    assert after[last[30]].seconds / after[last[20]].seconds == pytest.approx(1.5)
    assert after[last[20]].seconds != pytest.approx(before[last[20]].seconds)
