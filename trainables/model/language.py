"""Build causal language models of transformers: from a configuration with seeded weights, or from a checkpoint.

A checkpoint is read in the precision of the stage that begins with it. A file in that precision is mapped, not copied;
of another transformers reads each tensor once and converts it, so that at the peak the file's bytes and the converted
weights are in memory together. In a stage in bf16 the optimizer's master weights, in fp32, start from the bf16 values
and are never rounded again, and the stage writes the bf16 weights that it computed with. So a checkpoint in bf16 loses
nothing, and one in fp32 or fp16 is rounded once. What is drawn is drawn in fp32, and cast when the stage begins. Where
an earlier stage has trained a model, only its configuration is read, and its weights come from storage.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import torch
import transformers
from torch import Tensor, nn, tanh

from search_spaces.errors import InputError, nearest
from search_spaces.spec import LanguageSpec
from trainables.model.empty_parameters import empty_parameters
from trainables.model.gguf_files import gguf_file, gguf_header
from trainables.model.language_config import causal_config
from trainables.model.language_weights import load_language, refuse_drawn
from trainables.model.seeding import seeded
from trainables.model.weights import find_weights

transformers.utils.logging.disable_progress_bar()  # workers write to log files

_NO_DROPOUT = ("attention_dropout", "attn_pdrop", "attention_probs_dropout_prob")
"""Attention kernels draw from the device's generator, which knows no record: such dropout is off (`dropout` has the
other kind). The models of Prismatic VLMs have none."""


def build_language(
    language: LanguageSpec,
    vocabulary: int,
    seed: int,
    data_root: Path,
    is_empty: bool = False,
    dtype: torch.dtype = torch.float32,
) -> nn.Module:
    """Build a causal language model without a key-value cache, with embeddings for `vocabulary` tokens.

    Embeddings grow to `vocabulary` and on to a multiple of `language.embedding_multiple` (64 for the families of
    Prismatic VLMs); they never shrink. New rows are what the model's own initialisation draws from the trial's seed;
    none of them is the id of a text's token, but the softmax has them in its denominator. Tied embeddings stay tied.

    Args:
        language: its checkpoint, or the configuration that it is built from.
        vocabulary: number of token ids of the tokenizer.
        seed: seed of the trial.
        data_root: folder that ``path:`` origins and local copies of ``hub:`` origins are relative to.
        is_empty: whether its parameters have no values, as all of them are loaded next; one of a GGUF file has them.
        dtype: type that its weights are cast to next. Those of a checkpoint in the hub's form are read in it, with the
            same bits; others, and buffers, are fp32.

    Raises:
        InputError: an unknown family, or weights that are absent or do not load.
    """
    model = _with_weights(language, vocabulary, seed, data_root, is_empty, dtype)
    rows = _rows(model.get_input_embeddings().num_embeddings, vocabulary, language.embedding_multiple)
    if rows != model.get_input_embeddings().num_embeddings:
        with seeded("new embeddings", seed), _tables_in_fp32(model):
            model.resize_token_embeddings(rows, mean_resizing=False)
    model.config.use_cache = False
    return model  # type: ignore[no-any-return]


def logits_of_head(model: nn.Module) -> Callable[[Tensor], Tensor]:
    """Return the function from output-layer values to logits: some families scale them or bound them."""
    config = model.config.get_text_config()  # type: ignore[operator, union-attr]
    scale = (getattr(config, "logit_scale", None) or 1.0) / (getattr(config, "logits_scaling", None) or 1.0)
    bound = getattr(config, "final_logit_softcapping", None)

    def logits(values: Tensor) -> Tensor:
        scaled = values if scale == 1.0 else values * scale
        return scaled if bound is None else tanh(scaled / bound) * bound

    return logits


def _with_weights(
    language: LanguageSpec, vocabulary: int, seed: int, data_root: Path, is_empty: bool, dtype: torch.dtype
) -> Any:
    if language.checkpoint is None:
        return _from_config(language, vocabulary, seed, is_empty)
    with seeded("language", seed):  # whatever a library draws on the way is the seed's
        return _from_checkpoint(language, find_weights(language.checkpoint, data_root), is_empty, dtype)


@contextmanager
def _tables_in_fp32(model: Any) -> Iterator[None]:
    """Hold input and output embeddings in fp32 during a block: draws of another type are others."""
    dtype = model.get_input_embeddings().weight.dtype
    for table in (model.get_input_embeddings(), model.get_output_embeddings()):
        table.float()
    yield
    for table in (model.get_input_embeddings(), model.get_output_embeddings()):
        table.to(dtype)


def attention_window(model: nn.Module) -> int | None:
    """Return how many positions a token attends to in some of a model's layers; None where it is all in every layer."""
    config = model.config.get_text_config()  # type: ignore[operator, union-attr]
    windows = [getattr(config, name, None) for name in ("sliding_window", "attention_chunk_size")]
    kinds = getattr(config, "layer_types", None)
    if kinds is not None and all(kind == "full_attention" for kind in kinds):
        return None
    return min((window for window in windows if window is not None), default=None)


