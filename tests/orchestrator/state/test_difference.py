"""A study is compared with storage: what is new, changed and in what, half-done, failed, running, kept and gone."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from orchestrator.state.causes import Cause
from orchestrator.state.difference import Amount, Difference, TrialChange, compare, difference_json
from orchestrator.state.ledger import read_ledger
from search_spaces.identity import benchmark_key, needed_digests, source_name
from search_spaces.plan import Plan
from search_spaces.spec import BenchmarkSpec, TrialSpec
from search_spaces.typed import adapter
from tests.support.stored_studies import (
    answers,
    fail_trial,
    finish_stage,
    finish_trial,
    hold_running,
    key_of,
    trial_of,
    two_stage_plan,
)
from trainables.storage import layout
from trainables.storage.record_files import write
from trainables.storage.records import Attempt, AttemptStage
from trainables.storage.store import LocalStore

BOTH = {"shape": answers(0.9), "colour": answers(0.5)}


def _known(plan: Plan, data: str = "data") -> Plan:
    """The plan with digests of its data and with keys of its benchmarks."""
    needed = needed_digests(plan.trials[0].spec, 0)
    digests = {name: key_of(data) for name in {*needed, *(source_name(b.source) for b in plan.benchmarks)}}
    keys = {benchmark.name: benchmark_key(benchmark, digests) for benchmark in plan.benchmarks}
    return replace(plan, digests=digests, benchmark_keys=keys)


def _attempt(store: LocalStore, plan: Plan, arm: str, seed: int) -> None:
    """Leave the task of an attempt at a trial of the plan."""
    trial = trial_of(plan, arm, seed)
    stages = tuple(AttemptStage(node.key or "") for node in trial.stage_nodes(plan))
    spec = adapter(TrialSpec).dump_python(trial.spec, mode="json")
    write(store, layout.trial_task(plan.study, trial.id), Attempt(stages, arm, spec, plan.digests))


def _finish(store: LocalStore, plan: Plan, arm: str, seed: int) -> None:
    _attempt(store, plan, arm, seed)
    finish_trial(store, plan, trial_of(plan, arm, seed), BOTH)


def _compare(plan: Plan, store: LocalStore, run: set[str] | None = None) -> Difference:
    everyone = {trial.id for trial in plan.trials}
    return compare(plan, read_ledger(plan, store), store, everyone if run is None else run)


def _change(plan: Plan, store: LocalStore, trial: str) -> TrialChange:
    return next(change for change in _compare(plan, store).trials if change.id == trial)


def _with_other_keys(plan: Plan) -> Plan:
    nodes = {name: replace(node, key=node.key and key_of(f"other {node.key}")) for name, node in plan.nodes.items()}
    return replace(plan, nodes=nodes)


def test_a_finished_study_is_unchanged_and_there_is_nothing_to_do(store: LocalStore) -> None:
    plan = _known(two_stage_plan())
    for trial in plan.trials:
        _finish(store, plan, trial.arm, trial.seed)
    difference = _compare(plan, store, run=set())
    assert difference.is_empty
    assert difference.todo == Amount(0, 0, 0, 0, 0)
    assert difference.kept == Amount(6, 0, 8, 2 * 20 + 6 * 80, 12)


def test_an_arm_and_a_seed_that_are_added_are_new_and_what_they_share_is_not_done_again(store: LocalStore) -> None:
    before, plan = _known(two_stage_plan((64, 32), (7,))), _known(two_stage_plan((64, 32, 16), (7, 8)))
    for trial in before.trials:
        _finish(store, before, trial.arm, trial.seed)
    difference = _compare(plan, store, run={"r16-s7", "r16-s8", "r64-s8", "r32-s8"})
    assert difference.counts() == {"new": 4, "changed": 0, "half-done": 0, "failed": 0, "running": 0, "unchanged": 2}
    assert _change(plan, store, "r16-s7").stages == ("finetune-r16-s7",)
    assert difference.todo == Amount(4, 0, 5, 20 + 4 * 80, 8)


@pytest.mark.parametrize(
    ("changed", "cause"),
    [
        ({"id": "count"}, Cause("new benchmark", "count")),
        ({"protocol": "prismatic"}, Cause("protocol", "colour")),
        ({"sample": 100}, Cause("protocol", "colour")),
    ],
)
def test_a_finished_trial_that_is_asked_otherwise_is_changed_and_only_scored(
    store: LocalStore, changed: dict[str, Any], cause: Cause
) -> None:
    before = _known(two_stage_plan())
    _finish(store, before, "base", 7)
    asked = BenchmarkSpec(**{"id": "colour", "source": before.benchmarks[0].source, **changed})
    after = _known(replace(before, benchmarks=(before.benchmarks[0], asked)))
    change = _change(after, store, "r64-s7")
    assert (change.kind, change.causes) == ("changed", (cause,))
    assert (change.stages, change.evaluations) == ((), (asked.name,))


def test_scores_of_another_version_of_scoring_are_told_from_other_questions(
    store: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = _known(two_stage_plan())
    _finish(store, before, "base", 7)
    for module in ("search_spaces.identity", "orchestrator.state.causes"):
        monkeypatch.setattr(f"{module}.SCORING_VERSION", 2)
    change = _change(_known(two_stage_plan()), store, "r64-s7")
    assert change.causes == (Cause("scoring", "shape"), Cause("scoring", "colour"))


def test_scores_whose_file_is_gone_are_named(store: LocalStore) -> None:
    plan = _known(two_stage_plan())
    _finish(store, plan, "base", 7)
    result = read_ledger(plan, store).trials["r64-s7"].result
    assert result is not None
    store.remove(result.evaluations["colour"])
    assert _change(plan, store, "r64-s7").causes == (Cause("lost scores", "colour"),)


def test_a_trial_whose_data_changed_is_changed_whether_it_was_finished_or_only_begun(store: LocalStore) -> None:
    before, after = _known(two_stage_plan()), _with_other_keys(_known(two_stage_plan(), data="edited"))
    _finish(store, before, "base", 7)
    _attempt(store, before, "base", 8)
    for trial in ("r64-s7", "r64-s8"):
        change = _change(after, store, trial)
        assert change.kind == "changed"
        assert {cause.kind for cause in change.causes} == {"data"}
        assert len(change.stages) == 2


def test_other_stages_of_the_same_data_are_those_of_another_trainer(store: LocalStore) -> None:
    plan = _known(two_stage_plan())
    _finish(store, plan, "base", 7)
    assert _change(_with_other_keys(plan), store, "r64-s7").causes == (Cause("trainer"),)


def test_an_arm_that_is_defined_otherwise_replaces_its_trials_and_says_in_which_fields(store: LocalStore) -> None:
    before = _known(two_stage_plan((64, 32)))
    _finish(store, before, "base", 7)
    spec = before.trials[0].spec
    other = replace(spec, vision=spec.vision.model_copy(update={"resolution": 48}))
    trials = tuple(
        replace(trial, id="r48-s7", spec=other) if trial.id == "r64-s7" else trial for trial in before.trials
    )
    difference = _compare(replace(before, trials=trials), store)
    change = next(change for change in difference.trials if change.id == "r48-s7")
    assert (change.kind, change.replaces) == ("changed", "r64-s7")
    assert change.causes == (Cause("definition", "vision.resolution 64 -> 48"),)
    assert difference.gone == ()


def test_arms_seeds_and_benchmarks_that_the_study_no_longer_has_are_gone(store: LocalStore) -> None:
    before, after = _known(two_stage_plan()), _known(two_stage_plan((64, 32), (7,), ("shape",)))
    for trial in before.trials:
        _finish(store, before, trial.arm, trial.seed)
    difference = _compare(after, store)
    assert {(trial.arm, trial.seed) for trial in difference.gone} == {
        ("base", 8),
        ("resolution=32px", 8),
        ("resolution=16px", 7),
        ("resolution=16px", 8),
    }
    assert difference.gone_benchmarks == ("colour",)


def test_trials_that_were_not_selected_are_not_gone(store: LocalStore) -> None:
    plan = _known(two_stage_plan())
    _finish(store, plan, "base", 8)
    narrowed = plan.narrowed({"r64-s7"})
    assert _compare(narrowed, store).gone == ()
    assert [arm.name for arm in narrowed.arms] == ["base"]
    assert set(narrowed.nodes) == set(narrowed.trials[0].path)
    assert narrowed.nodes["align-s7"].trials == ("r64-s7",)


def test_an_attempt_that_has_not_ended_is_half_done_and_its_checkpoint_counts(store: LocalStore) -> None:
    plan = _known(two_stage_plan())
    finish_stage(store, plan.nodes["align-s7"])
    _attempt(store, plan, "base", 7)
    store.put(f"{layout.step_checkpoint(key_of('finetune-r64-s7'), 40)}/state", b"weights")
    difference = _compare(plan, store, run={"r64-s7"})
    assert difference.counts()["half-done"] == 1
    assert difference.todo == Amount(1, 0, 1, 40, 2)
    assert difference.kept.steps == 20 + 40


def test_failed_and_running_trials_are_told(store: LocalStore) -> None:
    plan = _known(two_stage_plan())
    fail_trial(store, plan, trial_of(plan, "base", 7))
    hold_running(store, plan, "r64-s8", [])
    failed = _change(plan, store, "r64-s7")
    assert (failed.kind, failed.failure, failed.is_run) == ("failed", "lost: CUDA is gone", True)
    assert _change(plan, store, "r64-s8").kind == "running"


def test_a_failed_trial_that_is_left_alone_is_not_run(store: LocalStore) -> None:
    plan = _known(two_stage_plan())
    fail_trial(store, plan, trial_of(plan, "base", 7))
    difference = compare(plan, read_ledger(plan, store), store, {"r64-s7"}, {"r64-s7": "failed twice"})
    assert difference.todo.trials == 0
    assert difference.trials[0].left_alone == "failed twice"


def test_the_json_of_a_difference_has_everything_but_trials_that_are_unchanged(store: LocalStore) -> None:
    plan = _known(two_stage_plan())
    _finish(store, plan, "base", 7)
    plain = json.loads(json.dumps(difference_json(_compare(plan, store))))
    assert plain["counts"]["unchanged"] == 1
    assert [trial["id"] for trial in plain["trials"]] == [trial.id for trial in plan.trials if trial.id != "r64-s7"]
    assert plain["todo"]["trials"] == 5
