"""Define families: ways of asking and scoring, for evaluation sets of a user's own.

A set is one file, JSON Lines or a JSON list, with a record per question: `id`, `image` (a path below the images),
`question` and, by family, `answers` (vqa), `answer` (exact, yes-no, counting), `options` and `answer` (multiple-choice:
position, letter or text of the right one), `box` and `size` (grounding: corners and the image's width and height, in
px). `groups`, an object of texts, names the groups of results that the question belongs to. `own_records.py` reads it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from search_spaces.families import FAMILY_PROTOCOL, Family
from trainables.benchmarks.contract import Benchmark, Example, Parsed, Protocol, Row, Summary, Totals
from trainables.benchmarks.files.reference_files import ReferenceFiles, WantedFile
from trainables.benchmarks.scorers import grounding, normalisers, own_sets
from trainables.benchmarks.scorers.choices import equals_position, letter, letters
from trainables.benchmarks.scorers.instructions import multiple_choice, short_answer
from trainables.benchmarks.scorers.soft_accuracy import Normaliser
from trainables.benchmarks.scorers.summaries import accuracy, accuracy_by
from trainables.benchmarks.scorers.yes_no import decisions, either, equals_reference
from trainables.benchmarks.sets.own_answers import box, choice, count, one_answer, several_answers, yes_or_no
from trainables.benchmarks.sets.own_records import Reference, read_own


def _short(example: Example) -> str:
    return short_answer(example.question)


def _lettered(example: Example) -> str:
    return multiple_choice(example.question, example.options)


_SHORT_TEXT = own_sets.short_text(normalisers.vqa_official)


def _exact(parsed: Parsed, example: Example) -> float:
    return float(parsed.ok and parsed.value == _SHORT_TEXT(example.reference))


def _several(about: str, normaliser: Normaliser) -> Protocol:
    """Make a protocol of answers by several people, with a normaliser of both sides."""
    normalise = own_sets.short_text(normaliser)

    def score(parsed: Parsed, example: Example) -> float:
        return own_sets.right_share(parsed.value, list(map(normalise, example.reference))) if parsed.ok else 0.0

    return Protocol(about, _short, own_sets.exact_text(normaliser), score, accuracy_by(), **_OWN)


_OWN: Mapping[str, Any] = {"model_text": "cut", "version": 2}
"""Of protocols that read whatever an answer is framed by. Their first version took outputs as they stood."""


def _yes_no_summary(rows: Sequence[Row]) -> Summary:
    counts = decisions(rows)
    metrics, warnings = accuracy(rows)
    metrics |= {"f1": counts.f1, "precision": counts.precision, "recall": counts.recall, "yes_ratio": counts.yes_ratio}
    return Summary(metrics, (*warnings, *(f"given as 0: {what}" for what in counts.undefined())))


_SHARES = dict.fromkeys(("f1", "precision", "recall", "yes_ratio"), "0 to 1")
_FILE = (WantedFile("questions", ("*.jsonl", "*.json"), "yours"),)


_PLAIN_TOKENS = 64


def _as_it_is(example: Example) -> str:
    return example.question


def _plain(protocol: Protocol) -> Protocol:
    """Make the protocol that scores as another does and adds no word to the question.

    Nothing asks a model to be short, so that it gets more tokens for its answer.
    """
    about, most = f"the question as it is; {protocol.about}", max(_PLAIN_TOKENS, protocol.max_new_tokens)
    return replace(protocol, about=about, prompt=_as_it_is, max_new_tokens=most)


def _family(name: Family, title: str, reference: Reference, protocols: Mapping[str, Protocol]) -> Benchmark:
    def read(files: ReferenceFiles, split: str | None) -> list[Example]:
        return read_own(files, split, name, reference)

    return Benchmark(
        id=name,
        title=title,
        split="all",
        files=_FILE,
        images="yours, under the paths of the field image",
        totals=Totals(()),
        read=read,
        protocols={FAMILY_PROTOCOL: _plain(protocols["official"]), **protocols},
    )


FAMILIES: Mapping[str, Benchmark] = {
    family.id: family
    for family in (
        _family(
            "vqa",
            "open answers against several people's",
            several_answers,
            {
                "official": _several(
                    "soft accuracy, both sides normalised as VQA does; below ten answers, three tenths are full",
                    normalisers.vqa_official,
                ),
                "evalai": _several(
                    "soft accuracy, both sides normalised as EvalAI does; below ten answers, three tenths are full",
                    normalisers.evalai,
                ),
            },
        ),
        _family(
            "exact",
            "open answers against one",
            one_answer,
            {
                "official": Protocol(
                    "the same text after VQA's normaliser",
                    _short,
                    own_sets.exact_text(normalisers.vqa_official),
                    _exact,
                    accuracy_by(),
                    **_OWN,
                )
            },
        ),
        _family(
            "yes-no",
            "yes or no",
            yes_or_no,
            {
                "official": Protocol(
                    "yes or no, true or false, 1 or 0, alone or first in a sentence; all else is unparsable and wrong",
                    _short,
                    own_sets.yes_or_no,
                    equals_reference,
                    _yes_no_summary,
                    units=_SHARES,
                    **_OWN,
                ),
                "likelihood": Protocol(
                    "likelihood of Yes against No, Yes where they are equal",
                    _short,
                    either("Yes", "No"),
                    equals_reference,
                    _yes_no_summary,
                    units=_SHARES,
                    options=lambda example: ("Yes", "No"),
                ),
            },
        ),
        _family(
            "multiple-choice",
            "one of lettered options",
            choice,
            {
                "official": Protocol(
                    "the letter or the text of an option, alone or together; all else is unparsable and wrong",
                    _lettered,
                    own_sets.lettered,
                    equals_position,
                    accuracy_by(),
                    **_OWN,
                ),
                FAMILY_PROTOCOL: Protocol(
                    "the question as it is; the letter or the text of an option; what names two is unparsable",
                    _as_it_is,
                    own_sets.text_or_letter,
                    equals_position,
                    accuracy_by(),
                    **_OWN,
                ),
                "likelihood": Protocol(
                    "likelihood of the letters, the first of equals",
                    _lettered,
                    letter,
                    equals_position,
                    accuracy_by(),
                    options=letters,
                ),
            },
        ),
        _family(
            "counting",
            "how many",
            count,
            {
                "official": Protocol(
                    "a number alone, in digits or a word up to twenty; all else is unparsable and wrong",
                    _short,
                    own_sets.whole_count,
                    equals_position,
                    accuracy_by(),
                    **_OWN,
                ),
                "words": Protocol(
                    "the only number of the answer, in digits or a word up to twenty",
                    _short,
                    own_sets.only_count,
                    equals_position,
                    accuracy_by(),
                    **_OWN,
                ),
            },
        ),
        _family("grounding", "where is what this describes", box, grounding.own_protocols()),
    )
}
