"""Scores by type of question follow the rules of the whole benchmark; types with few questions are counted."""

from __future__ import annotations

import numpy as np
import pytest

from orchestrator.analysis.study_scores import StudyScores
from orchestrator.reporting import type_scores as module
from orchestrator.reporting.build import build_report
from orchestrator.reporting.html import to_html
from orchestrator.reporting.markdown import to_markdown
from orchestrator.reporting.report_model import TypeScores
from orchestrator.reporting.type_scores import FEWEST_QUESTIONS, MOST_TYPES, type_scores
from orchestrator.state.ledger import read_ledger
from search_spaces.plan import Plan
from tests.support.html_page import Page
from tests.support.report_cases import CLAIMS, scores
from tests.support.stored_studies import finish_trial, study_of, two_stage_plan
from trainables.storage.store import LocalStore

RARE = FEWEST_QUESTIONS - 1


@pytest.fixture
def plan(store: LocalStore) -> Plan:
    """A finished study of three arms with three seeds on two benchmarks."""
    planned = two_stage_plan(seeds=(7, 8, 9))
    for trial in planned.trials:
        finish_trial(store, planned, trial, scores(trial.arm, trial.seed, planned))
    return planned


@pytest.fixture
def groups(monkeypatch: pytest.MonkeyPatch, plan: Plan, store: LocalStore) -> dict[str, dict[str, str]]:
    """Questions of `shape` in three types, one of which is rare; those of `colour` in one."""
    ids = _cell_ids(plan, store)
    sorted_ids = {
        name: {"answer_type": "other" if n < RARE else "number" if n % 3 else "yes/no"} for n, name in enumerate(ids)
    }
    monkeypatch.setattr(
        module,
        "question_groups",
        lambda spec, _: sorted_ids if spec.id == "shape" else {name: {"split": "a"} for name in ids},
    )
    return sorted_ids


def _cell_ids(plan: Plan, store: LocalStore) -> list[str]:
    scored = StudyScores.of(plan, store, read_ledger(plan, store))
    cell = scored.scores.cell("base", 7, "shape")
    assert cell is not None
    return list(cell.frame.ids)


def _scored(plan: Plan, store: LocalStore) -> tuple[TypeScores, ...]:
    ledger = read_ledger(plan, store)
    return type_scores(plan, plan.arms, store, ledger, StudyScores.of(plan, store, ledger))


@pytest.mark.usefixtures("groups")
def test_types_are_those_with_enough_questions_and_the_others_are_counted(plan: Plan, store: LocalStore) -> None:
    (found,) = _scored(plan, store)
    assert (found.benchmark, found.kind, found.types_left_out) == ("shape", "answer_type", 1)
    assert found.types == ("number", "yes/no")
    assert found.sizes[0] > found.sizes[1] >= FEWEST_QUESTIONS


def test_a_score_of_a_type_is_the_mean_of_its_questions_with_an_interval_over_seeds_and_images(
    plan: Plan, store: LocalStore, groups: dict[str, dict[str, str]]
) -> None:
    (found,) = _scored(plan, store)
    ledger = read_ledger(plan, store)
    for kind, cell in zip(found.types, found.rows[0].cells, strict=True):
        by_seed = []
        for trial in plan.trials:
            if trial.arm == "base":
                examples = module.read_examples(module.verified_examples(store, ledger.evaluations[trial.id, "shape"]))
                mine = [groups[name]["answer_type"] == kind for name in examples.ids]
                by_seed.append(100 * np.mean(examples.scores[mine]))
        assert list(cell.by_seed.values()) == pytest.approx(by_seed)
        assert cell.estimate is not None
        assert cell.estimate.value == pytest.approx(np.mean(by_seed))
        assert cell.estimate.scope == "recipe"
        assert cell.estimate.n_examples == found.sizes[found.types.index(kind)]


@pytest.mark.usefixtures("groups")
def test_the_report_shows_each_type_with_its_number_of_questions(plan: Plan, store: LocalStore) -> None:
    report = build_report(study_of(*CLAIMS), plan, store)
    page = Page(to_html(report)).text
    assert "By type of question" in page
    assert "shape by answer type" in page
    assert f"number n {report.types[0].sizes[0]:,}" in page
    assert "1 type with fewer questions is not shown." in page
    assert f"| arm | number (n {report.types[0].sizes[0]}) |" in to_markdown(report)


def test_without_prepared_data_there_are_no_types(plan: Plan, store: LocalStore) -> None:
    assert _scored(plan, store) == ()
    assert "By type of question" not in to_html(build_report(study_of(*CLAIMS), plan, store))


def test_of_many_types_those_with_the_most_questions_are_shown(
    plan: Plan, store: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = _cell_ids(plan, store)
    many = MOST_TYPES + 3
    sorted_ids = {name: {"question_type": f"type {n % many:02}"} for n, name in enumerate(ids)}
    monkeypatch.setattr(module, "question_groups", lambda spec, _: sorted_ids if spec.id == "shape" else {})
    (found,) = _scored(plan, store)
    assert len(found.types) == MOST_TYPES
    assert found.types_left_out == 3
    assert list(found.sizes) == sorted(found.sizes, reverse=True)


def test_of_kinds_that_sort_the_questions_alike_the_first_is_shown_and_questions_that_do_not_count_are_left_out(
    plan: Plan, store: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = _cell_ids(plan, store)
    both = {
        name: {"answer_type": "other" if n % 2 else "unanswerable", "answerable": "yes" if n % 2 else "no"}
        for n, name in enumerate(ids)
    }
    dropped = {f"dropped-{n}": {"answer_type": "dropped", "answerable": "dropped"} for n in range(50)}
    monkeypatch.setattr(module, "question_groups", lambda spec, _: {**both, **dropped} if spec.id == "shape" else {})
    (found,) = _scored(plan, store)
    assert (found.kind, set(found.types), sum(found.sizes)) == ("answer_type", {"other", "unanswerable"}, len(ids))
