"""Claims about tokenizers that came with a checkpoint."""

from __future__ import annotations

from itertools import chain
from pathlib import Path

import pytest
import transformers

from tests.support.hub_languages import FAMILIES, make_checkpoint
from trainables.model.tokenizer import IGNORE, Tokenizer, checkpoint_tokenizer

TURNS = (("What color?", "red"), ("What shape?", "a circle"))


def _both(folder: Path, family: str) -> tuple[Tokenizer, transformers.PreTrainedTokenizerFast]:
    make_checkpoint(folder, family)
    loaded: transformers.PreTrainedTokenizerFast = transformers.AutoTokenizer.from_pretrained(folder)
    return checkpoint_tokenizer(folder, family, family), loaded


@pytest.mark.parametrize("family", ["llama", "mistral"])
def test_llama_and_mistral_without_a_padding_token_get_a_new_one(family: str, tmp_path: Path) -> None:
    tokenizer, loaded = _both(tmp_path, family)
    assert (tokenizer.pad, tokenizer.size) == (len(loaded), len(loaded) + 1)


@pytest.mark.parametrize("family", ["phi", "gpt_neox"])
def test_the_end_token_fills_where_another_family_has_no_padding_token(family: str, tmp_path: Path) -> None:
    tokenizer, loaded = _both(tmp_path, family)
    assert (tokenizer.pad, tokenizer.size) == (tokenizer.end, len(loaded))


def test_a_padding_token_of_its_own_is_kept(tmp_path: Path) -> None:
    tokenizer, loaded = _both(tmp_path, "qwen2")
    assert (tokenizer.pad, tokenizer.size) == (loaded.pad_token_id, len(loaded))
    assert tokenizer.pad != tokenizer.end
    make_checkpoint(tmp_path / "own", "llama")
    own = transformers.AutoTokenizer.from_pretrained(tmp_path / "own")
    own.add_special_tokens({"pad_token": "<unk>"})
    own.save_pretrained(tmp_path / "own")
    again = checkpoint_tokenizer(tmp_path / "own", "llama", "own")
    assert (again.pad, again.size) == (own.unk_token_id, len(own))


def test_the_style_phi_2_has_its_beginning_of_sequence_once_and_before_the_image(tmp_path: Path) -> None:
    """The string carries it, and the model puts BOS before the image: the text after the image begins with `Input:`."""
    tokenizer, loaded = _both(tmp_path, "phi")
    whole = "<|endoftext|>Input: What color?\nOutput: red\n<|endoftext|>"
    ids, labels = tokenizer.encode_turns("phi-2", TURNS[:1], 500)
    assert loaded.decode([tokenizer.bos, *ids.tolist()]) == whole
    assert ids[0] != tokenizer.bos
    assert loaded.decode([label for label in labels.tolist() if label != IGNORE]) == " red\n<|endoftext|>"
    assert ids.tolist()[: len(tokenizer.encode_question("phi-2", "What color?", 500))] == tokenizer.encode_question(
        "phi-2", "What color?", 500
    )


def test_sentencepiece_tokenises_each_turn_as_prismatic_does(tmp_path: Path) -> None:
    """There each turn is stripped on the right and tokenised alone, and the tokenizer itself puts a blank in front."""
    tokenizer, loaded = _both(tmp_path, "llama")
    ids, labels = tokenizer.encode_turns("pure", TURNS, 500)
    pieces = ["In: What color?\nOut: ", "red</s>", "In: What shape?\nOut: ", "a circle</s>"]
    expected = [loaded(piece.rstrip(), add_special_tokens=False)["input_ids"] for piece in pieces]
    assert ids.tolist() == list(chain(*expected))
    targets = [[IGNORE] * len(expected[0]), expected[1], [IGNORE] * len(expected[2]), expected[3]]
    assert labels.tolist() == list(chain(*targets))


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("style", ["pure", "vicuna-v15", "llama2-chat", "mistral-instruct", "phi-2", "chatml"])
def test_a_question_and_its_answer_are_the_ids_of_training(style: str, family: str, tmp_path: Path) -> None:
    tokenizer, _ = _both(tmp_path, family)
    ids, _ = tokenizer.encode_turns(style, TURNS, 500)  # type: ignore[arg-type]
    prompt_ids = tokenizer.encode_question(style, TURNS[1][0], 500, TURNS[:1])  # type: ignore[arg-type]
    assert [*prompt_ids, *tokenizer.encode_answer(style, TURNS[1][1])] == ids.tolist()  # type: ignore[arg-type]
