"""Remember when each hypothesis of a study was written, and how many of its trials had scores by then.

A claim that is written once scores are there may be a description of them. Storage knows: `run` writes every hypothesis
down before it trains, and other commands write down one whose scores they show. A claim is named by what it says
(`claim_keys`), so that a margin that is changed later makes another claim. Records are never changed: each is a file of
its own.
"""

from __future__ import annotations

import logging
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from orchestrator.state.ledger import Ledger, TrialEntry
from orchestrator.state.looks import read_looks
from search_spaces.catalogue.load import shipped
from search_spaces.claims import select_benchmarks
from search_spaces.identity import fingerprint
from search_spaces.plan import Plan
from search_spaces.study import Hypothesis, Study
from trainables.storage import layout
from trainables.storage.record_files import read, write
from trainables.storage.store import Store

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class ClaimKey:
    """Names of a hypothesis by its content."""

    contrast: str
    """Of the arms, their weights and the benchmarks: what results are about."""
    claim: str
    """Of these, and of what is expected, by which margin, at which looks."""


@dataclass(frozen=True)
class WrittenClaim:
    """A hypothesis as it was when storage first saw it."""

    id: str
    contrast: str
    claim: str
    pairs: tuple[tuple[str, str], ...]
    """Names of arms."""
    benchmarks: tuple[str, ...]
    expect: str
    margin: float | None
    looks: tuple[int, ...]
    spending: str
    seeds: int
    """Common seeds of its arms that the study planned."""
    trials: int
    """Of its arms."""
    trials_scored: int | None
    """Those that had scores; None where a version that did not write claims down may have seen it before."""
    time: str
    """ISO 8601, UTC."""


@dataclass(frozen=True)
class ClaimRecord:
    """Claims that were written down together, `studies/<study>/claims/<digest>.json`."""

    claims: tuple[WrittenClaim, ...]


