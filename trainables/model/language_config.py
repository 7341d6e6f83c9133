"""Read the configuration of a checkpoint with transformers, and refuse families that are no causal language models."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import transformers
from transformers.models.auto import modeling_auto

from search_spaces.errors import InputError, nearest
from trainables.absent_module import absent_module
from trainables.model.checkpoint_files import PLAIN
from trainables.model.tensor_files import read_json_object

with absent_module("scipy"):  # losses of detectors would load it, which costs every worker 0.3 s of CPU
    transformers.utils.is_scipy_available.cache_clear()
    transformers.utils.is_scipy_available()  # remembers its answer
transformers.utils.logging.set_verbosity_error()  # what a checkpoint lacks is an error here, not a report in a log

_HEADS = ("num_attention_heads", "n_head", "n_heads", "num_heads", "decoder_attention_heads", "encoder_attention_heads")
_OTHER_TASKS = re.compile(
    r"For(MaskedLM|SequenceClassification|TokenClassification|QuestionAnswering|MultipleChoice|NextSentencePrediction"
    r"|PreTraining|RewardModel|TextEncoding|SequenceToSequence|Seq2SeqLM)$"
)
"""Names of architectures whose weights are those of another task."""
_BIDIRECTIONAL = frozenset({"xlnet", "bert-generation", "cpmant"})
"""Families that transformers lists as causal, and whose texts see what follows unless they are told otherwise."""
_OTHER_KINDS = frozenset({"whisper", "trocr", "musicgen", "musicgen_melody", "moshi", "git", "blt"})
"""Families that transformers lists as causal, and that cannot read embeddings alone."""


def inner_config(raw: dict[str, Any]) -> dict[str, Any] | None:
    """Return the configuration of the language model that a larger model has as a part; None for any other model."""
    text = raw.get("text_config")
    return text if isinstance(text, dict) and "model_type" in text else None


def causal_config(folder: Path, prefix: str) -> Any:
    """Read the configuration of a causal language model from a folder in the hub's form.

    Where the study declares a prefix of the weights, a configuration of a model that has the language model as a part
    (`text_config`) gives way to that part's.

    Raises:
        InputError: the family is unknown, not causal, or needs code of its own, or the weights are quantised.
    """
    file = folder / "config.json"
    raw = read_json_object(file)
    own = (inner_config(raw) if prefix else None) or raw
    _check_plain(raw, file)
    check_family(str(own.get("model_type")), file, brings_code="auto_map" in raw)
    try:
        if own is raw:
            config = transformers.AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        else:
            config = transformers.AutoConfig.for_model(**own)
    except Exception as error:  # whatever a configuration's odd values lead to
        law = f"must be a configuration that transformers {transformers.__version__} reads, but: {_one_line(error)}"
        raise InputError(law, place=str(file)) from error
    _check_causal(config, own, file)
    return config


def check_family(family: str, file: Path, *, brings_code: bool = False) -> None:
    """Raise InputError unless a `model_type` is a family of causal language models of this version of transformers."""
    if family not in transformers.CONFIG_MAPPING:
        own = ", and the code that its folder brings is not run" if brings_code else ""
        raise InputError(
            f"must be a causal language model that transformers {transformers.__version__} has, but the model_type"
            f" {family!r} is unknown to it{own}",
            place=str(file),
            way_out=nearest(family, list(transformers.CONFIG_MAPPING)),
        )
    causal = modeling_auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES
    seq2seq = modeling_auto.MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES
    masked = modeling_auto.MODEL_FOR_MASKED_LM_MAPPING_NAMES
    if family in seq2seq:
        reason = "is an encoder with a decoder"
    elif family in masked or family in _BIDIRECTIONAL:
        reason = "is an encoder, whose tokens see what follows"
    elif family in _OTHER_KINDS or family not in causal:
        reason = "has no causal language model of its own in transformers"
    else:
        return
    law = f"must be a causal language model, but the family {family!r} {reason}"
    raise InputError(
        law, place=str(file), way_out="Take a decoder-only model: llama, mistral, phi, qwen2, gpt_neox, ..."
    )


def _check_plain(raw: dict[str, Any], file: Path) -> None:
    """Raise InputError for configurations of quantised weights, of another task, or of files elsewhere."""
    if raw.get("quantization_config"):
        method = (
            raw["quantization_config"].get("quant_method") if isinstance(raw["quantization_config"], dict) else None
        )
        law = f"weights must not be quantised, but config.json says {method or 'quantization_config'}"
        raise InputError(law, place=str(file), way_out=PLAIN)
    if raw.get("transformers_weights"):
        raise InputError("config.json must not name other weights (transformers_weights)", place=str(file))
    architectures = raw.get("architectures")
    for name in architectures if isinstance(architectures, list) else []:
        if _OTHER_TASKS.search(str(name)):
            law = f"must be a causal language model, but its architecture is {name}"
            raise InputError(law, place=str(file), way_out="Take the causal language model it was made from.")


def _check_causal(config: Any, raw: dict[str, Any], file: Path) -> None:
    """Raise InputError if a configuration says that its model is not causal, or leaves out its number of heads."""
    text = config.get_text_config()
    if type(config) not in transformers.MODEL_FOR_CAUSAL_LM_MAPPING:
        raise InputError(f"transformers has no causal language model for {type(config).__name__}", place=str(file))
    if getattr(config, "is_encoder_decoder", False):
        raise InputError("must be a causal language model, but config.json says is_encoder_decoder", place=str(file))
    inner = raw.get("text_config")
    said = {**raw, **(inner if isinstance(inner, dict) else {})}
    names = {*_HEADS, dict(getattr(text, "attribute_map", {})).get("num_attention_heads", "")}
    if getattr(text, "num_attention_heads", None) and not names & said.keys():
        law = "config.json must say the number of attention heads (num_attention_heads), which no tensor's shape shows"
        raise InputError(law, place=str(file))


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__
