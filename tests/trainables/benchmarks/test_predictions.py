"""Files of predictions are read by their official forms, or refused with all that is wrong."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from search_spaces.errors import InputError
from tests.support.official_files.ai2d import write_ai2d
from tests.support.official_files.tallyqa import write_tallyqa
from tests.support.official_files.vsr import write_vsr
from trainables.benchmarks.contract import Example
from trainables.benchmarks.files.reference_files import find_files
from trainables.benchmarks.predictions import check_ids, chosen, read_predictions
from trainables.benchmarks.registry import BENCHMARKS
from trainables.benchmarks.scoring import score_predictions


def write(folder: Path, *rows: Any) -> Path:
    file = folder / "predictions.jsonl"
    file.write_text("".join(f"{row if isinstance(row, str) else json.dumps(row)}\n" for row in rows))
    return file


def named(*names: str) -> list[Example]:
    return [Example(name, "i", None, "q?") for name in names]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("Yes", "Yes"),
        ("", ""),
        (3, "3"),
        (3.0, "3"),
        (2.5, "2.5"),
        (True, "true"),
        ([0.1, 0.2, 0.3, 0.4], "[0.1, 0.2, 0.3, 0.4]"),
    ],
)
def test_text_stays_and_other_plain_values_are_read_as_their_json_text(value: Any, text: str, tmp_path: Path) -> None:
    predictions = read_predictions(write(tmp_path, {"id": 7, "prediction": value}), named("7"))
    assert predictions.by_id["7"].text == text


@pytest.mark.parametrize(
    "row",
    [
        {"id": 1, "prediction": None},
        {"id": 1, "prediction": {"answer": "x"}},
        {"id": 1, "prediction": ["x"]},
        {"id": 1},
        {"id": 1, "prediction": "x", "scores": {"a": 1}},
        {"id": None, "prediction": "x"},
        {"id": True, "prediction": "x"},
        {"id": 1.5, "prediction": "x"},
        {"prediction": "x"},
        {"id": 1, "scores": {}},
        {"id": 1, "scores": {"a": "1"}},
        {"id": 1, "scores": {"a": float("nan")}},
        [1, 2],
        "{",
        '{"id": 1, "prediction": ' + "9" * 5000 + "}",
    ],
)
def test_what_is_no_prediction_is_refused_with_its_line(row: Any, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"predictions\.jsonl:2"):
        read_predictions(write(tmp_path, {"id": 0, "prediction": "x"}, row), named("0", "1"))


def test_missing_extra_and_duplicated_ids_are_listed_together(tmp_path: Path) -> None:
    rows = [{"id": name, "prediction": "x"} for name in ("a", "b", "b", "z")]
    predictions = read_predictions(write(tmp_path, *rows), named("a", "b", "c"))
    with pytest.raises(InputError, match=r"(?s)1 missing: c\n.*1 extra: z\n.*1 duplicated: b"):
        check_ids(named("a", "b", "c"), predictions)


def test_scores_choose_the_first_of_the_likeliest_in_the_order_of_the_protocol(tmp_path: Path) -> None:
    write_ai2d(tmp_path)
    write_tallyqa(tmp_path)
    example = Example("1", "i", None, "q?", ("fox", "cow", "hawk", "krill"), 2)
    cases: list[tuple[str, str, dict[str, float], str]] = [
        ("ai2d", "prismatic", {"D": 1, "C": 1, "B": 0, "A": 0}, "C"),
        ("ai2d", "prismatic", {"fox": 0, "cow": 0, "hawk": 0, "krill": 1}, "D"),
        ("vsr", "prismatic", {"False": 0.5, "True": 0.5}, "True"),
        ("vsr", "official", {"True": 0.5, "False": 0.5}, "False"),
        ("pope", "prismatic", {"no": -1.0, "yes": -1.0}, "Yes"),
        ("tallyqa", "prismatic", {str(n): float(n == 15) for n in range(16)}, "P"),
        ("gqa", "official", {"red": 1, "blue": 2}, "blue"),
    ]
    for benchmark, protocol, scores, expected in cases:
        prediction = read_predictions(write(tmp_path, {"id": "1", "scores": scores}), named("1")).by_id["1"]
        bare = example if benchmark == "ai2d" else Example("1", "i", None, "q?")
        assert chosen(prediction, bare, BENCHMARKS[benchmark].protocol(protocol))[0] == expected


def test_scores_of_other_options_are_refused_with_their_line(tmp_path: Path) -> None:
    write_vsr(tmp_path, (1,))
    benchmark = BENCHMARKS["vsr"]
    examples = benchmark.examples(find_files("vsr", benchmark.files, [tmp_path / "test.jsonl"]))
    predictions = read_predictions(write(tmp_path, {"id": 0, "scores": {"True": 1, "Maybe": 0}}), examples)
    with pytest.raises(InputError, match=r"predictions\.jsonl:1.*True, False"):
        score_predictions(benchmark, "prismatic", examples, predictions, None)


@given(st.binary(max_size=120))
def test_any_bytes_are_predictions_or_refused(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    file = tmp_path_factory.mktemp("bytes") / "p.jsonl"
    file.write_bytes(data)
    with contextlib.suppress(InputError):
        read_predictions(file, named("0", "1"))
