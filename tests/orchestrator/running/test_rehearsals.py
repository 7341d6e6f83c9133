"""Claims about orchestrator/running/rehearsals.py: which shapes a run rehearses, and which it does not."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from cluster.launcher import ResourceRequest
from orchestrator.running.rehearsals import (
    PlannedRehearsal,
    RehearsalOutcome,
    Rehearsals,
    plan_rehearsals,
    rehearsals_json,
)
from orchestrator.running.tasks import make_task
from orchestrator.state.ledger import read_ledger
from search_spaces.plan import Plan
from search_spaces.resource_spec import ResourceSpec
from tests.support.small_plans import small_plan
from tests.support.small_records import rehearsal_record
from trainables.smaller_batches import use_smaller_batches
from trainables.storage import layout
from trainables.storage.record_files import write
from trainables.storage.records import Failure
from trainables.storage.store import LocalStore
from trainables.task import TrialTask

HERE = ("x86_64 with 16 GiB",)
TWO = small_plan((64, 32), seeds=(7, 8))
"""Two resolutions with two seeds each, of stages with a global batch of 4."""


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path)


def task_of(plan: Plan, store: LocalStore, trial: str) -> TrialTask:
    planned = next(each for each in plan.trials if each.id == trial)
    return make_task(plan, planned, {}, store.root, store.root)


def planned(store: LocalStore, plan: Plan = TWO, hardware: tuple[str, ...] = HERE) -> Rehearsals:
    return plan_rehearsals(plan, read_ledger(plan, store), lambda trial: task_of(plan, store, trial), store, hardware)


def prove(store: LocalStore, rehearsals: Rehearsals, micro_batch: int = 4) -> None:
    for each in rehearsals.planned:
        write(store, layout.rehearsal(each.proof), rehearsal_record(each.shape, micro_batch))


def with_resources(plan: Plan, arm: str, resources: ResourceSpec) -> Plan:
    return replace(plan, arms=tuple(replace(a, resources=resources) if a.name == arm else a for a in plan.arms))


def test_seeds_share_a_shape_and_resolutions_do_not(store: LocalStore) -> None:
    rehearsals = planned(store)
    assert sorted(each.trials for each in rehearsals.planned) == [("r32-s7", "r32-s8"), ("r64-s7", "r64-s8")]
    assert rehearsals.proven == 0


def test_what_does_not_decide_whether_a_trial_runs_makes_no_shape(store: LocalStore) -> None:
    def longer(steps: int) -> Plan:
        slow = small_plan((64, 32), steps=steps)
        same = [replace(t, spec=replace(t.spec, vision=slow.trials[0].spec.vision)) for t in slow.trials]
        letterboxed = same[1].spec.vision.model_copy(update={"resize": "letterbox", "mean": (0.1, 0.1, 0.1)})
        same[1] = replace(same[1], spec=replace(same[1].spec, vision=letterboxed))
        return replace(slow, trials=tuple(same))

    (only,) = planned(store, longer(20)).planned
    assert only.trials == ("r64-s7", "r32-s7")
    assert planned(store, longer(10)).planned[0].shape == only.shape


def test_the_cheapest_shape_comes_first(store: LocalStore) -> None:
    plan = with_resources(TWO, "base", ResourceSpec(workers=2))
    assert [each.arm for each in planned(store, plan).planned] == ["resolution=32px", "base"]
    plan = with_resources(TWO, "resolution=32px", ResourceSpec(gpus_per_worker=1))
    assert [each.arm for each in planned(store, plan).planned] == ["base", "resolution=32px"]


def test_a_shape_that_ran_is_not_rehearsed_again_by_the_same_program_on_the_same_hardware(
    store: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    prove(store, planned(store))
    assert planned(store) == Rehearsals((), proven=2)
    assert len(planned(store, hardware=("H200",)).planned) == 2
    assert len(planned(store, with_resources(TWO, "base", ResourceSpec(zero=2))).planned) == 1
    monkeypatch.setattr("orchestrator.running.rehearsals.program_fingerprint", lambda: "another")
    assert len(planned(store).planned) == 2


def test_a_shape_that_ran_with_a_smaller_micro_batch_is_known_only_where_the_study_uses_that(store: LocalStore) -> None:
    prove(store, planned(store), micro_batch=2)
    assert len(planned(store).planned) == 2
    for trial in ("r64-s7", "r32-s7"):
        task = task_of(TWO, store, trial)
        assert use_smaller_batches(task, task.stages[0].node, store) is not None
    assert planned(store).planned == ()


def test_a_trial_whose_stages_are_done_needs_no_rehearsal(store: LocalStore) -> None:
    done = frozenset(node for trial in TWO.trials if trial.arm == "base" for node in trial.path[:1])
    ledger = replace(read_ledger(TWO, store), done_nodes=done)
    rehearsals = plan_rehearsals(TWO, ledger, lambda trial: task_of(TWO, store, trial), store, HERE)
    assert [each.arm for each in rehearsals.planned] == ["resolution=32px"]


def test_outcomes_are_plain_json() -> None:
    request = PlannedRehearsal("shape", "proof", "base", ResourceRequest(), ("a", "b"))
    failure = Failure("shape", "memory", "out of memory", "", "log", 1, rank=1, host="node-7")
    outcomes = [RehearsalOutcome(request, rehearsal_record("shape", 4)), RehearsalOutcome(request, failure=failure)]
    well, failed = json.loads(json.dumps(rehearsals_json(outcomes)))
    assert (well["failure"], well["trials"], well["stages"][0]["micro_batch"]) == (None, ["a", "b"], 4)
    assert failed["failure"] == {
        "kind": "memory", "message": "out of memory", "rank": 1, "host": "node-7", "gpu": None, "log": "log",
    }  # fmt: skip
