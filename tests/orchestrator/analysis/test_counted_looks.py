"""Storage remembers when claims were written and how often their results were looked at."""

from __future__ import annotations

import errno
import os
from dataclasses import replace
from typing import NoReturn

import pytest

from orchestrator.analysis.counted_looks import judge_and_count
from orchestrator.analysis.methods.judge_study import judge_study
from orchestrator.analysis.study_scores import StudyScores
from orchestrator.analysis.verdict_model import Verdict, Verdicts
from orchestrator.analysis.verdict_sentences import certainty_line
from orchestrator.state.claims import write_claims
from orchestrator.state.ledger import read_ledger
from search_spaces.plan import Plan
from search_spaces.study import Hypothesis, Study
from tests.support.stored_studies import answers, finish_trial, noisy_answers, study_of, two_stage_plan
from trainables.storage import layout
from trainables.storage.store import LocalStore

ACCURACIES = {"base": (0.6, 0.6), "resolution=32px": (0.6, 0.6), "resolution=16px": (0.4, 0.4)}
WORSE = Hypothesis(id="small", claim="Small is worse", pairs=(("base", "resolution=16px"),), expect="worse")
SAME = Hypothesis(
    id="half", claim="Half is enough", pairs=(("base", "resolution=32px"),), expect="equivalent", margin=3.0
)


def _run(store: LocalStore, study: Study, seeds: tuple[int, ...]) -> Plan:
    """Write the claims of a study with these seeds, and then the results of all of its trials."""
    plan = two_stage_plan(seeds=seeds)
    write_claims(study, plan, read_ledger(plan, store), store)
    _finish(store, plan)
    return plan


def _finish(store: LocalStore, plan: Plan) -> None:
    for trial in plan.trials:
        finish_trial(store, plan, trial, noisy_answers(ACCURACIES, trial.arm, trial.seed))


def _judged(store: LocalStore, study: Study, plan: Plan) -> Verdicts:
    ledger = read_ledger(plan, store)
    return judge_and_count(study, plan, ledger, StudyScores.of(plan, store, ledger), store, "verdicts")


def _one(judged: Verdicts, name: str) -> Verdict:
    return next(verdict for verdict in judged.verdicts if verdict.id == name)


def test_the_same_scores_seen_again_are_no_new_look_and_more_seeds_are(store: LocalStore) -> None:
    study = study_of(WORSE, SAME)
    plan = _run(store, study, (7, 8, 9))
    first, again = _judged(store, study, plan), _judged(store, study, plan)
    assert first == again
    assert [look.seeds for look in _one(first, "small").looks] == [(7, 8, 9)]
    grown = _one(_judged(store, study, _run(store, study, (7, 8, 9, 10))), "small")
    assert [look.seeds for look in grown.looks] == [(7, 8, 9), (7, 8, 9, 10)]
    assert grown.looks[0] == _one(first, "small").looks[0]


def test_other_scores_of_the_same_seeds_are_a_look(store: LocalStore) -> None:
    study = study_of(WORSE)
    plan = _run(store, study, (7, 8, 9))
    _judged(store, study, plan)
    finish_trial(store, plan, plan.trials[0], {"shape": answers(0.7), "colour": answers(0.5)})
    assert len(_one(_judged(store, study, plan), "small").looks) == 2


def test_a_claim_written_before_its_scores_is_confirmatory_and_one_that_is_changed_later_is_not(
    store: LocalStore,
) -> None:
    plan = _run(store, study_of(WORSE, SAME), (7, 8, 9))
    before = _judged(store, study_of(WORSE, SAME), plan)
    assert [verdict.confirmatory for verdict in before.verdicts] == [True, True]
    assert all(verdict.written is not None for verdict in before.verdicts)
    wider = SAME.model_copy(update={"margin": 6.0})
    after = _judged(store, study_of(WORSE, wider), plan)
    changed = _one(after, "half")
    assert _one(after, "small").confirmatory is True
    assert changed.confirmatory is False
    assert "written after 6 of 6 trials had scores: exploratory" in changed.reasons
    assert certainty_line(changed).endswith("written after 6 of 6 trials had scores: exploratory")
    assert any("changed or removed since: half" in note for note in after.notes)
    assert [look.time for look in changed.looks] == [look.time for look in _one(before, "half").looks]


def test_a_claim_added_to_a_study_that_ran_without_any_is_late(store: LocalStore) -> None:
    plan = _run(store, study_of(), (7, 8, 9))
    assert _one(_judged(store, study_of(WORSE), plan), "small").confirmatory is False


def test_a_claim_whose_record_is_gone_is_named_by_the_looks_at_it_until_it_is_written_again(
    store: LocalStore, caplog: pytest.LogCaptureFixture
) -> None:
    study = study_of(WORSE)
    plan = _run(store, study, (7, 8, 9))
    _judged(store, study, plan)
    assert caplog.messages == []
    store.remove(layout.claims_folder(plan.study))
    assert _one(_judged(store, study, plan), "small").confirmatory is None
    (message,) = caplog.messages
    assert message.startswith(f"{store.place(layout.claims_folder(plan.study))}: the record of small is gone")
    _judged(store, study, plan)
    assert caplog.messages == [message]


