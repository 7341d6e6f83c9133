"""Claims about the words that tokenizers know."""

from __future__ import annotations

from pathlib import Path

import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

from search_spaces.spec import LanguageSpec, SourceSpec, TokenizerSpec
from trainables.model.lexicon import open_lexicon, unknown_words
from trainables.model.tokenizer import MOST_WORDS, build_tokenizer

SOURCE = SourceSpec(name="s", version="1", reader="llava", path="train.json")


def language(tokenizer: TokenizerSpec, checkpoint: str | None = None) -> LanguageSpec:
    return LanguageSpec(
        name="small", family="llama", checkpoint=checkpoint, config={}, tokenizer=tokenizer, prompt="bare",
        width=8, max_length=32,
    )  # fmt: skip


def test_a_vocabulary_knows_its_words_in_any_case_and_nothing_else() -> None:
    words = language(TokenizerSpec(kind="words", source=SOURCE))
    lexicon = open_lexicon(words, lambda: ["Is it red?", "yes"], None)
    assert lexicon is not None
    assert lexicon.unknown("Red it is, yes!") == [",", "!"]
    found = unknown_words(lexicon, ["red", "teal", "teal", "teal box", "it is"])
    assert (found.texts, found.of) == (2, 4)
    assert found.words == (("teal", 2), ("box", 1))
    assert lexicon.said("T-shirt") == "t - shirt"


def test_the_words_of_a_mix_are_the_most_frequent_ones_up_to_a_limit() -> None:
    texts = ["common", *(f"w{number}" for number in range(MOST_WORDS)), "common"]
    of_mix = language(TokenizerSpec(kind="words", sources=(SOURCE,)))
    kept = build_tokenizer(of_mix, lambda: texts, None).words
    assert len(kept) == MOST_WORDS
    assert list(kept) == sorted(kept)
    assert "common" in kept
    assert set(texts) - set(kept) == {max(texts[1:-1])}
    of_source = language(TokenizerSpec(kind="words", source=SOURCE))
    assert len(build_tokenizer(of_source, lambda: texts, None).words) == MOST_WORDS + 1


def test_bytes_know_every_text() -> None:
    assert open_lexicon(language(TokenizerSpec(kind="bytes")), lambda: [], None) is None


@pytest.mark.parametrize(("knows_bytes", "unknown"), [(True, None), (False, ["teal"])])
def test_a_checkpoints_tokenizer_is_asked_unless_it_knows_every_byte(
    knows_bytes: bool, unknown: list[str] | None, tmp_path: Path
) -> None:
    if knows_bytes:
        letters = {letter: number for number, letter in enumerate(pre_tokenizers.ByteLevel.alphabet())}
        tokenizer = Tokenizer(models.BPE(letters, []))
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        tokenizer.decoder = decoders.ByteLevel()
    else:
        tokenizer = Tokenizer(models.WordLevel({"[UNK]": 0, "red": 1}, unk_token="[UNK]"))
        tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    lexicon = open_lexicon(language(TokenizerSpec(kind="checkpoint"), "path:x"), lambda: [], tmp_path)
    assert (lexicon.unknown("red teal") if lexicon else None) == unknown
