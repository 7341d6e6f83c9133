"""Judge a study, and count that its results were looked at: the door through which commands reach verdicts.

Each look at results is written down (`orchestrator.state.looks`), and so is a hypothesis that storage meets for the
first time when its results are there already (`orchestrator.state.claims`). Storage that cannot be written to is judged
all the same, and a note says that the look was not counted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from orchestrator.analysis.look_history import History
from orchestrator.analysis.look_sentences import late_text
from orchestrator.analysis.methods.judge_study import judge_study
from orchestrator.analysis.methods.registry import StudyMethodName
from orchestrator.analysis.study_scores import StudyScores, scores_digest
from orchestrator.analysis.verdict_model import LookTaken, Verdict, Verdicts
from orchestrator.state.claims import ClaimKey, WrittenClaim, claim_keys, claims_of, now, store_claims
from orchestrator.state.ledger import Ledger
from orchestrator.state.looks import Look, LookCommand, looks_of, read_looks, write_looks
from search_spaces.plan import Plan
from search_spaces.study import Study
from trainables.storage.store import Store


@dataclass(frozen=True)
class _Counted:
    """What is added to a verdict, and the look that is to be written down for it."""

    verdict: Verdict
    new: Look | None


def judge_and_count(
    study: Study,
    plan: Plan,
    ledger: Ledger,
    scored: StudyScores,
    store: Store,
    command: LookCommand,
    method: StudyMethodName = "study",
) -> Verdicts:
    """Judge all hypotheses of a study with the looks before this one, and write this one down.

    Args:
        study: whose hypotheses are judged.
        plan: of the study.
        ledger: what storage holds of the plan.
        scored: the scores of `ledger`.
        store: where claims and looks are kept.
        command: that shows the verdicts.
        method: by which they are judged.
    """
    keys = claim_keys(study, plan)
    claims, unseen = claims_of(study, plan, ledger, store)
    unwritten = None
    try:
        if late := [claim for claim in unseen if claim.trials_scored != 0]:
            store_claims(late, plan.study, store)
    except OSError as error:
        unwritten = error
    looks = read_looks(store, plan.study)
    histories = {
        name: History(key, looks_of(key.claim, looks.get(key.contrast, ())), claims[key.claim].seeds)
        for name, key in keys.items()
    }
    judged = judge_study(study, plan, scored, method, histories)
    time = now()
    unstored = {claim.claim for claim in unseen if claim.trials_scored == 0 and claim.time == claims[claim.claim].time}
    dated = {key: claim for key, claim in claims.items() if key not in unstored}
    counted = [
        _counted(verdict, histories[verdict.id], dated.get(keys[verdict.id].claim), scored, command, time)
        for verdict in judged.verdicts
    ]
    try:
        write_looks(store, plan.study, [outcome.new for outcome in counted if outcome.new is not None])
    except OSError as error:
        unwritten = error
    verdicts = tuple(outcome.verdict for outcome in counted)
    return replace(judged, verdicts=verdicts, notes=(*judged.notes, *_notes(dated, keys, unwritten)))


def _counted(
    verdict: Verdict, history: History, claim: WrittenClaim | None, scored: StudyScores, command: LookCommand, time: str
) -> _Counted:
    if claim is not None and claim.trials_scored is not None:
        before = claim.trials_scored, claim.trials
        verdict = replace(verdict, written=claim.time, confirmatory=before[0] == 0, written_after=before)
        if claim.trials_scored > 0:
            verdict = replace(verdict, reasons=(*verdict.reasons, late_text(*before)))
    if verdict.effect is None or verdict.interval is None:
        return _Counted(replace(verdict, looks=_taken(history.earlier)), None)
    arms = list(dict.fromkeys(arm for pair in verdict.pairs for arm in pair))
    seeds = tuple(scored.common_seeds(arms, verdict.benchmarks))
    digest = scores_digest(scored.scores, arms, seeds, verdict.benchmarks)
    present = Look(
        id=verdict.id,
        contrast=history.key.contrast,
        claim=history.key.claim,
        seeds=seeds,
        scores=digest,
        verdict=verdict.verdict,
        effect=verdict.effect,
        interval=verdict.interval,
        p=verdict.p_by_statement,
        time=time,
        command=command,
    )
    same = next((look for look in history.earlier if look.scores == digest), None)
    if same is None:
        return _Counted(replace(verdict, looks=_taken((*history.earlier, present))), present)
    is_of_claim = same.claim == present.claim
    until = history.earlier[: history.earlier.index(same)]
    taken = _taken((*until, same if is_of_claim else replace(present, time=same.time)))
    return _Counted(replace(verdict, looks=taken), None if is_of_claim else present)


def _taken(looks: Sequence[Look]) -> tuple[LookTaken, ...]:
    return tuple(LookTaken(look.seeds, look.verdict, look.time) for look in looks)


def _notes(
    claims: Mapping[str, WrittenClaim],
    keys: Mapping[str, ClaimKey],
    unwritten: OSError | None,
) -> tuple[str, ...]:
    notes = []
    if unwritten is not None:
        notes.append(
            f"This look at the results could not be counted: storage cannot be written to ({unwritten.strerror})."
        )
    declared = {key.claim for key in keys.values()}
    if any(claims[key].trials_scored is None for key in declared if key in claims):
        notes.append("It is not known whether claims were written before their scores: no record was kept then.")
    dropped = sorted({claim.id for key, claim in claims.items() if key not in declared and claim.trials_scored == 0})
    if dropped:
        notes.append(
            f"Written before the run, and changed or removed since: {', '.join(dropped)}. "
            "What was tested and is not shown makes the rest look better than it is."
        )
    return tuple(notes)
