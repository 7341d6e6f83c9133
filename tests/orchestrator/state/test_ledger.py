"""The ledger finds on storage what is done, failed, half-done and pending of a plan."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.state.ledger import read_ledger
from search_spaces.identity import benchmark_key, needed_digests, source_name
from search_spaces.plan import BlindRun, Plan
from search_spaces.spec import BenchmarkSpec
from tests.support.small_records import failure
from tests.support.stored_studies import (
    answers,
    fail_trial,
    finish_stage,
    finish_trial,
    key_of,
    trial_of,
    two_stage_plan,
)
from trainables.storage import layout
from trainables.storage.owner import Owner
from trainables.storage.record_files import write
from trainables.storage.store import LocalStore

BOTH = {"shape": answers(0.9), "colour": answers(0.5)}


@pytest.fixture
def plan() -> Plan:
    return two_stage_plan()


def _states(plan: Plan, store: LocalStore) -> dict[str, str]:
    return {name: entry.state for name, entry in read_ledger(plan, store).trials.items()}


def test_read_ledger_of_an_empty_storage_finds_every_trial_pending(plan: Plan, store: LocalStore) -> None:
    ledger = read_ledger(plan, store)
    assert set(_states(plan, store).values()) == {"pending"}
    assert (ledger.done_nodes, ledger.evaluations, ledger.removed) == (frozenset(), {}, ())
    assert not ledger.is_finished


def test_read_ledger_of_a_trial_with_all_results_is_done_and_so_are_its_nodes(plan: Plan, store: LocalStore) -> None:
    trial = trial_of(plan, "base", 7)
    finish_trial(store, plan, trial, BOTH)
    ledger = read_ledger(plan, store)
    assert ledger.trials[trial.id].state == "done"
    assert ledger.done_nodes == set(trial.path)
    assert ledger.evaluations[trial.id, "shape"].metrics["accuracy"] == pytest.approx(90)
    assert ledger.counts()["done"] == 1


def test_read_ledger_of_trials_that_share_a_done_stage_finds_them_half_done(plan: Plan, store: LocalStore) -> None:
    finish_stage(store, plan.nodes["align-s7"])
    assert {name for name, state in _states(plan, store).items() if state == "half-done"} == {
        "r64-s7",
        "r32-s7",
        "r16-s7",
    }


def test_read_ledger_of_a_stage_with_a_checkpoint_is_half_done_but_a_half_written_one_counts_nothing(
    plan: Plan, store: LocalStore
) -> None:
    store.put(f"{layout.step_checkpoint(key_of('finetune-r64-s7'), 40)}/state", b"weights")
    store.put(f"{layout.checkpoints(key_of('finetune-r32-s7'))}/writing.aside/state", b"weigh")
    states = _states(plan, store)
    assert (states["r64-s7"], states["r32-s7"]) == ("half-done", "pending")


def test_read_ledger_of_a_trial_with_a_living_lease_is_running_at_its_first_undone_node(
    plan: Plan, store: LocalStore
) -> None:
    owner = Owner.here()
    finish_stage(store, plan.nodes["align-s7"])
    assert store.lease(layout.trial_lease(plan.study, "r64-s7"), owner)
    fail_trial(store, plan, trial_of(plan, "base", 7))  # of an earlier attempt
    entry = read_ledger(plan, store).trials["r64-s7"]
    assert (entry.state, entry.working, entry.owner, entry.failure) == ("running", "finetune-r64-s7", owner, None)


def test_read_ledger_of_a_trial_whose_stage_another_produces_waits_for_it(plan: Plan, store: LocalStore) -> None:
    assert store.lease(key_of("align-s7"), Owner.here())
    ledger = read_ledger(plan, store)
    assert (ledger.trials["r32-s7"].state, ledger.trials["r32-s7"].waits_for) == ("pending", "align-s7")
    assert ledger.trials["r32-s8"].waits_for is None


def test_read_ledger_of_a_lease_whose_process_is_gone_finds_nothing_running(plan: Plan, store: LocalStore) -> None:
    gone = replace(Owner.here(), started=1.0)  # this process began later: the owner is another, ended one
    assert store.lease(layout.trial_lease(plan.study, "r64-s7"), gone)
    assert _states(plan, store)["r64-s7"] == "pending"


def test_read_ledger_of_a_failed_trial_carries_the_failure(plan: Plan, store: LocalStore) -> None:
    fail_trial(store, plan, trial_of(plan, "base", 7))
    entry = read_ledger(plan, store).trials["r64-s7"]
    assert entry.state == "failed"
    assert entry.failure is not None
    assert entry.failure.kind == "lost"


def test_read_ledger_of_a_result_with_other_stage_keys_is_changed_and_its_scores_are_not_mixed_in(
    plan: Plan, store: LocalStore
) -> None:
    finish_trial(store, plan, trial_of(plan, "base", 7), BOTH)
    nodes = {**plan.nodes, "finetune-r64-s7": replace(plan.nodes["finetune-r64-s7"], key=key_of("other data"))}
    ledger = read_ledger(replace(plan, nodes=nodes), store)
    assert ledger.trials["r64-s7"].state == "changed"
    assert ledger.evaluations == {}


def test_read_ledger_of_a_plan_without_keys_takes_results_as_they_are(plan: Plan, store: LocalStore) -> None:
    finish_trial(store, plan, trial_of(plan, "base", 7), BOTH)
    nodes = {name: replace(node, key=None, missing=("source:shapes@1",)) for name, node in plan.nodes.items()}
    assert _states(replace(plan, nodes=nodes), store)["r64-s7"] == "done"


def test_read_ledger_of_a_diverged_trial_is_done_without_scores(plan: Plan, store: LocalStore) -> None:
    finish_trial(store, plan, trial_of(plan, "base", 7), {}, diverged=True)
    entry = read_ledger(plan, store).trials["r64-s7"]
    assert entry.state == "done"
    assert entry.is_diverged


def _asking(plan: Plan, benchmarks: tuple[BenchmarkSpec, ...]) -> Plan:
    """The plan with these benchmarks, their data known."""
    digests = {source_name(benchmark.source): key_of(benchmark.source.declared) for benchmark in benchmarks}
    keys = {benchmark.id: benchmark_key(benchmark, digests) for benchmark in benchmarks}
    return replace(plan, benchmarks=benchmarks, benchmark_keys=keys)


@pytest.mark.parametrize(
    "changed",
    [
        BenchmarkSpec(id="count", source=two_stage_plan().benchmarks[0].source),
        BenchmarkSpec(id="colour", source=two_stage_plan().benchmarks[0].source, protocol="prismatic"),
        BenchmarkSpec(id="colour", source=two_stage_plan().benchmarks[0].source, sample=100),
        BenchmarkSpec(id="colour", source=two_stage_plan().benchmarks[0].source.model_copy(update={"version": "2"})),
    ],
    ids=["added", "other protocol", "smaller sample", "other data"],
)
def test_read_ledger_after_a_benchmark_changed_keeps_the_rest_and_is_half_done(
    plan: Plan, store: LocalStore, changed: BenchmarkSpec
) -> None:
    finish_trial(store, _asking(plan, plan.benchmarks), trial_of(plan, "base", 7), BOTH)
    ledger = read_ledger(_asking(plan, (plan.benchmarks[0], changed)), store)
    assert ledger.trials["r64-s7"].state == "half-done"
    assert list(ledger.evaluations) == [("r64-s7", "shape")]


def test_read_ledger_takes_scores_by_their_key_not_by_what_the_trial_was_scored_on_last(
    plan: Plan, store: LocalStore
) -> None:
    trial = trial_of(plan, "base", 7)
    names = {source_name(benchmark.source) for benchmark in plan.benchmarks}
    names |= set(needed_digests(trial.spec, len(trial.spec.stages) - 1))
    known = replace(plan, digests={name: key_of(name) for name in names})
    finish_trial(store, plan, trial, BOTH)  # under another key, as an older version of a protocol has
    assert _states(plan, store)["r64-s7"] == "done"
    assert _states(known, store)["r64-s7"] == "half-done"
    finish_trial(store, known, trial, BOTH)
    assert _states(known, store)["r64-s7"] == "done"


def test_read_ledger_whose_evaluation_file_is_lost_is_half_done(plan: Plan, store: LocalStore) -> None:
    finish_trial(store, plan, trial_of(plan, "base", 7), BOTH)
    store.remove(layout.evaluation_result(key_of("evaluation r64-s7"), "shape"))
    assert _states(plan, store)["r64-s7"] == "half-done"


def test_read_ledger_reports_trials_that_left_the_plan(plan: Plan, store: LocalStore) -> None:
    finish_trial(store, plan, trial_of(plan, "resolution=16px", 8), BOTH)
    ledger = read_ledger(two_stage_plan(resolutions=(64, 32)), store)
    assert ledger.removed == ("r16-s8",)
    assert "r16-s8" not in ledger.trials


def test_read_ledger_takes_a_broken_result_for_none_and_names_the_file(
    plan: Plan, store: LocalStore, caplog: pytest.LogCaptureFixture
) -> None:
    finish_trial(store, plan, trial_of(plan, "base", 7), BOTH)
    name = layout.trial_result(plan.study, "r64-s7")
    store.put(name, b'{"trial": ')
    ledger = read_ledger(plan, store)
    assert ledger.trials["r64-s7"].state == "half-done"
    assert [loss.damage.file for loss in ledger.losses] == [name]
    assert store.place(name) in caplog.text


def test_read_ledger_of_5000_trials_opens_only_what_is_there(tmp_path: Path) -> None:
    class Counting(LocalStore):
        opened = 0

        def get(self, name: str) -> bytes:
            Counting.opened += 1
            return super().get(name)

    plan = two_stage_plan(resolutions=tuple(range(16, 2516)), seeds=(7, 8))
    store = Counting(tmp_path)
    write(store, layout.trial_failure(plan.study, "r16-s7"), failure("r16-s7"))
    assert read_ledger(plan, store).counts()["pending"] == 4999
    assert Counting.opened == 1


def _blind(plan: Plan, is_declared: bool) -> Plan:
    sets = tuple(benchmark.model_copy(update={"images": "blank"}) for benchmark in plan.benchmarks)
    return replace(plan, blind=BlindRun(sets, is_declared))


def test_read_ledger_of_a_trial_scored_before_a_blind_run_opens_it_only_where_the_study_asks(
    plan: Plan, store: LocalStore
) -> None:
    trial = trial_of(plan, "base", 7)
    finish_trial(store, plan, trial, BOTH)
    assert _states(_blind(plan, is_declared=False), store)[trial.id] == "done"
    assert _states(_blind(plan, is_declared=True), store)[trial.id] == "half-done"


def test_read_ledger_keeps_blind_scores_apart(plan: Plan, store: LocalStore) -> None:
    trial, declared = trial_of(plan, "base", 7), _blind(plan, is_declared=True)
    blind = {f"{name}@blank": answers(0.3) for name in BOTH}
    finish_trial(store, declared, trial, {**BOTH, **blind})
    ledger = read_ledger(declared, store)
    assert ledger.trials[trial.id].state == "done"
    assert list(ledger.evaluations) == [(trial.id, "shape"), (trial.id, "colour")]
    assert {key: result.points for key, result in ledger.blind.items()} == {
        (trial.id, "shape@blank"): 30.0,
        (trial.id, "colour@blank"): 30.0,
    }
    assert read_ledger(plan, store).blind == {}
