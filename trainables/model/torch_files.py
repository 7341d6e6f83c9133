"""Read tensors from files of weights, mapped into memory where the format allows it. No pickled code is executed."""

from __future__ import annotations

import pickle
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from search_spaces.errors import InputError
from search_spaces.regular_files import open_regular
from trainables.model.tensor_files import TensorHeader, check_content, safetensors_headers

_NESTED = ("state_dict", "model_state_dict", "model", "module")
"""Names under which training scripts keep the weights beside an optimizer's state."""


_TYPES = {"float64": "F64", "float32": "F32", "float16": "F16", "bfloat16": "BF16"}
"""Names of safetensors for types of torch; those that cannot be trained keep torch's name."""


def torch_headers(file: Path) -> dict[str, TensorHeader]:
    """Read names, types and shapes of the tensors of a file of `torch.save`, without their values."""
    headers = {}
    for name, tensor in read_tensors(file, "meta").items():
        kind = str(tensor.dtype).removeprefix("torch.")
        headers[name] = TensorHeader(_TYPES.get(kind, kind), tuple(tensor.shape))
    return headers


def read_tensors(file: Path, device: str = "cpu") -> dict[str, Tensor]:
    """Read the tensors of a safetensors file, or of a file of `torch.save`, in the order of the file.

    A dictionary that holds the weights under `state_dict` or `model` beside other things is taken for these weights.

    Args:
        file: file of weights.
        device: `cpu`, or `meta` for shapes alone.

    Raises:
        InputError: it is no such file, is cut off, or holds code or anything else but tensors.
    """
    check_content(file)
    if file.suffix == ".safetensors":
        safetensors_headers(file)
        return load_file(file, device=device)
    weights = _weights_of(_unpickled(file, device))
    odd = [name for name, value in weights.items() if not isinstance(value, Tensor)]
    if not weights or odd:
        law = f"must hold tensors by name, but {odd[0]!r} is none" if odd else "must hold tensors by name, but is empty"
        raise InputError(law, place=str(file), way_out="Save the state_dict() of the model alone.")
    return {str(name): tensor for name, tensor in weights.items()}


def _unpickled(file: Path, device: str) -> Any:
    is_archive = zipfile.is_zipfile(file)
    if not is_archive and _starts_as_archive(file):
        raise InputError(
            f"the file is cut off: it has {file.stat().st_size:,} bytes, and its table of contents, which stands at"
            " its end, is missing",
            place=str(file),
            way_out="Fetch the file again: its size must be the one that its source names.",
        )
    try:
        return torch.load(file, map_location=device, weights_only=True, mmap=is_archive)
    except pickle.UnpicklingError as error:
        raise InputError(
            "must hold tensors and nothing else, but torch's reader, which executes no code, refuses it",
            place=str(file),
            way_out="It may hold objects, or be damaged. Save the state_dict() of the model as safetensors.",
        ) from error
    except Exception as error:  # of a reader that trusts the file: any of Python's own
        law = f"must be a file of torch.save, but torch cannot read it: {' '.join(str(error).split())[:200]}"
        raise InputError(law, place=str(file), way_out="The file may be cut off: fetch it again.") from error


def _starts_as_archive(file: Path) -> bool:
    with open_regular(file) as opened:
        return opened.read(4) == b"PK\x03\x04"


def _weights_of(loaded: Any) -> Mapping[Any, Any]:
    """Return the dictionary of weights in what was read: itself, or the one that it holds under a usual name."""
    if not isinstance(loaded, Mapping):
        return {}
    if any(isinstance(value, Tensor) for value in loaded.values()):
        return loaded
    return next((loaded[name] for name in _NESTED if isinstance(loaded.get(name), Mapping)), loaded)
