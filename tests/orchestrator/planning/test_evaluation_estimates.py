"""Claims about what a plan says of the memory of evaluations."""

from __future__ import annotations

from pathlib import Path

import pytest

from cluster.evaluation_memory import evaluation_memory
from cluster.memory import stage_memory
from orchestrator.planning.estimates import Assumptions
from orchestrator.planning.evaluation_estimates import evaluation_estimates
from orchestrator.planning.plan_json import plan_json
from orchestrator.terminal.plan import plan_view
from search_spaces.catalogue.load import shipped
from search_spaces.expansion.expand import plan_study
from search_spaces.plan import Plan
from search_spaces.resources import resolve_resources
from search_spaces.study_files import load_study, shipped_studies
from tests.support.terminal_text import shown

GPUS = {"80gb": "h100", "40gb": "a100-40gb"}
"""End of a preset's name -> a GPU with as much memory as it promises; of two, the one with less."""

KINDS = {"base": "v100", "other": "h100"}
"""Arm -> the GPU of the kind that it asks for."""

STUDY = """\
study: seven
base: {vision: clip-vit-l-336px, language: vicuna-v15-7b, stages: [finetune], epochs: 1, data: llava-v15}
recipe: prismatic
resources: prismatic-7b-8x80gb
benchmarks: prismatic-12
"""


def _plan(folder: Path, language: str = "vicuna-v15-7b") -> Plan:
    (folder / "study.yaml").write_text(STUDY.replace("vicuna-v15-7b", language))
    return plan_study(load_study(str(folder / "study.yaml")))


@pytest.mark.parametrize("preset", list(shipped().resources))
def test_whatever_trains_under_a_shipped_preset_evaluates_under_it(preset: str) -> None:
    gpu = shipped().gpus[next(gpu for size, gpu in GPUS.items() if size in preset)]
    trained = 0
    for name in shipped_studies():
        if not name.startswith("prismatic"):
            continue
        study = load_study(name)
        plan = plan_study(study)
        resources = resolve_resources(study, shipped(), {"preset": preset})
        specs = {trial.arm: trial.spec for trial in plan.trials}
        for arm in plan.arms:
            assert arm.size is not None
            spec, longest = specs[arm.name], specs[arm.name].language.max_length
            stages = [stage_memory(arm.size, stage, resources.of(stage.name), longest, False) for stage in spec.stages]
            if all(memory.total <= gpu.memory_bytes for memory in stages):
                trained += 1
                evaluation = evaluation_memory(arm.size, spec.stages[-1], resources.arm, cached=False)
                assert evaluation.total <= gpu.memory_bytes, f"{arm.name}: {evaluation}"
    assert trained > 40


def test_an_evaluation_that_does_not_fit_is_marked_and_says_what_it_needs(tmp_path: Path) -> None:
    plan, assumed = _plan(tmp_path, "vicuna-v15-13b"), Assumptions("a100-40gb")
    estimate = evaluation_estimates(plan, assumed)["base"]
    assert estimate is not None
    assert estimate.fits is False
    text = shown(lambda console: console.print(plan_view(plan, assumed))).replace("\n", " ")
    assert f"note: evaluation: {estimate.note}" in text
    assert f"{estimate.memory.total / 1e9:,.1f}!" in text


def test_json_tells_the_memory_of_each_arms_evaluation_by_part(tmp_path: Path) -> None:
    evaluation = plan_json(_plan(tmp_path), Assumptions("a100-40gb"))["arms"][0]["evaluation"]
    memory = evaluation["memory"]
    assert evaluation["fits"] is True
    assert memory["total"] == sum(size for part, size in memory.items() if part not in ("total", "host"))
    assert evaluation["positions"] == 16_384


def test_evaluations_of_models_of_unknown_shape_are_unknown(tmp_path: Path) -> None:
    own = "languages: {mine: {family: llama, checkpoint: 'path:x', prompt: pure, width: 4096}}\n"
    (tmp_path / "own.yaml").write_text(STUDY.replace("vicuna-v15-7b", "mine") + own)
    plan = plan_study(load_study(str(tmp_path / "own.yaml")))
    assert evaluation_estimates(plan, Assumptions()) == {"base": None}
    assert plan_json(plan)["arms"][0]["evaluation"] is None


def test_arms_of_one_size_on_gpus_of_two_kinds_are_estimated_each_for_its_own(tmp_path: Path) -> None:
    text = STUDY.replace(
        "resources: prismatic-7b-8x80gb", "resources: {preset: prismatic-7b-8x80gb, accelerator: V100}"
    )
    arms = "arms:\n  other: {epochs: 2, resources: {accelerator: H100}}\n"
    (tmp_path / "study.yaml").write_text(f"{text}{arms}".replace("vicuna-v15-7b", "vicuna-v15-13b"))
    plan = plan_study(load_study(str(tmp_path / "study.yaml")))
    each = evaluation_estimates(plan, Assumptions())
    needs = {name: estimate.memory.total for name, estimate in each.items() if estimate is not None}
    assert needs["base"] == needs["other"]
    fits = {name: estimate.fits for name, estimate in each.items() if estimate is not None}
    assert fits == {name: needs[name] <= shipped().gpus[gpu].memory_bytes for name, gpu in KINDS.items()}
    assert set(fits.values()) == {True, False}
