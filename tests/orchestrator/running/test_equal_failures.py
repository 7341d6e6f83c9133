"""Claims about orchestrator/running/equal_failures.py."""

from __future__ import annotations

from orchestrator.running.equal_failures import EqualFailures, Stopped

FACTS = {
    **{f"big-{seed}": frozenset({"the arm big", "size=big", "1 GPU"}) for seed in range(5)},
    **{f"tall-{seed}": frozenset({"the arm tall", "size=big", "1 GPU"}) for seed in range(2)},
    "small-0": frozenset({"the arm small", "size=small", "1 GPU"}),
}


def shared(failed: list[str], most: int = 3) -> Stopped | None:
    counted, stopped = EqualFailures(FACTS, most), None
    for trial in failed:
        stopped = counted.failed(trial, "error: broken")
    return stopped


def left_out(failed: list[str]) -> set[str]:
    stopped = shared(failed)
    assert stopped is not None
    return {trial for trial in FACTS if EqualFailures(FACTS).has_all(trial, stopped)} - set(failed)


def test_failed_seeds_of_one_arm_stop_that_arm_alone() -> None:
    assert left_out(["big-0", "big-1", "big-2"]) == {"big-3", "big-4"}


def test_failed_arms_that_share_a_value_stop_what_has_that_value() -> None:
    assert left_out(["big-0", "big-1", "tall-0"]) == {"big-2", "big-3", "big-4", "tall-1"}


def test_failed_trials_that_share_nothing_of_their_own_stop_everything() -> None:
    failed = ["big-0", "tall-0", "small-0"]
    assert left_out(failed) == set(FACTS) - set(failed)
    stopped = shared(failed)
    assert stopped is not None
    assert EqualFailures(FACTS).described(stopped) == ""
    assert "no more trials are started" in stopped.sentence("")


def test_failed_further_failures_of_the_signature_widen_what_is_stopped() -> None:
    assert left_out(["big-0", "big-1", "big-2", "small-0"]) == {"big-3", "big-4", "tall-0", "tall-1"}


def test_failed_fewer_than_the_most_or_one_trial_again_and_again_stop_nothing() -> None:
    assert shared(["big-0", "big-1"]) is None
    assert shared(["big-0"] * 5) is None
    assert shared(list(FACTS), most=0) is None


def test_failed_signatures_are_counted_apart() -> None:
    counted = EqualFailures(FACTS)
    assert all(counted.failed(f"big-{seed}", f"error: {seed}") is None for seed in range(5))