def test_an_arm_under_another_name_keeps_its_claim_and_its_looks(store: LocalStore) -> None:
    study = study_of(WORSE)
    plan = _run(store, study, (7, 8, 9))
    _judged(store, study, plan)
    renamed = {"resolution=16px": "small"}
    other = replace(
        plan,
        arms=tuple(replace(arm, name=renamed.get(arm.name, arm.name)) for arm in plan.arms),
        trials=tuple(replace(trial, arm=renamed.get(trial.arm, trial.arm)) for trial in plan.trials),
    )
    claim = WORSE.model_copy(update={"pairs": (("base", "small"),)})
    assert _one(_judged(store, study_of(claim), other), "small").confirmatory is True


def test_storage_without_a_record_says_that_it_does_not_know(store: LocalStore) -> None:
    plan = two_stage_plan(seeds=(7, 8, 9))
    _finish(store, plan)
    judged = _judged(store, study_of(WORSE), plan)
    assert judged.verdicts[0].confirmatory is None
    assert judged.verdicts[0].written is None
    assert any("not known whether claims were written before their scores" in note for note in judged.notes)
    assert judged == _judged(store, study_of(WORSE), plan)


def test_nothing_is_written_of_a_study_without_scores(store: LocalStore) -> None:
    plan = two_stage_plan(seeds=(7, 8, 9))
    assert _judged(store, study_of(WORSE), plan).verdicts[0].looks == ()
    assert store.list("studies") == []


class _ReadOnlyStore(LocalStore):
    """Storage on a file system that is mounted read-only."""

    def writing(self, name: str) -> NoReturn:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), name)


def test_storage_that_cannot_be_written_to_is_judged_and_the_look_said_to_be_uncounted(store: LocalStore) -> None:
    plan = _run(store, study_of(WORSE), (7, 8, 9))
    judged = _judged(_ReadOnlyStore(store.root), study_of(WORSE), plan)
    assert judged.verdicts[0].verdict == "worse"
    assert any("could not be counted: storage cannot be written to (Read-only" in note for note in judged.notes)
    assert store.list("studies/small/looks") == []


NEARLY = {"base": (0.6, 0.6), "resolution=32px": (0.6, 0.6), "resolution=16px": (0.591, 0.591)}
"""One arm is a little worse than the base, so that p alone decides on how often it was looked at."""


def _alone(store: LocalStore, study: Study, seeds: tuple[int, ...]) -> Verdict:
    """Judge the same scores as if nobody had looked at them before."""
    plan = two_stage_plan(seeds=seeds)
    return _one(judge_study(study, plan, StudyScores.of(plan, store, read_ledger(plan, store))), "small")


def test_a_further_look_has_to_show_more_and_its_interval_is_wider(
    store: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"{__name__}.ACCURACIES", NEARLY)
    study = study_of(WORSE, SAME)
    first = _one(_judged(store, study, _run(store, study, (7, 8, 9))), "small")
    assert first.interval == first.interval_fixed
    assert first.verdict == "undecided"
    further = _one(_judged(store, study, _run(store, study, (7, 8, 9, 10))), "small")
    alone = _alone(store, study, (7, 8, 9, 10))
    assert further.interval_fixed == alone.interval
    assert _width(further.interval) > _width(alone.interval)
    assert (further.p or 0) >= (alone.p or 1)
    assert any(reason.startswith("look 2 at these results, at 4 seeds (before: at 3)") for reason in further.reasons)
    assert any("a further look counts" in reason for reason in further.reasons)


def _width(interval: tuple[float, float] | None) -> float:
    assert interval is not None
    return interval[1] - interval[0]


def test_what_a_look_has_shown_stays_shown_while_the_scores_show_it(store: LocalStore) -> None:
    study = study_of(WORSE, SAME)
    for last in (10, 11, 12):
        verdicts = _judged(store, study, _run(store, study, tuple(range(7, last)))).verdicts
        assert [verdict.verdict for verdict in verdicts] == ["worse", "equivalent"]
        assert [len(verdict.looks) for verdict in verdicts] == [last - 9] * 2


def test_an_early_look_leaves_the_level_to_the_last_declared_one(
    store: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"{__name__}.ACCURACIES", NEARLY | {"resolution=16px": (0.58, 0.58)})
    study = study_of(WORSE.model_copy(update={"looks": (3, 6)}))
    early = _one(_judged(store, study, _run(store, study, (7, 8, 9))), "small")
    assert (early.p or 0) > 3 * (_alone(store, study_of(WORSE), (7, 8, 9)).p or 1)
    assert any("a look at 3 seeds of the 6 that are planned" in reason for reason in early.reasons)
    last = _one(_judged(store, study, _run(store, study, tuple(range(7, 13)))), "small")
    assert last.p == pytest.approx(_alone(store, study_of(WORSE), tuple(range(7, 13))).p, rel=0.1)
    beyond = _one(_judged(store, study, _run(store, study, tuple(range(7, 14)))), "small")
    assert beyond.verdict == last.verdict == "worse"
    assert "the declared looks are used up" in " ".join(beyond.reasons)
