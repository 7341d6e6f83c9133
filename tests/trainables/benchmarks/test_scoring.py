"""Claims about scores of prediction files: what each protocol's own scorer makes of a perfect answer that is framed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support import official_files
from tests.support.official_scores import read
from trainables.benchmarks.best_reachable import best_row
from trainables.benchmarks.contract import Example
from trainables.benchmarks.predictions import Prediction, Predictions
from trainables.benchmarks.registry import BENCHMARKS
from trainables.benchmarks.scoring import score_example, score_predictions

BLANKS = {" {}", "{} ", "\n{}", "{}\n"}
ENDS = {"</s>{}", "{}</s>", "{}<|endoftext|>", "{}<|im_end|>"}
STOP_BEFORE, STOP = ".{}", "{}."
FRAMES = {*BLANKS, *ENDS, STOP_BEFORE, STOP}

BOXES: dict[str, set[str]] = {
    "official": set(),
    "prismatic": {*ENDS, STOP_BEFORE, STOP},
    "lmms": set(),
    "vlmevalkit": set(),
}
LOST: dict[str, dict[str, set[str]]] = {
    "vqav2": {
        "official": {*ENDS, STOP_BEFORE, STOP},
        "official_2016": {*ENDS, STOP_BEFORE},
        "prismatic": {*ENDS, STOP_BEFORE},
        "lmms": ENDS,
        "vlmevalkit": ENDS,
    },
    "gqa": {
        "official": FRAMES,
        "prismatic": {*BLANKS, *ENDS},
        "lmms": ENDS,
        "vlmevalkit": {*ENDS, STOP_BEFORE, STOP},
        "llava": {*BLANKS, *ENDS, STOP_BEFORE},
    },
    "vizwiz": dict.fromkeys(("official", "prismatic", "lmms", "vlmevalkit"), ENDS),
    "textvqa": {name: {*ENDS, STOP_BEFORE} for name in ("official", "prismatic", "lmms", "vlmevalkit", "llava")},
    "textvqa-ocr": {name: {*ENDS, STOP_BEFORE} for name in ("official", "prismatic", "lmms", "llava")},
    "refcoco": BOXES,
    "refcoco+": BOXES,
    "refcocog": BOXES,
    "ocidref": {"official": set(), "prismatic": {*ENDS, STOP_BEFORE, STOP}},
    "vsr": {"official": {*ENDS, STOP_BEFORE}, "prismatic": {*ENDS, STOP_BEFORE}, "vlmevalkit": set()},
    "pope": {
        "official": {"\n{}", "{}\n", *ENDS, STOP_BEFORE},
        "llava": {"\n{}", "{}\n", *ENDS, STOP_BEFORE},
        "prismatic": {*ENDS, STOP_BEFORE},
        "lmms": {*ENDS, STOP_BEFORE, STOP},
        "vlmevalkit": set(),
    },
    "tallyqa": {"official": FRAMES, "prismatic": {*ENDS, STOP_BEFORE}, "vlmevalkit": set()},
    "ai2d": {"official": {*ENDS, STOP_BEFORE}, "prismatic": {*ENDS, STOP_BEFORE}, "lmms": ENDS, "vlmevalkit": ENDS},
}
"""Benchmark -> protocol -> frames with which its authors' scorer does not find some perfect answer any more.

