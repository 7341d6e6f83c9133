"""Random language models of llama.cpp's format at toy size, written by its own package."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import numpy as np
from gguf import GGUFWriter

WIDTH, MLP, BLOCKS = 32, 64, 2
TOKENS = ["<|endoftext|>", *map(chr, range(ord("!"), ord("~") + 1)), *map(chr, range(0xA1, 0x17F)), "ab"]
"""Enough letters for the bytes of a byte-level tokenizer, and one merge of two."""


def write_gguf(
    file: Path, *, tied: bool = False, without: Collection[str] = (), rows: int = len(TOKENS), arch: str = "llama"
) -> Path:
    """Write a model of two blocks, with a byte-level tokenizer.

    Args:
        file: file that is made.
        tied: whether there is no output layer of its own.
        without: names of tensors that are left out.
        rows: rows of the embeddings.
        arch: name of the architecture.
    """
    writer, draws = GGUFWriter(str(file), arch), np.random.default_rng(0)
    writer.add_context_length(64)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(BLOCKS)
    writer.add_feed_forward_length(MLP)
    writer.add_head_count(2)
    writer.add_head_count_kv(2)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_rope_dimension_count(16)
    writer.add_vocab_size(rows)
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(TOKENS)
    writer.add_token_types([1] * len(TOKENS))
    writer.add_token_merges(["a b"])
    writer.add_eos_token_id(0)
    writer.add_bos_token_id(0)
    for name, shape in _shapes(rows, tied).items():
        if name not in without:
            writer.add_tensor(name, draws.standard_normal(shape).astype(np.float32) * np.float32(0.1))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return file


def _shapes(rows: int, tied: bool) -> dict[str, tuple[int, ...]]:
    block = {
        **{f"attn_{name}": (WIDTH, WIDTH) for name in ("q", "k", "v", "output")},
        "ffn_gate": (MLP, WIDTH),
        "ffn_up": (MLP, WIDTH),
        "ffn_down": (WIDTH, MLP),
        "attn_norm": (WIDTH,),
        "ffn_norm": (WIDTH,),
    }
    blocks = {f"blk.{i}.{name}.weight": shape for i in range(BLOCKS) for name, shape in block.items()}
    head = {} if tied else {"output.weight": (rows, WIDTH)}
    return {"token_embd.weight": (rows, WIDTH), "output_norm.weight": (WIDTH,), **head, **blocks}
