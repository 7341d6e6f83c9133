"""Compare the words of questions and right answers with those that a language model knows."""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator.first_study.own_data import OwnData
from search_spaces.spec import LanguageSpec
from trainables.benchmarks.example_json import right_answer
from trainables.evaluation.sayable import unsayable
from trainables.model.lexicon import open_lexicon
from trainables.model.tokenizer import WORD


@dataclass(frozen=True)
class Words:
    """Words of a test set, and those of them that a language model does not know."""

    language: str
    total: int
    """Distinct words of its prompts and right answers."""
    unknown: tuple[str, ...]
    """In the order of the test set."""
    unsayable: int
    """Questions whose right answer has such a word: `ablate run` refuses them."""

    @property
    def known(self) -> int:
        return self.total - len(self.unknown)


def compare_words(data: OwnData, language: LanguageSpec) -> Words:
    """Count the words of a test set that a language model whose words are those of the training data knows.

    Args:
        data: training data and test set.
        language: of the study; its tokenizer is of words.
    """
    lexicon = open_lexicon(language, data.training_texts, None)
    assert lexicon is not None, "a tokenizer of words knows some words and not all"
    texts = [text for example in data.examples for text in (data.asked.prompt(example), right_answer(example))]
    words = dict.fromkeys(word for text in texts for word in WORD.findall(text.lower()))
    unknown = tuple(word for word in words if lexicon.unknown(word))
    return Words(language.name, len(words), unknown, len(unsayable(data.asked, data.examples, lexicon).unknown))
