"""Causal language models of transformers: from a configuration with seeded weights, or from a checkpoint."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import transformers
from torch import nn

from search_spaces.errors import InputError
from search_spaces.spec import LanguageSpec
from trainables.model.seeding import seeded
from trainables.model.weights import find_weights

_CONFIGS = {
    "llama": (transformers.LlamaConfig, transformers.LlamaForCausalLM),
    "mistral": (transformers.MistralConfig, transformers.MistralForCausalLM),
    "phi": (transformers.PhiConfig, transformers.PhiForCausalLM),
}


def build_language(language: LanguageSpec, vocabulary: int, seed: int, data_root: Path) -> nn.Module:
    """A causal language model in fp32, at least `vocabulary` tokens wide. It is used without a key-value cache."""
    if language.checkpoint is None:
        config_class, model_class = _CONFIGS[language.family]
        defaults = {"vocab_size": vocabulary, "tie_word_embeddings": False}
        if "num_attention_heads" in language.config:  # Mistral's own default does not follow the number of heads
            defaults["num_key_value_heads"] = int(language.config["num_attention_heads"])
        options: dict[str, Any] = {**defaults, **language.config}
        with seeded("language", seed):
            model = model_class(config_class(**options))
    else:
        folder = find_weights(language.checkpoint, data_root)
        model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
        if model.config.hidden_size != language.width:
            raise InputError(
                f"language.width must be the checkpoint's {model.config.hidden_size}, but got {language.width}",
                place=str(folder),
            )
        if vocabulary > model.get_input_embeddings().num_embeddings:
            model.resize_token_embeddings(vocabulary)
    model.config.use_cache = False
    return model  # type: ignore[no-any-return]
