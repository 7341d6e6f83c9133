"""Randomly made language models in the hub's own format: what `transformers` saves, at a size that trains in a second.

Each family gets a tokenizer of its real kind: sentencepiece-like BPE with `<s>` and no padding token (llama, mistral),
byte-level BPE with `<|endoftext|>` alone (phi, gpt_neox) or with chat tokens and a template (qwen2).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import transformers
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

from search_spaces.expansion.resolve_language import PRISMATIC_FAMILIES
from search_spaces.sizes import EMBEDDING_MULTIPLE
from search_spaces.spec import LanguageSpec, TokenizerSpec
from tests.support.tiny_specs import language

WIDTH = 32
ROWS = 480
"""Rows of the embeddings: no multiple of 64, and more than any of the tokenizers has."""

CORPUS = [
    "What color is the shape? red blue green yellow black white gray teal brown",
    "What shape is in the image? circle rectangle triangle",
    "Is there a red circle? yes no. Is it not a triangle? USER: ASSISTANT: In: Out: Input: Output: [INST] [/INST]",
    "A chat between a curious user and an artificial intelligence assistant.",
]

CHATML = (
    "{% for message in messages %}"
    "{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
"""The template of SmolLM2-Instruct without its default system message."""

_SIZES = {"hidden_size": WIDTH, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
_OPTIONS: dict[str, dict[str, Any]] = {
    "llama": {"num_key_value_heads": 1},
    "mistral": {"num_key_value_heads": 1, "sliding_window": 8},
    "phi": {"resid_pdrop": 0.1},
    "gpt_neox": {"tie_word_embeddings": False},
    "qwen2": {"num_key_value_heads": 1, "tie_word_embeddings": True},
}
FAMILIES = tuple(_OPTIONS)


def make_checkpoint(
    folder: Path,
    family: str,
    *,
    template: str | None = None,
    shards: bool = False,
    dtype: torch.dtype = torch.float32,
    **options: Any,
) -> Path:
    """Write config.json, weights and tokenizer files below `folder`; in several files with an index if `shards`."""
    tokenizer = _tokenizer(family, template)
    options = {"vocab_size": ROWS, "initializer_range": 0.1, **_SIZES, **_OPTIONS[family], **options}
    options |= {"bos_token_id": tokenizer.bos_token_id, "eos_token_id": tokenizer.eos_token_id}
    config = transformers.AutoConfig.for_model(family, **options)
    with torch.random.fork_rng():
        torch.manual_seed(1)
        model = transformers.AutoModelForCausalLM.from_config(config).to(dtype)
    model.save_pretrained(folder, max_shard_size="40KB" if shards else "1GB")
    tokenizer.save_pretrained(folder)
    return folder


def hub_language(data_root: Path, family: str, *, model: str | None = None, **changes: Any) -> LanguageSpec:
    """Describe the language model of a repository, made below `<data>/hub` if it is not there yet."""
    made = {name: changes.pop(name) for name in ("template", "shards", "dtype", "options") if name in changes}
    name = model or f"tiny/{family}"
    folder = data_root / "hub" / name
    if not folder.exists():
        make_checkpoint(folder, family, **made.pop("options", {}), **made)
    fields = {
        "name": f"hub:{name}@main",
        "family": family,
        "checkpoint": f"hub:{name}@main",
        "config": {},
        "tokenizer": TokenizerSpec(kind="checkpoint"),
        "prompt": "pure",
        "width": WIDTH,
        "embedding_multiple": EMBEDDING_MULTIPLE if family in PRISMATIC_FAMILIES else 1,
    }
    return language(**(fields | changes))


def _tokenizer(family: str, template: str | None) -> Any:
    if family in ("llama", "mistral"):
        made = _sentencepiece_like()
        special = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}
    else:
        chat = ["<|im_start|>", "<|im_end|>"] if family == "qwen2" else []
        made = _byte_level(["<|endoftext|>", *chat])
        special = {"bos_token": "<|endoftext|>", "eos_token": "<|endoftext|>", "unk_token": "<|endoftext|>"}
        if family == "qwen2":
            special = {"eos_token": "<|im_end|>", "pad_token": "<|endoftext|>"}
    loaded = transformers.PreTrainedTokenizerFast(tokenizer_object=made, **special)
    loaded.chat_template = template or (CHATML if family == "qwen2" else None)
    return loaded


def _sentencepiece_like() -> Tokenizer:
    """As tokenizer.json of Llama-2 has it: a blank before every text, blanks as U+2581, bytes for the rest."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("\u2581"), normalizers.Replace(" ", "\u2581")])
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    bytes_ = [f"<0x{byte:02X}>" for byte in range(256)]
    trainer = trainers.BpeTrainer(
        vocab_size=400, special_tokens=["<unk>", "<s>", "</s>", *bytes_], show_progress=False, max_token_length=6
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    return tokenizer


def _byte_level(special: list[str]) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=special,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    return tokenizer
