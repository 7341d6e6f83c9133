"""Count how much of a model a stage trains: whole modules, or low-rank adapters in the place of the language model."""

from __future__ import annotations

from dataclasses import dataclass

from search_spaces.sizes import ModelSize, decoder_linears
from search_spaces.spec import LoraSpec, Module, StageSpec


@dataclass(frozen=True)
class AdapterSize:
    """Size of a stage's low-rank adapters (Hu et al. 2021, arXiv 2106.09685): two matrices for each adapted layer."""

    rank: int = 0
    layers: tuple[tuple[int, int], ...] = ()
    """(width in, width out) of every linear layer that has adapters."""
    has_dropout: bool = False

    @property
    def parameters(self) -> int:
        """Number of parameters of the adapters."""
        return self.rank * sum(inner + outer for inner, outer in self.layers)

    @property
    def adapted(self) -> int:
        """Weights of the layers that have adapters: those that merging changes."""
        return sum(inner * outer for inner, outer in self.layers)

    def saved_bytes(self, number: int) -> int:
        """Size what is saved per position for the backward pass, besides what the layers save themselves.

        Each keeps what its first matrix gives; with dropout also its own copy of the layer's input, and the mask. That
        the frozen layer then keeps no input is left out, so with dropout this is an upper bound.

        Args:
            number: bytes of a number.
        """
        copies = sum(inner for inner, _ in self.layers) * (number + 1) if self.has_dropout else 0
        return number * self.rank * len(self.layers) + copies

    def operations(self, positions: int) -> int:
        """Count the operations of a forward pass: two products each, beside the layer's own."""
        return 2 * self.parameters * positions


def adapter_size(size: ModelSize, lora: LoraSpec) -> AdapterSize:
    """Compute the size of adapters on all linear layers of the decoder, or on those that the targets name."""
    linears = decoder_linears(size.family, size.width, size.language)
    named = ((f".layers.{n}.{name}", linears[name]) for n in range(size.language.layers) for name in linears)
    chosen = [w for name, w in named if not lora.targets or any(name.endswith(f".{target}") for target in lora.targets)]
    return AdapterSize(lora.rank, tuple(chosen), lora.dropout > 0)


def stage_adapters(size: ModelSize, stage: StageSpec) -> AdapterSize:
    """Size the adapters of a stage; nothing where it has none."""
    return AdapterSize() if stage.lora is None else adapter_size(size, stage.lora)


def trains_own_weights(stage: StageSpec, name: Module) -> bool:
    """Tell whether a stage trains the weights of a module themselves, and nothing in their place."""
    return name in stage.trains and not (name == "language" and stage.lora is not None)


def trained_parameters(size: ModelSize, stage: StageSpec) -> int:
    """Count the parameters that a stage trains: of a language model with adapters, the adapters."""
    trained: dict[Module, int] = {
        "vision": sum(encoder.used for encoder in size.encoders),
        "projector": size.parameters["projector"],
        "language": size.parameters["language"],
    }
    own = sum(count for name, count in trained.items() if trains_own_weights(stage, name))
    return own + stage_adapters(size, stage).parameters
