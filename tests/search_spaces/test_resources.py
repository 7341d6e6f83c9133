"""Claims about presets of resources, what replaces them, and what an ask must keep."""

from __future__ import annotations

from pathlib import Path

import pytest

from search_spaces.catalogue.load import shipped
from search_spaces.errors import InputError
from search_spaces.expansion.expand import plan_study
from search_spaces.node_labels import ACCELERATOR_LABEL
from search_spaces.plan import Arm
from search_spaces.resource_spec import CheckpointForm, ResourceSpec
from search_spaces.resources import checkpoint_form
from search_spaces.study_files import load_study
from search_spaces.worker_contract import LAUNCHER_NOTES

STUDY = """\
study: presets
base: {vision: clip-vit-l-336px, language: vicuna-v15-7b, stages: [align, finetune], epochs: 1, data: llava-v15}
recipe: prismatic
"""


def _arms(folder: Path, text: str) -> dict[str, Arm]:
    (folder / "study.yaml").write_text(STUDY + text)
    return {arm.name: arm for arm in plan_study(load_study(str(folder / "study.yaml"))).arms}


@pytest.mark.parametrize("preset", shipped().resources)
def test_every_preset_keeps_the_laws_of_both_recipe_stages(preset: str, tmp_path: Path) -> None:
    base = _arms(tmp_path, f"resources: {preset}\n")["base"]
    assert base.resources.gpus_per_worker == 1


def test_a_preset_gives_each_stage_its_own_and_a_study_replaces_field_by_field(tmp_path: Path) -> None:
    plain = _arms(tmp_path, "resources: prismatic-13b-8x80gb\n")["base"]
    assert [plain.resources_of(name).zero for name in ("align", "finetune")] == [2, 3]
    assert plain.resources_of("align").micro_batch == 4
    own = _arms(tmp_path, "resources: {preset: prismatic-13b-8x80gb, micro_batch: 8, stages: {finetune: {zero: 1}}}\n")
    assert [own["base"].resources_of(name).zero for name in ("align", "finetune")] == [2, 1]
    assert [own["base"].resources_of(name).micro_batch for name in ("align", "finetune")] == [8, 8]


def test_what_is_set_for_the_whole_trial_replaces_a_presets_value_for_one_stage(tmp_path: Path) -> None:
    base = _arms(tmp_path, "resources: {preset: prismatic-13b-8x80gb, zero: 1}\n")["base"]
    assert [base.resources_of(name).zero for name in ("align", "finetune")] == [1, 1]


def test_an_arm_may_take_another_preset(tmp_path: Path) -> None:
    arms = _arms(
        tmp_path,
        "resources: prismatic-7b-8x80gb\narms:\n  large: {language: vicuna-v15-13b, resources: prismatic-13b-8x80gb}\n",
    )
    assert (arms["base"].resources_of("finetune").zero, arms["large"].resources_of("finetune").zero) == (2, 3)


def test_an_unknown_preset_is_refused_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"must be one of .*prismatic-7b-8x80gb") as caught:
        _arms(tmp_path, "resources: prismatic-7b-8x80\n")
    assert "prismatic-7b-8x80gb" in str(caught.value.way_out)


@pytest.mark.parametrize("interface", ["eth0", "eth0,ib0"])
def test_the_network_interface_is_of_the_study_and_of_no_trial(interface: str, tmp_path: Path) -> None:
    text = f"resources: {{workers: 2, interface: '{interface}'}}\n"
    assert _arms(tmp_path, text)["base"].resources == _arms(tmp_path, "resources: {workers: 2}\n")["base"].resources
    assert load_study(str(tmp_path / "study.yaml")).resources.interface is None
    (tmp_path / "study.yaml").write_text(STUDY + text)
    assert load_study(str(tmp_path / "study.yaml")).resources.interface == interface


