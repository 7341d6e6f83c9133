"""Scores by type of question follow the rules of the whole benchmark; types with few questions are counted."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from orchestrator.analysis.examples import Examples
from orchestrator.analysis.signal import CHANCE
from orchestrator.analysis.study_scores import StudyScores
from orchestrator.reporting import type_scores as module
from orchestrator.reporting.build import build_report
from orchestrator.reporting.csv_json import to_csv
from orchestrator.reporting.html import to_html
from orchestrator.reporting.markdown import to_markdown
from orchestrator.reporting.report_model import FEWEST_QUESTIONS, TypeScores
from orchestrator.reporting.type_scores import MOST_TYPES, type_scores
from orchestrator.state.ledger import read_ledger
from search_spaces.plan import Plan
from tests.support.html_page import Page
from tests.support.report_cases import CLAIMS, scores
from tests.support.stored_studies import fail_trial, finish_trial, study_of, two_stage_plan
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


def test_a_type_that_lacks_a_seed_says_so_in_every_view(store: LocalStore, monkeypatch: pytest.MonkeyPatch) -> None:
    planned = two_stage_plan(seeds=(7, 8, 9))
    for trial in planned.trials:
        if (trial.arm, trial.seed) == ("resolution=32px", 9):
            fail_trial(store, planned, trial, "CUDA is gone")
        else:
            finish_trial(store, planned, trial, scores(trial.arm, trial.seed, planned))
    ids = _cell_ids(planned, store)
    two = {name: {"answer_type": "number" if n % 2 else "yes/no"} for n, name in enumerate(ids)}
    monkeypatch.setattr(module, "question_groups", lambda spec, _: two if spec.id == "shape" else {})
    report = build_report(study_of(*CLAIMS), planned, store)
    html, markdown = to_html(report), to_markdown(report)
    by_type = html[html.index('<section id="types">') : html.index("</section>", html.index('<section id="types">'))]
    assert by_type.count("<small>failed (seed 9)</small>") == 2
    in_markdown = markdown[markdown.index("## By type of question") :].partition("\n## ")[0]
    assert in_markdown.count("failed (seed 9)") == 2
    assert "none of these numbers is tested" in in_markdown
    assert "none of these numbers is tested" in by_type
    lines = [line for line in csv.DictReader(io.StringIO(to_csv(report))) if line["type"]]
    of_arm = [(line["kind"], line["type"], line["state"]) for line in lines if line["arm"] == "resolution=32px"]
    assert of_arm.count(("type-score", "answer_type=number", "failed")) == 1
    assert of_arm.count(("type-score", "answer_type=number", "ok")) == 2
    assert of_arm.count(("type-mean", "answer_type=yes/no", "ok")) == 1
    mean = next(line for line in lines if line["kind"] == "type-mean")
    estimate = report.types[0].rows[0].cells[0].estimate
    assert estimate is not None
    assert float(mean["value"]) == pytest.approx(estimate.value, rel=1e-5)
    assert mean["type"] == f"answer_type={report.types[0].types[0]}"


def test_a_way_of_sorting_with_one_type_of_enough_questions_is_named_and_not_shown(
    plan: Plan, store: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = _cell_ids(plan, store)
    lopsided = {name: {"split": "b" if n < RARE else "a", "only": "x"} for n, name in enumerate(ids)}
    monkeypatch.setattr(module, "question_groups", lambda spec, _: lopsided if spec.id == "shape" else {})
    (found,) = _scored(plan, store)
    assert (found.kind, found.types, found.rows, found.types_left_out) == ("split", (), (), 2)
    report = build_report(study_of(*CLAIMS), plan, store)
    said = "Not shown: of its 2 types, fewer than two have 10 questions or more."
    for text in (Page(to_html(report)).text, to_markdown(report)):
        assert "shape by split" in text
        assert said in text


@pytest.mark.usefixtures("groups")
def test_what_needs_no_image_is_scored_on_the_questions_of_each_type(
    plan: Plan, store: LocalStore, groups: dict[str, dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    read = module.read_examples

    def with_priors(path: Path) -> Examples:
        examples = read(path)
        numbers = np.array([groups.get(name, {}).get("answer_type") == "number" for name in examples.ids], float)
        half = np.full(len(examples.ids), 0.5)
        priors = {"best constant answer": numbers, "the same again": numbers, "a coin": half, CHANCE: half}
        return replace(examples, priors=priors)

    monkeypatch.setattr(module, "read_examples", with_priors)
    report = build_report(study_of(*CLAIMS), plan, store)
    (found,) = report.types
    assert found.types == ("number", "yes/no")
    assert [(prior.name, prior.values) for prior in found.priors] == [
        ("best constant answer", (100.0, 0.0)),
        ("a coin", (50.0, 50.0)),
    ]
    assert "| best constant answer | 100.0 | 0.0 |" in to_markdown(report)
    assert "best constant answer 100.0 0.0" in Page(to_html(report)).text
    lines = [line for line in csv.DictReader(io.StringIO(to_csv(report))) if line["kind"] == "type-prior"]
    assert [(line["id"], line["type"], line["value"]) for line in lines[:2]] == [
        ("best constant answer", "answer_type=number", "100"),
        ("best constant answer", "answer_type=yes/no", "0"),
    ]


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
