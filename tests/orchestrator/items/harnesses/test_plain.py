"""Claims about plain files: id and score, one record for each question."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.items.harnesses.contract import Choices
from orchestrator.items.harnesses.plain import read
from search_spaces.errors import InputError
from tests.support.item_rows import write_lines

ROWS = [{"id": "a", "score": 1, "image": "x"}, {"id": 7, "score": 0.5, "image": "x"}]


def test_ids_and_scores_are_enough_and_the_file_is_the_benchmark(tmp_path: Path) -> None:
    run = read(write_lines(tmp_path / "own.jsonl", ROWS), Choices())[0]
    assert (run.benchmark, run.metric, run.cluster) == ("own", "score", None)
    assert [(q.id, q.score) for q in run.questions] == [("a", 1.0), ("7", 0.5)]


def test_a_table_of_text_and_other_names_of_fields(tmp_path: Path) -> None:
    path = tmp_path / "own.csv"
    path.write_text("id,em,image,prediction\na,1,x,yes\nb,0.25,y,no\n")
    run = read(path, Choices(metric="em", cluster="image"))[0]
    assert [question[1:] for question in run.questions] == [
        ("a", 1.0, "x", "yes", None),
        ("b", 0.25, "y", "no", None),
    ]


def test_one_file_may_hold_several_benchmarks(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "all.jsonl", [{**row, "benchmark": name} for name in ("gqa", "pope") for row in ROWS])
    assert [(run.benchmark, len(run.questions)) for run in read(path, Choices())] == [("gqa", 2), ("pope", 2)]
    with pytest.raises(InputError, match="must be gqa, as --benchmark says, but is pope"):
        read(path, Choices(benchmark="gqa"))


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{"id": "a", "scor": 1}], "--metric: records must have score, but have id, scor\nDid you mean 'scor'?"),
        ([{"index": "a", "score": 1}], "id: records must have id, but have index, score"),
        ([{"id": "a", "score": "good"}], "own.jsonl:1: score: must be a number, but is 'good'"),
        ([{"id": [1], "score": 1}], "own.jsonl:1: id: must be text or a whole number"),
        ([{"arm": "a", "seed": 1, "id": "a", "score": 1}], "it is a table of items already"),
    ],
)
def test_what_is_wrong_is_named(rows: list[object], message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError) as raised:
        read(write_lines(tmp_path / "own.jsonl", rows), Choices())
    assert message in str(raised.value)
