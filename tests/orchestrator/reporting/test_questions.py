"""The report says what the questions tell of the arms, and shows doubtful labels with question, label and image."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from orchestrator.analysis.item_analysis import Suspect
from orchestrator.analysis.study_questions import judge_questions
from orchestrator.planning.preflight import preflight
from orchestrator.reporting.build import build_report
from orchestrator.reporting.csv_json import to_json
from orchestrator.reporting.html import to_html
from orchestrator.reporting.markdown import to_markdown
from orchestrator.reporting.question_tables import COLUMNS, questions_csv, questions_json
from orchestrator.reporting.questions import with_images
from orchestrator.state.ledger import read_ledger
from search_spaces.expansion.expand import expand_study, plan_expansion
from search_spaces.identity import source_name
from search_spaces.spec import BenchmarkSpec
from search_spaces.study_files import load_study
from tests.support.html_page import Page
from tests.support.stored_studies import finish_trial, study_of, two_stage_plan
from tests.support.tiny_specs import source
from trainables.data.prepare import prepare_source
from trainables.data.prepared import PreparedSource
from trainables.evaluation.questions import open_questions
from trainables.evaluation.selected_examples import open_examples
from trainables.storage import layout
from trainables.storage.record_files import write
from trainables.storage.records import DigestCache, SourceDigest
from trainables.storage.store import LocalStore


@pytest.fixture
def finished(store: LocalStore) -> LocalStore:
    """Six arms of two seeds; nobody scores on the first question, where all say the same."""
    plan = two_stage_plan((512, 256, 128, 64, 32, 16), (7, 8), ("shape",))
    levels = {arm: 0.5 + 0.08 * i for i, arm in enumerate(dict.fromkeys(trial.arm for trial in plan.trials))}
    for trial in plan.trials:
        hard = np.random.default_rng(1).permutation(399) + 1
        scores = np.zeros(400)
        scores[hard[: round(levels[trial.arm] * 400)]] = 1
        finish_trial(store, plan, trial, {"shape": scores})
    return store


PLAN = two_stage_plan((512, 256, 128, 64, 32, 16), (7, 8), ("shape",))


def test_every_view_counts_silent_questions_and_names_doubtful_labels(finished: LocalStore) -> None:
    report = build_report(study_of(), PLAN, finished)
    questions = report.questions[0]
    assert questions.counts["nobody"] >= 1
    assert questions.suspects[0].suspect.answer == "no"
    sentence = f"all trials score alike on {questions.counts['everybody']}, and 0 on {questions.counts['nobody']}"
    for text in (Page(to_html(report)).text, to_markdown(report)):
        assert sentence in " ".join(text.split())
        assert "best arms say 'no'" in text
    stored = json.loads(to_json(report))["questions"][0]
    assert stored["suspects"][0]["suspect"]["id"] == questions.suspects[0].suspect.id
    assert stored["informative"]["check"]["n_arms"] == 3


def test_tables_for_programs_have_every_question(finished: LocalStore) -> None:
    judged = tuple(judge_questions(PLAN, finished, read_ledger(PLAN, finished)))
    rows = list(csv.DictReader(io.StringIO(questions_csv(judged))))
    assert len(rows) == 400
    assert set(rows[0]) == set(COLUMNS)
    assert sum(row["informative"] == "1" for row in rows) == 100
    benchmark = questions_json(judged, "s")["benchmarks"][0]
    assert len(benchmark["questions"]) == 400
    assert next(row["discrimination"] for row in benchmark["questions"] if row["kind"] == "nobody") is None
    assert len(benchmark["informative"]["ids"]) == 100


def test_doubtful_label_comes_with_its_question_its_label_and_its_image(finished: LocalStore, tmp_path: Path) -> None:
    study = load_study(
        "mini", ("axes={}", "hypotheses=[]", "seeds=[7]", "benchmarks=[{id: vqav2, source: mini-vqav2}]")
    )
    store, expansion = LocalStore(tmp_path), expand_study(study, toy=True)
    known = preflight(expansion.specs(), expansion.evaluation_sets, store, tmp_path, lambda line: None)
    spec = plan_expansion(expansion, digests=known.digests, counts=known.counts).samples[0]
    example = open_examples(spec, PreparedSource(store, known.digests[source_name(spec.source)])).examples[5]
    doubtful = Suspect(example.id, example.cluster, "blue", ("a", "b", "c"), 3, 0.1, None)
    question = next(iter(with_images([doubtful], spec, store)))
    assert question.prompt == "Describe the image."
    assert question.label
    assert question.image_bytes is not None
    assert Image.open(io.BytesIO(question.image_bytes)).size == (160, 120)
    report = build_report(study_of(), PLAN, finished)
    shown = replace(report, questions=(replace(report.questions[0], suspects=(question,)),))
    page = to_html(shown)
    assert 'src="data:image/jpeg;base64,' in page[page.index('id="questions"') :]
    assert "Describe the image." in Page(page).text
    assert json.loads(to_json(shown))["questions"][0]["suspects"][0]["image_bytes"] is None


def test_doubtful_label_of_a_closed_set_of_answers_comes_with_its_question_and_its_image(tmp_path: Path) -> None:
    store, spec = LocalStore(tmp_path), BenchmarkSpec(id="colours", source=source("test", records=20, tags="color"))
    digest, counts = prepare_source(spec.source, store, tmp_path)
    write(store, layout.DIGESTS, DigestCache({source_name(spec.source): SourceDigest("signature", digest, counts)}))
    record = open_questions(spec, PreparedSource(store, digest)).examples[3]
    doubtful = Suspect(record.id, record.cluster, "no colour", ("a", "b", "c"), 3, 0.1, None)
    (question,) = with_images([doubtful], spec, store)
    assert (question.prompt, question.label) == (record.question, record.reference)
    assert question.image_bytes is not None
