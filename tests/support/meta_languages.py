"""Language models of published shapes, without memory: on torch's meta device tensors have shapes and no values."""

from __future__ import annotations

from typing import Any

import torch
import transformers

from search_spaces.sizes import LanguageShape


def language_on_meta(family: str, width: int, shape: LanguageShape) -> Any:
    """Build a language model as transformers does, without memory."""
    config = transformers.AutoConfig.for_model(
        family,
        hidden_size=width,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.kv_heads,
        intermediate_size=shape.mlp,
        vocab_size=shape.rows,
        tie_word_embeddings=shape.tied,
    )
    with torch.device("meta"):
        return transformers.AutoModelForCausalLM.from_config(config)
