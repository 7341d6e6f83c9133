"""Define open prompts about images with known objects: answers to read, their length and unsupported objects.

One file, JSON: `vocabulary`, the names that are looked for (a list, or name -> its synonyms), and `samples`, each with
`id`, `image` (a path below the images), `prompt` and `objects`, the things that are there: names of the vocabulary, or
objects with a `name`. A name that an answer mentions and that is not among the sample's objects is unsupported. The
share of such among all mentioned is CHAIR_i of Rohrbach et al. 2018 (arXiv 1809.02156), over a vocabulary of one's own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache

from search_spaces.errors import InputError, nearest
from trainables.benchmarks.contract import Benchmark, Example, Parsed, Protocol, Row, Summary, Totals
from trainables.benchmarks.files.record_fields import Fields
from trainables.benchmarks.files.reference_files import Document, ReferenceFiles, WantedFile

_LONGEST = 64
"""Tokens of an answer."""


def _read(files: ReferenceFiles, split: str | None) -> list[Example]:
    document = files.one("open prompts", _holds_samples)
    whole = Fields(document.value, document.place)
    vocabulary = _vocabulary(whole)
    return [_example(sample, vocabulary) for sample in whole.records("samples")]


def _holds_samples(document: Document) -> bool:
    return isinstance(document.value, dict) and {"vocabulary", "samples"} <= document.value.keys()


def _vocabulary(whole: Fields) -> dict[str, list[str]]:
    """Read the vocabulary: name -> all texts that mean it, itself included."""
    if isinstance(whole.plain("vocabulary"), dict):
        synonyms = whole.record("vocabulary")
        texts_of = {name: [name, *synonyms.texts(name)] for name in whole.mapping("vocabulary")}
    else:
        texts_of = {name: [name] for name in whole.texts("vocabulary")}
    if not all(text.strip() for texts in texts_of.values() for text in texts):
        raise InputError("must hold no empty text", place=whole.place, key="vocabulary")
    return texts_of


def _example(sample: Fields, vocabulary: Mapping[str, Sequence[str]]) -> Example:
    image, objects = sample.text("image"), _objects(sample)
    for name in objects:
        if name not in vocabulary:
            law = f"must be names of the vocabulary, but got {name!r}"
            raise InputError(law, place=sample.place, key="objects", way_out=nearest(name, list(vocabulary)))
    reference = {"answer": ", ".join(objects), "objects": objects, "vocabulary": vocabulary}
    return Example(sample.id("id"), image, image, sample.text("prompt"), reference=reference)


def _objects(sample: Fields) -> list[str]:
    items = sample.items("objects")
    if any(isinstance(item, dict) for item in items):
        return [item.text("name") for item in sample.records("objects")]
    return sample.texts("objects")


def _unsupported(output: str, example: Example) -> Parsed:
    """Find the names that are mentioned and not there, sorted, and count all that are mentioned."""
    mentioned = mentions(output, example.reference["vocabulary"])
    made_up = sorted(mentioned - set(example.reference["objects"]))
    return Parsed({"mentioned": len(mentioned), "unsupported": made_up}, ok=bool(output.strip()))


def mentions(text: str, vocabulary: Mapping[str, Sequence[str]]) -> set[str]:
    """Find names of the vocabulary in a text, in any case, as whole words, also in the plural by -s or -es.

    Where several begin at one place the longest counts: "hot dog stand" mentions no hot dog if it is a name itself.
    """
    of_text = {_plain(text): name for name, texts in vocabulary.items() for text in texts}
    return {of_text[match] for match in _pattern(tuple(of_text)).findall(_plain(text))}


def _plain(text: str) -> str:
    return " ".join(text.lower().split())


@lru_cache(maxsize=64)
def _pattern(texts: tuple[str, ...]) -> re.Pattern[str]:
    longest_first = sorted(texts, key=len, reverse=True)
    return re.compile(rf"(?<!\w)({'|'.join(map(re.escape, longest_first)) or '(?!)'})(?:e?s)?(?!\w)")


def _supported(parsed: Parsed, example: Example) -> float:
    """Compute the share of the mentioned names that are there; 1 where none is mentioned."""
    mentioned: int = parsed.value["mentioned"]
    made_up: list[str] = parsed.value["unsupported"]
    return 1 - len(made_up) / max(1, mentioned)


def _summary(rows: Sequence[Row]) -> Summary:
    mentioned = sum(row.parsed.value["mentioned"] for row in rows)
    made_up = sum(len(row.parsed.value["unsupported"]) for row in rows)
    metrics = {
        "unsupported": 100 * made_up / max(1, mentioned),
        "words": sum(len(row.prediction.split()) for row in rows) / max(1, len(rows)),
        "mentioned": mentioned / max(1, len(rows)),
    }
    return Summary(metrics, () if mentioned else ("nothing of the vocabulary is mentioned: unsupported is given as 0",))


BENCHMARK = Benchmark(
    id="open",
    title="open prompts: answers to read, their length, and what they mention that is not there",
    split="all",
    files=(WantedFile("open prompts", ("prompts.json", "*.json"), "yours"),),
    images="yours, under the paths of the field image",
    totals=Totals(()),
    read=_read,
    protocols={
        "official": Protocol(
            about="share of the mentioned names of the vocabulary that are not in the image",
            prompt=lambda example: example.question,
            parse=_unsupported,
            score=_supported,
            summarise=_summary,
            headline="unsupported",
            units={"unsupported": "percent", "words": "words", "mentioned": "names"},
            max_new_tokens=_LONGEST,
            model_text="keep",
        )
    },
)
