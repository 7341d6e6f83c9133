"""Open prompts: what an answer mentions, and what of it is not there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from search_spaces.errors import InputError
from trainables.benchmarks.contract import Example
from trainables.benchmarks.files.reference_files import find_files
from trainables.benchmarks.scoring import score_example, summarise
from trainables.benchmarks.sets.open_answers import BENCHMARK, mentions

VOCABULARY = {"dog": ["dog", "puppy"], "hot dog": ["hot dog"], "bus": ["bus"], "fire hydrant": ["fire hydrant"]}
FILE: dict[str, Any] = {
    "version": 1,
    "vocabulary": {"dog": ["puppy"], "bus": [], "kite": []},
    "samples": [
        {"id": "a", "image": "a.png", "prompt": "Describe the image.", "objects": [{"name": "dog"}, {"name": "bus"}]},
        {"id": "b", "image": "b.png", "prompt": "What is here?", "objects": ["kite"]},
    ],
}


def _read(folder: Path, **changes: Any) -> list[Example]:
    (folder / "prompts.json").write_text(json.dumps({**FILE, **changes}))
    return BENCHMARK.examples(find_files("open", BENCHMARK.files, [folder]))


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("", set()),
        ("A DOG and two  Buses.", {"dog", "bus"}),
        ("puppies", set()),
        ("two puppys", {"dog"}),
        ("a hot dog", {"hot dog"}),
        ("a hot\ndog beside a dog", {"hot dog", "dog"}),
        ("a busy dogma", set()),
        ("fire-hydrant", set()),
        ("fire hydrants", {"fire hydrant"}),
    ],
)
def test_names_are_found_as_whole_words_in_any_case_and_the_longest_counts(text: str, names: set[str]) -> None:
    assert mentions(text, VOCABULARY) == names


def test_what_is_mentioned_and_not_there_is_unsupported(tmp_path: Path) -> None:
    protocol = BENCHMARK.protocol("official")
    examples = _read(tmp_path)
    assert protocol.prompt(examples[1]) == "What is here?"
    assert protocol.options(examples[0]) == ()
    rows = [
        score_example(protocol, examples[0], "A puppy, a kite and a dog."),
        score_example(protocol, examples[1], "nothing"),
    ]
    assert [row.score for row in rows] == [0.5, 1.0]
    assert rows[0].parsed.value == {"mentioned": 2, "unsupported": ["kite"]}
    result = summarise(BENCHMARK, "official", rows)
    assert result.metrics == {"unsupported": 50.0, "words": 4.0, "mentioned": 1.0}
    assert result.units == {"unsupported": "percent", "words": "words", "mentioned": "names"}
    assert not score_example(protocol, examples[0], " \n").parsed.ok


def test_a_list_of_names_is_a_vocabulary_without_synonyms(tmp_path: Path) -> None:
    examples = _read(tmp_path, vocabulary=["dog", "bus", "kite"])
    assert examples[0].reference["vocabulary"]["dog"] == ["dog"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"vocabulary": ["dog", "bus", "kit"]}, "names of the vocabulary, but got 'kite'"),
        ({"vocabulary": ["dog", "bus", "kite", " "]}, "no empty text"),
        ({"vocabulary": 3}, "a list"),
        ({"samples": [{"id": 1, "image": "a.png", "objects": []}]}, "prompt"),
        ({"samples": []}, "at least one example"),
    ],
)
def test_a_file_that_is_wrong_is_refused_with_what_is_wrong(changes: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message):
        _read(tmp_path, **changes)


@given(st.text(), st.lists(st.text(min_size=1).filter(str.strip), max_size=5))
def test_any_answer_is_scored_between_0_and_1(output: str, names: list[str]) -> None:
    vocabulary = {name: [name] for name in names}
    example = Example("1", "1", "1", "?", reference={"objects": names[:1], "vocabulary": vocabulary})
    row = score_example(BENCHMARK.protocol("official"), example, output)
    assert 0 <= row.score <= 1
    assert mentions(" ".join(names), vocabulary) <= set(names)
