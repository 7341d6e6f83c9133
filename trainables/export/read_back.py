"""Read an exported folder back from its own files, and compare it with what was to be written."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import safe_open
from torch import Tensor
from transformers import AutoProcessor, AutoTokenizer, LlavaProcessor, PreTrainedModel, PreTrainedTokenizerFast
from transformers.core_model_loading import revert_weight_conversion
from transformers.modeling_utils import remove_tied_weights_from_state_dict

from search_spaces.errors import InputError, Problems
from trainables.model.checkpoint_files import checkpoint_tensors
from trainables.model.tensor_files import read_json_object

_AGAIN = "Nothing was left under the folder's name. See that the disk is whole and has room, and export again."
_OF_PROCESSOR = ("patch_size", "vision_feature_select_strategy", "num_additional_image_tokens", "image_token")
_SAMPLE = "USER: <image>\nWhat color is the shape, 2 or 3? ASSISTANT: A red Circle!</s>"


class Setting(NamedTuple):
    """Something beside the weights that a folder must give back."""

    file: str
    """File that it is read from, in the folder."""
    read: Callable[[Path], Any]
    """Reads it from the folder."""
    wanted: Any
    """What must be read."""


@dataclass(frozen=True)
class Written:
    """What a folder of an export was to be."""

    tensors: Mapping[str, Tensor]
    """Weights by their names in the files."""
    settings: tuple[Setting, ...]

    def with_text(self, file: str, content: str) -> Written:
        """Return the same folder with a further text file."""
        return Written(self.tensors, (*self.settings, text_setting(file, content)))


def json_setting(file: str, wanted: Mapping[str, Any]) -> Setting:
    """Describe a JSON file by its content."""
    return Setting(file, lambda folder: read_json_object(folder / file), json.loads(json.dumps(wanted)))


def text_setting(file: str, wanted: str) -> Setting:
    """Describe a text file by its content."""
    return Setting(file, lambda folder: (folder / file).read_text(encoding="utf-8"), wanted)


def tokenizer_settings(tokenizer: PreTrainedTokenizerFast, kind: Any = AutoTokenizer) -> tuple[Setting, ...]:
    """Describe a tokenizer by its file, and by what transformers makes of it when a class, `kind`, loads it."""
    return (
        json_setting("tokenizer.json", json.loads(tokenizer.backend_tokenizer.to_str())),
        Setting("tokenizer_config.json", lambda folder: _facts(kind.from_pretrained(folder)), _facts(tokenizer)),
    )


def saved_tensors(model: PreTrainedModel) -> dict[str, Tensor]:
    """Collect what `save_pretrained` of a model is to write: tied weights once, under the names of the hub's format."""
    saved: dict[str, Tensor] = revert_weight_conversion(
        model, remove_tied_weights_from_state_dict(model.state_dict(), model)
    )
    return saved


def model_settings(model: PreTrainedModel) -> tuple[Setting, ...]:
    """Describe the configurations that `save_pretrained` of a model writes, as they are loaded."""
    config, generation = type(model.config), model.generation_config
    return (
        Setting("config.json", lambda folder: _known(config.from_pretrained(folder)), _known(model.config)),
        Setting(
            "generation_config.json",
            lambda folder: _known(type(generation).from_pretrained(folder)),
            _known(generation),
        ),
    )


def processor_settings(processor: LlavaProcessor) -> tuple[Setting, ...]:
    """Describe the parts of LLaVA's processor as they are loaded: pixels, places of images, template, tokenizer."""
    own = {name: getattr(processor, name) for name in _OF_PROCESSOR}
    images = processor.image_processor
    return (
        Setting(
            "processor_config.json",
            lambda folder: {name: getattr(AutoProcessor.from_pretrained(folder), name) for name in own},
            own,
        ),
        Setting(
            "processor_config.json", lambda folder: type(images).from_pretrained(folder).to_dict(), images.to_dict()
        ),
        text_setting("chat_template.jinja", processor.chat_template),
        *tokenizer_settings(processor.tokenizer),
    )


def check_written(folder: Path, written: Written) -> None:
    """Check that a folder's files hold what was to be written.

    Weights are compared by name, shape, type and value, one at a time; everything else as transformers reads it.

    Args:
        folder: folder of the export.
        written: what it was to be.

    Raises:
        InputError: everything that differs, by the names of tensors and files.
    """
    problems = Problems()
    with problems.collected():
        _check_tensors(folder, written.tensors)
    for setting in written.settings:
        with problems.collected():
            _check_setting(folder, setting)
    problems.raise_all()


def _known(config: Any) -> dict[str, Any]:
    """List the fields of a configuration, without those that say by whom and where it was written and loaded."""
    fields: dict[str, Any] = json.loads(json.dumps(config.to_dict(), default=str))
    return dict(_without(fields, {"_name_or_path", "transformers_version", "dtype", "architectures"}))


def _without(value: Any, names: Collection[str]) -> Any:
    if not isinstance(value, dict):
        return value
    return {name: _without(inner, names) for name, inner in value.items() if name not in names}


def _facts(tokenizer: PreTrainedTokenizerFast) -> dict[str, Any]:
    special = {name: getattr(tokenizer, name) for name in ("bos_token_id", "eos_token_id", "pad_token_id")}
    return {**special, "ids of a sample": tokenizer(_SAMPLE)["input_ids"], "vocabulary": tokenizer.get_vocab()}


def _check_tensors(folder: Path, wanted: Mapping[str, Tensor]) -> None:
    found = checkpoint_tensors(folder)
    _refuse(folder, "are missing", wanted.keys() - found.keys())
    _refuse(folder, "were not to be written", found.keys() - wanted.keys())
    _refuse(folder, "have another shape", [name for name in found if found[name].shape != tuple(wanted[name].shape)])
    types, values = [], []
    for file in sorted(set(found.files.values())):
        with safe_open(file, framework="pt") as opened:
            for name in (name for name, place in found.files.items() if place == file):
                tensor = opened.get_tensor(name)
                types += [name] * (tensor.dtype != wanted[name].dtype)
                values += [name] * (not torch.equal(_bytes(tensor), _bytes(wanted[name])))
    _refuse(folder, "have another type", types)
    _refuse(folder, "have other values", values)


def _bytes(tensor: Tensor) -> Tensor:
    """View the values as bytes, so that not-a-number equals itself."""
    return tensor.detach().contiguous().reshape(-1).view(torch.uint8)


def _refuse(place: Path, what: str, names: Iterable[str]) -> None:
    listed = sorted(names)
    if listed:
        law = f"an export must hold the weights that it was made of, but {len(listed)} {what} ({listed[0]} first)"
        raise InputError(law, place=str(place), way_out=_AGAIN)


def _check_setting(folder: Path, setting: Setting) -> None:
    place = str(folder / setting.file)
    try:
        found = setting.read(folder)
    except InputError:
        raise
    except Exception as error:  # of transformers' readers: any of Python's own
        law = f"must be read back, but: {' '.join(str(error).split())[:200] or type(error).__name__}"
        raise InputError(law, place=place, way_out=_AGAIN) from error
    if found != setting.wanted:
        law = f"must be read back as it was written, but differs{_first_difference(found, setting.wanted)}"
        raise InputError(law, place=place, way_out=_AGAIN)


def _first_difference(found: Any, wanted: Any) -> str:
    if not isinstance(found, dict) or not isinstance(wanted, dict):
        return ""
    name = min(str(key) for key in found.keys() | wanted.keys() if found.get(key) != wanted.get(key))
    return f" in {name!r}"