def attention_kernel(model: nn.Module) -> str:
    """Return the name by which transformers knows a model's implementation of attention, such as `sdpa`."""
    return str(model.config.get_text_config()._attn_implementation)  # type: ignore[operator, union-attr]


def _rows(present: int, vocabulary: int, multiple: int) -> int:
    return -(-max(present, vocabulary) // multiple) * multiple


def _from_config(language: LanguageSpec, vocabulary: int, seed: int, is_empty: bool) -> Any:
    defaults: dict[str, Any] = {"vocab_size": vocabulary, "tie_word_embeddings": False}
    if "num_attention_heads" in language.config:  # Mistral's own default does not follow the number of heads
        defaults["num_key_value_heads"] = int(language.config["num_attention_heads"])
    try:
        config = transformers.AutoConfig.for_model(language.family, **{**defaults, **language.config})
    except ValueError as error:
        known = list(transformers.CONFIG_MAPPING)
        raise InputError(
            f"family of {language.name} must be a model_type of transformers, but got {language.family!r}",
            way_out=nearest(language.family, known),
        ) from error
    with seeded("language", seed), empty_parameters() if is_empty else nullcontext():
        return transformers.AutoModelForCausalLM.from_config(_without_attention_dropout(config))


def _from_checkpoint(language: LanguageSpec, path: Path, is_empty: bool, dtype: torch.dtype) -> Any:
    gguf = gguf_file(path)
    if gguf is None:
        config = _without_attention_dropout(causal_config(path, language.weights_prefix))
        if is_empty:
            model = _without_weights(config, path)
        elif dtype == torch.float32:
            model = load_language(config, path, language.weights_prefix)
        else:
            model = _filled(_without_weights(config, path), config, path, language.weights_prefix, dtype)
    else:
        model = _from_gguf(language, gguf)
    width = model.get_input_embeddings().embedding_dim
    if width != language.width:
        raise InputError(f"language.width must be the checkpoint's {width}, but got {language.width}", place=str(path))
    return model


def _without_weights(config: Any, folder: Path) -> Any:
    """Build a model as transformers loads it from a folder in the hub's form, but for the weights."""
    with empty_parameters():
        model = transformers.AutoModelForCausalLM.from_config(config, dtype=torch.float32).eval()
    if (folder / "generation_config.json").exists():
        model.generation_config = transformers.GenerationConfig.from_pretrained(folder, local_files_only=True)
    return model


def _filled(empty: Any, config: Any, folder: Path, prefix: str, dtype: torch.dtype) -> Any:
    """Load the weights of a model that has none yet, in a type that is not that of its buffers.

    Transformers would build the buffers in the type of the weights, too. Those that a file holds must come from there
    in fp32: such a model is loaded in fp32 whole.
    """
    is_buffered = any(name in empty.state_dict() for name, _ in empty.named_buffers())
    if is_buffered:
        return load_language(config, folder, prefix)
    loaded = dict(load_language(config, folder, prefix, dtype).named_parameters())
    for name, parameter in empty.named_parameters():
        torch.utils.swap_tensors(parameter, loaded.pop(name))  # type: ignore[no-untyped-call]
    assert not loaded, sorted(loaded)
    return empty


def _from_gguf(language: LanguageSpec, file: Path) -> Any:
    where: dict[str, Any] = {"local_files_only": True, "gguf_file": file.name}
    gguf_header(file)
    try:
        config = transformers.AutoConfig.from_pretrained(file.parent, **where)
        model, found = transformers.AutoModelForCausalLM.from_pretrained(
            file.parent, config=_without_attention_dropout(config), dtype="float32", output_loading_info=True, **where
        )
    except (ValueError, OSError, ImportError) as error:
        raise InputError(
            f"{language.name} must be a causal language model that transformers {transformers.__version__} loads, but:"
            f" {' '.join(str(error).split())[:300]}",
            place=str(file),
        ) from error
    refuse_drawn(model, found, str(file))
    return model


def _without_attention_dropout(config: Any) -> Any:
    for name in _NO_DROPOUT:
        if getattr(config.get_text_config(), name, 0):
            setattr(config.get_text_config(), name, 0.0)
    return config
