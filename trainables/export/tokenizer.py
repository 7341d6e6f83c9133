"""Convert tokenizers to those of transformers: a checkpoint's own is loaded, word- and byte-level ones are rebuilt."""

from __future__ import annotations

from pathlib import Path
from typing import assert_never

from tokenizers import Regex, decoders, models, normalizers, pre_tokenizers
from tokenizers import Tokenizer as FastTokenizer
from transformers import PreTrainedTokenizerFast

from search_spaces.spec import LanguageSpec
from trainables.model.tokenizer import SPECIAL, WORD, Tokenizer, pretrained_tokenizer
from trainables.model.weights import find_weights


def hf_tokenizer(language: LanguageSpec, tokenizer: Tokenizer, data_root: Path) -> PreTrainedTokenizerFast:
    """Build a tokenizer of transformers with the same ids, and with all special tokens named.

    Args:
        language: specification of the language model.
        tokenizer: tokenizer that the model was trained with.
        data_root: folder that the origin of a checkpoint is relative to.
    """
    match language.tokenizer.kind:
        case "checkpoint":
            assert language.checkpoint is not None
            loaded = pretrained_tokenizer(find_weights(language.checkpoint, data_root), language.family)
        case "words":
            loaded = _with_special_tokens(_words(tokenizer.words))
        case "bytes":
            loaded = _with_special_tokens(_bytes())
        case _:
            assert_never(language.tokenizer.kind)
    for name, number in (("bos_token", tokenizer.bos), ("eos_token", tokenizer.end), ("pad_token", tokenizer.pad)):
        setattr(loaded, name, loaded.convert_ids_to_tokens(number))
    return loaded


_SPECIAL_NAMES = ("pad_token", "bos_token", "eos_token", "unk_token")


def _with_special_tokens(fast: FastTokenizer) -> PreTrainedTokenizerFast:
    return PreTrainedTokenizerFast(tokenizer_object=fast, **dict(zip(_SPECIAL_NAMES, SPECIAL, strict=True)))


def _words(words: tuple[str, ...]) -> FastTokenizer:
    vocabulary = {word: number for number, word in enumerate((*SPECIAL, *words))}
    fast = FastTokenizer(models.WordLevel(vocabulary, unk_token=SPECIAL[-1]))
    fast.normalizer = normalizers.Lowercase()
    fast.pre_tokenizer = pre_tokenizers.Split(Regex(WORD.pattern), "removed", invert=True)
    return fast


def _bytes() -> FastTokenizer:
    letters = _byte_letters()
    vocabulary = {token: number for number, token in enumerate((*SPECIAL, *letters))}
    fast = FastTokenizer(models.BPE(vocabulary, [], unk_token=SPECIAL[-1]))
    fast.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    fast.decoder = decoders.ByteLevel()
    return fast


def _byte_letters() -> list[str]:
    """List the letters that byte-level tokenizers write for the 256 bytes (GPT-2's table).

    Printable bytes are written as themselves, the rest as the letters from 256 on, in order.
    """
    printable = {*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    letters = iter(range(256, 512))
    return [chr(byte if byte in printable else next(letters)) for byte in range(256)]
