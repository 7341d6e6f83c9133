"""Claims about expansion: which arms and trials a study has, what they share, and what is refused."""

from __future__ import annotations

from pathlib import Path

from search_spaces.expansion.expand import plan_study
from search_spaces.identity import fingerprint
from search_spaces.study_files import load_study
from tests.support.small_studies import BASE, arm_names, plan_of, stage_nodes


def test_entries_of_the_study_are_used_and_may_hide_shipped_ones(tmp_path: Path) -> None:
    own = """\
sources: {mine: {reader: parquet, path: mine, records: 256, images: 256}}
mixes: {llava-v15: {parts: [{source: mine}]}}
languages: {vicuna-v15-7b: {family: llama, checkpoint: "path:vicuna", prompt: vicuna-v15, width: 4096}}
backbones:
  tiny: {arch: test_vit, family: vit, resolution: 160, patch: 16, width: 64, mean: [0.5, 0.5, 0.5], std: [1, 1, 1]}
suites: {two: [gqa, {id: my-set, source: mine, sample: 10}]}
benchmarks: two
axes: {b: {x: {vision: {backbone: tiny, weights: random}}}}
"""
    plan = plan_of(tmp_path, BASE + own)
    assert plan.trials[0].spec.language.checkpoint == "path:vicuna"
    assert [node.steps for node in stage_nodes(plan)] == [2, 2]
    assert [benchmark.id for benchmark in plan.benchmarks] == ["gqa", "my-set"]
    assert plan.trials[1].spec.vision.arch == "test_vit"


def test_trials_come_arm_by_arm_with_the_base_first(tmp_path: Path) -> None:
    text = BASE + "axes: {epochs: [2]}\nseeds: {default: [7, 8], base: [7, 8, 9]}\n"
    plan = plan_of(tmp_path, text)
    assert [(trial.arm, trial.seed) for trial in plan.trials] == [
        ("base", 7),
        ("base", 8),
        ("base", 9),
        ("epochs=2", 7),
        ("epochs=2", 8),
    ]


def test_limit_keeps_the_first_trials_and_what_they_need(tmp_path: Path) -> None:
    text = BASE + "axes: {epochs: [2, 3]}\nseeds: [7, 8]\n"
    whole, part = plan_of(tmp_path, text), plan_of(tmp_path, text, limit=3)
    assert [trial.id for trial in part.trials] == [trial.id for trial in whole.trials[:3]]
    assert arm_names(part) == ["base", "epochs=2"]
    assert len(stage_nodes(part)) == 3
    assert part.digest == whole.digest


def test_resources_differ_by_arm_and_by_stage(tmp_path: Path) -> None:
    text = BASE + "resources: {workers: 8, zero: 2, stages: {finetune: {zero: 3}}}\n"
    text += "arms: {wide: {epochs: 2, resources: {workers: 16, stages: {finetune: {micro_batch: 4}}}}}\n"
    plan = plan_of(tmp_path, text)
    base, wide = plan.arms
    assert (base.resources.workers, base.resources.zero, base.resources_of("finetune").zero) == (8, 2, 3)
    of_stage = wide.resources_of("finetune")
    assert (of_stage.workers, of_stage.zero, of_stage.micro_batch) == (16, 3, 4)
    assert wide.resources_of("align") == wide.resources


def test_resources_and_labels_change_no_key(tmp_path: Path) -> None:
    plain = plan_of(tmp_path, BASE)
    renamed = plan_of(
        tmp_path, BASE.replace("study: test", "study: other") + "resources: {workers: 8, zero: 3}\nbenchmarks: [gqa]\n"
    )
    assert [trial.id for trial in plain.trials] == [trial.id for trial in renamed.trials]
    assert [node.id for node in stage_nodes(plain)] == [node.id for node in stage_nodes(renamed)]


GOLDEN = (
    BASE.replace("study: test", "study: golden")
    + """\
axes:
  vision.backbone: [dinov2-vit-l, in1k-vit-l, efficientnet-lite0]
  vision.resize: [naive, crop]
  projector: [linear, fused-gelu-mlp]
  stages: [[align, full-finetune]]
benchmarks: gqa
languages:
  vicuna-v15-7b: {family: llama, checkpoint: "hub:lmsys/vicuna-7b-v1.5@main", prompt: vicuna-v15, width: 4096,
                  embedding_multiple: 1}
"""
)
"""With the language model as it was: embeddings of the preset are a multiple of 64 now, which changes its numbers.

Its stages have the keys of bf16's second version, which sums gradients in fp32.
"""


def test_trials_have_the_ids_they_had_before_encoders_could_be_fused_and_projectors_deep(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, GOLDEN)
    assert [trial.id.rpartition("-")[2] for trial in plan.trials] == [
        "e5e95301213f",
        "d5ae8f2daaf5",
        "a1f1b27c1602",
        "75cb84ba135f",
        "c0a747c052ed",
        "0d313dd1a49b",
        "f34be8e32c90",
        "afa7c64fa144",
        "30326ce25996",
    ]
    naive = next(trial for trial in plan.trials if trial.arm == "vision.resize=naive")
    assert [node for node in naive.path if node.startswith("stage")] == ["stage-0e967827d29e"]


def test_the_quickstarts_nodes_are_what_they_were() -> None:
    plan = plan_study(load_study("quickstart"), features="cache")
    nodes = [[trial.id, list(trial.path)] for trial in plan.trials]
    trained = [[trial, [name for name in path if plan.nodes[name].kind != "features"]] for trial, path in nodes]
    assert fingerprint(trained) == "1d996c4a6e9e08a819e324bcd2c73fd436f68beab8299ac72a30e36fd10b236e"
    assert fingerprint(nodes) == "c813f1496fdc040c9b374a0ccc4ed162b3e59000ace55c7af5a4643f93acc8ed"