def now() -> str:
    """Return the time as records have it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def claim_keys(study: Study, plan: Plan) -> dict[str, ClaimKey]:
    """Name the hypotheses of a study by their content; arms by what they are, not by what they are called."""
    arms = {arm.name: arm.id for arm in plan.arms}
    keys = {}
    for hypothesis in study.hypotheses:
        pairs = sorted([arms.get(arm, arm) for arm in pair] for pair in hypothesis.pairs)
        contrast = fingerprint({"pairs": pairs, "benchmarks": list(_benchmarks(hypothesis, study, plan))})
        said = hypothesis.model_dump(mode="json", include={"expect", "margin", "looks", "spending"})
        keys[hypothesis.id] = ClaimKey(contrast, fingerprint({"contrast": contrast, **said}))
    return keys


def read_claims(store: Store, study: str) -> dict[str, WrittenClaim]:
    """Read the claims that were written down of a study, by their key.

    The first record of a claim has its time and its scored trials. Its planned seeds are those of the last record
    before there were scores: a plan may grow as long as nothing has been seen.
    """
    claims: dict[str, WrittenClaim] = {}
    for claim in sorted(_records(store, study), key=lambda claim: claim.time):
        first = claims.get(claim.claim)
        if first is None:
            claims[claim.claim] = claim
        elif first.trials_scored == 0 and claim.trials_scored == 0:
            claims[claim.claim] = replace(first, seeds=claim.seeds)
    return claims


def write_claims(
    study: Study, plan: Plan, ledger: Ledger, store: Store, up_to_seeds: int = 0
) -> dict[str, WrittenClaim]:
    """Write down the hypotheses that storage does not know yet, and return all that it knows, by their key.

    Args:
        study: whose hypotheses they are.
        plan: of the study.
        ledger: what storage holds of the plan, for the trials that have scores.
        store: where to.
        up_to_seeds: to which a run will go by itself, where those are more than the study has.

    Raises:
        OSError: if storage cannot be written to.
    """
    known, new = claims_of(study, plan, ledger, store, up_to_seeds)
    if new or not known:  # a study without claims says so, too: those that are added later come after its scores
        store_claims(new, plan.study, store)
    return known


def store_claims(claims: Sequence[WrittenClaim], study: str, store: Store) -> None:
    """Write claims down as one record of a study.

    Raises:
        OSError: if storage cannot be written to.
    """
    digest = fingerprint([[claim.claim, claim.seeds, claim.trials_scored, claim.time] for claim in claims])
    write(store, layout.claims_file(study, digest[:16]), ClaimRecord(tuple(claims)))


def claims_of(
    study: Study, plan: Plan, ledger: Ledger, store: Store, up_to_seeds: int = 0
) -> tuple[dict[str, WrittenClaim], tuple[WrittenClaim, ...]]:
    """Collect the claims of a study: all, by their key, and those that storage does not know yet.

    A claim is written down before its results are looked at: where a look tells of one that storage does not know, its
    record is gone, and a warning says so.

    Args:
        study: whose hypotheses they are.
        plan: of the study.
        ledger: what storage holds of the plan, for the trials that have scores.
        store: where claims are written down.
        up_to_seeds: to which a run will go by itself, where those are more than the study has.
    """
    looked_at = [look for looks in read_looks(store, plan.study).values() for look in looks]
    known = read_claims(store, plan.study)
    if lost := sorted({look.id for look in looked_at if look.claim not in known}):
        logger.warning(
            "%s: the record of %s is gone, as looks at the results show; whether it was written before its scores is"
            " not known any more",
            store.place(layout.claims_folder(plan.study)),
            ", ".join(lost),
        )
    may_be_older = not store.list(layout.claims_folder(plan.study))
    keys, time = claim_keys(study, plan), now()
    trials: dict[str, list[TrialEntry]] = {}
    for entry in ledger.trials.values():
        trials.setdefault(entry.arm, []).append(entry)
    new = []
    for hypothesis in study.hypotheses:
        claim = _claim(hypothesis, keys[hypothesis.id], study, plan, trials, ledger.evaluations.keys(), time)
        claim = replace(claim, seeds=max(claim.seeds, up_to_seeds))
        if claim.trials_scored and may_be_older:
            claim = replace(claim, trials_scored=None)
        before = known.get(claim.claim)
        is_replanned = before is not None and claim.trials_scored == before.trials_scored == 0
        if before is None:
            known[claim.claim] = claim
            new.append(claim)
        elif is_replanned and claim.seeds != before.seeds:
            known[claim.claim] = replace(before, seeds=claim.seeds)
            new.append(claim)
    return known, tuple(new)


def _claim(
    hypothesis: Hypothesis,
    key: ClaimKey,
    study: Study,
    plan: Plan,
    trials_of: Mapping[str, Sequence[TrialEntry]],
    evaluated: Container[tuple[str, str]],
    time: str,
) -> WrittenClaim:
    arms = list(dict.fromkeys(arm for pair in hypothesis.pairs for arm in pair))
    benchmarks = _benchmarks(hypothesis, study, plan)
    trials = [trial for arm in arms for trial in trials_of.get(arm, ())]
    scored = [trial for trial in trials if any((trial.id, name) in evaluated for name in benchmarks)]
    declared = set.intersection(*(set(study.seeds_of(arm)) for arm in arms))
    planned = set.intersection(*({trial.seed for trial in trials_of.get(arm, ())} for arm in arms))
    return WrittenClaim(
        id=hypothesis.id,
        contrast=key.contrast,
        claim=key.claim,
        pairs=hypothesis.pairs,
        benchmarks=benchmarks,
        expect=hypothesis.expect,
        margin=hypothesis.margin,
        looks=hypothesis.looks,
        spending=hypothesis.spending,
        seeds=max(len(declared), len(planned)),
        trials=len(trials),
        trials_scored=len(scored),
        time=time,
    )


def _benchmarks(hypothesis: Hypothesis, study: Study, plan: Plan) -> tuple[str, ...]:
    names = [benchmark.id for benchmark in plan.benchmarks]
    return select_benchmarks(hypothesis.on, names, {**shipped().suites, **study.suites})


def _records(store: Store, study: str) -> list[WrittenClaim]:
    records = (read(store, name, ClaimRecord) for name in store.list(layout.claims_folder(study)))
    return [claim for record in records if record is not None for claim in record.claims]
