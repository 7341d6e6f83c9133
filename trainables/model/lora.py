"""Add low-rank adapters (peft) to the language model before a stage trains, and merge them at its end.

A stage with adapters writes the whole, merged language model, so that later stages, evaluation and export need not
know of them. That costs what a stage without adapters costs in files; what it saves is gradients, optimizer states and
their traffic.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from search_spaces.errors import InputError
from search_spaces.spec import LoraSpec
from trainables.model.dropout import Draws, RecordDropout
from trainables.model.language_files import check_targets
from trainables.model.seeding import seeded

_NAME = "default"
"""Name of the adapter in peft."""

_FIRST = 1 << 20
"""Number of the first adapter's dropout layer, far above the numbers of a model's own dropout layers."""


def add_lora(language: nn.Module, lora: LoraSpec, seed: int, stage: str, draws: Draws) -> None:
    """Add adapters to a language model, in place: its linear layers become pairs of a frozen and a low-rank part.

    The second matrix is zero, so the model's function is unchanged; the first is drawn from (seed, stage).

    Args:
        language: model of transformers.
        lora: rank, weight, dropout and target layers.
        seed: seed of the trial.
        stage: name of the stage.
        draws: seeds of the records that the adapters' dropout follows.

    Raises:
        InputError: the model does not have the target layers.
    """
    from peft import LoraConfig, inject_adapter_in_model  # here, as most trials have no adapters
    from peft.tuners.lora import LoraLayer

    config = LoraConfig(
        r=lora.rank,
        lora_alpha=lora.alpha,  # only ever divided by the rank
        lora_dropout=lora.dropout,
        target_modules=_targets(language, lora),
        bias="none",
    )
    with seeded("lora", stage, seed):
        inject_adapter_in_model(config, language, _NAME)
    layers = [layer for _, layer in sorted(language.named_modules()) if isinstance(layer, LoraLayer)]
    for number, layer in enumerate(layers):
        if lora.dropout:
            layer.lora_dropout[_NAME] = RecordDropout(lora.dropout, _FIRST + number, draws)


def train_adapters_only(language: nn.Module) -> None:
    """Freeze all but the adapters."""
    for name, parameter in language.named_parameters():
        parameter.requires_grad_(".lora_" in name)


def merge_adapters(weights: dict[str, Tensor], lora: LoraSpec) -> dict[str, Tensor]:
    """Merge adapters into the weights of the plain model: W + alpha / rank * B A, in fp32."""
    plain = {}
    for name, tensor in weights.items():
        if ".lora_" in name:
            continue
        stem, is_base, parameter = name.partition(".base_layer.")
        if is_base and parameter == "weight":
            down, up = (weights[f"{stem}.lora_{side}.{_NAME}.weight"].float() for side in "AB")
            tensor = torch.addmm(tensor.float(), up, down, alpha=lora.alpha / lora.rank)
        plain[f"{stem}.{parameter}" if is_base else name] = tensor
    return plain


def _targets(language: nn.Module, lora: LoraSpec) -> list[str]:
    """List the full names of the layers that get adapters. Raises InputError if there are none."""
    output = language.get_output_embeddings()  # type: ignore[operator]
    linear = [name for name, layer in language.named_modules() if isinstance(layer, nn.Linear) and layer is not output]
    if not linear:
        raise InputError(
            f"adapters need linear layers, but {type(language).__name__} has none besides its output layer"
        )
    if not lora.targets:
        return linear
    check_targets(lora.targets, linear, type(language).__name__)
    return [name for name in linear if any(f".{name}".endswith(f".{target}") for target in lora.targets)]
