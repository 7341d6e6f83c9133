"""Open claims get the seeds of their next look, widest first, until they are decided, futile, or too dear."""

from __future__ import annotations

import math

from orchestrator.analysis.next_seeds import ClaimState, decide, lacking

SEEDS = {"base": (7, 8), "a": (7, 8), "b": (7, 8), "c": (7, 8)}


def _claim(arm: str, width: float, n_seeds: int = 2, chance: float = 0.5) -> ClaimState:
    return ClaimState(f"is-{arm}", ("base", arm), "open", n_seeds, (3, 5, 10), width, lambda n: chance * n / 10)


def _decide(*claims: ClaimState, left_s: float = math.inf, seeds: dict[str, tuple[int, ...]] = SEEDS):  # type: ignore[no-untyped-def]
    return decide(claims, seeds, lambda arm: 10.0, left_s)


def test_an_open_claim_goes_to_its_next_look_and_arms_share_the_seeds_of_the_base() -> None:
    decision = _decide(_claim("a", 3.0), _claim("b", 5.0))
    assert decision.served == ("is-b", "is-a")
    assert decision.seeds == {"base": (9,), "b": (9,), "a": (9,)}
    assert decision.gpu_seconds == 30.0


def test_a_budget_serves_the_widest_interval_and_then_what_is_left_of_it() -> None:
    decision = _decide(_claim("a", 3.0), _claim("b", 5.0), _claim("c", 4.0), left_s=35.0)
    assert decision.served == ("is-b", "is-c")
    assert decision.fates["is-a"] == "too dear"
    assert not decision.is_out_of_budget, "some seeds are still added"
    assert _decide(_claim("a", 3.0), left_s=19.0).is_out_of_budget


def test_claims_that_are_decided_refused_silent_futile_or_at_their_last_look_get_no_seeds() -> None:
    claims = (
        ClaimState("decided", ("base", "a"), "decided", 2, (3,)),
        ClaimState("refused", ("base", "a"), "refused", 2, (3,)),
        ClaimState("silent", ("base", "a"), "silent", 2, (3,)),
        _claim("b", 5.0, n_seeds=10),
        _claim("c", 5.0, chance=0.09),
    )
    decision = _decide(*claims)
    assert list(decision.fates.values()) == ["decided", "refused", "silent", "over", "futile"]
    assert decision.is_last
    assert not decision.is_out_of_budget


def test_a_claim_that_only_a_dearer_look_would_decide_is_too_dear_and_not_begun() -> None:
    claim = _claim("a", 5.0, chance=0.15)  # 4.5 % by three seeds, 15 % by ten
    assert _decide(claim, left_s=30.0).fates == {"is-a": "too dear"}
    assert _decide(claim).fates == {"is-a": "served"}


def test_seeds_that_some_arms_of_a_claim_have_come_before_new_ones() -> None:
    seeds = {"base": (7, 8, 9), "a": (7, 8), "b": (7, 11)}
    assert lacking(("base", "a"), 3, seeds) == {"base": (), "a": (9,)}
    assert lacking(("base", "b"), 3, seeds) == {"base": (), "b": (8, 9)}
    assert lacking(("base", "a"), 5, seeds) == {"base": (11, 12), "a": (9, 11, 12)}
