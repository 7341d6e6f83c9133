"""Claims about what a plan says of memory, hours and disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from orchestrator.planning.estimates import Assumptions, refuse_beyond_budget, used_gpus
from orchestrator.planning.plan_json import plan_json
from orchestrator.terminal.plan import plan_view
from search_spaces.catalogue.load import shipped
from search_spaces.errors import InputError
from search_spaces.expansion.expand import plan_study
from search_spaces.plan import Plan
from search_spaces.study_files import load_study
from tests.support.terminal_text import shown

STUDY = """\
study: seven
base: {vision: clip-vit-l-336px, language: vicuna-v15-7b, stages: [align, finetune], epochs: 1, data: llava-v15}
recipe: prismatic
resources: prismatic-7b-8x80gb
axes: {epochs: [1, 2]}
"""


def _plan(folder: Path, text: str = STUDY) -> Plan:
    (folder / "study.yaml").write_text(text)
    return plan_study(load_study(str(folder / "study.yaml")))


def _stages(plan: Plan, assumed: Assumptions) -> dict[str, dict[str, Any]]:
    return {stage["name"]: stage for stage in plan_json(plan, assumed)["stages"]}


def _shown(plan: Plan, assumed: Assumptions) -> str:
    return shown(lambda console: console.print(plan_view(plan, assumed)))


def test_json_tells_parameters_memory_by_part_disk_operations_and_hours(tmp_path: Path) -> None:
    stages = _stages(_plan(tmp_path), Assumptions("a100"))
    finetune = stages["finetune"]
    assert finetune["parameters"]["modules"]["projector"] == 20_979_712
    assert stages["align"]["parameters"]["trained"] == 20_979_712
    memory = finetune["memory"]
    assert memory["total"] == sum(size for part, size in memory.items() if part not in ("total", "host"))
    assert finetune["fits"] is True
    assert finetune["disk"]["handed_on"] == 2 * finetune["parameters"]["trained"]
    assert finetune["batch"] == {"global": 128, "micro": 4, "accumulation": 4, "workers": 8}


def test_every_shipped_preset_fits_the_gpu_that_its_name_promises(tmp_path: Path) -> None:
    for preset, language, gpu in (
        ("prismatic-7b-8x80gb", "vicuna-v15-7b", "a100"),
        ("prismatic-7b-8x80gb-offload", "vicuna-v15-7b", "a100"),
        ("prismatic-7b-1x80gb", "vicuna-v15-7b", "a100"),
        ("prismatic-7b-8x40gb", "vicuna-v15-7b", "a100-40gb"),
        ("prismatic-13b-8x80gb", "vicuna-v15-13b", "h100"),
        ("prismatic-13b-8x80gb-offload", "vicuna-v15-13b", "h100"),
    ):
        text = STUDY.replace("prismatic-7b-8x80gb", preset).replace("vicuna-v15-7b", language)
        text = text.replace("stages: [align, finetune]", "stages: [align, full-finetune]")
        assert all(stage["fits"] for stage in _stages(_plan(tmp_path, text), Assumptions(gpu)).values()), preset


def test_a_stage_that_does_not_fit_is_marked_and_the_nearest_fitting_change_is_named(tmp_path: Path) -> None:
    plan = _plan(tmp_path, STUDY.replace("prismatic-7b-8x80gb", "{preset: prismatic-7b-8x80gb, micro_batch: 16}"))
    stage = _stages(plan, Assumptions("a100-40gb"))["finetune"]
    assert stage["fits"] is False
    assert "the nearest that fits: " in stage["note"]
    assert f"note: finetune: {stage['note']}" in _shown(plan, Assumptions("a100-40gb")).replace("\n", " ")


def test_a_gpu_without_bf16_is_named_when_the_study_is_planned(tmp_path: Path) -> None:
    stage = _stages(_plan(tmp_path), Assumptions("v100"))["finetune"]
    assert stage["gpu_hours"] is None
    assert "v100 has no bf16" in stage["note"]


def test_assumptions_are_shown_beside_what_rests_on_them(tmp_path: Path) -> None:
    plan = _plan(tmp_path)
    assumed = Assumptions("a100", mfu=0.4, text_tokens=300)
    assert "if a100 reaches 40% of its peak and a text has 300 tokens" in _shown(plan, assumed)
    assert plan_json(plan, assumed)["assumptions"] == {"gpu": "a100", "mfu": 0.4, "text_tokens": 300}
    of_catalogue = {gpu: plan_json(plan, Assumptions(gpu))["assumptions"]["mfu"] for gpu in ("a100", "h100")}
    assert of_catalogue == {gpu: shipped().gpus[gpu].reached for gpu in of_catalogue}
    assert of_catalogue["h100"] < of_catalogue["a100"]  # a higher peak is harder to reach
    with pytest.raises(InputError, match=r"must be one of .*h100"):
        Assumptions.of("h10", None, None)


def test_hours_grow_with_the_positions_that_padding_adds(tmp_path: Path) -> None:
    few, many = (
        _stages(_plan(tmp_path, STUDY.replace("prismatic-7b-8x80gb", resources)), Assumptions("a100"))["finetune"]
        for resources in ("prismatic-7b-8x80gb", "{preset: prismatic-7b-8x80gb, micro_batch: 16}")
    )
    assert 1 < few["padding"] < many["padding"]
    assert many["gpu_hours"] / few["gpu_hours"] == pytest.approx(many["padding"] / few["padding"])


def test_a_shared_stage_is_counted_once_in_hours_and_on_disk(tmp_path: Path) -> None:
    document = plan_json(_plan(tmp_path), Assumptions("a100"))
    stages = document["stages"]
    assert len(stages) == 3
    assert document["totals"]["gpu_hours"] == pytest.approx(sum(stage["gpu_hours"] for stage in stages))
    left = sum(stage["disk"]["handed_on"] for stage in stages)
    written = 3 * max(stage["disk"]["step_checkpoint"] for stage in stages)
    assert document["totals"]["peak_disk_bytes"] == left + written


def test_models_of_unknown_shape_are_unknown_not_guessed(tmp_path: Path) -> None:
    own = "languages: {mine: {family: llama, checkpoint: 'path:x', prompt: pure, width: 4096}}\n"
    plan = _plan(tmp_path, STUDY.replace("vicuna-v15-7b", "mine") + own)
    stage = _stages(plan, Assumptions())["finetune"]
    assert stage["parameters"] is stage["memory"] is stage["gpu_hours"] is None
    assert plan_json(plan)["totals"]["peak_disk_bytes"] is None
    assert "Memory and cost are unknown" in _shown(plan, Assumptions())


@pytest.mark.parametrize(("budget_gb", "is_refused"), [(None, False), (10_000, False), (1, True)])
def test_a_plan_whose_peak_is_beyond_its_disk_budget_is_refused(
    tmp_path: Path, budget_gb: int | None, is_refused: bool
) -> None:
    text = STUDY if budget_gb is None else f"{STUDY}storage: {{budget_gb: {budget_gb}}}\n"
    plan = _plan(tmp_path, text)
    assert plan_json(plan)["totals"]["disk_budget_bytes"] == (budget_gb and budget_gb * 10**9)
    if is_refused:
        with pytest.raises(InputError, match=r"storage\.budget_gb: must be at least .* GB .* but is 1 GB"):
            refuse_beyond_budget(plan)
    else:
        refuse_beyond_budget(plan)


def test_a_disk_budget_moves_no_key(tmp_path: Path) -> None:
    with_budget = _plan(tmp_path, f"{STUDY}storage: {{budget_gb: 10000}}\n")
    without = _plan(tmp_path, STUDY)
    assert [trial.id for trial in with_budget.trials] == [trial.id for trial in without.trials]
    assert {name: node.key for name, node in with_budget.nodes.items()} == {
        name: node.key for name, node in without.nodes.items()
    }


@pytest.mark.parametrize(
    ("axis", "first", "second"),
    [
        ("recipe.finetune.optimizer.lr", "1e-4", "2e-4"),
        ("recipe.finetune.optimizer.kind", "adamw", "sgd"),
        ("recipe.finetune.schedule.kind", "cosine", "constant"),
        ("recipe.finetune.trains", "[projector]", "[projector, language]"),
        ("recipe.finetune.global_batch", "128", "256"),
        ("recipe.finetune.precision", "bf16", "fp32"),
        ("recipe.finetune.activation_checkpointing", "true", "false"),
        ("recipe.finetune.lora", "{rank: 8, alpha: 16}", "{rank: 16, alpha: 16}"),
        ("max_steps", "1", "1000"),
        ("language", "vicuna-v15-7b", "vicuna-v15-13b"),
        ("vision", "clip-vit-l-336px", "siglip-vit-so400m"),
        ("data", "llava-v15", "llava-lvis4v"),
    ],
)
def test_stages_that_differ_in_one_field_take_what_each_takes_alone(
    tmp_path: Path, axis: str, first: str, second: str
) -> None:
    """Stages that take the same share an estimate: nothing that takes something may be left out of the comparison."""
    both = plan_json(_plan(tmp_path, STUDY.replace("{epochs: [1, 2]}", f"{{{axis}: [{first}, {second}]}}")))
    for value in (first, second):
        alone = plan_json(_plan(tmp_path, STUDY.replace("{epochs: [1, 2]}", f"{{{axis}: [{value}]}}")))
        assert {stage["id"]: _taken(stage) for stage in alone["stages"]}.items() <= {
            stage["id"]: _taken(stage) for stage in both["stages"]
        }.items()


def _taken(stage: dict[str, Any]) -> dict[str, Any]:
    return {
        name: stage[name]
        for name in ("parameters", "memory", "disk", "operations_per_record", "padding", "gpu_hours", "note")
    }


SMALL = """\
study: small
base:
  vision: {backbone: efficientnet-lite0, resolution: 64, resize: naive}
  language: llama-2x96
  stages: [finetune]
  data: easy-vqa-1500
