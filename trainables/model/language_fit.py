"""Compare the tensors of a checkpoint with the language model that its configuration describes, by name and shape.

They are compared on torch's meta device, where a model takes no memory, through transformers' own loading: what it
renames, merges and ties is what it will do in a trial. What it would draw at random, or leave out, is refused.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from typing import Any, NamedTuple, TypeVar

import torch
import transformers

from search_spaces.errors import InputError
from trainables.model.checkpoint_files import check_types
from trainables.model.tensor_files import Headers

T = TypeVar("T")

TABLES = re.compile(
    r"(rotary_emb|rope|rotary)\.(inv_freq|cos_cached|sin_cached)$|(^|\.)(masked_bias|position_ids)$"
    r"|(attn|attention)\.(bias|mask)$"
)
"""Tables that older versions of transformers saved beside the weights and newer ones compute."""

_TRIED_PREFIXES = 3
_SHOWN = 3


class Fit(NamedTuple):
    """Difference between the tensors of a checkpoint and those of the model."""

    missing: list[str]
    """Tensors of the model that the checkpoint does not have."""
    extra: list[str]
    """Tensors of the checkpoint that the model does not have."""
    reshaped: list[tuple[str, tuple[int, ...], tuple[int, ...]]]
    """Name, shape in the checkpoint and shape in the model."""

    @property
    def is_whole(self) -> bool:
        """Whether every tensor of the model is the checkpoint's, and the other way round."""
        return not (self.missing or self.extra or self.reshaped)


def check_tensors(config: Any, headers: Headers, prefix: str, place: str) -> None:
    """Check by name and shape that a checkpoint has exactly the tensors of a causal language model.

    Tied tensors may be there once. Tables that are computed may be there or not.

    Args:
        config: configuration of transformers.
        headers: tensors of the checkpoint.
        prefix: what the study says stands before the name of every tensor; empty for nothing.
        place: file or folder of the checkpoint, for errors.

    Raises:
        InputError: tensors are missing, left over, of another shape, or of a type that cannot be trained.
    """
    model = model_on_meta(config, place)
    chosen = without_prefix(headers, prefix, model, place)
    fit = compare(model, chosen)
    if not fit.is_whole:
        raise _misfit(model, headers, fit, prefix, place)
    check_types(chosen, place, used=[name for name in chosen if not _is_table(name, chosen)])


def model_on_meta(config: Any, place: str) -> Any:
    """Build the model of a configuration without memory. Raises InputError if transformers cannot build it."""
    try:
        with torch.device("meta"):
            return transformers.AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    except Exception as error:  # whatever a configuration's odd values lead to
        raise InputError(
            f"config.json must describe a model that transformers {transformers.__version__} can build, but:"
            f" {_one_line(error)}",
            place=place,
        ) from error


def without_prefix(headers: Mapping[str, T], prefix: str, model: Any, place: str) -> dict[str, T]:
    """Take the declared prefix from the names of tensors; others stay only if the model has them under their own name.

    Raises:
        InputError: no tensor has the prefix.
    """
    if not prefix:
        return dict(headers)
    inner = {name.removeprefix(prefix): header for name, header in headers.items() if name.startswith(prefix)}
    if not inner:
        first = ", ".join(sorted(headers)[:_SHOWN])
        raise InputError(
            f"weights_prefix must begin the names of tensors, but none begins with {prefix!r}",
            place=place,
            way_out=f"The first names are {first}.",
        )
    names = model.state_dict().keys()
    outer = {name: header for name, header in headers.items() if name in names and name not in inner}
    return {**inner, **{name: header for name, header in outer.items() if not name.startswith(prefix)}}


def compare(model: Any, headers: Headers) -> Fit:
    """Compare tensors with those of a model on the meta device, by transformers' own rules of renaming and tying."""
    tensors = {name: torch.empty(header.shape, device="meta") for name, header in headers.items()}
    _, found = type(model).from_pretrained(
        None,
        config=model.config,
        state_dict=tensors,
        dtype=torch.float32,
        device_map="meta",
        ignore_mismatched_sizes=True,
        output_loading_info=True,
    )
    reshaped = sorted((str(name), tuple(own), tuple(wanted)) for name, own, wanted in found["mismatched_keys"])
    differing = {name for name, _, _ in reshaped}
    return Fit(
        missing=sorted(set(found["missing_keys"]) - differing),
        extra=sorted(name for name in found["unexpected_keys"] if not _is_table(name, headers)),
        reshaped=reshaped,
    )


