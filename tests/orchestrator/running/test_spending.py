"""Claims about orchestrator/running/spending.py."""

from __future__ import annotations

from pathlib import Path

from cluster.launcher import ResourceRequest
from orchestrator.running.spending import Spending
from tests.support.small_records import trial_result
from trainables.storage import layout
from trainables.storage.record_files import write
from trainables.storage.records import Cost
from trainables.storage.store import LocalStore


def test_spent_counts_what_is_done_what_has_failed_and_what_runs() -> None:
    now_s = [0.0]
    spending = Spending(1000.0, lambda: now_s[0])
    for trial in ("done", "failed", "runs"):
        spending.started(trial, devices=2)
    now_s[0] = 10.0
    spending.done("done", 15.0)
    spending.failed("failed")
    now_s[0] = 30.0
    assert spending.spent_s == 15.0 + 2 * 10.0 + 2 * 30.0


def test_seconds_that_a_trial_kept_of_a_failed_attempt_count_once() -> None:
    now_s = [0.0]
    spending = Spending(1000.0, lambda: now_s[0])
    spending.started("resumed", devices=1)
    now_s[0] = 100.0
    spending.failed("resumed")
    assert spending.spent_s == 100.0
    spending.started("resumed", devices=1)
    now_s[0] = 130.0
    spending.done("resumed", 120.0)  # 90 of them from before the failure
    assert spending.spent_s == 130.0
    spending.started("anew", devices=1)
    now_s[0] = 140.0
    spending.failed("anew")
    spending.started("anew", devices=1)
    now_s[0] = 200.0
    spending.done("anew", 55.0)
    assert spending.spent_s == 130.0 + 10.0 + 55.0


def test_allows_one_more_while_what_is_spent_and_what_runs_stay_below_the_limit() -> None:
    now_s = [0.0]
    spending = Spending(100.0, lambda: now_s[0])
    spending.started("a", devices=1)
    assert spending.allows_one_more(lambda: 99.0)
    assert not spending.allows_one_more(lambda: 100.0)
    assert not spending.is_spent
    now_s[0] = 200.0
    assert not spending.allows_one_more(lambda: 0.0)
    assert not spending.is_spent  # its groups may have taken long to start, which is no cost of a trial
    spending.done("a", 60.0)
    assert spending.allows_one_more(lambda: 0.0)
    spending.started("b", devices=1)
    spending.done("b", 40.0)
    assert spending.is_spent


def test_read_others_counts_trials_that_another_run_has_done_and_none_twice(tmp_path: Path) -> None:
    store, spending = LocalStore(tmp_path), Spending(1e9, lambda: 0.0)
    cost = Cost(gpu_seconds=7.0, gpu_seconds_alone=9.0, wall_seconds=7.0)
    for trial in ("mine", "theirs"):
        write(store, layout.trial_result("study", trial), trial_result(trial, cost=cost))
    spending.started("mine", devices=1)
    for _ in range(2):
        spending.read_others("study", ["mine", "theirs", "pending"], store)
    assert spending.spent_s == 7.0


def test_what_a_trial_had_cost_before_the_run_is_not_spent_again() -> None:
    spending = Spending(1000.0, lambda: 0.0, {"scored again": 50.0})
    for trial, cost_s in (("scored again", 53.0), ("new", 4.0)):
        spending.started(trial, devices=1)
        spending.done(trial, cost_s)
    assert spending.spent_s == 3.0 + 4.0


def test_a_group_of_workers_that_share_gpus_counts_as_what_it_has_of_them() -> None:
    requests = [ResourceRequest(2, 1, gpus) for gpus in (0.0, 0.5, 1.0, 2.0)]
    assert [request.devices for request in requests] == [2.0, 1.0, 2.0, 2.0]
