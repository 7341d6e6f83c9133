"""Find the words of texts that a language model's tokenizer does not know. No torch.

Word-level tokenizers know the words of their vocabulary, tokenizers of bytes everything. Of a checkpoint's own
tokenizer `tokenizer.json` is asked; most know every text, by bytes, and are not asked again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, assert_never

from search_spaces.spec import LanguageSpec
from trainables.model.tokenizer import WORD, build_tokenizer


@dataclass(frozen=True)
class Lexicon:
    """What a tokenizer knows."""

    unknown: Callable[[str], list[str]]
    """Text -> its words that the tokenizer does not know."""
    said: Callable[[str], str]
    """Text -> the text as a model says it that was trained on it: words of a vocabulary have blanks between them."""
    length: Callable[[str], int]
    """Text -> number of its tokens, without an end token."""


_STRANGE = "\u2603 \ua66e \U0001f9ff \u16a0"
"""A snowman, a Cyrillic letter of one manuscript, an amulet, a rune: what knows these by bytes knows everything."""


class UnknownWords(NamedTuple):
    """Texts that have words which a tokenizer does not know."""

    texts: int
    """Distinct texts that have such words."""
    of: int
    """Distinct texts."""
    words: tuple[tuple[str, int], ...]
    """The words, with the number of texts that have them, most frequent first."""

    @property
    def share(self) -> str:
        return f"{self.texts:,} of {self.of:,} ({100 * self.texts / max(1, self.of):.0f} %)"

    @property
    def shown(self) -> str:
        """List the most frequent words."""
        return ", ".join(repr(word) for word, _ in self.words[:8]) + (", ..." if len(self.words) > 8 else "")


def open_lexicon(language: LanguageSpec, texts: Callable[[], Iterable[str]], path: Path | None) -> Lexicon | None:
    """Open the words that a language model's tokenizer knows; None where it knows every text, or cannot be asked.

    Args:
        language: specification of the model.
        texts: returns all texts of the vocabulary's sources; only called for word-level tokenizers.
        path: folder of the checkpoint; None for a model without one.
    """
    match language.tokenizer.kind:
        case "words":
            known = frozenset(build_tokenizer(language, texts, None).words)
            return Lexicon(
                lambda text: [word for word in WORD.findall(text.lower()) if word not in known],
                lambda text: " ".join(WORD.findall(text.lower())),
                lambda text: len(WORD.findall(text)),
            )
        case "bytes":
            return None
        case "checkpoint":
            file = path / "tokenizer.json" if path is not None and path.is_dir() else None
            return None if file is None or not file.is_file() else _of_file(file)
        case _:
            assert_never(language.tokenizer.kind)


def _of_file(file: Path) -> Lexicon | None:
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(file))
    name = getattr(tokenizer.model, "unk_token", None)
    unknown = {tokenizer.token_to_id(token) for token in (name, "<unk>", "[UNK]") if token}
    if not unknown & set(tokenizer.encode(_STRANGE, add_special_tokens=False).ids):
        return None

    def words(text: str) -> list[str]:
        encoded = tokenizer.encode(text, add_special_tokens=False)
        spans = zip(encoded.ids, encoded.offsets, strict=True)
        return [text[start:end].strip() for number, (start, end) in spans if number in unknown]

    return Lexicon(words, lambda text: text, lambda text: len(tokenizer.encode(text, add_special_tokens=False).ids))


def unknown_words(lexicon: Lexicon, texts: Iterable[str]) -> UnknownWords:
    """Count the distinct texts with words that a tokenizer does not know, and those words."""
    distinct = dict.fromkeys(texts)
    words: Counter[str] = Counter()
    strange = 0
    for text in distinct:
        unknown = set(lexicon.unknown(text))
        words.update(unknown)
        strange += bool(unknown)
    ranked = sorted(words.items(), key=lambda pair: (-pair[1], pair[0]))
    return UnknownWords(strange, len(distinct), tuple(ranked))
