"""Answers in other tools' forms are joined by what names their questions, or refused with the way out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from search_spaces.errors import InputError
from tests.support.answer_forms import forms_of, records_of
from trainables.benchmarks.contract import Example
from trainables.benchmarks.predictions import Predictions, check_ids, read_predictions


def write(folder: Path, value: Any, name: str = "a.json") -> Path:
    (folder / name).write_text(json.dumps(value))
    return folder / name


def examples_of(*questions: str, prefix: str = "") -> list[Example]:
    return [Example(f"{prefix}{n + 7}", f"i{n}.jpg", f"i{n}.jpg", question) for n, question in enumerate(questions)]


def texts(predictions: Predictions) -> dict[str, str | None]:
    return {name: one.text for name, one in predictions.by_id.items()}


@pytest.mark.parametrize("form", forms_of("vqav2"))
def test_forms_of_harnesses_are_joined(tmp_path: Path, form: str) -> None:
    examples = examples_of("what is this", "who is that", "how many dogs")
    answers = {"7": "a", "8": "b", "9": "c"}
    assert texts(read_predictions(write(tmp_path, records_of(form, examples, answers)), examples)) == answers


def test_answers_that_ask_otherwise_than_their_id_are_refused(tmp_path: Path) -> None:
    examples = examples_of("what is this", "who is that", "how many dogs")
    rows = [{"question_id": n + 7, "question": examples[(n + 1) % 3].question, "answer": "x"} for n in range(3)]
    with pytest.raises(InputError, match=r"(?s)by question_id 3 of 3 ask otherwise: 7 is 'what is this'"):
        read_predictions(write(tmp_path, rows), examples)


def test_lines_of_somebodys_version_are_nothing_without_their_questions(tmp_path: Path) -> None:
    examples = [Example(str(n), "i", None, f"q{n}") for n in range(3)]
    rows = [{"index": n, "prediction": "x"} for n in range(3)]
    with pytest.raises(InputError, match="index counts lines of somebody's version"):
        read_predictions(write(tmp_path, rows), examples)


def test_missing_line_of_a_file_without_ids_never_shifts_the_others(tmp_path: Path) -> None:
    examples = [*examples_of("is a", "is b", "is a", prefix="random/")]
    rows = [{"question": q, "answer": "yes"} for q in ("is a", "is b", "is a")]
    assert texts(read_predictions(write(tmp_path, rows), examples)) == dict.fromkeys(
        ["random/7", "random/8", "random/9"], "yes"
    )
    for wrong, message in (
        (rows[1:], "one to each of 3 questions, but are 2"),
        (rows[1:] + rows[:1], "in their order, but 2 of 3"),
    ):
        with pytest.raises(InputError, match=message):
            read_predictions(write(tmp_path, wrong), examples)


def test_one_file_per_split_is_about_the_split_in_its_name(tmp_path: Path) -> None:
    examples = [e for split in ("random", "popular") for e in examples_of("is a", "is b", prefix=f"{split}/")]
    rows = [{"question": q, "answer": q} for q in ("is a", "is b")]
    paths = [write(tmp_path, rows, f"ans_{split}.json") for split in ("popular", "random")]
    predictions = read_predictions(paths, examples)
    check_ids(examples, predictions)
    with pytest.raises(
        InputError, match=r"(?s)one to each of 4 questions, but are 2.*One|Give the references of one split"
    ):
        read_predictions(paths[0], examples)


def test_ids_in_other_spellings(tmp_path: Path) -> None:
    examples = [
        Example("VizWiz_val_1.jpg", "i", None, "q"),
        Example("00042", "i", None, "q"),
        Example("random/3", "i", None, "q"),
    ]
    rows = [{"question_id": name, "answer": name} for name in ("VizWiz_val_1", 42.0, "3")]
    assert set(texts(read_predictions(write(tmp_path, rows), examples))) == {example.id for example in examples}


@pytest.mark.parametrize(
    ("text", "answers"),
    [
        ("Question_ID,Answer\n7, a\n8,\n", (" a", "")),
        ("question_id;prediction\n7,0;a\n8,0;b,c\n", ("a", "b,c")),
        ('question_id\tprediction\n7\t"a" b\n8\t6" tall\n', ('"a" b', '6" tall')),
        ('question_id\tprediction\n7\t"a\nb"\n8\t"6"" tall"\n', ("a\nb", '6" tall')),
        ('{"7": "a", "8": 2}', ("a", "2")),
        ('{"index": 7, "prediction": "a"}\n{"index": 8, "prediction": "b"}', ("a", "b")),
        ('{"logs": [{"doc": {"question_id": 7}, "resps": [["a"]]}, {"doc": {"id": 8}, "resps": [["b"]]}]}', None),
    ],
)
def test_files_as_people_have_them(tmp_path: Path, text: str, answers: tuple[str, str] | None) -> None:
    path = tmp_path / "a.txt"
    path.write_text(text)
    if answers is None:
        with pytest.raises(InputError, match=r"id: must be text or a whole number"):
            read_predictions(path, examples_of("what", "who"))
    else:
        assert tuple(texts(read_predictions(path, examples_of("what", "who"))).values()) == answers


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("7,a\n8,b\n", r"a\.txt:1: the first line must name the columns"),
        ('[{"id": 7, "prediction": "a", "prediction": "b"}]', "the key 'prediction' is there twice"),
        ('{"id": 7, "prediction": "a"}\n{"id": 8, "predic', r"a\.txt:2: must be one JSON object per line"),
        ('[{"id": 7, "prediction": "a"}, ', r"must be JSON"),
        ("id,prediction\n7,a,b\n8,b\n", r"a\.txt:2: a line must have 2 cells as the header, separated by commas"),
    ],
)
def test_broken_files_are_refused_with_their_line(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "a.txt"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        read_predictions(path, examples_of("what", "who"))


def test_fields_that_name_different_questions_are_refused(tmp_path: Path) -> None:
    rows = [{"id": str(8 + n % 2), "question_id": str(9 - n % 2), "prediction": "x"} for n in range(2)]
    with pytest.raises(InputError, match="id and question_id both are ids of questions, but name different ones"):
        read_predictions(write(tmp_path, rows), [Example(name, "i", None, "q") for name in ("8", "9")])


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{"question_id": 7, "text": "What is this on the table?", "image": "i"}], "are the questions themselves"),
        ([{"question_id": 7, "answer": 4, "issimple": True}], "is a reference: it has issimple"),
        ([{"question_id": 7, "hit": 1}], 'must have "prediction", "scores" or'),
        ([{"doc_id": 0, "filtered_resps": [[-1.2, False], [-0.3, True]]}], "holds log-likelihoods"),
        ([{"doc_id": 0, "filtered_resps": ["a", "b"]}], "one answer, but holds several that differ"),
        ([{"question_id": 7, "answer": "x"}, {"question_id": 7, "text": "x"}], "in one field of all records"),
        ({"a": [{"id": 1}], "b": [{"id": 1}]}, "one list of predictions, but has several: a, b"),
        ({"score": 71.2}, "nothing names the questions"),
        ([], "has none"),
        ([{"question_id": "1.05E+05", "answer": "x"}], "a spreadsheet program has shortened them"),
        ([{"question_id": 7, "response": {"text": "x"}}], "response: must be text, a number"),
    ],
)
def test_what_is_no_file_of_answers_is_refused(tmp_path: Path, rows: Any, message: str) -> None:
    examples = [Example("7", "i", None, "What is this on the table?")]
    with pytest.raises(InputError, match=message):
        read_predictions(write(tmp_path, rows), examples)


def test_equal_problems_of_many_records_are_one(tmp_path: Path) -> None:
    rows = [{"id": n, "prediction": None} for n in range(500)]
    with pytest.raises(
        InputError, match=r"a\.json\[0\]: prediction: must be text.*null; the same in 499 more records: a\.json\[1\]"
    ):
        read_predictions(write(tmp_path, rows), [Example("0", "i", None, "q")])


def test_workbook_of_vlmevalkit_is_read(tmp_path: Path) -> None:
    examples = examples_of("what is this", "how many dogs")
    book = openpyxl.Workbook()
    for row in [
        ["index", "question", "answer", "prediction"],
        [0, "what is this", "x", " a"],
        [1, "how many dogs", 3, 2.0],
    ]:
        book.worksheets[0].append(row)
    book.save(tmp_path / "a.xlsx")
    assert texts(read_predictions(tmp_path / "a.xlsx", examples)) == {"7": " a", "8": "2"}


def grounding(*boxes: list[float]) -> list[Example]:
    return [Example(str(n), "i", None, "q", reference={"box": box, "size": [640, 480]}) for n, box in enumerate(boxes)]


def test_boxes_of_corner_and_size_become_corners_where_they_show_it(tmp_path: Path) -> None:
    examples = grounding([400, 300, 450, 350], [10, 20, 110, 220])
    sizes = [[400, 300, 50, 50], [10, 20, 100, 200]]
    corners = {"0": "[400, 300, 450, 350]", "1": "[10, 20, 110, 220]"}
    path = write(tmp_path, [{"sent_id": n, "bbox": box} for n, box in enumerate(sizes)])
    assert texts(read_predictions(path, examples)) == corners
    path = write(tmp_path, [{"sent_id": n, "prediction": box} for n, box in enumerate(sizes)])
    with pytest.raises(InputError, match="boxes must be corners, but 50% are empty as such"):
        read_predictions(path, examples)
    assert texts(read_predictions(path, examples, "xywh")) == corners
    path = write(tmp_path, [{"sent_id": n, "bbox": [10, 20, 110, 220]} for n in range(2)])
    with pytest.raises(InputError, match="boxes may be corners as well as x, y, width, height"):
        read_predictions(path, examples)
    assert texts(read_predictions(path, examples, "corners"))["0"] == "[10, 20, 110, 220]"
