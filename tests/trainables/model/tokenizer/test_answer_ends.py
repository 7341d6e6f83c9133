"""Claims about where a generated answer ends: where it ends in training, whatever the tokenizer's end token is."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest
from transformers import AutoTokenizer

from search_spaces.spec import PromptStyle
from tests.support.hub_languages import FAMILIES, make_checkpoint
from trainables.model.tokenizer import byte_tokenizer, checkpoint_tokenizer, word_tokenizer

STYLES = [style for style in get_args(PromptStyle) if style != "template"]


def test_an_end_of_the_style_cuts_what_a_model_writes_after_it(tmp_path: Path) -> None:
    """Qwen's base models know `<|im_end|>` and end with `<|endoftext|>`; they go on after an answer in ChatML."""
    folder = make_checkpoint(tmp_path / "qwen", "qwen2")
    loaded = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    loaded.eos_token = "<|endoftext|>"
    loaded.save_pretrained(folder)
    tokenizer = checkpoint_tokenizer(folder, "qwen2", "qwen")
    said = [*tokenizer.encode_answer("chatml", "yes"), *tokenizer.encode("\n<|im_start|>user\nIs it red?")]
    assert tokenizer.end not in said
    assert tokenizer.decode(said) != "yes"
    assert tokenizer.decode_answer("chatml", said) == tokenizer.decode_answer("template", said) == "yes"
    end = [loaded.convert_tokens_to_ids("<|im_end|>")]  # an exported model stops there, too
    assert tokenizer.answer_end_ids("chatml") == tokenizer.answer_end_ids("template") == end
    assert tokenizer.answer_end_ids("vicuna-v15") == []


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("family", [*FAMILIES, "bytes", "words"])
def test_every_style_ends_an_answer_as_training_does(family: str, style: PromptStyle, tmp_path: Path) -> None:
    if family == "bytes":
        tokenizer = byte_tokenizer()
    elif family == "words":
        tokenizer = word_tokenizer(["yes no user assistant im_end"])
    else:
        tokenizer = checkpoint_tokenizer(make_checkpoint(tmp_path / family, family), family, family)
    answer = tokenizer.encode_answer(style, "yes")
    before = answer[: answer.index(tokenizer.end)] if tokenizer.end in answer else [*answer, *tokenizer.encode("no no")]
    assert tokenizer.decode_answer(style, before).strip() == "yes"
