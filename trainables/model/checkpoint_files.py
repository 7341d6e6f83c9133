"""Find a checkpoint's files of weights, and check that index and shards agree. Of safetensors, without torch."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from search_spaces.errors import InputError, Problems
from trainables.model.tensor_files import FLOATS, TensorHeader, read_json_object, safetensors_headers

WHOLE = ("model.safetensors", "pytorch_model.bin")
INDEXES = tuple(f"{name}.index.json" for name in WHOLE)
_SHARD = re.compile(r"(model|pytorch_model)-\d+-of-\d+\.(safetensors|bin)")
_QUANTISED = re.compile(
    r"(^|\.)(qweight|qzeros|g_idx|scb|absmax|quant_map|nested_absmax|nested_quant_map|quant_state\..*|weight_scale"
    r"|weight_scale_inv|input_scale|weight_packed|weight_zero_point)$",
    re.IGNORECASE,
)
"""Last parts of the names that GPTQ, AWQ, bitsandbytes, fp8 and compressed-tensors give to quantised weights."""
PLAIN = "Take the repository of the model that was not quantised, or save a dequantised copy."


class CheckpointTensors(dict[str, TensorHeader]):
    """Tensors of all files of a checkpoint by name, and the file of each."""

    def __init__(self) -> None:
        super().__init__()
        self.files: dict[str, Path] = {}


def read_headers(file: Path) -> dict[str, TensorHeader]:
    """Read names, types and shapes of the tensors of a safetensors file, or of a file of `torch.save`.

    Raises:
        InputError: it is no such file, cut off, or holds anything but tensors.
    """
    if file.suffix == ".safetensors":
        return safetensors_headers(file)
    from trainables.model.torch_files import torch_headers

    return torch_headers(file)


def refuse_adapters(folder: Path) -> None:
    """Raise InputError for a folder of adapters, whose model transformers would look for elsewhere."""
    if (folder / "adapter_config.json").exists():
        raise InputError(
            "must be a complete model, but is a folder of adapters (adapter_config.json)",
            place=str(folder),
            way_out="Merge them into their model (`merge_and_unload()` of peft), and save that.",
        )


def weight_file_list(folder: Path) -> list[Path]:
    """List the files of weights of a folder in the hub's form, in the order in which transformers prefers them.

    Raises:
        InputError: there are none, shards that the index names are missing, or there are shards that it does not name.
    """
    refuse_adapters(folder)
    for whole, index in zip(WHOLE, INDEXES, strict=True):
        shards = _shards(folder, Path(whole).suffix)
        if (folder / whole).exists():
            if shards:
                raise InputError(
                    f"weights must be in one file or in shards, but there are {whole} and {shards[0].name}",
                    place=str(folder),
                    way_out="Remove what does not belong to this model.",
                )
            return [folder / whole]
        if (folder / index).exists():
            return _indexed(folder, index, shards)
        if shards:
            raise InputError(
                f"shards need their index, but {index} is missing beside {shards[0].name}",
                place=str(folder),
                way_out="Copy the missing files of the repository into this folder.",
            )
    raise InputError("must hold model.safetensors or pytorch_model.bin", place=str(folder))


def checkpoint_tensors(folder: Path) -> CheckpointTensors:
    """Read names, types and shapes of all weights of a folder in the hub's form.

    Raises:
        InputError: a file is missing or not what it should be, index and shards differ, or a name is there twice.
    """
    files, found, problems = weight_file_list(folder), CheckpointTensors(), Problems()
    for file in files:
        with problems.collected():
            for name, header in read_headers(file).items():
                if name in found:
                    law = f"{name} must be in one shard, but is in {found.files[name].name} and {file.name}"
                    raise InputError(law, place=str(folder))
                found[name], found.files[name] = header, file
    problems.raise_all()
    index = next((folder / name for name in INDEXES if (folder / name).exists()), None)
    if index is not None and files[0].name not in WHOLE:
        _check_index(index, found)
    return found


def check_types(headers: Mapping[str, TensorHeader], place: str, used: Sequence[str] | None = None) -> None:
    """Check that weights are floating-point numbers and not quantised.

    Args:
        headers: tensors by name.
        place: file or folder, for the error.
        used: names of those that a model needs; None for all, of which integers may be tables and not weights.

    Raises:
        InputError: names or types of quantised weights, or a needed tensor that is none of floating-point numbers.
    """
    quantised = sorted(name for name in headers if _QUANTISED.search(name))
    small = sorted(
        name for name, header in headers.items() if header.dtype.startswith(("F8_", "F6_", "F4", "float8", "float4"))
    )
    if quantised or small:
        first = (quantised or small)[0]
        law = f"weights must be floating-point numbers, but are quantised: {first} is {headers[first].dtype}"
        raise InputError(law, place=place, way_out=PLAIN)
    odd = sorted(name for name in used or () if headers[name].dtype not in FLOATS)
    if odd:
        law = (
            f"weights must be of type {', '.join(sorted(FLOATS))}, but {len(odd)} are not: {odd[0]} is"
            f" {headers[odd[0]].dtype}"
        )
        raise InputError(law, place=place, way_out=PLAIN)


def _shards(folder: Path, suffix: str) -> list[Path]:
    return sorted(file for file in folder.glob(f"*{suffix}") if _SHARD.fullmatch(file.name))


def _weight_map(index: Path) -> dict[str, str]:
    weight_map = read_json_object(index).get("weight_map")
    if not isinstance(weight_map, dict) or not weight_map or not all(isinstance(v, str) for v in weight_map.values()):
        raise InputError("must map names of tensors to files under `weight_map`", place=str(index))
    return weight_map


def _indexed(folder: Path, index: str, shards: Sequence[Path]) -> list[Path]:
    named = sorted(set(_weight_map(folder / index).values()))
    outside = [name for name in named if Path(name).name != name]
    if outside:
        raise InputError(f"must name files of its own folder, but names {outside[0]!r}", place=str(folder / index))
    absent = [name for name in named if not (folder / name).exists()]
    if absent:
        raise InputError(
            f"a copy of a model must be complete, but lacks {len(absent)} of {len(named)} shards ({absent[0]} first)",
            place=str(folder),
            way_out="Copy the missing files of the repository into this folder.",
        )
    unnamed = [file.name for file in shards if file.name not in named]
    if unnamed:
        raise InputError(
            f"all shards must be named by {index}, but {len(unnamed)} are not ({unnamed[0]} first)",
            place=str(folder),
            way_out="Fetch the index again, or remove the shards of another model.",
        )
    return [folder / name for name in named]


def _check_index(index: Path, found: CheckpointTensors) -> None:
    """Raise InputError unless an index and its shards name the same tensors in the same files."""
    declared = _weight_map(index)
    absent = sorted(name for name, file in declared.items() if name not in found or found.files[name].name != file)
    if absent:
        law = (
            f"shards must hold what their index names, but {len(absent)} of {len(declared)} tensors are not where it"
            f" says: {absent[0]} is not in {declared[absent[0]]}"
        )
        raise InputError(law, place=str(index), way_out="Fetch index and shards again, all of one revision.")
    extra = sorted(found.keys() - declared.keys())
    if extra:
        law = f"an index must name all tensors of its shards, but {len(extra)} are not in it ({extra[0]} first)"
        raise InputError(law, place=str(index), way_out="Fetch index and shards again, all of one revision.")
