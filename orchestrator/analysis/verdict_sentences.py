"""Verdicts in plain words, the same in every view: what was found, how surely, why not more, and what would decide."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import assert_never

from orchestrator.analysis.intervals import Interval
from orchestrator.analysis.look_sentences import late_text
from orchestrator.analysis.number_text import ends_text, listed, p_text, signed
from orchestrator.analysis.price_sentences import price_text
from orchestrator.analysis.rule import Ruling
from orchestrator.analysis.verdict_model import Outcome, Refusal, Unit, Verdict
from search_spaces.quantities import number_of
from search_spaces.study import Expectation, Hypothesis

HOLDS: Mapping[bool | None, str] = {True: "holds", False: "does not hold", None: "open"}
"""`Verdict.holds` in words."""
CHECKPOINTS_DIFFER = "open: these checkpoints differ"
"""The same of a difference between single checkpoints: of the choice that is claimed about nothing is known."""
OUTCOME_TITLES: Mapping[Outcome, str] = {
    "better": "Better",
    "worse": "Worse",
    "equivalent": "Equivalent",
    "not-worse": "Not worse",
    "undecided": "Undecided",
}
"""Outcome as the first word of a result."""
OUTCOME_CLAIMS: Mapping[Outcome, str] = {
    "better": "a difference upwards",
    "worse": "a difference downwards",
    "equivalent": "equivalence",
    "not-worse": "that it is not worse",
    "undecided": "nothing",
}
"""What a test that ends in this outcome would show."""
TEST_NAMES: Mapping[Expectation, str] = {
    "better": "",
    "worse": "",
    "equivalent": "test of equivalence, ",
    "not-worse": "test of not being worse, ",
}
"""Name of the test of an expectation; the test of a difference needs none."""
NO_PRICE = "More seeds are not priced: on every benchmark of the claim an arm shows no signal."
_MOST_NAMES = 3
"""More arms or benchmarks are counted instead of named."""


def state_text(verdict: Verdict) -> str:
    """State what became of a claim: `holds`, `does not hold`, `open`, or that only single checkpoints differ."""
    if is_of_checkpoints_alone(verdict):
        return CHECKPOINTS_DIFFER
    return HOLDS[verdict.holds]


def is_of_checkpoints_alone(verdict: Verdict) -> bool:
    """Tell whether a difference was found, but between single checkpoints: of the choice nothing is known."""
    return verdict.holds is None and verdict.scope == "checkpoints" and verdict.verdict in ("better", "worse")


def result_sentence(
    outcome: Outcome,
    effect: float | None,
    unit: Unit,
    interval: Interval | None,
    level: float,
    basis: Sequence[str],
    margin: float | None = None,
) -> str:
    """State a result without naming its arms: `Better: +2.1 points (95 % interval +0.4 to +3.8; 3 seeds).`

    Args:
        effect: in `unit`; None where nothing was compared.
        level: of the interval, 0 to 1.
        basis: what the result rests on: numbers of seeds, examples, pairs.
        margin: of the hypothesis, in `unit`.
    """
    if effect is None:
        return "Not compared."
    title = OUTCOME_TITLES[outcome]
    if outcome in ("equivalent", "not-worse") and margin is not None:
        title += f" within {margin:g} {unit}"
    spread = f"{100 * level:g} % interval {ends_text(interval.low, interval.high)}; " if interval else ""
    return f"{title}: {signed(effect)} {unit} ({spread}{', '.join(basis)})."


def refusal_sentence(refusal: Refusal) -> str:
    """State why arms or models are not compared: `Not compared: no score of ours on vqav2.`"""
    return f"Not compared: {'; '.join(refusal.reasons)}."


def ruling_reasons(
    hypothesis: Hypothesis,
    ruling: Ruling,
    interval: Interval | None,
    alpha: float,
    corrected: bool,
    exact_test: str = "exact test over images",
) -> list[str]:
    """Explain why a verdict is not stronger, and what it leaves open of the claim.

    Args:
        hypothesis: that was judged.
        ruling: on it.
        interval: of its effect; None where nothing could be tested.
        alpha: level of the test, 0 to 1.
        corrected: whether p was compared after Holm's correction.
        exact_test: with which a difference must agree, in words.
    """
    reasons = []
    holm = f"Holm: p {p_text(ruling.p_adjusted)}" if ruling.p_adjusted is not None else "Holm"
    if ruling.vetoed is not None:
        shown = OUTCOME_CLAIMS[ruling.vetoed]
        reasons.append(f"the interval alone would show {shown}, but the {exact_test} does not confirm it")
    if ruling.corrected is not None:
        reasons.append(
            f"on its own the test would show {OUTCOME_CLAIMS[ruling.corrected]}, but not among all hypotheses together "
            f"({holm})"
        )
    if ruling.verdict == "undecided" and not reasons and interval is not None:
        is_seen = interval.excludes_zero and ruling.p is not None
        cause = f"p {p_text(ruling.p or 0)} is above {alpha:g}" if is_seen else "the interval holds 0"
        reasons.append(f"{cause}: neither a difference nor its absence is shown")
    is_weak = ruling.p_adjusted is not None and ruling.p_adjusted > alpha
    if not corrected and ruling.verdict in ("better", "worse") and is_weak:
        reasons.append(f"it would not stand among all claims together ({holm})")
    claims_none = hypothesis.expect in ("equivalent", "not-worse")
    if claims_none and ruling.holds is None and ruling.verdict in ("better", "worse"):
        reasons.append(
            f"there is a difference, but whether it is larger than the margin of {hypothesis.margin:g} is open"
        )
    return reasons


def sentence_with_arms(verdict: Verdict) -> str:
    """State in one plain sentence which arm scores how much higher or lower than which, and where."""
    if verdict.effect is None:
        return refusal_sentence(Refusal(verdict.reasons))
    references = list(dict.fromkeys(reference for reference, _ in verdict.pairs))
    alternatives = list(dict.fromkeys(alternative for _, alternative in verdict.pairs))
    mean = " on average" if len(verdict.pairs) > 1 else ""
    verb = "scores" if len(alternatives) == 1 else "score"
    subject, reference = _arm_names(alternatives), _arm_names(references)
    place = _benchmark_names(verdict.benchmarks)
    match verdict.verdict:
        case "better" | "worse":
            word = "higher" if verdict.verdict == "better" else "lower"
            return f"{subject} {verb}{mean} {_size(verdict.effect, verdict.unit)} {word} than {reference}{place}."
        case "equivalent":
            within = f"within {verdict.margin:g} {verdict.unit} ({signed(verdict.effect)} seen)"
            return f"{subject} {verb} the same as {reference}{place}, {within}."
        case "not-worse":
            most = f"at most {verdict.margin:g} {verdict.unit} lower than"
            return f"{subject} {verb} {most} {reference}{place} ({signed(verdict.effect)} seen)."
        case "undecided":
            low, high = verdict.interval or (verdict.effect, verdict.effect)
            bounds = f"from {difference_text(low, verdict.unit)} to {difference_text(high, verdict.unit)}"
            meaning = "as good means within" if verdict.expect == "equivalent" else "the claim's margin is"
            margin = f"; {meaning} {verdict.margin:g} {verdict.unit}" if verdict.margin is not None else ""
            return f"Not decided: {subject} may score{mean} {bounds} than {reference}{place}{margin}."
        case _:
            assert_never(verdict.verdict)


def certainty_line(verdict: Verdict) -> str:
    """State how sure a verdict is: interval, p, seeds, examples; empty where nothing was compared."""
    if verdict.effect is None or verdict.interval is None:
        return ""
    low, high = verdict.interval
    parts = [f"{100 * verdict.level:g} % interval {ends_text(low, high)}"]
    if verdict.p_adjusted is not None:
        p = p_text(verdict.p_adjusted) if verdict.p_adjusted >= 1e-4 else "< .0001"
        parts.append(f"p {p} ({TEST_NAMES[verdict.expect]}Holm)")
    if verdict.n_seeds:
        parts.append(number_of(verdict.n_seeds, "seed"))
    if verdict.n_examples:
        parts.append(number_of(verdict.n_examples, "example"))
    if verdict.scope == "checkpoints":
        parts.append("only these trained weights were compared, not the choice")
    if len(verdict.looks) > 1:
        parts.append(f"look {len(verdict.looks)} at its results")
    if verdict.confirmatory is False and verdict.written_after is not None:
        parts.append(late_text(*verdict.written_after))
    return "; ".join(parts)


def price_sentence(verdict: Verdict) -> str:
    """State what would decide an open claim, or that nothing would; empty where that is not known."""
    if verdict.price is None:
        is_blind = bool(verdict.by_benchmark) and all(part.no_signal for part in verdict.by_benchmark)
        return NO_PRICE if verdict.verdict == "undecided" and is_blind else ""
    text = price_text(verdict.price)
    counted = " A further look at the results counts." if verdict.looks else ""
    return f"{text[0].upper()}{text[1:]}.{counted}"


def difference_text(effect: float, unit: str = "points") -> str:
    """Write a difference of an arm: `6.2 points lower`."""
    return f"{_size(effect, unit)} {'higher' if effect > 0 else 'lower'}"


def _size(effect: float, unit: str) -> str:
    size = f"{abs(effect):.1f}"
    return f"{size} {unit.rstrip('s') if size == '1.0' and unit == 'points' else unit}"


def _arm_names(arms: Sequence[str]) -> str:
    return listed(arms) if len(arms) <= _MOST_NAMES else f"{len(arms)} arms"


def _benchmark_names(benchmarks: Sequence[str]) -> str:
    if len(benchmarks) > _MOST_NAMES:
        return f" in the mean over {len(benchmarks)} benchmarks"
    return f" {'in the mean over' if len(benchmarks) > 1 else 'on'} {listed(benchmarks)}"
