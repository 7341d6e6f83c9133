"""Claims about orchestrator/reporting/kept_report.py: a study's report is built once for what it rests on."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from orchestrator.analysis.item_analysis import KINDS, Suspect
from orchestrator.reporting import kept_report
from orchestrator.reporting.build import build_report
from orchestrator.reporting.kept_report import report_of
from orchestrator.reporting.questions import BenchmarkQuestions, SuspectQuestion
from orchestrator.reporting.report_model import Report
from orchestrator.state.ledger import read_ledger
from search_spaces.identity import needed_digests
from tests.support.report_cases import CLAIMS, scores
from tests.support.stored_studies import finish_trial, study_of, two_stage_plan
from trainables.storage import layout
from trainables.storage.record_files import write
from trainables.storage.records import Expected, RunForecast, RunRecord, RunUsage
from trainables.storage.store import LocalStore

PLAN = two_stage_plan(seeds=(7, 8, 9))
STUDY = study_of(*CLAIMS)


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LocalStore:
    monkeypatch.setattr(kept_report, "KEPT_FROM_TRIALS", 1)
    store = LocalStore(tmp_path)
    for trial in PLAN.trials:
        finish_trial(store, PLAN, trial, scores(trial.arm, trial.seed, PLAN))
    return store


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> list[Report]:
    """The reports that were built."""
    reports: list[Report] = []

    def build(*arguments: Any) -> Report:
        reports.append(build_report(*arguments))
        return reports[-1]

    monkeypatch.setattr("orchestrator.reporting.build.build_report", build)
    return reports


def test_report_of_an_unchanged_study_is_the_one_that_was_built(store: LocalStore, built: list[Report]) -> None:
    first, second = report_of(STUDY, PLAN, store), report_of(STUDY, PLAN, store)
    assert first == second == built[0]
    assert len(built) == 1


def test_report_is_built_again_when_a_run_has_written_what_it_took_and_not_when_it_ends(
    store: LocalStore, built: list[Report]
) -> None:
    expected = Expected(60.0, 12.0, 300.0)
    forecast = RunForecast(9, "2 CPU", expected, expected, {})
    record = RunRecord("n1", "login1", 7, "ada@login1", 1, "ablate run", forecast=forecast, usage=RunUsage(9, 1.0, 2.0))
    before = report_of(STUDY, PLAN, store)
    write(store, layout.run_record(PLAN.study, "n1"), record)
    after = report_of(STUDY, PLAN, store)
    assert (before.runs, [run.usage for run in after.runs]) == ((), [record.usage])
    write(store, layout.run_record(PLAN.study, "n1"), replace(record, ended=5, ending="ended"))
    assert report_of(STUDY, PLAN, store) == after
    assert len(built) == 2


def test_report_of_a_small_study_is_not_kept(
    store: LocalStore, built: list[Report], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept_report, "KEPT_FROM_TRIALS", len(PLAN.trials) + 1)
    report_of(STUDY, PLAN, store)
    report_of(STUDY, PLAN, store)
    assert len(built) == 2
    assert not store.exists(layout.kept_report(PLAN.study))


def _scores_written_again(store: LocalStore) -> None:
    name = next(iter(read_ledger(PLAN, store).evaluations.values())).examples
    store.put(name, store.get(name))


def _scores_of_another_key(store: LocalStore) -> None:
    trial = PLAN.trials[0]
    finish_trial(store, PLAN, trial, {name: 1 - values for name, values in scores("base", 7, PLAN).items()})


def _scores_gone(store: LocalStore) -> None:
    store.remove(next(iter(read_ledger(PLAN, store).evaluations.values())).examples)


def _claims_gone(store: LocalStore) -> None:
    store.remove(layout.claims_folder(PLAN.study))


def _curve(store: LocalStore) -> None:
    node = next(node for node in PLAN.nodes.values() if node.kind == "stage")
    store.put(layout.stage_curve(node.key or ""), b'{"curve": [[0, 1.0, 0.1]]}')


def _noise_floor(store: LocalStore) -> None:
    store.put(layout.noise_floor(PLAN.study), b"damaged, and so passed over")


def _removed_trial(store: LocalStore) -> None:
    store.put(f"{layout.trial_folder(PLAN.study, 'gone-s7')}/result.json", b"{}")


@pytest.mark.parametrize(
    "change",
    [
        _scores_written_again,
        _scores_of_another_key,
        _scores_gone,
        _claims_gone,
        _curve,
        _noise_floor,
        _removed_trial,
    ],
)
def test_report_is_built_again_once_something_that_it_rests_on_has_changed(
    change: Callable[[LocalStore], None], store: LocalStore, built: list[Report]
) -> None:
    report_of(STUDY, PLAN, store)
    change(store)
    shown = report_of(STUDY, PLAN, store)
    assert len(built) == 2
    assert shown is built[1]


def test_report_is_built_again_for_other_hypotheses_and_for_other_trials(
    store: LocalStore, built: list[Report]
) -> None:
    report_of(STUDY, PLAN, store)
    report_of(study_of(*CLAIMS[:1]), PLAN, store)
    report_of(STUDY, replace(PLAN, trials=PLAN.trials[:-1]), store)
    assert len(built) == 3


def test_report_is_built_again_for_other_data_of_its_own_and_for_no_others(
    store: LocalStore, built: list[Report]
) -> None:
    report_of(STUDY, PLAN, store)
    report_of(STUDY, replace(PLAN, digests={**PLAN.digests, "source:another-study@1": "0" * 64}), store)
    assert len(built) == 1
    digests = dict.fromkeys(needed_digests(PLAN.trials[0].spec, 0), "0" * 64)
    report_of(STUDY, replace(PLAN, digests=digests), store)
    assert len(built) == 2


def test_report_is_built_again_by_another_version_of_the_program(
    store: LocalStore, built: list[Report], monkeypatch: pytest.MonkeyPatch
) -> None:
    report_of(STUDY, PLAN, store)
    monkeypatch.setattr(kept_report, "program_fingerprint", lambda: "another")
    report_of(STUDY, PLAN, store)
    assert len(built) == 2


@pytest.mark.parametrize("damage", [lambda content: content[: len(content) // 2], lambda content: b"", lambda c: b"{}"])
def test_damaged_kept_report_is_built_again(
    damage: Callable[[bytes], bytes], store: LocalStore, built: list[Report], caplog: pytest.LogCaptureFixture
) -> None:
    report_of(STUDY, PLAN, store)
    name = layout.kept_report(PLAN.study)
    store.put(name, damage(store.get(name)))
    with caplog.at_level(logging.WARNING):
        assert report_of(STUDY, PLAN, store) == built[0]
    assert len(built) == 2


def test_report_is_shown_where_it_cannot_be_kept(store: LocalStore, built: list[Report]) -> None:
    class ReadOnly(LocalStore):
        def put(self, name: str, data: bytes) -> None:
            raise PermissionError(13, "Permission denied")

    assert report_of(STUDY, PLAN, ReadOnly(store.root)) == built[0]


def test_kept_report_has_the_images_of_doubtful_questions(store: LocalStore, monkeypatch: pytest.MonkeyPatch) -> None:
    doubtful = SuspectQuestion(
        Suspect("q1", "image1", "red", ("base",), 1, 0.1, None), None, None, b"\xff\xd8\x00", None
    )
    questions = BenchmarkQuestions("shape", 1, 1, 1, dict.fromkeys(KINDS, 0), 1, (doubtful,), None, None, None)
    monkeypatch.setattr(
        "orchestrator.reporting.build.build_report",
        lambda *arguments: replace(build_report(*arguments), questions=(questions,)),
    )
    first, second = report_of(STUDY, PLAN, store), report_of(STUDY, PLAN, store)
    assert first is not second
    assert second == first
    assert second.questions[0].suspects[0].image_bytes == b"\xff\xd8\x00"


def test_what_shows_a_kept_report_loads_neither_arrow_nor_images_nor_statistics() -> None:
    modules = "orchestrator.run_study, orchestrator.reporting.kept_report, orchestrator.terminal.report"
    script = f"import sys, {modules}; print(*{{'pyarrow', 'PIL', 'scipy'}} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
