"""Samples: answered by every arm, kept for the report, and no part of anything that is compared."""

from __future__ import annotations

import html
import io
import json
import shutil
from pathlib import Path

import pytest
from PIL import Image

from orchestrator.analysis.study_scores import StudyScores
from orchestrator.planning.preflight import preflight
from orchestrator.reporting.build import build_report
from orchestrator.reporting.csv_json import to_json
from orchestrator.reporting.html import to_html
from orchestrator.reporting.open_prompts import read_samples
from orchestrator.running.tasks import make_task
from orchestrator.state.ledger import Ledger, read_ledger
from search_spaces.errors import InputError
from search_spaces.expansion.expand import expand_study, plan_expansion, plan_study
from search_spaces.plan import Plan
from search_spaces.study_files import load_study
from trainables.run_trial import run_trial
from trainables.storage import layout
from trainables.storage.spool import read_spool
from trainables.storage.store import LocalStore
from trainables.task import Context

ONE_ARM = ("axes={}", "hypotheses=[]", "seeds=[7]", "benchmarks=[{id: vqav2, source: mini-vqav2}]")


def _toy_plan(*overrides: str) -> Plan:
    return plan_study(load_study("mini", [*ONE_ARM, *overrides]), toy=True)


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> tuple[Plan, LocalStore, Ledger]:
    """The study mini with one arm, at toy size, run in this process."""
    storage = tmp_path_factory.mktemp("samples")
    store, study = LocalStore(storage), load_study("mini", ONE_ARM)
    expansion = expand_study(study, toy=True)
    known = preflight(expansion.specs(), expansion.evaluation_sets, store, storage, lambda line: None)
    plan = plan_expansion(expansion, digests=known.digests, counts=known.counts)
    for trial in plan.trials:
        for _ in run_trial(make_task(plan, trial, known.digests, storage, storage), Context()):
            pass
    return plan, store, read_ledger(plan, store)


def test_every_sample_comes_with_its_image_its_prompt_and_what_each_arm_said(
    done: tuple[Plan, LocalStore, Ledger],
) -> None:
    found = read_samples(*done)
    assert len(found) == 12
    for sample in found:
        assert sample.benchmark == "mini-open"
        assert sample.prompt == "Describe the image."
        assert sample.image_bytes is not None
        assert Image.open(io.BytesIO(sample.image_bytes)).size == (160, 120)
        assert set(sample.answers) == {"base"}
        assert 0 <= sample.answers["base"].score <= 1


def test_samples_are_tracked_apart_and_are_no_part_of_scores(done: tuple[Plan, LocalStore, Ledger]) -> None:
    plan, store, ledger = done
    assert ledger.is_finished
    assert StudyScores.of(plan, store, ledger).benchmarks == ("vqav2",)
    spool = read_spool(store, layout.spool(plan.study, plan.trials[0].id))
    metrics = {name: value for _, line in spool for name, value in line.get("metrics", {}).items()}
    assert {"samples/mini-open/unsupported", "samples/mini-open/words"} <= metrics.keys()
    assert metrics["eval/mean"] == ledger.evaluations[plan.trials[0].id, "vqav2"].points


def test_the_report_shows_every_answer_beside_its_image(done: tuple[Plan, LocalStore, Ledger]) -> None:
    plan, store, ledger = done
    report = build_report(load_study("mini", ONE_ARM), plan, store, ledger)
    page = to_html(report)
    assert page.count('<img src="data:image/jpeg;base64,') == 12
    assert report.open_samples[0].answers["base"].text in html.unescape(page)
    assert len(json.loads(to_json(report))["open_samples"]) == 12


DAMAGES = {
    "cut": lambda content: content[: len(content) // 2],
    "empty": lambda content: b"",
    "none": lambda content: b"{}",
}


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("pattern", ["evaluations/*/mini-open.parquet", "data/*/records.arrow", "data/*/images.arrow"])
def test_the_report_leaves_out_samples_that_cannot_be_read_and_a_warning_names_the_file(
    done: tuple[Plan, LocalStore, Ledger],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    pattern: str,
    damage: str,
) -> None:
    plan, whole, _ = done
    shutil.copytree(whole.root, tmp_path / "copy")
    store = LocalStore(tmp_path / "copy")
    paths = sorted(store.root.glob(pattern))
    for path in paths:
        path.write_bytes(DAMAGES[damage](path.read_bytes()))
    ledger = read_ledger(plan, store)
    report = build_report(load_study("mini", ONE_ARM), plan, store, ledger)
    assert not any(sample.answers for sample in report.open_samples)
    assert any(str(path) in caplog.text for path in paths)


def test_samples_change_no_key(done: tuple[Plan, LocalStore, Ledger]) -> None:
    plan, without = done[0], _toy_plan("samples=[]")
    assert [trial.id for trial in without.trials] == [trial.id for trial in plan.trials]
    assert [one.id for one in plan.benchmarks] == [one.id for one in without.benchmarks]
    assert read_samples(without, done[1], done[2]) == ()


def test_a_trial_without_its_samples_is_not_done(done: tuple[Plan, LocalStore, Ledger]) -> None:
    plan, store, _ = done
    more = _toy_plan("samples=[mini-open, {id: others, source: mini-open}]")
    assert read_ledger(more, store).trials[plan.trials[0].id].state == "half-done"


def test_samples_may_not_be_benchmarks_as_well() -> None:
    with pytest.raises(InputError, match="'vqav2' is twice"):
        _toy_plan("samples=[{id: vqav2, source: mini-vqav2}]")
