"""Claims about orchestrator/running/equal_failures.py."""

from __future__ import annotations

from cluster.launcher import ResourceRequest
from orchestrator.running.equal_failures import EqualFailures, Stopped
from orchestrator.running.work import Work


def trials(arm: str, size: str, shape: str, seeds: int) -> list[Work]:
    facts = frozenset({f"the arm {arm}", f"size={size}", f"the shape of {shape}", "1 GPU"})
    return [
        Work(f"{arm}-{seed}", (), ResourceRequest(), (), facts=facts, shape=f"the shape of {shape}")
        for seed in range(seeds)
    ]


WORK = [*trials("big", "big", "big", 5), *trials("tall", "big", "tall", 2), *trials("small", "small", "small", 4)]
TRIALS = {item.trial_id for item in WORK}
LIKE_SMALL = [*WORK, *trials("like-small", "tiny", "small", 3)]


def shared(failed: list[str], most: int = 3, work: list[Work] = WORK) -> Stopped | None:
    counted, stopped = EqualFailures(work, most), None
    for trial in failed:
        stopped = counted.failed(trial, "error: broken")
    return stopped


def left_out(failed: list[str], work: list[Work] = WORK) -> set[str]:
    stopped = shared(failed, work=work)
    assert stopped is not None
    counted = EqualFailures(work)
    return {item.trial_id for item in work if counted.has_all(item.trial_id, stopped)} - set(failed)


def said(failed: list[str], work: list[Work] = WORK) -> str:
    stopped = shared(failed, work=work)
    assert stopped is not None
    return EqualFailures(work).described(stopped)


def test_failed_seeds_of_one_arm_stop_that_arm_alone() -> None:
    assert left_out(["big-0", "big-1", "big-2"]) == {"big-3", "big-4"}


def test_failed_arms_that_share_a_value_stop_what_has_that_value() -> None:
    assert left_out(["big-0", "big-1", "tall-0"]) == {"big-2", "big-3", "big-4", "tall-1"}


def test_failed_arms_that_share_a_shape_alone_stop_that_shape() -> None:
    failed = ["small-0", "like-small-0", "small-1"]
    assert left_out(failed, LIKE_SMALL) == {"small-2", "small-3", "like-small-1", "like-small-2"}
    assert said(failed, LIKE_SMALL) == "the shape of small"


def test_failed_trials_that_share_nothing_of_their_own_stop_nothing_before_one_shape_has_failed_as_often() -> None:
    assert shared(["big-0", "tall-0", "small-0", "small-1"]) is None
    assert left_out(["big-0", "tall-0", "small-0", "small-1", "small-2"]) == {"small-3"}


def test_failed_every_shape_alike_each_stops_after_as_many_and_none_stops_another() -> None:
    counted, waiting, ran = EqualFailures(WORK), [item.trial_id for item in WORK], []
    while waiting:
        trial = waiting.pop(len(ran) * 3 % len(waiting))
        ran.append(trial)
        stopped = counted.failed(trial, "error: broken")
        if stopped is not None:
            waiting = [name for name in waiting if not counted.has_all(name, stopped)]
    assert len(ran) < len(WORK)
    for name, trials_of_it in (("big", 5), ("tall", 2), ("small", 4)):
        assert 1 <= sum(trial.startswith(name) for trial in ran) <= min(3, trials_of_it)


def test_failed_trials_of_a_study_with_one_shape_stop_all_of_it() -> None:
    work = [item for arm in ("x", "y", "z") for item in trials(arm, arm, "x", 2)]
    failed = ["x-0", "y-0", "z-0"]
    assert left_out(failed, work) == {"x-1", "y-1", "z-1"}
    assert said(failed, work) == ""
    assert "no more trials are started" in Stopped("error: broken", 3, frozenset()).sentence("")


def test_described_names_as_few_facts_as_single_out_what_is_stopped() -> None:
    assert said(["big-0", "big-1", "big-2"]) == "the arm big"
    assert said(["big-0", "big-1", "tall-0"]) == "size=big"


def test_failed_further_failures_of_the_signature_widen_what_is_stopped() -> None:
    assert left_out(["big-0", "big-1", "big-2", "tall-0"]) == {"big-3", "big-4", "tall-1"}


def test_failed_fewer_than_the_most_or_one_trial_again_and_again_stop_nothing() -> None:
    assert shared(["big-0", "big-1"]) is None
    assert shared(["big-0"] * 5) is None
    assert shared(sorted(TRIALS), most=0) is None


def test_failed_signatures_are_counted_apart() -> None:
    counted = EqualFailures(WORK)
    assert all(counted.failed(f"big-{seed}", f"error: {seed}") is None for seed in range(5))
