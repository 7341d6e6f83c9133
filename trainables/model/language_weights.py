"""Load the weights of a causal language model whole: every one is the checkpoint's, or nothing is loaded."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
import transformers
from torch import Tensor

from search_spaces.errors import InputError
from trainables.model.checkpoint_files import checkpoint_tensors, weight_file_list
from trainables.model.language_fit import TABLES, check_tensors, model_on_meta, some_of, without_prefix
from trainables.model.torch_files import read_tensors


def load_language(config: Any, folder: Path, prefix: str) -> Any:
    """Load a causal language model in fp32, and check that every one of its weights is the checkpoint's.

    Args:
        config: configuration of transformers.
        folder: folder in the hub's form.
        prefix: what the study says stands before the names of tensors; empty for nothing.

    Raises:
        InputError: the checkpoint is not whole, or a weight is not what the file holds.
    """
    check_tensors(config, checkpoint_tensors(folder), prefix, str(folder))
    given: dict[str, Any] = {}
    if prefix:
        tensors = {name: tensor for _, part in _file_tensors(folder) for name, tensor in part.items()}
        given["state_dict"] = without_prefix(tensors, prefix, model_on_meta(config, str(folder)), str(folder))
    kind = transformers.MODEL_FOR_CAUSAL_LM_MAPPING[type(config)]
    model, found = kind.from_pretrained(
        None if prefix else folder,
        config=config,
        dtype=torch.float32,
        output_loading_info=True,
        local_files_only=True,
        **given,
    )
    refuse_drawn(model, found, str(folder))
    _check_values(model, folder, prefix)
    return model


def refuse_drawn(model: Any, found: Mapping[str, Iterable[Any]], place: str) -> None:
    """Raise InputError if transformers did not find every weight of a model in the file, or one is no finite number."""
    lacking = sorted(map(str, found["missing_keys"])) + sorted(str(entry[0]) for entry in found["mismatched_keys"])
    if lacking:
        law = f"every weight must come from the checkpoint, but {len(lacking)} did not ({some_of(lacking)})"
        raise InputError(law, place=place)
    for name, parameter in model.named_parameters():
        if not bool(torch.isfinite(parameter).all()):
            raise InputError(f"weights must be finite numbers, but {name} has others (NaN or infinity)", place=place)


def check_finite(folder: Path) -> None:
    """Read all tensors of a checkpoint and check that they are finite. Raises InputError with the name of the first."""
    for file, tensors in _file_tensors(folder):
        for name, tensor in tensors.items():
            is_number = tensor.is_floating_point() and not TABLES.search(name)
            if is_number and not bool(torch.isfinite(tensor).all()):
                raise InputError(
                    f"weights must be finite numbers, but {name} has others (NaN or infinity)", place=str(file)
                )


def check_tied(config: Any, folder: Path, prefix: str) -> None:
    """Check that tensors that the configuration ties are equal where a checkpoint has both. Raises InputError."""
    if not getattr(config.get_text_config(), "tie_word_embeddings", False):
        return
    model = model_on_meta(config, str(folder))
    ends, starts = model.get_output_embeddings(), model.get_input_embeddings()
    names = {id(module): name for name, module in model.named_modules()}
    pair = [f"{names[id(module)]}.weight" for module in (ends, starts)]
    tensors = {name: tensor for _, part in _file_tensors(folder) for name, tensor in part.items()}
    end, start = (_named(tensors, name, prefix, model.base_model_prefix) for name in pair)
    if end is not None and start is not None and not torch.equal(end, start):
        raise InputError(
            f"config.json says that embeddings are tied, but {pair[0]} and {pair[1]} differ",
            place=str(folder),
            way_out="Write `tie_word_embeddings: false` into its config.json, if it was trained so.",
        )


def _named(tensors: Mapping[str, Tensor], name: str, prefix: str, base: str) -> Tensor | None:
    """Return a tensor by its name in the model, whether or not the file has the base model's prefix."""
    names = (f"{prefix}{name}", f"{prefix}{name.removeprefix(f'{base}.')}", name)
    return next((tensors[each] for each in names if each in tensors), None)


def _check_values(model: Any, folder: Path, prefix: str) -> None:
    """Raise InputError unless the first and last rows of every tensor that keeps its name are those of the file."""
    loaded = model.state_dict()
    for file, tensors in _file_tensors(folder):
        for name, tensor in tensors.items():
            short = name.removeprefix(prefix)
            own = next((loaded[each] for each in (short, f"{model.base_model_prefix}.{short}") if each in loaded), None)
            if own is None or not tensor.is_floating_point() or own.shape != tensor.shape:
                continue
            for part, theirs in zip(_ends(own), _ends(tensor), strict=True):
                if not torch.equal(part, theirs.to(part.dtype)):
                    raise InputError(f"{name} was not loaded as it is in the file", place=str(file))


def _ends(tensor: Tensor) -> tuple[Tensor, Tensor]:
    rows = tensor.reshape(1) if tensor.ndim == 0 else tensor
    return rows[:1], rows[-1:]


def _file_tensors(folder: Path) -> Iterator[tuple[Path, dict[str, Tensor]]]:
    return ((file, read_tensors(file)) for file in weight_file_list(folder))
