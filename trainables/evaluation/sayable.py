"""Find the questions whose right answer a model cannot say: for want of words, or of tokens. No torch."""

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
    words: tuple[str, ...]
    """Unknown words of the answers, most frequent first."""
    changed: tuple[tuple[str, str], ...]
    """Right answers that are read back as another text, and that text, which scores less."""
    long: tuple[str, ...]
    """Right answers of more tokens than the protocol lets a model generate."""


def unsayable(protocol: Protocol, examples: Sequence[Example], lexicon: Lexicon) -> Unsayable:
    """Find the questions for which nothing that can be said scores as much as the best answer.

    Args:
        protocol: scores the answers.
        examples: of a benchmark. Boxes and open prompts are left out: they have no one text that is right.
        lexicon: what the tokenizer knows.
    """
    unknown, changed, long, words = list[str](), list[tuple[str, str]](), list[str](), Counter[str]()
    for example in filter(_has_right_text, examples):
        scores = {text: _score(protocol, example, text) for text in perfect_answers(protocol, example)}
        best = max(scores.values(), default=0.0)
        if best == 0.0 or any(_is_said(protocol, example, lexicon, text, best) for text in scores):
            continue
        right = next(text for text, score in scores.items() if score == best)
        if lexicon.unknown(right):
            unknown.append(right)
            words.update(set(lexicon.unknown(right)))
        elif _is_long(protocol, example, lexicon, right):
            long.append(right)
        else:
            changed.append((right, lexicon.said(right)))
    ranked = sorted(words, key=lambda word: (-words[word], word))
    return Unsayable(tuple(unknown), tuple(ranked), tuple(changed), tuple(long))


def _has_right_text(example: Example) -> bool:
    reference = example.reference
    return not isinstance(reference, dict) or bool({"answer", "answers"} & reference.keys())


def _is_said(protocol: Protocol, example: Example, lexicon: Lexicon, text: str, best: float) -> bool:
    """Check whether a model can say a text, and whether what it then says scores as much as the best answer."""
    if lexicon.unknown(text) or _is_long(protocol, example, lexicon, text):
        return False
    said = text if protocol.options(example) else lexicon.said(text)  # options are ranked, and never decoded
    return _score(protocol, example, said) >= best


def _is_long(protocol: Protocol, example: Example, lexicon: Lexicon, text: str) -> bool:
    return not protocol.options(example) and lexicon.length(text) > protocol.max_new_tokens


def _score(protocol: Protocol, example: Example, text: str) -> float:
    read = text if protocol.options(example) else MODEL_TEXTS[protocol.model_text](text)
    return protocol.score(protocol.parse(read, example), example)
