"""Save and load the weights of a stage: a safetensors file and its digest for each trained module."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection
from pathlib import Path

from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from trainables.model.vlm import VLM, module
from trainables.storage import layout
from trainables.storage.damages import Damage, changed_content, refuse_damaged
from trainables.storage.digests import file_digest
from trainables.storage.records import StageResult
from trainables.storage.store import Store


def save_weights(weights: dict[str, dict[str, Tensor]], store: Store, folder: str) -> dict[str, str]:
    """Write each module's weights to a file in `folder`.

    Args:
        weights: module -> its tensors by name.
        store: storage that the files are written to.
        folder: name of the stage's folder on storage.

    Returns:
        Module -> SHA-256 of its file, as 64 hex digits.
    """
    digests = {}
    for name, tensors in weights.items():
        final = layout.module_weights(folder, name)
        with store.writing(final) as aside:
            save_file({key: tensors[key].contiguous() for key in sorted(tensors)}, aside)
            digests[name] = _digest(aside)
    return digests


def load_weights(model: VLM, results: list[StageResult], store: Store, stage_folder: str = "stages") -> None:
    """Load the weights of earlier stages into a newly built model, the latest of each module.

    Args:
        model: model that is changed in place; the weights of an encoder that was not built are left out.
        results: results of the stages, in order.
        store: storage that holds the weights.
        stage_folder: name of the folder of all stages on storage.

    Raises:
        DamagedArtifactError: a file is not what its stage wrote.
        ValueError: it does not hold exactly the module's weights.
    """
    latest = {name: result for result in results for name in result.modules}
    for name, result in latest.items():
        if name == "vision" and model.vision is None:
            continue
        folder = f"{stage_folder}/{result.key}"
        file = layout.module_weights(folder, name)
        if file_digest(store, file) != result.modules[name]:
            refuse_damaged(store, folder, Damage(file, changed_content(), store.place(file)))
        path = store.reading(file)
        with safe_open(path, "pt") as tensors:
            load_strict(module(model, name), tensors.keys(), tensors.get_tensor, path)  # type: ignore[arg-type]


def load_strict(part: nn.Module, names: Collection[str], tensor_of: Callable[[str], Tensor], path: Path) -> None:
    """Copy tensors into a module, one at a time.

    Args:
        part: module that is changed in place.
        names: names of the tensors: exactly those of its parameters and persistent buffers.
        tensor_of: returns a tensor by its name.
        path: file of the tensors, for errors.

    Raises:
        ValueError: names or shapes differ from the module's.
    """
    persistent = part.state_dict(keep_vars=True)
    wanted = dict(part.named_parameters()) | {key: b for key, b in part.named_buffers() if key in persistent}
    if wanted.keys() != set(names):
        odd = sorted(wanted.keys() ^ set(names))
        raise ValueError(f"{path} must hold exactly the module's weights, but {len(odd)} differ, the first is {odd[0]}")
    for key, target in wanted.items():
        tensor = tensor_of(key)
        if target.shape != tensor.shape:
            raise ValueError(f"{path}: {key} must be {tuple(target.shape)}, but is {tuple(tensor.shape)}")
        target.data.copy_(tensor)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
