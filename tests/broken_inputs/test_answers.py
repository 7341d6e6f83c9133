"""Answers over family or benchmark x protocol x reference x what frames them: read as what they say, or unparsable."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support import official_files
from tests.support.broken_inputs import tries
from trainables.benchmarks.best_reachable import best_row
from trainables.benchmarks.contract import Benchmark, Example
from trainables.benchmarks.files.reference_files import find_files
from trainables.benchmarks.model_text import END_TOKENS, MODEL_TEXTS
from trainables.benchmarks.reading_notes import SAYS_LITTLE
from trainables.benchmarks.registry import BENCHMARKS
from trainables.benchmarks.scoring import score_example, summarise
from trainables.benchmarks.sets.families import FAMILIES

SPACE = st.sampled_from(["", " ", "\n", "\t", "  \n", "\u00a0", "\r\n", "\u2003"])
FRAMES = (
    *("{}", "{}.", "{}!", "{}\u3002", '"{}"', "'{}'", "\u201c{}\u201d", "`{}`", "**{}**", "*{}*", "__{}__", "**{}.**"),
    *("Answer: {}", "answer: {}.", "The answer is {}", "Final answer: **{}**", "<answer>{}</answer>", "\\boxed{{{}}}"),
    *("<think>yes or no? 1, 2, A. [0, 0, 1, 1]</think>{}", "<think>\n\n</think>\n\n{}", "perhaps no</think>{}"),
    *(f"{{}}{token}" for token in END_TOKENS),
    *(f"{{}}{token}\nUSER: no 7 B" for token in END_TOKENS),
    *("<s>{}", "<s> {}</s>", "<pad>{}", "<|begin_of_text|>{}"),
)
FOREIGN = ("", "{", "null", "None", "nan", "NaN", "[NaN, 0, 1, 1]", "[Infinity, 0, 1, 1]", "[0.1, 0.2]", "maybe")
SENTENCES = (
    "I cannot see the image",
    "not sure",
    "no idea",
    "yes and no",
    "A or B",
    "between 3 and 4",
    "<think>yes 1 A",
)
WORDS = (
    "red",
    "t-shirt",
    "The dog",
    "woman's",
    "12 oz",
    "a",
    "I don't know",
    "2.5",
    "U.S.A.",
    "New York",
    "\u00e4pfel",
)


def _own(family: str, draw: st.DrawFn) -> dict[str, Any]:
    """Draw the fields of a record of a family, and what they make right."""
    word = st.sampled_from(WORDS)
    match family:
        case "vqa":
            answers = draw(st.lists(word, min_size=1, max_size=12))
            return {"answers": [*answers, "red"]}  # not articles alone, which are refused
        case "exact":
            return {"answer": draw(word.filter(lambda text: text != "a"))}
        case "yes-no":
            return {"answer": draw(st.sampled_from(["yes", "no", "Yes", "NO", True, False]))}
        case "multiple-choice":
            options = draw(st.lists(word, min_size=2, max_size=5, unique=True))
            return {"options": options, "answer": draw(st.integers(0, len(options) - 1))}
        case "counting":
            return {"answer": draw(st.integers(0, 30) | st.integers(0, 10**6))}
        case "grounding":
            x0, y0 = draw(st.integers(0, 300)), draw(st.integers(0, 200))
            x1, y1 = x0 + draw(st.integers(20, 300)), y0 + draw(st.integers(20, 200))
            return {"box": [x0, y0, x1, y1], "size": [640, 480]}
    raise AssertionError(family)


def _examples_of(benchmark: Benchmark, records: Sequence[dict[str, Any]], file: Path) -> list[Example]:
    rows = [{"id": n, "image": f"{n}.png", "question": "what?", **record} for n, record in enumerate(records)]
    file.write_text("\n".join(map(json.dumps, rows)))
    return benchmark.examples(find_files(benchmark.id, benchmark.files, [file]))


@tries("answers")
@given(data=st.data())
def test_what_is_plainly_said_to_an_own_set_is_read_and_anything_else_is_unparsable(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    family = data.draw(st.sampled_from(sorted(FAMILIES)))
    benchmark, folder = FAMILIES[family], tmp_path_factory.mktemp("own")
    records = [data.draw(st.composite(lambda draw: _own(family, draw))()) for _ in range(3)]
    examples = _examples_of(benchmark, records, folder / "mine.jsonl")
    frame, before, after = data.draw(st.sampled_from(FRAMES)), data.draw(SPACE), data.draw(SPACE)
    foreign = data.draw(st.sampled_from((*FOREIGN, *SENTENCES)))
    for name, protocol in benchmark.protocols.items():
        rows = []
        for example in examples:
            best = best_row(protocol, example)
            output = f"{before}{frame.format(best.prediction)}{after}"
            assert protocol.score(best.parsed, example) == best.score
            row = score_example(protocol, example, output)
            rows.append(row)
            if protocol.model_text == "cut":
                reaches = family == "vqa" and len(example.reference) >= 10
                assert best.score == 1 or reaches or _names_two(example, best.prediction), (name, best)
                assert (row.score, row.is_read) == (best.score, best.is_read), (name, output)
            else:
                assert row.score == best.score or not row.is_read, (name, output)
            other = score_example(protocol, example, f"{before}{foreign}{after}")
            assert other.score == 0 or family in ("vqa", "exact"), (name, foreign)
            assert not other.is_read or family in ("vqa", "exact"), (name, foreign)
        _check_notes(benchmark, name, rows)


def _names_two(example: Example, prediction: str) -> bool:
    return len(example.options) > 0 and len(prediction) == 1


def _check_notes(benchmark: Benchmark, protocol: str, rows: Sequence[Any]) -> None:
    """Check that what was not read is told, with the share that it has."""
    scored = summarise(benchmark, protocol, rows)
    counted = [row for row in rows if benchmark.protocols[protocol].counts(row.example)]
    share = sum(not row.is_read for row in counted) / len(counted)
    notes = [note for note in scored.warnings if "could not be read" in note]
    assert bool(notes) == (share > 0.1)
    assert any(note.startswith(SAYS_LITTLE) for note in notes) == (share > 0.5)
    if share == 0 and all(row.score == 1 for row in counted):
        assert scored.metrics[scored.headline] == scored.best_reachable


@pytest.fixture(scope="module")
def official(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Example]]:
    examples = {}
    for name, benchmark in BENCHMARKS.items():
        folder = tmp_path_factory.mktemp("official")
        official_files.WRITERS[name](folder)
        examples[name] = benchmark.examples(find_files(name, benchmark.files, [folder]))
    return examples


@tries("answers")
@given(data=st.data())
def test_a_framed_answer_to_an_official_set_is_never_taken_for_another_without_a_word(
    official: dict[str, list[Example]], data: st.DataObject
) -> None:
    frame, before, after = data.draw(st.sampled_from(FRAMES)), data.draw(SPACE), data.draw(SPACE)
    name = data.draw(st.sampled_from(sorted(BENCHMARKS)))
    for protocol, definition in BENCHMARKS[name].protocols.items():
        rows = []
        for example in official[name]:
            best = best_row(definition, example)
            for said in (best.prediction, _wrong(example, best.prediction)):
                alone = score_example(definition, example, said)
                row = score_example(definition, example, f"{before}{frame.format(said)}{after}")
                assert row.score == alone.score or not row.is_read, (protocol, row.prediction)
            handed_over = MODEL_TEXTS[definition.model_text](f"{before}{best.prediction}{after}")
            in_study = score_example(definition, example, handed_over)
            assert (in_study.score, in_study.is_read) == (best.score, best.prediction != ""), (protocol, handed_over)
            rows.append(score_example(definition, example, f"{before}{frame.format(best.prediction)}{after}"))
        _check_notes(BENCHMARKS[name], protocol, rows)


def _wrong(example: Example, right: str) -> str:
    """Give an answer of the same kind as the right one."""
    for pair in (("yes", "no"), ("Yes", "No"), ("True", "False"), ("A", "B")):
        if right in pair:
            return pair[1 - pair.index(right)]
    return "7" if right.isdigit() else "[0.9, 0.9, 0.95, 0.95]" if right.startswith("[") else "blue"
