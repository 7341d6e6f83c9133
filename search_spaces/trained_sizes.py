"""Count how much of a model a stage trains: whole modules, or low-rank adapters in the place of the language model."""

from __future__ import annotations

from dataclasses import dataclass

from search_spaces.sizes import ModelSize, decoder_linears
from search_spaces.spec import LoraSpec, Module, StageSpec


@dataclass(frozen=True)
class AdapterSize:
    """Size of a stage's low-rank adapters (Hu et al. 2021, arXiv 2106.09685): two matrices for each adapted layer."""

    rank: int
    layers: tuple[tuple[int, int], ...]
    """(width in, width out) of every linear layer that has adapters."""

    @property
    def parameters(self) -> int:
        """Number of parameters of the adapters."""
        return self.rank * sum(inner + outer for inner, outer in self.layers)

    @property
    def adapted(self) -> int:
        """Weights of the layers that have adapters: those that merging changes."""
        return sum(inner * outer for inner, outer in self.layers)


def adapter_size(size: ModelSize, lora: LoraSpec) -> AdapterSize:
    """Compute the size of adapters on all linear layers of the decoder, or on those that the targets name."""
    linears = decoder_linears(size.family, size.width, size.language)
    named = ((f".layers.{n}.{name}", linears[name]) for n in range(size.language.layers) for name in linears)
    chosen = [w for name, w in named if not lora.targets or any(name.endswith(f".{target}") for target in lora.targets)]
    return AdapterSize(lora.rank, tuple(chosen))


def trained_parameters(size: ModelSize, stage: StageSpec) -> int:
    """Count the parameters that a stage trains: of a language model with adapters, the adapters."""
    language = size.parameters["language"] if stage.lora is None else adapter_size(size, stage.lora).parameters
    trained: dict[Module, int] = {
        "vision": sum(encoder.used for encoder in size.encoders),
        "projector": size.parameters["projector"],
        "language": language,
    }
    return sum(trained[name] for name in stage.trains)
