"""Finished trials of a large study are read from one record, for as long as all of their files are what they were."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from orchestrator.state import finished_trials, keep_finished
from orchestrator.state.ledger import Ledger, read_ledger
from orchestrator.state.losses import forget
from search_spaces.errors import InputError
from search_spaces.identity import needed_digests
from search_spaces.plan import Plan
from tests.support.stored_studies import BOTH as BENCHMARKS
from tests.support.stored_studies import answers, finish_trial, key_of, two_stage_plan
from trainables.storage import layout
from trainables.storage.damages import Damage, mark_damage
from trainables.storage.record_files import write
from trainables.storage.store import LocalStore

PLAN = two_stage_plan()
SCORES = {name: answers(0.9) for name in BENCHMARKS}


def _age(store: LocalStore) -> None:
    """Set the times of all files back, as if they had been written an hour ago."""
    for name in store.list(""):
        then = store.facts(name).modified - 3600
        os.utime(store.reading(name), (then, then))


def _keep(store: LocalStore, plan: Plan = PLAN) -> None:
    keep_finished.keep_finished(plan, read_ledger(plan, store), store)


@pytest.fixture
def study(store: LocalStore, monkeypatch: pytest.MonkeyPatch) -> LocalStore:
    """A study that is large enough, and finished an hour ago."""
    for module in (finished_trials, keep_finished):
        monkeypatch.setattr(module, "KEPT_FROM_TRIALS", 1)
    for trial in PLAN.trials:
        finish_trial(store, PLAN, trial, SCORES)
    _age(store)
    _keep(store)
    return store


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the files that are opened."""
    names: list[str] = []

    def noting(method: Callable[..., Any]) -> Callable[..., Any]:
        return lambda store, name: names.append(name) or method(store, name)

    for name in ("get", "open"):
        monkeypatch.setattr(LocalStore, name, noting(getattr(LocalStore, name)))
    return names


def _from_files(store: LocalStore) -> Ledger:
    return read_ledger(PLAN, store, from_files=True)


def test_a_ledger_by_the_record_is_the_one_from_the_files_and_opens_none_of_them(
    study: LocalStore, read: list[str]
) -> None:
    ledger = read_ledger(PLAN, study)
    assert read == [layout.finished_trials(PLAN.study)]
    assert ledger.kept == {trial.id for trial in PLAN.trials}
    assert ledger == _from_files(study)


def test_results_of_evaluations_are_read_when_they_are_needed(study: LocalStore, read: list[str]) -> None:
    ledger, trial = read_ledger(PLAN, study), PLAN.trials[0].id
    read.clear()
    assert ledger.evaluations[trial, "shape"] == ledger.evaluations[trial, "shape"]
    assert read == [ledger.evaluations.files(trial, "shape")[0]]
    study.remove(ledger.evaluations.files(trial, "colour")[0])
    with pytest.raises(InputError, match="it is not there"):
        ledger.evaluations[trial, "colour"]


def _result(store: LocalStore) -> str:
    return layout.trial_result(PLAN.study, PLAN.trials[0].id)


def _stage(store: LocalStore) -> str:
    return layout.stage_result(PLAN.trials[0].stage_nodes(PLAN)[1].key or "")


def _weights(store: LocalStore) -> str:
    folder = layout.stage_folder(PLAN.trials[0].stage_nodes(PLAN)[1].key or "")
    return next(name for name in store.list(folder) if name.endswith(".safetensors"))


def _evaluation(store: LocalStore) -> str:
    return read_ledger(PLAN, store).evaluations.files(PLAN.trials[0].id, "shape")[0]


def _examples(store: LocalStore) -> str:
    return read_ledger(PLAN, store).evaluations.files(PLAN.trials[0].id, "shape")[1]


@pytest.mark.parametrize("name_of", [_result, _stage, _weights, _evaluation, _examples])
@pytest.mark.parametrize("content", [None, b"", b"garbage", "same size"])
def test_a_trial_of_which_a_file_is_another_one_or_gone_is_read_from_its_files(
    name_of: Callable[[LocalStore], str], content: bytes | str | None, study: LocalStore
) -> None:
    name = name_of(study)
    size = study.facts(name).size
    if content is None:
        study.remove(name)
    else:
        study.reading(name).write_bytes(content if isinstance(content, bytes) else b"x" * size)
    ledger = read_ledger(PLAN, study)
    assert PLAN.trials[0].id not in ledger.kept
    forget()
    assert ledger == _from_files(study)


def test_damage_that_somebody_has_marked_is_seen(study: LocalStore) -> None:
    key = PLAN.trials[0].stage_nodes(PLAN)[1].key or ""
    name = _weights(study)
    mark_damage(study, layout.stage_folder(key), Damage(name, "its digest differs", "", study.facts(name)))
    assert read_ledger(PLAN, study).losses == _from_files(study).losses != ()


