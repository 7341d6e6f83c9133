"""Every language family is trained and scored from a local checkpoint in the hub's own format, in one bare process."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from search_spaces.spec import MixPart, MixSpec, TokenizerSpec
from tests.support.hub_languages import FAMILIES, hub_language, make_checkpoint
from tests.support.tiny_specs import SGD, language, source, stage
from tests.support.tiny_trials import losses, make_task, run
from trainables.storage import layout
from trainables.storage.store import LocalStore

MIXED = MixSpec(name="mixed", parts=(MixPart(source=source(tags="color,text-only,shape")),))
STYLES = {
    "llama": "vicuna-v15",
    "mistral": "mistral-instruct",
    "phi": "phi-2",
    "gpt_neox": "pure",
    "qwen2": "template",
}


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_trains_in_two_stages_and_is_scored(family: str, tmp_path: Path) -> None:
    spec = hub_language(
        tmp_path,
        family,
        prompt=STYLES[family],
        max_length=200,
        shards=family in ("mistral", "gpt_neox"),
        dtype=torch.bfloat16 if family == "llama" else torch.float32,
    )
    stages = (
        stage("align", trains=("projector",), prompt="caption", data=MIXED, max_steps=3, optimizer=SGD),
        stage("finetune", data=MIXED, max_steps=16),
    )
    task = make_task(tmp_path, language_spec=spec, stages=stages)
    trained = losses(run(task))
    assert len(trained) == 19
    assert all(math.isfinite(loss) for loss in trained)
    assert sum(trained[-4:]) < sum(trained[3:7])
    assert len([name for name in LocalStore(tmp_path).list("evaluations") if name.endswith(".json")]) == 1
    weights = load_file(tmp_path / layout.stage_folder(task.stages[-1].key) / "language.safetensors")
    embedding = next(tensor for name, tensor in weights.items() if "embed" in name)
    assert len(embedding) == (480 if family in ("gpt_neox", "qwen2") else 512)


def test_a_local_folder_is_the_same_model_as_its_hub_copy(tmp_path: Path) -> None:
    make_checkpoint(tmp_path / "own", "llama")
    hub = hub_language(tmp_path, "llama")
    local = hub.model_copy(update={"checkpoint": "path:own", "name": "path:own"})
    from_hub, from_path = (
        losses(run(make_task(tmp_path, trial_id=spec.name.replace(":", "-").replace("/", "-"), language_spec=spec)))
        for spec in (hub, local)
    )
    assert from_hub == from_path


def test_a_pretrained_model_may_have_a_tokenizer_of_the_programs_own(tmp_path: Path) -> None:
    spec = hub_language(tmp_path, "llama", tokenizer=TokenizerSpec(kind="bytes"), prompt="bare")
    assert len(losses(run(make_task(tmp_path, language_spec=spec, stages=(stage(max_steps=1),))))) == 1
    assert language().tokenizer == spec.tokenizer
