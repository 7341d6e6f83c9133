"""Find the questions whose right answer a model cannot say, because its tokenizer has no words for it. No torch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from trainables.benchmarks.best_reachable import perfect_answers
from trainables.benchmarks.contract import Example, Protocol
from trainables.benchmarks.model_text import MODEL_TEXTS
from trainables.model.lexicon import Lexicon


@dataclass(frozen=True)
class Unsayable:
    """Questions of a benchmark whose best answer cannot be said as it is scored."""

    unknown: tuple[str, ...]
    """Right answers with words that the tokenizer does not know, one for each question, in their order."""
    changed: tuple[tuple[str, str], ...]
    """Right answers that are read back as another text, and that text, which scores less."""
    words: tuple[str, ...]
    """Unknown words of the answers, most frequent first."""


def unsayable(protocol: Protocol, examples: Sequence[Example], lexicon: Lexicon) -> Unsayable:
    """Find the questions for which nothing that can be said scores as much as the best answer.

    Args:
        protocol: scores the answers.
        examples: of a benchmark. Boxes are left out: numbers near the right ones score, too.
        lexicon: what the tokenizer knows.
    """
    unknown, changed, words = list[str](), list[tuple[str, str]](), Counter[str]()
    for example in examples:
        if isinstance(example.reference, dict) and "box" in example.reference:
            continue
        scores = {text: _score(protocol, example, text) for text in perfect_answers(protocol, example)}
        best = max(scores.values(), default=0.0)
        known = [text for text in scores if not lexicon.unknown(text)]
        if best == 0.0 or any(_score(protocol, example, lexicon.said(text)) >= best for text in known):
            continue
        right = next(text for text, score in scores.items() if score == best)
        if lexicon.unknown(right):
            unknown.append(right)
            words.update(set(lexicon.unknown(right)))
        else:
            changed.append((right, lexicon.said(right)))
    ranked = sorted(words, key=lambda word: (-words[word], word))
    return Unsayable(tuple(unknown), tuple(changed), tuple(ranked))


def _score(protocol: Protocol, example: Example, text: str) -> float:
    if protocol.options(example):  # ranked by likelihood, and never decoded
        text = next((option for option in protocol.options(example) if option.casefold() == text.casefold()), text)
    else:
        text = MODEL_TEXTS[protocol.model_text](text)
    return protocol.score(protocol.parse(text, example), example)