recipe: quickstart
resources: {workers: 1, gpus_per_worker: SHARE}
"""


@pytest.mark.parametrize(("share", "fits"), [(1, True), (0.25, True), (0.05, False)])
def test_a_worker_with_a_part_of_a_gpu_has_that_part_of_its_memory(share: float, fits: bool, tmp_path: Path) -> None:
    plan = _plan(tmp_path, SMALL.replace("SHARE", str(share)))
    (stage,) = _stages(plan, Assumptions("a100")).values()
    assert stage["fits"] is fits, stage
    if not fits:
        needs = stage["memory"]["total"] / shipped().gpus["a100"].memory_bytes
        held = float(stage["note"].partition("`gpus_per_worker: ")[2].partition("`")[0])
        assert needs <= held < needs + 0.01
        assert "of a100's 4 at gpus_per_worker 0.05; " in stage["note"]


def test_a_stage_that_asks_for_a_kind_of_gpu_is_estimated_for_it(tmp_path: Path) -> None:
    text = SMALL.replace("gpus_per_worker: SHARE", "gpus_per_worker: 1, accelerator: A100")
    for_any, asked = _plan(tmp_path, SMALL.replace("SHARE", "1")), _plan(tmp_path, text)
    (named,) = _stages(for_any, Assumptions("a100")).values()
    (chosen,) = _stages(asked, Assumptions("h100")).values()
    assert chosen["gpu_hours"] == named["gpu_hours"]
    (there,) = _stages(asked, Assumptions("h100", there=("h100", "a100-40gb"))).values()
    (smaller,) = _stages(for_any, Assumptions("a100-40gb")).values()
    assert there["gpu_hours"] == smaller["gpu_hours"]


def test_the_gpus_that_hours_are_for_are_named_each_with_what_it_reaches(tmp_path: Path) -> None:
    plan = _plan(tmp_path, SMALL.replace("gpus_per_worker: SHARE", "gpus_per_worker: 1, accelerator: A100"))
    assert [each.gpu for each in used_gpus(plan, Assumptions("h100"))] == ["a100"]
    assert [each.gpu for each in used_gpus(_plan(tmp_path, SMALL.replace("SHARE", "1")), Assumptions("h100"))] == [
        "h100"
    ]
