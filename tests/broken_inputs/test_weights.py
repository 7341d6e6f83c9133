"""Checkpoints broken by a generator: every tensor of the built model is the file's, or the file is refused by name."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from torch import Tensor

from search_spaces.errors import InputError
from search_spaces.spec import LanguageSpec, VisionSpec
from tests.support.broken_inputs import tries
from tests.support.hub_checkpoints import encoder_spec
from tests.support.hub_languages import hub_language
from trainables.model.language import build_language
from trainables.model.language_files import check_language
from trainables.model.vision import Tower, build_vision, check_encoder

POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 99\n"
HTML = b"<!DOCTYPE html><html><head><title>404</title></head></html>"
MODELS = {"llama": False, "mistral": True, "gpt_neox": False, "qwen2": True}
"""Families, and whether their weights are in shards."""

Breakage = tuple[str, ...] | None
"""What the refusal must name, any of these; None where the checkpoint is still whole."""


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> dict[str, LanguageSpec]:
    """Make whole checkpoints, one for each family, below one folder."""
    root = tmp_path_factory.mktemp("whole")
    specs = {family: hub_language(root, family, shards=shards) for family, shards in MODELS.items()}
    return {str(root): next(iter(specs.values())), **specs}


def _tensors(folder: Path) -> dict[str, Tensor]:
    return {name: tensor for file in sorted(folder.glob("*.safetensors")) for name, tensor in load_file(file).items()}


def _write_one(folder: Path, tensors: dict[str, Tensor]) -> None:
    for file in (*folder.glob("*.safetensors"), *folder.glob("*.index.json")):
        file.unlink()
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, folder / "model.safetensors")


def _edit(file: Path, change: Callable[[dict[str, Any]], object]) -> None:
    value = json.loads(file.read_text())
    change(value)
    file.write_text(json.dumps(value))


def _names(name: str) -> tuple[str, ...]:
    """List what a tensor is called by its file and by transformers."""
    return (name, "lm_head.weight") if name == "embed_out.weight" else (name,)


# ---------------------------------------------------------------- breakages of tensors


def _drop(folder: Path, draw: Any) -> Breakage:
    tensors = _tensors(folder)
    name = draw(st.sampled_from(sorted(tensors)))
    del tensors[name]
    _write_one(folder, tensors)
    return _names(name)


def _rename(folder: Path, draw: Any) -> Breakage:
    tensors = _tensors(folder)
    name = draw(st.sampled_from(sorted(tensors)))
    tensors[name + draw(st.sampled_from(["_", ".0", "x"]))] = tensors.pop(name)
    _write_one(folder, tensors)
    return _names(name)


def _prefix(folder: Path, draw: Any) -> Breakage:
    prefix = draw(
        st.sampled_from(["base_model.model.", "language_model.", "module.", "_orig_mod.", "model.llm.", "a.b."])
    )
    _write_one(folder, {prefix + name: tensor for name, tensor in _tensors(folder).items()})
    return (f"weights_prefix: '{prefix}'",)


def _reshape(folder: Path, draw: Any) -> Breakage:
    tensors = _tensors(folder)
    name = draw(st.sampled_from(sorted(tensors)))
    tensor = tensors[name]
    tensors[name] = draw(st.sampled_from([tensor[:-1], torch.cat([tensor, tensor[:1]]), tensor.unsqueeze(0)]))
    _write_one(folder, tensors)
    return _names(name)


def _cast(folder: Path, draw: Any) -> Breakage:
    whole = (torch.float16, torch.bfloat16, torch.float64)
    kind = draw(st.sampled_from([*whole, torch.int8, torch.uint8, torch.float8_e4m3fn]))
    tensors = _tensors(folder)
    name = draw(st.sampled_from(sorted(tensors)))
    tensors[name] = tensors[name].to(kind)
    _write_one(folder, tensors)
    return None if kind in whole else (name,)


def _add(folder: Path, draw: Any) -> Breakage:
    tensors, name = (
        _tensors(folder),
        draw(st.sampled_from(["score.weight", "model.layers.9.mlp.weight", "x", "v_head.bias"])),
    )
    tensors[name] = torch.ones(3, 3)
    _write_one(folder, tensors)
    return (name,)


def _not_finite(folder: Path, draw: Any) -> Breakage:
    tensors = _tensors(folder)
    name = draw(st.sampled_from(sorted(tensors)))
    tensors[name] = tensors[name].clone()
    tensors[name].view(-1)[draw(st.integers(0, tensors[name].numel() - 1))] = draw(
        st.sampled_from([torch.nan, torch.inf])
    )
    _write_one(folder, tensors)
    return (name,)


def _unwritten(folder: Path, draw: Any) -> Breakage:
    """Leave zeros where a download reserved its file and a part of it never came."""
    tensors = _tensors(folder)
    names = sorted(tensors)
    how = draw(st.sampled_from(["to the end", "a part", "all", "one matrix"]))
    first = draw(st.integers(0, len(names) - 3))
    last = {"to the end": len(names), "a part": first + 3, "all": len(names), "one matrix": first + 1}[how]
    zeros = names[0 if how == "all" else first : last]
    weights = [name for name in zeros if not name.endswith("bias")]
    is_lost = len(weights) > 1 and any(tensors[name].dim() > 1 for name in weights)
    _write_one(folder, {name: torch.zeros_like(part) if name in zeros else part for name, part in tensors.items()})
    return ("hold zeros alone",) if is_lost else None


# ---------------------------------------------------------------- breakages of files


def _replace(folder: Path, draw: Any) -> Breakage:
    file = draw(st.sampled_from(sorted(file for file in folder.iterdir() if file.name != "generation_config.json")))
    how = draw(st.sampled_from(["pointer", "page", "empty", "half", "gone"]))
    if how == "gone":
        file.unlink()
        needless = ["chat_template.jinja"]
        if folder.name in ("gpt_neox", "qwen2"):  # whose classes in transformers know an end token
            needless.append("tokenizer_config.json")
        return None if file.name in needless else (file.name, "lacks", "index", "end token")
    content = file.read_bytes()
    half = content[: draw(st.integers(1, len(content) - 2))]
    file.write_bytes({"pointer": POINTER, "page": HTML, "empty": b"", "half": half}[how])
    if file.suffix == ".jinja":
        return None if how == "half" else (file.name,)
    return (file.name,)


def _torch_file(folder: Path, draw: Any) -> Breakage:
    tensors = _tensors(folder)
    for file in (*folder.glob("*.safetensors"), *folder.glob("*.index.json")):
        file.unlink()
    file = folder / "pytorch_model.bin"
    torch.save(tensors, file, _use_new_zipfile_serialization=draw(st.booleans()))
    how = draw(st.sampled_from(["whole", "half", "code", "nothing"]))
    if how == "half":
        content = file.read_bytes()
        file.write_bytes(content[: 1 + len(content) * draw(st.integers(0, 90)) // 100])  # sizes differ from run to run
    elif how == "code":
        torch.save({**tensors, "program": Path}, file)
    elif how == "nothing":
        torch.save({}, file)
    return None if how == "whole" else (file.name,)


def _index(folder: Path, draw: Any) -> Breakage:
    file = folder / "model.safetensors.index.json"
    if not file.exists():
        return None
    shards = sorted(folder.glob("*.safetensors"))
    name = draw(st.sampled_from(sorted(json.loads(file.read_text())["weight_map"])))
    how = draw(
        st.sampled_from(["absent tensor", "unnamed tensor", "absent shard", "stray shard", "other shard", "no map"])
    )
    match how:
        case "absent tensor":
            _edit(file, lambda index: index["weight_map"].update({"model.absent.weight": shards[0].name}))
            return ("model.absent.weight",)
        case "unnamed tensor":
            _edit(file, lambda index: index["weight_map"].pop(name))
            return (name, shards[0].name, shards[-1].name, "shards")
        case "absent shard":
            shards[-1].unlink()
            return (shards[-1].name,)
        case "stray shard":
            save_file({"y": torch.ones(1)}, folder / "model-00099-of-00099.safetensors")
            return ("model-00099-of-00099.safetensors",)
        case "other shard":
            _edit(file, lambda index: index["weight_map"].update(dict.fromkeys(index["weight_map"], shards[0].name)))
            return (shards[1].name,)
        case _:
            file.write_text("{}")
            return (file.name,)


def _config(folder: Path, draw: Any) -> Breakage:
    edits: dict[str, tuple[Callable[[dict[str, Any]], object], tuple[str, ...]]] = {
        "rows": (lambda c: c.update(vocab_size=c["vocab_size"] + 7), ("embed", "lm_head")),
        "layers": (lambda c: c.update(num_hidden_layers=1), ("layers",)),
        "more layers": (lambda c: c.update(num_hidden_layers=3), ("layers",)),
        "width": (lambda c: c.update(hidden_size=64, head_dim=32), ("embed", "width")),
        "middle": (lambda c: c.update(intermediate_size=60), ("mlp",)),
        "bert": (lambda c: c.update(model_type="bert"), ("bert",)),
        "t5": (lambda c: c.update(model_type="t5"), ("t5",)),
        "unknown": (lambda c: c.update(model_type="nobodys", auto_map={"AutoConfig": "x.Y"}), ("nobodys",)),
        "none": (lambda c: c.pop("model_type"), ("model_type",)),
        "heads": (lambda c: c.pop("num_attention_heads"), ("num_attention_heads",)),
        "gptq": (lambda c: c.update(quantization_config={"quant_method": "gptq", "bits": 4}), ("gptq",)),
        "task": (lambda c: c.update(architectures=["LlamaForSequenceClassification"]), ("ForSequenceClassification",)),
        "words": (lambda c: c.update(hidden_size="many"), ("config.json",)),
        "list": (lambda c: c.update(num_hidden_layers=[2]), ("config.json", "layers")),
        "NaN": (lambda c: c.update(initializer_range=float("nan")), ("NaN is no number",)),
    }
    change, said = edits[draw(st.sampled_from(sorted(edits)))]
    _edit(folder / "config.json", change)
    return said


def _tied(folder: Path, draw: Any) -> Breakage:
    """Say the other thing about tied embeddings than what the weights are."""
    says = json.loads((folder / "config.json").read_text()).get("tie_word_embeddings", False)
    _edit(folder / "config.json", lambda config: config.update(tie_word_embeddings=not says))
    return ("lm_head.weight", "embed_out.weight")


def _tokenizer(folder: Path, draw: Any) -> Breakage:
    how = draw(st.sampled_from(["no end", "too many", "other kind"]))
    if how == "no end":
        _edit(folder / "tokenizer_config.json", lambda config: config.pop("eos_token"))
        (folder / "special_tokens_map.json").unlink(missing_ok=True)
        return None if folder.name == "qwen2" else ("end token",)  # whose class in transformers knows one
    if how == "too many":
        many = [{"id": 400 + i, "content": f"<more{i}>", "single_word": False, "lstrip": False, "rstrip": False,
                 "normalized": False, "special": True} for i in range(300)]  # fmt: skip
        _edit(folder / "tokenizer.json", lambda value: value["added_tokens"].extend(many))
        return ("tokenizer",)
    (folder / "tokenizer.json").write_text('{"version": "1.0"}')
    return ("tokenizer",)


OF_TENSORS = (_drop, _rename, _prefix, _reshape, _cast, _add, _not_finite, _unwritten)
OF_FILES = (_replace, _replace, _torch_file, _index, _config, _config, _tied, _tokenizer)
HEADS = ("embed_out.weight", "model.embed_tokens.weight")


@tries("weights", few=90)
@given(data=st.data(), family=st.sampled_from(sorted(MODELS)), breakage=st.sampled_from(OF_TENSORS + OF_FILES))
def test_a_language_model_is_the_checkpoint_or_is_refused_by_name(
    data: st.DataObject,
    family: str,
    breakage: Callable[[Path, Any], Breakage],
    checkpoints: dict[str, LanguageSpec],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    spec, root = checkpoints[family], Path(next(iter(checkpoints)))
    data_root = tmp_path_factory.mktemp("broken")
    folder = data_root / "hub/tiny" / family
    shutil.copytree(root / "hub/tiny" / family, folder)
    said = breakage(folder, data.draw)
    refused = _refusal(lambda: check_language(spec, data_root))
    assert (refused is None) == (said is None), (breakage.__name__, said, refused)
    if refused is not None:
        assert any(word in refused for word in said or ()), (breakage.__name__, said, refused)
        shutil.rmtree(data_root)
        return
    model = build_language(spec, 401, 7, data_root)
    given_tensors = _given(folder)
    for name, own in model.state_dict().items():
        theirs = given_tensors.get(name)
        if theirs is None and name == "lm_head.weight":  # GPT-NeoX's own name, or a tied table
            theirs = next(given_tensors[each] for each in HEADS if each in given_tensors)
        assert theirs is not None, name
        assert torch.equal(own[: len(theirs)], theirs.to(own.dtype)), name
    shutil.rmtree(data_root)


def _refusal(run: Callable[[], None]) -> str | None:
    """Return what an InputError says, or None if nothing is refused."""
    try:
        run()
    except InputError as error:
        return str(error)
    return None


def _given(folder: Path) -> dict[str, Tensor]:
    file = folder / "pytorch_model.bin"
    return torch.load(file, weights_only=True) if file.exists() else _tensors(folder)


# ---------------------------------------------------------------- encoders


def _encoder_breakage(file: Path, draw: Any) -> Breakage:
    """Break the file of an encoder's weights in one way."""
    tensors = load_file(file)
    name = draw(st.sampled_from(sorted(name for name in tensors if not name.startswith("head."))))
    ways = [
        "whole",
        "head",
        "drop",
        "rename",
        "prefix",
        "shape",
        "int",
        "nan",
        "zeros",
        "extra",
        "pointer",
        "page",
        "half",
    ]
    how = draw(st.sampled_from(ways))
    content = file.read_bytes()
    match how:
        case "whole":
            return None
        case "head":
            tensors = {name: tensor for name, tensor in tensors.items() if not name.startswith("head.")}
        case "drop":
            del tensors[name]
        case "rename":
            tensors[f"{name}s"] = tensors.pop(name)
        case "prefix":
            tensors = {f"visual.trunk.{name}": tensor for name, tensor in tensors.items()}
        case "shape":
            tensors[name] = torch.cat([tensors[name], tensors[name]], dim=-1)
        case "int":
            tensors[name] = tensors[name].to(torch.int8)
        case "nan":
            tensors[name] = tensors[name] * torch.nan
        case "zeros":
            lost = sorted(tensors)[len(tensors) // 2 :]
            tensors = {key: torch.zeros_like(part) if key in lost else part for key, part in tensors.items()}
        case "extra":
            tensors["logit_scale_of_text"] = torch.ones(2)
        case _:
            file.write_bytes(
                {"pointer": POINTER, "page": HTML, "half": content[: draw(st.integers(1, len(content) - 1))]}[how]
            )
            return (file.name,)
    save_file({key: tensor.contiguous() for key, tensor in tensors.items()}, file)
    return {
        "head": None,
        "zeros": ("hold zeros alone",),
        "prefix": ("visual.trunk.",),
        "extra": ("logit_scale_of_text",),
    }.get(how, (name,))


@pytest.fixture(scope="module")
def encoders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[VisionSpec, Path]]:
    """Make whole checkpoints of encoders."""
    root = tmp_path_factory.mktemp("encoders")
    return {
        name: (encoder_spec(name, root), root / "hub/timm" / name / "model.safetensors")
        for name in ("clip", "in1k", "dinov2")
    }


@tries("weights", few=40)
@given(data=st.data(), name=st.sampled_from(["clip", "in1k", "dinov2"]))
def test_an_encoder_is_the_file_or_is_refused_by_name(
    data: st.DataObject,
    name: str,
    encoders: dict[str, tuple[VisionSpec, Path]],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    whole, original = encoders[name]
    folder = tmp_path_factory.mktemp("encoder")
    file = Path(shutil.copy(original, folder))
    spec = whole.model_copy(update={"checkpoint": "path:model.safetensors"})
    said = _encoder_breakage(file, data.draw)
    refused = _refusal(lambda: check_encoder(spec, folder))
    assert (refused is None) == (said is None), (said, refused)
    if refused is not None:
        assert any(word in refused for word in said or ()), (said, refused)
        return
    built, tensors = build_vision(spec, 7, folder), load_file(file)
    assert isinstance(built, Tower)
    for key, own in built.tower.state_dict().items():
        assert key == "pos_embed" or torch.equal(own, tensors[key]), key
