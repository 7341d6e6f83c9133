"""Claims about when a study is asked blind: where it says so, or where evaluation is known to be cheap."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.planning.planned import PlanOptions, expand, plan
from orchestrator.planning.preflight import Digests
from orchestrator.terminal.plan import plan_view
from search_spaces.plan import BlindRun, Plan
from search_spaces.study_files import load_study
from tests.support.terminal_text import shown

STUDY = """\
study: seven
base: {{vision: clip-vit-l-336px, language: vicuna-v15-7b, stages: [finetune], epochs: 1, data: llava-v15}}
recipe: prismatic
resources: {resources}
benchmarks: [gqa]
"""
GPUS, CPUS = "prismatic-7b-8x80gb", "{workers: 1}"
QUESTIONS, IMAGES = 12_578, 398


def _plan(folder: Path, resources: str = GPUS, added: str = "", images: int | None = IMAGES, times: int = 1) -> Plan:
    (folder / "study.yaml").write_text(STUDY.format(resources=resources) + added)
    study = load_study(str(folder / "study.yaml"))
    options = PlanOptions(storage=folder / "store", data=folder)
    counts = {"records": times * QUESTIONS, "text_only": 0, "images": images, "tags": {}}
    expansion = expand(study, options)
    known = {
        f'source:{benchmark.source.declared}?{{"benchmark":"gqa"}}': counts
        for benchmark in expansion.checked.benchmarks
    }
    return plan(expansion, options, Digests({}, known))


def _names(run: BlindRun) -> list[str]:
    return [asked.name for asked in run.sets]


def test_study_of_cheap_evaluation_is_asked_blind_unasked_and_plan_says_why(tmp_path: Path) -> None:
    planned = _plan(tmp_path)
    assert _names(planned.blind) == ["gqa@blank", "gqa@swapped"]
    assert not planned.blind.is_declared
    line = shown(lambda console: console.print(plan_view(planned)), width=200)
    assert "Blind run: on; evaluation takes about 0." in line
    assert "(`blind: false` turns it off)" in line


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"resources": CPUS}, "without GPUs there is no estimate of what evaluation costs"),
        ({"images": None}, "this is settled once the images of gqa are counted"),
        ({"times": 90}, "and from 10% on only a study that declares it is asked blind"),
        ({"added": "blind: false\n"}, "the study says so"),
    ],
    ids=["no GPUs", "not counted", "dear", "declared off"],
)
def test_study_is_not_asked_blind_where_that_is_dear_or_unknown_or_refused(
    tmp_path: Path, changes: dict[str, object], reason: str
) -> None:
    planned = _plan(tmp_path, **changes)  # type: ignore[arg-type]
    assert planned.blind.sets == ()
    assert reason in planned.blind.reason


def test_declared_blind_run_is_made_whatever_it_costs(tmp_path: Path) -> None:
    planned = _plan(tmp_path, CPUS, "blind: true\n")
    assert _names(planned.blind) == ["gqa@blank", "gqa@swapped"]
    assert planned.blind.is_declared
    assert [asked.id for asked in planned.required_sets] == ["gqa"] * 3


def test_benchmark_without_images_is_not_asked_blind(tmp_path: Path) -> None:
    assert _plan(tmp_path, added="blind: true\n", images=0).blind.sets == ()


def test_the_kind_of_gpu_changes_nothing_of_what_is_asked(tmp_path: Path) -> None:
    any_kind, asked = (
        _plan(tmp_path),
        _plan(tmp_path, GPUS.replace("gpus_per_worker: 1", "gpus_per_worker: 1, accelerator: H20")),
    )
    assert asked.blind == any_kind.blind