def test_a_file_that_changes_while_the_record_is_made_is_another_one_to_its_reader(
    study: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    study.remove(layout.finished_trials(PLAN.study))
    ledger, name = read_ledger(PLAN, study), _examples(study)

    def change_and_read(*arguments: Any, **options: Any) -> Ledger:
        again = read_ledger(*arguments, **options)
        study.reading(name).write_bytes(b"x" * study.facts(name).size)
        return again

    monkeypatch.setattr(keep_finished, "read_ledger", change_and_read)
    keep_finished.keep_finished(PLAN, ledger, study)
    assert PLAN.trials[0].id not in read_ledger(PLAN, study).kept


def test_what_was_written_a_moment_ago_is_left_to_the_next_run(study: LocalStore) -> None:
    study.touch(_result(study))
    _keep(study)
    assert PLAN.trials[0].id not in read_ledger(PLAN, study).kept
    _age(study)
    _keep(study)
    assert read_ledger(PLAN, study).kept == {trial.id for trial in PLAN.trials}


def test_trials_that_are_damaged_diverged_or_not_done_are_not_in_the_record(
    study: LocalStore,
) -> None:
    diverged, undone = PLAN.trials[1:3]
    study.reading(_weights(study)).write_bytes(b"x")
    finish_trial(study, PLAN, diverged, {}, diverged=True)
    study.remove(layout.trial_result(PLAN.study, undone.id))
    _age(study)
    _keep(study)
    assert read_ledger(PLAN, study).kept == {trial.id for trial in PLAN.trials[3:]}


def test_the_record_holds_for_the_same_program_data_and_questions_only(
    study: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    digests = dict.fromkeys(needed_digests(PLAN.trials[0].spec, 0), "0" * 64)
    assert not read_ledger(replace(PLAN, digests=digests), study).kept
    assert not read_ledger(replace(PLAN, benchmarks=PLAN.benchmarks[:1]), study).kept
    assert not read_ledger(replace(PLAN, benchmark_keys={"shape": "another"}), study).kept
    monkeypatch.setattr(finished_trials, "program_fingerprint", lambda: "another")
    assert not read_ledger(PLAN, study).kept


def test_the_record_holds_whatever_else_a_command_knows_the_digests_of(study: LocalStore) -> None:
    digests = {**PLAN.digests, "weights:hub:another-study": "0" * 64, "source:another-study@1": "1" * 64}
    assert read_ledger(replace(PLAN, digests=digests), study).kept == {trial.id for trial in PLAN.trials}


def _records_written(store: LocalStore, plan: Plan, monkeypatch: pytest.MonkeyPatch) -> int:
    """Count the records that three runs of a study write, one after the other."""
    written: list[str] = []
    monkeypatch.setattr(
        keep_finished, "write", lambda store, name, record: written.append(name) or write(store, name, record)
    )
    for _ in range(3):
        _keep(store, plan)
    return len(written)


def test_trials_that_were_scored_on_a_benchmark_that_the_study_has_no_more_are_read_from_the_record(
    study: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    for trial in PLAN.trials:  # the scores of each benchmark have a folder of their own, once its data are known
        result = read_ledger(PLAN, study).trials[trial.id].result
        assert result is not None
        elsewhere = layout.evaluation_result(key_of(f"colour of {trial.id}"), "colour")
        write(
            study,
            layout.trial_result(PLAN.study, trial.id),
            replace(result, evaluations={**result.evaluations, "colour": elsewhere}),
        )
    _age(study)
    plan = replace(PLAN, benchmarks=PLAN.benchmarks[:1])
    assert _records_written(study, plan, monkeypatch) == 1
    assert read_ledger(plan, study).kept == {trial.id for trial in PLAN.trials}
    assert read_ledger(plan, study) == read_ledger(plan, study, from_files=True)


def test_a_trial_that_lacks_the_result_of_a_stage_does_not_have_the_record_written_by_every_run(
    study: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    study.remove(_stage(study))
    assert _records_written(study, PLAN, monkeypatch) <= 1
    assert read_ledger(PLAN, study).trials[PLAN.trials[0].id].state == "done"
    assert read_ledger(PLAN, study).kept == {trial.id for trial in PLAN.trials[1:]}


def test_a_damaged_record_is_passed_over_and_made_again(study: LocalStore, caplog: pytest.LogCaptureFixture) -> None:
    name = layout.finished_trials(PLAN.study)
    study.put(name, study.get(name)[:-100])
    with caplog.at_level(logging.WARNING):
        assert read_ledger(PLAN, study) == _from_files(study)
    assert "every file of its trials is opened until `ablate run` has written it again" in caplog.text
    assert not read_ledger(PLAN, study).kept
    _keep(study)
    assert read_ledger(PLAN, study).kept


def test_a_small_study_has_no_record(study: LocalStore, monkeypatch: pytest.MonkeyPatch) -> None:
    study.remove(layout.finished_trials(PLAN.study))
    for module in (finished_trials, keep_finished):
        monkeypatch.setattr(module, "KEPT_FROM_TRIALS", len(PLAN.trials) + 1)
    _keep(study)
    assert not study.exists(layout.finished_trials(PLAN.study))


def test_a_storage_that_can_only_be_read_has_no_record_and_no_error(
    study: LocalStore, caplog: pytest.LogCaptureFixture
) -> None:
    class ReadOnly(LocalStore):
        def put(self, name: str, data: bytes) -> None:
            raise PermissionError(13, "Permission denied")

    study.remove(layout.finished_trials(PLAN.study))
    with caplog.at_level(logging.WARNING):
        _keep(ReadOnly(study.root))
    assert "Permission denied" in caplog.text