def _is_table(name: str, headers: Headers) -> bool:
    """Check whether a tensor of a checkpoint is computed and no weight: by its name, or as it holds integers."""
    if name in headers and headers[name].dtype in ("I64", "I32", "BOOL", "U8", "int64", "int32", "bool", "uint8"):
        return len(headers[name].shape) != 2
    match = TABLES.search(name)
    is_bias = match is not None and name.endswith("bias") and "masked_bias" not in name
    return match is not None and (not is_bias or (name in headers and len(headers[name].shape) == 4))


def _misfit(model: Any, headers: Headers, fit: Fit, prefix: str, place: str) -> InputError:
    said = []
    if fit.missing:
        said.append(f"{len(fit.missing)} of {len(model.state_dict())} tensors are missing ({some_of(fit.missing)})")
    if fit.extra:
        said.append(f"{len(fit.extra)} have no place in the model ({some_of(fit.extra)})")
    if fit.reshaped:
        name, own, wanted = fit.reshaped[0]
        said.append(
            f"{len(fit.reshaped)} have another shape ({name} is {_size(own)}, and by config.json {_size(wanted)})"
        )
    tried = f"the names as they are{f' after weights_prefix {prefix!r}' if prefix else ''}"
    way_out, also = _way_out(model, headers, fit, prefix)
    law = (
        f"the weights must be exactly those of the {type(model).__name__} that config.json describes, but"
        f" {'; '.join(said)}. Tried: {'; '.join([tried, *also])}"
    )
    return InputError(law, place=place, way_out=way_out)


def _way_out(model: Any, headers: Headers, fit: Fit, prefix: str) -> tuple[str, list[str]]:
    """Return what could be done about a misfit, and what was tried to find it out."""
    if any(".lora_" in name or ".base_layer." in name for name in headers):
        return "Adapters are not merged into these weights: save the model after `merge_and_unload()`.", []
    candidates = [each for each in prefixes(headers, model) if each != prefix]
    for each in candidates:
        if compare(model, without_prefix(headers, each, model, "")).is_whole:
            return f"Without {each!r} before their names they fit: write `weights_prefix: '{each}'`" + _WHERE, []
    also = [f"without {each!r}" for each in candidates]
    layers = _layers_said(model, headers, fit)
    if layers is not None:
        return layers, also
    if fit.reshaped and not (fit.missing or fit.extra):
        return "config.json and weights are of two models: take both from one source.", also
    return "Fetch config.json and all weights again, of one revision of the whole causal language model.", also


_WHERE = " beside `model` of the language model (or in its entry of `languages`)."


def prefixes(headers: Headers, model: Any) -> list[str]:
    """List what may stand before the names of a model's tensors in a checkpoint, the most frequent first."""
    base = f"{model.base_model_prefix}."
    wanted = set(model.state_dict()) | {name.removeprefix(base) for name in model.state_dict()}
    counted: Counter[str] = Counter()
    for name in headers:
        places = [match.end() for match in re.finditer(r"\.", name)]
        counted.update(name[:end] for end in places if name[end:] in wanted)
    plain = [(each, count) for each, count in counted.most_common() if count > 1 or len(headers) < 4]
    return [each for each, _ in plain if each != base][:_TRIED_PREFIXES]


def _layers_said(model: Any, headers: Headers, fit: Fit) -> str | None:
    """Say that the number of layers differs, where that is the whole difference."""
    said = getattr(model.config.get_text_config(), "num_hidden_layers", None)
    odd = fit.missing or fit.extra
    numbers = [int(match.group(1)) for name in headers for match in [re.search(r"\.(\d+)\.", f".{name}")] if match]
    if said is None or fit.reshaped or not numbers or not all(re.search(r"\.\d+\.", f".{name}") for name in odd):
        return None
    held = max(numbers) + 1
    return f"config.json says {said} layers, the weights have {held}." if held != said else None


def some_of(names: list[str]) -> str:
    """Write the first few of many names."""
    return ", ".join(names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")


def _size(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape)) or "a single number"


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__
