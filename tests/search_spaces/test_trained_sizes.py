"""Claims about what a stage trains: adapters have the parameters that peft makes on the meta device."""

from __future__ import annotations

import pytest
import torch
from peft.tuners.lora import LoraLayer

from search_spaces.catalogue.load import shipped
from search_spaces.sizes import ModelSize, sized_family
from search_spaces.spec import LoraSpec, ProjectorSpec
from search_spaces.trained_sizes import adapter_size, trained_parameters
from tests.support.meta_languages import language_on_meta
from tests.support.sized_stages import sized_stage
from trainables.model.dropout import Draws
from trainables.model.lora import add_lora, train_adapters_only

CATALOGUE = shipped()
ONE_OF_A_SHAPE = list(
    {(entry.family, entry.width, entry.shape): name for name, entry in CATALOGUE.languages.items()}.values()
)


@pytest.mark.parametrize("targets", [(), ("q_proj", "v_proj"), ("0.self_attn.q_proj",)])
@pytest.mark.parametrize("name", ONE_OF_A_SHAPE)
def test_adapters_have_the_parameters_that_peft_makes(name: str, targets: tuple[str, ...]) -> None:
    entry = CATALOGUE.languages[name]
    family = sized_family(entry.family)
    assert entry.shape is not None
    assert family is not None
    lora = LoraSpec(rank=8, alpha=16, targets=targets)
    model = language_on_meta(entry.family, entry.width, entry.shape)
    with torch.device("meta"):
        add_lora(model, lora, 7, "finetune", Draws())
    train_adapters_only(model)
    made = sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
    adapted = sum(layer.get_base_layer().weight.numel() for layer in model.modules() if isinstance(layer, LoraLayer))
    size = ModelSize((), 0, ProjectorSpec(kind="linear"), entry.shape, family, entry.width)
    computed = adapter_size(size, lora)
    assert (computed.parameters, computed.adapted) == (made, adapted)
    assert trained_parameters(size, sized_stage(trains=("language",), lora=lora)) == made
