"""Judge whether an effect is visual: how much of it is left when no arm sees the images.

The effect without images is that of the same trials on the same questions with a blank image; what images add is the
effect with them minus that, one weighted sum of four kinds of scores, with an interval of its own. Intervals here are
not corrected for several hypotheses: they say where a difference comes from that a verdict has shown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from orchestrator.analysis.blind_model import BlindEffect, GainSource
from orchestrator.analysis.blind_scores import BlindScores, shown_arm
from orchestrator.analysis.number_text import ends_text, signed
from orchestrator.analysis.pairs import pair_weights
from orchestrator.analysis.verdict_model import Verdict
from search_spaces.error_text import first_line
from search_spaces.errors import InputError
from search_spaces.quantities import number_of

SOURCE_TITLES: Mapping[GainSource, str] = {
    "visual": "The {change} is visual",
    "partly-visual": "The {change} is visual at least in part",
    "language-prior": "The {change} is in the language prior",
    "open": "Whether the {change} is visual is open",
}
"""How a sentence on a gain, or a loss, begins."""


def beside_blind(verdicts: Sequence[Verdict], blind: BlindScores, seed_sd: float | None) -> tuple[Verdict, ...]:
    """Add to every verdict with an effect what is left of it without images, where the arms were asked blind.

    Args:
        verdicts: on the hypotheses of a study.
        blind: scores with and without images.
        seed_sd: assumed standard deviation of an arm's score over seeds, in points; used where there is one seed.
    """
    return tuple(replace(verdict, blind=_blind_effect(verdict, blind, seed_sd)) for verdict in verdicts)


def _blind_effect(verdict: Verdict, blind: BlindScores, seed_sd: float | None) -> BlindEffect | None:
    own = pair_weights(verdict.pairs)
    blank = {shown_arm(arm, "blank"): weight for arm, weight in own.items()}
    seeds = [set(blind.scores.seeds(arm, verdict.benchmarks)) for arm in blank]
    if verdict.effect is None or verdict.unit != "points" or not any(seeds):
        return None
    n_seeds = len(set.intersection(*seeds))
    if n_seeds < verdict.n_seeds:
        scored = f"only {n_seeds} of {number_of(verdict.n_seeds, 'seed')} were scored without images"
        return _unknown(scored)
    try:
        without = blind.scores.effect(blank, verdict.benchmarks, seed_sd).estimate
        added = {**own, **{arm: -weight for arm, weight in blank.items()}}
        visual = blind.scores.effect(added, verdict.benchmarks, seed_sd).estimate
    except InputError as error:
        return _unknown(first_line(error))
    blank_ends, visual_ends = ((part.interval.low, part.interval.high) for part in (without, visual))
    is_shown = verdict.verdict in ("better", "worse")
    source = gain_source(verdict.effect, blank_ends, visual_ends) if is_shown else None
    sentence = _sentence(verdict.effect, without.value, visual.value, visual_ends, source)
    return BlindEffect(without.value, blank_ends, visual.value, visual_ends, source, sentence)


def _unknown(reason: str) -> BlindEffect:
    return BlindEffect(None, None, None, None, None, f"What images add is not known: {reason}.")


def gain_source(effect: float, blank: tuple[float, float], visual: tuple[float, float]) -> GainSource:
    """Decide where an effect comes from, by two intervals.

    Args:
        effect: with images; not 0.
        blank: interval of the effect without images.
        visual: interval of what images add.
    """
    direction = 1 if effect > 0 else -1
    half = abs(effect) / 2
    (blank_least, blank_most), (visual_least, visual_most) = (
        sorted((direction * low, direction * high)) for low, high in (blank, visual)
    )
    if visual_least > 0:
        return "visual" if blank_most < half else "partly-visual"
    return "language-prior" if blank_least > 0 and visual_most < half else "open"


def _sentence(
    effect: float, blank: float, visual: float, visual_ends: tuple[float, float], source: GainSource | None
) -> str:
    numbers = f"{signed(effect)} with images, {signed(blank)} without"
    added = f"images add {signed(visual)} ({ends_text(*visual_ends)})"
    if source is None:
        return f"{numbers}: {added}."
    says = SOURCE_TITLES[source].format(change="gain" if effect > 0 else "loss")
    return f"{says}: {numbers}; {added}."
