"""The tensors of a checkpoint are exactly those of its model, whatever stands before their names, or it is refused."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from search_spaces.errors import InputError
from search_spaces.spec import LanguageSpec
from tests.support.hub_languages import hub_language
from trainables.model.language import build_language
from trainables.model.language_files import check_language

Weights = dict[str, Tensor]


def _changed(root: Path, change: Callable[[Weights], Weights], family: str = "llama") -> LanguageSpec:
    """Make a checkpoint whose weights were changed after it was saved."""
    spec = hub_language(root, family)
    file = root / "hub/tiny" / family / "model.safetensors"
    save_file(change(load_file(file)), file, metadata={"format": "pt"})
    return spec


def _refusal(spec: LanguageSpec, root: Path) -> str:
    """Return what is said before anything trains; loading says the same."""
    with pytest.raises(InputError) as checked:
        check_language(spec, root)
    with pytest.raises(InputError) as loaded:
        build_language(spec, 401, 7, root)
    assert str(loaded.value) == str(checked.value)
    return str(checked.value)


def test_a_missing_output_layer_is_named(tmp_path: Path) -> None:
    spec = _changed(tmp_path, lambda weights: {n: w for n, w in weights.items() if n != "lm_head.weight"})
    assert "1 of 21 tensors are missing (lm_head.weight)" in _refusal(spec, tmp_path)


def test_a_missing_layer_is_told_from_the_configuration(tmp_path: Path) -> None:
    said = _refusal(_changed(tmp_path, lambda ws: {n: w for n, w in ws.items() if "layers.1." not in n}), tmp_path)
    assert "9 of 21 tensors are missing" in said
    assert said.endswith("config.json says 2 layers, the weights have 1.")


@pytest.mark.parametrize("prefix", ["base_model.model.", "language_model.", "module.", "_orig_mod.module."])
def test_a_prefix_is_recognised_and_can_be_declared(prefix: str, tmp_path: Path) -> None:
    spec = _changed(tmp_path, lambda weights: {prefix + name: tensor for name, tensor in weights.items()})
    assert f"write `weights_prefix: '{prefix}'`" in _refusal(spec, tmp_path)
    declared = spec.model_copy(update={"weights_prefix": prefix})
    check_language(declared, tmp_path)
    _assert_loaded(declared, tmp_path, lambda name: prefix + name)


def test_a_language_model_inside_a_larger_one_is_taken_by_its_prefix(tmp_path: Path) -> None:
    def inside(weights: Weights) -> Weights:
        return {
            **{f"language_model.{name}": tensor for name, tensor in weights.items()},
            "vision_tower.patch.weight": torch.ones(4, 4),
        }

    spec = _changed(tmp_path, inside)
    file = tmp_path / "hub/tiny/llama/config.json"
    file.write_text(json.dumps({"model_type": "llava", "text_config": json.loads(file.read_text())}))
    assert "To take that part: write `weights_prefix: 'language_model.'`" in str(_check_error(spec, tmp_path))
    declared = spec.model_copy(update={"weights_prefix": "language_model."})
    check_language(declared, tmp_path)
    _assert_loaded(declared, tmp_path, lambda name: f"language_model.{name}")


def test_a_prefix_that_no_tensor_has_is_refused(tmp_path: Path) -> None:
    spec = hub_language(tmp_path, "llama", weights_prefix="nothing.")
    assert "none begins with 'nothing.'" in _refusal(spec, tmp_path)


def test_adapters_that_were_not_merged_are_told_from_weights(tmp_path: Path) -> None:
    spec = _changed(tmp_path, lambda ws: ws | {"model.layers.0.self_attn.q_proj.lora_A.weight": torch.ones(2, 32)})
    assert "Adapters are not merged" in _refusal(spec, tmp_path)
    (tmp_path / "hub/tiny/llama/adapter_config.json").write_text("{}")
    assert "folder of adapters" in str(_check_error(spec, tmp_path))


def test_tables_of_older_versions_are_no_weights(tmp_path: Path) -> None:
    spec = _changed(tmp_path, lambda ws: ws | {"model.layers.0.self_attn.rotary_emb.inv_freq": torch.ones(8)})
    check_language(spec, tmp_path)


def test_the_base_models_names_are_read_where_the_table_is_tied(tmp_path: Path) -> None:
    spec = _changed(tmp_path, lambda ws: {name.removeprefix("model."): w for name, w in ws.items()}, "qwen2")
    check_language(spec, tmp_path)
    _assert_loaded(spec, tmp_path, lambda name: name.removeprefix("model."))


def test_tables_that_are_said_to_be_tied_and_differ_are_refused(tmp_path: Path) -> None:
    for family in ("llama", "gpt_neox"):
        spec = hub_language(tmp_path, family)
        file = tmp_path / "hub/tiny" / family / "config.json"
        file.write_text(json.dumps({**json.loads(file.read_text()), "tie_word_embeddings": True}))
        assert "says that embeddings are tied, but" in str(_check_error(spec, tmp_path))


@pytest.mark.parametrize(
    ("family", "reason"),
    [("bert", "is an encoder"), ("t5", "with a decoder"), ("clip", "no causal language model")],
)
def test_families_that_are_not_causal_are_refused(family: str, reason: str, tmp_path: Path) -> None:
    spec = hub_language(tmp_path, "llama")
    file = tmp_path / "hub/tiny/llama/config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "model_type": family}))
    said = _refusal(spec.model_copy(update={"family": family}), tmp_path)
    assert reason in said
    shutil.rmtree(tmp_path / "hub")


def _check_error(spec: LanguageSpec, root: Path) -> InputError:
    with pytest.raises(InputError) as caught:
        check_language(spec, root)
    return caught.value


def _assert_loaded(spec: LanguageSpec, root: Path, name_in_file: Callable[[str], str]) -> None:
    """Assert that every tensor of the built model is the one of the file, but for new rows."""
    tensors = load_file(root / "hub" / spec.name.removeprefix("hub:").removesuffix("@main") / "model.safetensors")
    for name, own in build_language(spec, 401, 7, root).state_dict().items():
        source = name_in_file("model.embed_tokens.weight" if name_in_file(name) not in tensors else name)
        assert torch.equal(own[: len(tensors[source])], tensors[source]), name
