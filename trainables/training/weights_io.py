"""Save and load the weights of a stage: a safetensors file and its digest for each trained module."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from trainables.model.vlm import VLM, module
from trainables.storage import layout
from trainables.storage.artifacts import verify_stage
from trainables.storage.damages import CHANGED, Damage, absent, refuse_damaged
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


def load_weights(model: VLM, results: Sequence[StageResult], store: Store) -> None:
    """Load the weights of earlier stages into a newly built model, the latest of each module.

    Args:
        model: model that is changed in place; the weights of an encoder that was not built are left out.
        results: results of the stages, in order.
        store: storage that holds the weights.

    Raises:
        DamagedArtifactError: a file is not what its stage wrote, or not there: another trial may be making it again.
        ValueError: it does not hold exactly the module's weights.
    """
    for name, result in stored_modules(results).items():
        if name == "vision" and model.vision is None:
            continue
        file = layout.module_weights(layout.stage_folder(result.key), name)
        try:
            _require_weights(result, name, file, store)
            path = store.reading(file)
            with safe_open(path, "pt") as tensors:
                load_strict(module(model, name), tensors.keys(), tensors.get_tensor, path)  # type: ignore[arg-type]
        except FileNotFoundError:
            raise absent(store, file).error() from None


def stored_modules(results: Sequence[StageResult]) -> dict[str, StageResult]:
    """Find the stage that has trained a module last, for each module that stages have trained.

    Args:
        results: of the stages, in order.
    """
    return {name: result for result in results for name in result.modules}


def _require_weights(result: StageResult, module_name: str, file: str, store: Store) -> None:
    """Refuse weights that are damaged, or that were trained again since the result of their stage was read."""
    for damage in verify_stage(store, result.key, "content", [module_name]).damages:
        refuse_damaged(store, layout.stage_folder(result.key), damage)
    if file_digest(store, file) != result.modules[module_name]:
        raise Damage(file, CHANGED, store.place(file)).error()


def load_strict(part: nn.Module, names: Collection[str], tensor_of: Callable[[str], Tensor], path: Path) -> None:
    """Copy tensors into a module, one at a time; parameters without values take the tensors' type, too.

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
        if target.is_meta:
            torch.utils.swap_tensors(target, nn.Parameter(tensor.clone(), target.requires_grad))  # type: ignore[no-untyped-call]
        else:
            target.data.copy_(tensor)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
