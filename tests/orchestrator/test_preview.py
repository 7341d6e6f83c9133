"""Claims about orchestrator/preview.py: what a start reads of the scores that storage holds, and what it takes up."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from orchestrator.planning.planned import PlanOptions, RunOptions, expand
from orchestrator.planning.preflight import known_digests
from orchestrator.preview import beside_storage
from orchestrator.reporting import kept_report
from orchestrator.reporting.kept_report import report_of
from orchestrator.running.rehearsals import RehearsalChoice
from orchestrator.state import finished_trials, keep_finished
from orchestrator.state.difference import Difference
from orchestrator.state.ledger import read_ledger
from orchestrator.state.retries import remember_retries
from search_spaces.study_files import load_study
from tests.support.several_studies import StoredStudy, declare, finish
from tests.support.small_records import failure
from trainables.storage import artifacts, layout
from trainables.storage.digests import facts_if_changed
from trainables.storage.record_files import write
from trainables.storage.store import Facts, LocalStore, Store


@dataclass
class FinishedStudy:
    """A finished study on a storage, large enough for its report to be kept."""

    store: LocalStore
    stored: StoredStudy
    read: list[str] = field(default_factory=list)
    """Files whose every byte was read."""

    def start(self, rehearsals: RehearsalChoice = "first") -> Difference:
        """Compare the study with storage, as a run does when it starts."""
        self.read.clear()
        options = RunOptions(PlanOptions(self.store.root, self.store.root / layout.SOURCES), rehearsals=rehearsals)
        study, known = load_study(str(self.stored.file)), known_digests(self.store)
        expansion = expand(study, options.plan, remembers=False)
        selected = [trial.id for trial in self.stored.plan.trials]
        return beside_storage(study, expansion, selected, known, self.store, options).difference

    def report(self) -> None:
        """Show the report of the study."""
        report_of(load_study(str(self.stored.file)), self.stored.plan, self.store)

    def scores(self) -> list[Path]:
        return sorted((self.store.root / "evaluations").rglob("*.parquet"))


@pytest.fixture
def finished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FinishedStudy:
    monkeypatch.setattr(kept_report, "KEPT_FROM_TRIALS", 1)
    (tmp_path / "storage").mkdir()
    store = LocalStore(tmp_path / "storage")
    finished = FinishedStudy(store, declare(store, "large", (4, 6)))
    finish(store, finished.stored.plan)

    def look(store: Store, name: str, digest: str) -> Facts | None:
        finished.read.append(name)
        return facts_if_changed(store, name, digest)

    monkeypatch.setattr(artifacts, "facts_if_changed", look)
    return finished


def change_a_byte(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def rot(file: Path) -> None:
    """Change a byte of a file as a disk does: its times stay what they were."""
    times = file.stat()
    change_a_byte(file)
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))


def test_no_scores_are_read_for_a_finished_study_whose_report_is_kept(finished: FinishedStudy) -> None:
    finished.report()
    assert finished.start().todo.trials == 0
    assert finished.read == []


def test_all_scores_are_read_where_the_report_will_read_them(finished: FinishedStudy) -> None:
    assert finished.start().todo.trials == 0
    assert {name.rpartition("/")[2] for name in finished.read} == {file.name for file in finished.scores()}


@pytest.mark.parametrize("reports_before", [True, False])
def test_scores_that_were_changed_are_made_again_also_after_a_report_that_names_them(
    finished: FinishedStudy, reports_before: bool
) -> None:
    finished.report()
    change_a_byte(finished.scores()[0])
    if reports_before:
        finished.report()
    assert finished.start().todo.evaluations == 1


def test_a_result_of_an_evaluation_that_rotted_behind_the_record_of_finished_trials_is_made_again(
    finished: FinishedStudy, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (finished_trials, keep_finished):
        monkeypatch.setattr(module, "KEPT_FROM_TRIALS", 1)
    for file in (path for path in finished.store.root.rglob("*") if path.is_file()):
        os.utime(file, (1e9, 1e9))
    plan, store = finished.stored.plan, finished.store
    keep_finished.keep_finished(plan, read_ledger(plan, store), store)
    rot(finished.scores()[0].with_suffix(".json"))
    assert read_ledger(plan, store).kept == {trial.id for trial in plan.trials}
    assert finished.start().todo.evaluations == 1


def test_a_trial_that_failed_twice_alike_is_rehearsed_where_nothing_else_is_done(finished: FinishedStudy) -> None:
    plan, store = finished.stored.plan, finished.store
    trial = plan.trials[0].id
    store.remove(layout.trial_result(plan.study, trial))
    write(store, layout.trial_failure(plan.study, trial), failure(trial, kind="error", message="no luck"))
    remember_retries(plan, read_ledger(plan, store), store)
    assert [change.id for change in finished.start().trials if change.left_alone] == [trial]
    assert [change.id for change in finished.start("only").trials if change.is_run] == [trial]
