"""Claims about what a toy run keeps of what a study asks of the machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from search_spaces.expansion.expand import plan_study
from search_spaces.expansion.toy_resources import Machine
from search_spaces.plan import Plan
from search_spaces.resources import accumulation
from search_spaces.study_files import load_study

REQUEST = (
    "{workers: 8, gpus_per_worker: 1, cpus_per_worker: 6, zero: 3, offload: optimizer, micro_batch: 8,"
    " deepspeed: {zero_optimization: {reduce_bucket_size: 1000000}}, stages: {align: {zero: 2, offload: none}}}"
)
"""A global batch of 256 is 4 micro-batches of each worker, one of 64 a single one."""
NODE = Machine(cpus=96, gpus=8)


def _toy(folder: Path, machine: Machine | None, resources: str = REQUEST) -> Plan:
    path = folder / "asks.yaml"
    path.write_text(
        "study: asks\nbase: {vision: clip-vit-l, language: vicuna-v15-7b, stages: [align, finetune], epochs: 1,"
        " data: llava-v15}\nrecipe: {extends: prismatic, finetune: {global_batch: 64}}\n"
        f"benchmarks: prismatic-12\nresources: {resources}\n"
    )
    return plan_study(load_study(str(path)), toy=True, toy_machine=machine)


def _about_the_machine(plan: Plan) -> list[str]:
    return [note for note in plan.notes if note.startswith("toy: this machine")]


@pytest.mark.parametrize("machine", [None, NODE], ids=["a cluster", "a node"])
def test_toy_keeps_what_the_study_asks_where_it_is_there(tmp_path: Path, machine: Machine | None) -> None:
    plan = _toy(tmp_path, machine)
    finetune, align = plan.arms[0].resources_of("finetune"), plan.arms[0].resources_of("align")
    assert (finetune.workers, finetune.gpus_per_worker) == (8, 1)
    assert (finetune.zero, finetune.offload, align.zero, align.offload) == (3, "optimizer", 2, "none")
    assert finetune.deepspeed == {"zero_optimization": {"reduce_bucket_size": 1_000_000}}
    assert {stage.precision for stage in plan.trials[0].spec.stages} == {"bf16"}
    assert _about_the_machine(plan) == []


@pytest.mark.parametrize("machine", [NODE, Machine(cpus=2, gpus=0)], ids=["a node", "a laptop"])
def test_toy_stage_sums_micro_batches_where_the_stage_does(tmp_path: Path, machine: Machine) -> None:
    plan = _toy(tmp_path, machine)
    stages = {stage.name: stage for stage in plan.trials[0].spec.stages}
    micro_batches = {name: accumulation(stage, plan.arms[0].resources_of(name)) for name, stage in stages.items()}
    assert micro_batches == {"align": 2, "finetune": 1}


def test_toy_on_a_machine_without_gpus_says_in_a_line_what_it_does_not_prove(tmp_path: Path) -> None:
    plan = _toy(tmp_path, Machine(cpus=2, gpus=0))
    arm = plan.arms[0].resources
    assert (arm.workers, arm.gpus_per_worker, arm.zero, arm.offload) == (1, 0, 3, "optimizer")
    assert _about_the_machine(plan) == [
        "toy: this machine has 2 CPUs and no GPU, so nothing is proved of GPUs and groups of 8 workers (here 1)"
    ]


def test_toy_group_on_fewer_gpus_is_the_largest_that_divides_a_batch(tmp_path: Path) -> None:
    plan = _toy(tmp_path, Machine(cpus=96, gpus=7))
    assert (plan.arms[0].resources.workers, plan.arms[0].resources.gpus_per_worker) == (4, 1)
    assert _about_the_machine(plan) == [
        "toy: this machine has 96 CPUs and 7 GPUs, so nothing is proved of groups of 8 workers (here 4)"
    ]


def test_toy_that_fits_a_machine_without_gpus_has_nothing_to_say(tmp_path: Path) -> None:
    plan = _toy(tmp_path, Machine(cpus=2, gpus=0), "{workers: 2}")
    assert plan.arms[0].resources.workers == 2
    assert _about_the_machine(plan) == []


def test_toy_shares_of_a_gpu_are_kept(tmp_path: Path) -> None:
    plan = _toy(tmp_path, Machine(cpus=8, gpus=1), "{workers: 1, gpus_per_worker: 0.25}")
    assert plan.arms[0].resources.gpus_per_worker == 0.25
    assert _about_the_machine(plan) == []
