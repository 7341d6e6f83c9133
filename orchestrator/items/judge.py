"""Judge claims about items as a study's hypotheses are judged: by the same method, with the same refusals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from orchestrator.analysis.aggregates import Aggregates, aggregated, groups_of, reference_pool
from orchestrator.analysis.methods.contract import Question, StudyResults
from orchestrator.analysis.methods.registry import STUDY_METHODS, StudyMethodName
from orchestrator.analysis.signal_sentences import opening_sentence
from orchestrator.analysis.verdict_model import Verdict, Verdicts
from orchestrator.items.check import Items
from orchestrator.items.item_scores import ItemScores, item_scores
from search_spaces.catalogue.load import shipped
from search_spaces.claims import Claims, TableOfClaims, check_claims, select_benchmarks
from search_spaces.errors import InputError
from search_spaces.quantities import number_of
from search_spaces.yaml_source import Document


@dataclass(frozen=True)
class JudgedItems:
    """Verdicts on items, with what they rest on."""

    verdicts: Verdicts
    scored: ItemScores
    questions: tuple[Question, ...]
    seed_sd: float | None
    """Assumed spread over seeds of an arm's score, in points."""


def judge_items(
    items: Items,
    claims: Claims,
    document: Document,
    *,
    source: str,
    notes: Sequence[str] = (),
    seed_sd: float | None = None,
    method: StudyMethodName = "study",
) -> JudgedItems:
    """Judge all claims together. What cannot be compared is refused, with the reason.

    Args:
        items: that were checked.
        claims: whose pairs name arms of the items.
        document: that the claims were read from, for the places of what is wrong.
        source: name of the items, for people.
        notes: on the items, which come first.
        seed_sd: assumed standard deviation of an arm's score over seeds, in points, used where there is one seed; by
            default that of the claims.
        method: by which they are judged.

    Raises:
        InputError: for arms and benchmarks that the items do not have, at their places in `document`.
    """
    if claims.table != TableOfClaims():
        law = "must come with --scores: scores of items are from 0 to 1"
        raise InputError(law, place=document.origin(("table",)), key="table")
    suites = shipped().suites
    check_claims(claims.hypotheses, document, items.arms, items.benchmarks, suites, kind="items")
    scored = item_scores(items)
    chosen = STUDY_METHODS[method]
    everything = [name for name in items.benchmarks if name not in chosen.outside_all]
    seed_sd = claims.seed_sd if seed_sd is None else seed_sd
    questions = tuple(
        Question(hypothesis, select_benchmarks(hypothesis.on, items.benchmarks, suites, everything))
        for hypothesis in claims.hypotheses
    )
    judged = chosen.judge(StudyResults(scored, seed_sd, draws_images=False), questions)
    verdicts = tuple(
        _with_seeds_left_out(verdict, question, scored)
        for verdict, question in zip(judged.verdicts, questions, strict=True)
    )
    all_notes = (*notes, *_notes(items), *judged.notes)
    aggregates = _aggregates(source, scored, groups_of(suites))
    opening = opening_sentence(scored)
    result = Verdicts(source, chosen.name, chosen.level, verdicts, all_notes, aggregates, opening=opening)
    return JudgedItems(result, scored, questions, seed_sd)


def _with_seeds_left_out(verdict: Verdict, question: Question, scored: ItemScores) -> Verdict:
    """Name the seeds that some arms of a verdict have and others lack: they are in no pair."""
    arms = list(dict.fromkeys(arm for pair in verdict.pairs for arm in pair))
    common = set(scored.common_seeds(arms, question.benchmarks))
    left_out = {arm: sorted({entry.seed for entry in scored.trials[arm]} - common) for arm in arms}
    if not common or not any(left_out.values()):
        return verdict
    named = "; ".join(f"{arm} {', '.join(map(str, seeds))}" for arm, seeds in left_out.items() if seeds)
    reason = f"seeds that not every arm has on these benchmarks are in no pair: {named}"
    return replace(verdict, reasons=(*verdict.reasons, reason))


def _notes(items: Items) -> list[str]:
    seeds = {seed for _, seed, _ in items.cells}
    read = [number_of(items.n_rows, "item"), number_of(len(items.arms), "arm"), number_of(len(seeds), "seed")]
    notes = [f"Read {', '.join(read)}, {number_of(len(items.benchmarks), 'benchmark')}."]
    alone = [name for name in items.benchmarks if name not in items.clustered]
    if alone:
        notes.append(
            f"No `cluster` on {', '.join(alone)}: every question counts as an image of its own. Where questions share"
            " an image, intervals are too narrow until the column names it."
        )
    return notes


def _aggregates(source: str, scored: ItemScores, groups: Mapping[str, Sequence[str]]) -> Aggregates:
    """Aggregate the arms that have a seed with all benchmarks."""
    means: dict[str, dict[str, float]] = {}
    for arm in scored.trials:
        seeds = scored.scores.seeds(arm, scored.benchmarks)
        if seeds:
            points = {name: scored.scores.points(arm, seeds, name) for name in scored.benchmarks}
            means[arm] = {name: value for name, value in points.items() if value is not None}
    return aggregated(means, reference_pool(f"arms of {source}", scored.benchmarks, means), groups)
