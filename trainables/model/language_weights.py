"""Load the weights of a causal language model whole: every one is the checkpoint's, or nothing is loaded."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
import transformers
from torch import Tensor

from search_spaces.errors import InputError
from trainables.model.checkpoint_files import checkpoint_tensors, weight_file_list
from trainables.model.language_fit import TABLES, check_tensors, compare, model_on_meta, some_of, without_prefix
from trainables.model.torch_files import read_tensors
from trainables.model.unwritten import refuse_unwritten


def load_language(config: Any, folder: Path, prefix: str, dtype: torch.dtype = torch.float32) -> Any:
    """Load a causal language model, and check that every one of its weights is the checkpoint's.

    Args:
        config: configuration of transformers.
        folder: folder in the hub's form.
        prefix: what the study says stands before the names of tensors; empty for nothing.
        dtype: type of the weights: those of the file, rounded to it once. Buffers may have it, too.

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
        dtype=dtype,
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


def check_numbers(folder: Path) -> None:
    """Read all tensors of a checkpoint and check that they are finite, and were written.

    Raises InputError with the name of the first that is not.
    """
    for file, tensors in _file_tensors(folder):
        refuse_unwritten({name: part for name, part in tensors.items() if part.is_floating_point()}, str(file))
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
    place, untied = str(folder), copy.deepcopy(config)
    untied.tie_word_embeddings = untied.get_text_config().tie_word_embeddings = False
    model, headers = model_on_meta(untied, place), checkpoint_tensors(folder)
    chosen = without_prefix(headers, prefix, model, place)
    if compare(model, chosen).missing:
        return
    shape = tuple(model.get_output_embeddings().weight.shape)
    tables = [name for name in headers if name.removeprefix(prefix) in chosen and headers[name].shape == shape]
    first, second = (tables[0], tables[-1])  # both tables are there, whatever the family calls them
    tensors = {name: part[name] for _, part in _file_tensors(folder) for name in tables if name in part}
    if len(tables) == 2 and not torch.equal(tensors[first], tensors[second]):
        raise InputError(
            f"config.json says that embeddings are tied, but {first} and {second} differ",
            place=place,
            way_out="Write `tie_word_embeddings: false` into its config.json, if it was trained so.",
        )


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
