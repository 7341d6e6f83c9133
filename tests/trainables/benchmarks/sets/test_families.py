"""Sets of a user's own: one file of questions and a family."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from search_spaces.errors import InputError
from search_spaces.families import FAMILY_PROTOCOL, Family
from trainables.benchmarks.files.reference_files import find_files
from trainables.benchmarks.scoring import score_example, summarise
from trainables.benchmarks.sets.families import FAMILIES

CASES: dict[str, tuple[dict[str, Any], str, str]] = {
    "vqa": ({"answers": ["red", "Red", "red.", "blue"]}, "Red", "blue"),
    "exact": ({"answer": "The dog"}, "dog.", "cat"),
    "yes-no": ({"answer": "yes"}, "Yes", "no"),
    "multiple-choice": ({"options": ["fox", "cow"], "answer": "cow"}, "B", "A"),
    "counting": ({"answer": 3}, "3", "4"),
    "grounding": ({"box": [0, 0, 10, 10], "size": [20, 20]}, "[0, 0, 0.5, 0.5]", "[0.5, 0.5, 1, 1]"),
}


def rows(family: str) -> list[dict[str, Any]]:
    fields = CASES[family][0]
    return [{"id": n, "image": f"{n}.png", "question": "what?", "groups": {"split": "a"}, **fields} for n in range(2)]


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_reads_and_scores(family: str, tmp_path: Path) -> None:
    (tmp_path / "mine.jsonl").write_text("\n".join(map(json.dumps, rows(family))))
    benchmark = FAMILIES[family]
    examples = benchmark.examples(find_files(family, benchmark.files, [tmp_path]))
    _, right, wrong = CASES[family]
    for name, protocol in benchmark.protocols.items():
        scored = [score_example(protocol, *of) for of in zip(examples, (right, wrong), strict=True)]
        assert scored[0].score > scored[1].score
        result = summarise(benchmark, name, scored)
        assert result.by == {"split": {"a": result.metrics["accuracy"]}}
        for option in protocol.options(examples[0]):
            assert protocol.parse(option, examples[0]).ok


def test_every_family_that_studies_may_name_is_there_and_asks_the_question_as_it_is(tmp_path: Path) -> None:
    assert set(FAMILIES) == set(get_args(Family))
    for family, benchmark in FAMILIES.items():
        (tmp_path / "mine.jsonl").write_text("\n".join(map(json.dumps, rows(family))))
        protocol = benchmark.protocol(FAMILY_PROTOCOL)
        examples = benchmark.examples(find_files(family, benchmark.files, [tmp_path]))
        assert {protocol.prompt(example) for example in examples} == {"what?"}


@given(
    st.sampled_from(sorted(FAMILIES)),
    st.sampled_from(["answer", "answers", "options", "box", "size", "id", "image", "groups"]),
    st.recursive(st.none() | st.integers() | st.text(max_size=3) | st.booleans(), lambda x: st.lists(x, max_size=3)),
)
def test_spoiled_questions_are_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, family: str, key: str, value: Any
) -> None:
    file = tmp_path_factory.mktemp("own") / "mine.jsonl"
    first, second = rows(family)
    file.write_text(json.dumps({**first, key: value}) + "\n" + json.dumps(second))
    try:
        examples = FAMILIES[family].examples(find_files(family, (), [file]))
    except InputError:
        return
    for protocol in FAMILIES[family].protocols.values():
        assert all(0 <= score_example(protocol, example, "A").score <= 1 for example in examples)
        assert all(isinstance(protocol.prompt(example), str) for example in examples)