def test_the_launcher_is_of_the_study_and_moves_no_key_and_a_plan_says_what_it_costs(tmp_path: Path) -> None:
    file = tmp_path / "study.yaml"
    file.write_text(STUDY)
    plain = plan_study(load_study(str(file)))
    file.write_text(STUDY + "resources: {launcher: ray-train}\n")
    chosen = plan_study(load_study(str(file)))
    assert [trial.id for trial in chosen.trials] == [trial.id for trial in plain.trials]
    assert [node.key for node in chosen.nodes.values()] == [node.key for node in plain.nodes.values()]
    assert set(chosen.notes) - set(plain.notes) == {LAUNCHER_NOTES["ray-train"]}


@pytest.mark.parametrize("of_the_run", ["interface: eth0", "launcher: gang", "launcher: ray-train"])
def test_an_arm_has_no_network_interface_and_no_launcher_of_its_own(of_the_run: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="must be of the whole study"):
        _arms(tmp_path, f"arms:\n  large: {{language: vicuna-v15-13b, resources: {{{of_the_run}}}}}\n")


@pytest.mark.parametrize(
    ("resources", "law"),
    [
        ("{zero: 2, deepspeed: {zero_optimization: {offload_optimizer: {device: cpu}}}}", "resources.offload decides"),
        ("{deepspeed: {bf16: {enabled: true}}}", "the stage's precision decides"),
        ("{offload: optimizer}", "needs ZeRO 1, 2 or 3"),
        ("{zero: 2, offload: optimizer+params}", "needs ZeRO 3"),
        ("{zero: 3, compile: true}", "compile needs ZeRO 0 to 2"),
        ("{workers: 2, gpus_per_worker: 0.5}", "NCCL refuses two ranks on one device"),
        ("{gpus_per_worker: 1.5}", "a whole number, or less than 1"),
        ("{workers: 8, micro_batch: 3}", "must be a multiple of resources.micro_batch"),
        ("{accelerator: H100}", "accelerator must be left out where gpus_per_worker is 0"),
        ("{gpus_per_worker: 1, accelerator: H100, labels: {ray.io/accelerator-type: A100}}", "which stands for it"),
        ("{labels: {market: 'in()'}}", "must be a value"),
        ("{labels: {ray.io/node-id: abc}}", "a run chooses nodes by it"),
        ("{labels: {'a b': c}}", "must be a name"),
    ],
)
def test_an_ask_that_cannot_train_a_stage_is_refused_when_it_is_planned(
    resources: str, law: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=law):
        _arms(tmp_path, f"resources: {resources}\n")


def test_resources_do_not_enter_identity(tmp_path: Path) -> None:
    plain, preset = _arms(tmp_path, "")["base"], _arms(tmp_path, "resources: prismatic-7b-1x80gb\n")["base"]
    shared = _arms(tmp_path, "resources: {gpus_per_worker: 0.25}\n")["base"]
    assert plain.id == preset.id == shared.id
    asked = "{gpus_per_worker: 1, accelerator: H100, labels: {market: '!spot'}}"
    labelled = _arms(tmp_path, f"resources: {asked}\n")["base"]
    assert labelled.id == plain.id
    assert labelled.resources.node_labels == {ACCELERATOR_LABEL: "H100", "market": "!spot"}


FORMS: list[tuple[ResourceSpec, CheckpointForm]] = [
    (ResourceSpec(), "wait"),
    (ResourceSpec(gpus_per_worker=1), "background"),
    (ResourceSpec(gpus_per_worker=0.5, zero=2), "background"),
    (ResourceSpec(gpus_per_worker=1, zero=2, offload="optimizer"), "wait"),
    (ResourceSpec(gpus_per_worker=1, zero=3, offload="optimizer+params"), "wait"),
    (ResourceSpec(checkpoint_copy="background"), "background"),
    (ResourceSpec(gpus_per_worker=1, checkpoint_copy="wait"), "wait"),
]


@pytest.mark.parametrize(("resources", "form"), FORMS, ids=str)
def test_steps_wait_for_checkpoints_where_the_state_lives_in_the_hosts_memory_already(
    resources: ResourceSpec, form: CheckpointForm
) -> None:
    assert checkpoint_form(resources) == form