VQA's normalisers make blanks of `<`, `/` and `>`; a full stop before a digit stays. POPE's code splits at blanks alone.
"""
PAIRS = [(name, protocol) for name, benchmark in BENCHMARKS.items() for protocol in benchmark.protocols]


@pytest.fixture(scope="module")
def examples(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Example]]:
    folders = {name: tmp_path_factory.mktemp("official") for name in BENCHMARKS}
    for name, folder in folders.items():
        official_files.WRITERS[name](folder)
    return {name: read(name, folder) for name, folder in folders.items()}


@pytest.mark.parametrize(("name", "protocol"), PAIRS)
def test_framed_perfect_answers_get_what_the_harness_gives_and_are_counted_where_they_are_lost(
    name: str, protocol: str, examples: dict[str, list[Example]]
) -> None:
    definition, lost = BENCHMARKS[name].protocols[protocol], set[str]()
    for example in examples[name]:
        best = best_row(definition, example)
        for frame in FRAMES:
            row = score_example(definition, example, frame.format(best.prediction))
            if row.score < best.score:
                lost.add(frame)
                is_another_number = frame == STOP_BEFORE and best.prediction[:1].isdigit()
                assert not row.is_read or is_another_number, (frame, best.prediction)
    assert lost == LOST[name][protocol]


def _predicted(examples: list[Example], texts: list[str]) -> Predictions:
    rows = zip(examples, texts, strict=True)
    return Predictions({e.id: Prediction(text, None, 1) for e, text in rows}, (), "predictions.jsonl")


def _scores(name: str, protocol: str, examples: list[Example], frame: str) -> tuple[float, tuple[str, ...], int]:
    benchmark = BENCHMARKS[name]
    texts = [frame.format(best_row(benchmark.protocols[protocol], example).prediction) for example in examples]
    scored = score_predictions(benchmark, protocol, examples, _predicted(examples, texts), None)
    return scored.metrics[scored.headline], scored.warnings, scored.unparsable


def test_a_file_is_scored_as_it_stands_and_a_note_says_what_its_harness_would_have_made_of_it(
    examples: dict[str, list[Example]],
) -> None:
    score, notes, unparsable = _scores("gqa", "prismatic", examples["gqa"], " {}")
    assert (score, unparsable) == (0, 2)
    assert any("as prismatic cuts what a model says, their accuracy is 50.00" in note for note in notes)
    score, notes, _ = _scores("gqa", "lmms", examples["gqa"], " {}")
    assert (score, notes) == (100, ())


def test_more_than_a_tenth_unparsable_is_noted_with_an_example_and_more_than_half_is_a_warning(tmp_path: Path) -> None:
    official_files.WRITERS["pope"](tmp_path)
    examples = read("pope", tmp_path)  # 12 of them
    right = ["yes", "no"] * 6
    for wrong, expected in ((1, []), (2, ["2 of 12"]), (6, ["6 of 12"]), (7, ["more than half"])):
        texts = ["perhaps"] * wrong + right[wrong:]
        scored = score_predictions(BENCHMARKS["pope"], "official", examples, _predicted(examples, texts), None)
        notes = [note for note in scored.warnings if "could not be read" in note]
        assert [note[: len(begin)] for note, begin in zip(notes, expected, strict=True)] == expected
        assert all("'perhaps' to random/1" in note for note in notes)
        assert scored.unparsable == wrong


def test_the_best_reachable_score_is_that_of_a_perfect_model(examples: dict[str, list[Example]]) -> None:
    for name, protocol in PAIRS:
        score, notes, _ = _scores(name, protocol, examples[name], "{}")
        benchmark = BENCHMARKS[name]
        perfect = [best_row(benchmark.protocols[protocol], example).prediction for example in examples[name]]
        scored = score_predictions(benchmark, protocol, examples[name], _predicted(examples[name], perfect), None)
        assert scored.best_reachable == score
        full = {"points": 100, "percent": 100, "0 to 1": 1}[scored.units[scored.headline]]
        assert (score < full) == any("the best reachable" in note for note in notes), (name, protocol)


@pytest.mark.parametrize(("name", "protocol", "reachable"), [("gqa", "prismatic", 50), ("tallyqa", "prismatic", 75)])
def test_what_no_answer_can_reach_is_known(
    name: str, protocol: str, reachable: float, examples: dict[str, list[Example]]
) -> None:
    """GQA's t-shirt loses its hyphen, and no letter stands for TallyQA's 16."""
    assert _scores(name, protocol, examples[name], "{}")[0] == reachable
